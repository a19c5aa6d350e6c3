"""Plan the clips that a request asks for: read its files, and cut what the generator is given."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from files.errors import AudioError, ParameterError
from synth.clips import ClipPlan, Join, plain_clip
from synth.file_request import FileRequest
from synth.flow_conditions import curves_of
from synth.flow_generator import ANYTHING, FlowGenerator, FlowRequest
from synth.generator import Generator
from synth.join_recording import FADE_SECONDS, reach_samples
from synth.recordings import (
    Recording,
    check_audible,
    check_length,
    check_span,
    cut_mel,
    read_recording,
)

DEFAULT_SECONDS = 30.0
MOST_SECONDS = 3600.0  # of new sound; needs a gigabyte per worker
DESCRIBED_FRAMES = 1 << 14  # of a sound at a time


@dataclass(frozen=True)
class PlannedClips:
    """How to make every file of a folder.

    Attributes
    ----------
    plan : ClipPlan
    seconds : float
        Of new sound in every file.
    notes : list of str
        What was changed or rounded, for the user.
    """

    plan: ClipPlan
    seconds: float
    notes: list[str]


def plan_clips(
    generator: Generator, name: str, request: FileRequest, seconds: float | None
) -> PlannedClips:
    """Read the files of a request and plan clips.

    Parameters
    ----------
    name : str
        Of the generator, for messages.
    seconds : float, optional
        Of new sound; by default as long as the file that is followed, or 30.

    Raises
    ------
    AudioError
        If a file cannot be read, is too short or silent, or holds NaN.
    ParameterError
        If the generator cannot do what is asked, or a span is not within its file.
    """
    asked = request.asked()
    if not asked:
        seconds = seconds or DEFAULT_SECONDS
        n_samples = round(seconds * generator.mel.sample_rate)
        return PlannedClips(plain_clip(n_samples, generator.mel), seconds, [])
    if request.prompt is not None:
        raise ParameterError(
            f"{name} has no use for text; leave --prompt out, or give a generator that has:"
            " --with transformers:DIR or --with diffusers:DIR"
        )
    if not isinstance(generator, FlowGenerator):
        raise ParameterError(
            f"{name} is a generator of the architecture {generator.architecture}, and"
            f" {', '.join(asked)} needs a flow; give a flow, or leave the option out"
        )
    return Planner(generator, request, seconds).plan()


class Planner:
    """Plans the clips of a request to a flow."""

    def __init__(
        self, generator: FlowGenerator, request: FileRequest, seconds: float | None
    ) -> None:
        self.generator = generator
        self.settings = generator.mel
        self.rate = generator.mel.sample_rate
        self.hop = generator.mel.hop_length
        self.patch = generator.config.patch_frames
        self.request = request
        self.seconds = seconds
        self.notes: list[str] = []

    def plan(self) -> PlannedClips:
        wanted = replace(ANYTHING, style=self._style())
        request = self.request
        n_samples = round((self.seconds or DEFAULT_SECONDS) * self.rate)
        if request.continues is not None:
            plan = self._continuation(self._read(request.continues), wanted, n_samples)
        elif request.fills is not None and request.span is not None:
            if self.seconds is not None:
                raise ParameterError(
                    f"seconds={self.seconds:g} cannot be combined with --fill, whose span says how"
                    " long the new sound is; leave it out"
                )
            plan = self._filling(self._read(request.fills), wanted, request.span)
        elif request.follows is not None:
            plan = self._following(self._read(request.follows), wanted)
        elif request.loop:
            plan = self._loop(wanted, n_samples)
        else:
            plan = plain_clip(n_samples, self.settings, wanted)
        return PlannedClips(plan, plan.n_samples / self.rate, self.notes)

    def _read(self, path: Path) -> Recording:
        recording = read_recording(path, self.rate)
        check_length(recording, self.patch * self.hop, self.rate)
        if recording.note:
            self.notes.append(recording.note)
        return recording

    def _style(self) -> Tensor | None:
        """Return the weighted mean of the styles of the files."""
        if not self.request.like:
            return None
        weights = torch.tensor([weight for _, weight in self.request.like])
        styles = torch.stack([self._style_of(path) for path, _ in self.request.like])
        return (weights[:, None] * styles).sum(0) / weights.sum()

    def _style_of(self, path: Path) -> Tensor:
        recording = self._read(path)
        check_audible(recording.name, recording.audio)
        return describe(self.generator, recording.audio)

    def _continuation(self, recording: Recording, wanted: FlowRequest, n_new: int) -> ClipPlan:
        """Plan the recording, and new sound after it.

        Frames whose window reaches beyond the end are made anew.
        """
        audio = recording.audio
        padding = (self.settings.n_fft - self.hop) // 2
        check_length(recording, self.patch * self.hop + padding, self.rate)
        heard_until = len(audio) - padding
        n_given = min(self.generator.window_frames, heard_until // self.hop)
        first = heard_until - n_given * self.hop
        check_audible(f"{recording.name}: its end", audio[first:])
        stop = len(audio) + n_new
        n_made = -(-(stop + reach_samples(self.rate) - heard_until) // self.hop)
        n_frames = _rounded_up(n_given + n_made, self.patch)
        given = torch.zeros(n_frames, dtype=torch.bool)
        given[:n_given] = True
        start = len(audio) - min(round(FADE_SECONDS * self.rate), n_given * self.hop)
        join = Join(audio, first, start, stop)
        return self._joined(join, given, wanted, n_new)

    def _filling(
        self, recording: Recording, wanted: FlowRequest, span: tuple[float, float]
    ) -> ClipPlan:
        """Plan the recording with a span of it made new, with a window given on either side."""
        audio = recording.audio
        check_span(span, recording, self.settings)
        start = round(span[0] * self.rate)
        stop = min(round(span[1] * self.rate), len(audio))
        self._check_new(stop - start)
        window = self.generator.window_frames
        n_before = min(window, start // self.hop)
        n_made = -(-(stop - start) // self.hop)
        n_after = min(window, max(len(audio) - start - n_made * self.hop, 0) // self.hop)
        n_after = max(n_after - (n_before + n_made + n_after) % self.patch, 0)
        if n_before + n_after < self.patch:
            raise ParameterError(
                f"--from {span[0]:g} --to {span[1]:g} leaves almost nothing of {recording.name} to"
                " be heard; give a shorter span"
            )
        first = start - n_before * self.hop
        last = start + (n_made + n_after) * self.hop
        check_audible(
            f"{recording.name}: what is around the span",
            np.concatenate([audio[first:start], audio[stop:last]]),
        )
        given = torch.ones(_rounded_up(n_before + n_made + n_after, self.patch), dtype=torch.bool)
        given[n_before : n_before + n_made] = False
        given[n_before + n_made + n_after :] = False
        return self._joined(Join(audio, first, start, stop), given, wanted, stop - start)

    def _joined(self, join: Join, given: Tensor, wanted: FlowRequest, n_new: int) -> ClipPlan:
        """Plan a clip whose given frames are cut from a recording, by default in their style."""
        mel = torch.full((self.settings.n_mels, len(given)), self.settings.silence)
        heard = cut_mel(join.recording, join.first, len(given), self.settings)
        mel[:, : heard.shape[1]] = heard
        if wanted.style is None:
            wanted = replace(wanted, style=self.generator.style_of(mel[:, given]))
        request = replace(wanted, mel=mel, given=given)
        first_new = int((~given).nonzero()[0])
        return ClipPlan(n_new, len(given), request, join, first_new)

    def _following(self, recording: Recording, wanted: FlowRequest) -> ClipPlan:
        """Plan a clip with the loudness and the onsets of a recording, or of its beginning."""
        check_audible(recording.name, recording.audio)
        n_samples = len(recording.audio)
        if self.seconds is not None:
            n_samples = round(self.seconds * self.rate)
        if n_samples > len(recording.audio):
            raise AudioError(
                f"{recording.name} lasts {len(recording.audio) / self.rate:.3f} s, and cannot be"
                f" followed for {self.seconds:g} s; leave out --seconds, or give fewer"
            )
        self._check_new(n_samples)
        n_frames = -(-n_samples // self.hop)
        mel = cut_mel(recording.audio, 0, n_frames, self.settings)
        request = replace(wanted, curves=curves_of(mel, self.settings))
        return plain_clip(n_samples, self.settings, request)

    def _loop(self, wanted: FlowRequest, n_samples: int) -> ClipPlan:
        """Plan a loop of whole patches, at least as long as wanted."""
        n_frames = _rounded_up(-(-n_samples // self.hop), self.patch)
        exact = n_frames * self.hop
        self.notes.append(f"each loop lasts {exact / self.rate:.6f} s, {exact} samples")
        return plain_clip(exact, self.settings, replace(wanted, loop=True))

    def _check_new(self, n_samples: int) -> None:
        least = self.patch * self.hop
        most = round(MOST_SECONDS * self.rate)
        if not least <= n_samples <= most:
            raise ParameterError(
                f"{n_samples / self.rate:.3f} s of new sound must be {least / self.rate:.3f} to"
                f" {MOST_SECONDS:g} s; give another span or length"
            )


def describe(generator: FlowGenerator, audio: np.ndarray) -> Tensor:
    """Return the style of audio (n_samples,) of any length."""
    n_frames = -(-len(audio) // generator.mel.hop_length)
    style = torch.zeros(generator.config.style_size)
    for start in range(0, n_frames, DESCRIBED_FRAMES):
        frames = min(DESCRIBED_FRAMES, n_frames - start)
        mel = cut_mel(audio, start * generator.mel.hop_length, frames, generator.mel)
        style += generator.style_of(mel) * frames / n_frames
    return style


def _rounded_up(frames: int, multiple: int) -> int:
    return -(-frames // multiple) * multiple
