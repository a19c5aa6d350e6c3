"""Yield the audio of an open plan in blocks, for the writers of files."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from audio.write import AudioWriter
from files.progress import Progress, no_progress
from playback.open_plan import OpenPlan
from playback.options import CrossfadeOptions, PlanDecoder
from playback.plan import Plan
from playback.stitch import stitch

BLOCK_SAMPLES = 1 << 17  # meters and encoders are slow on the short pieces that stitching yields


@dataclass(frozen=True)
class PlanAudio:
    """The audio of an open plan: with its crossfade or decoder, and a callback for progress.

    Of a `loop`, the end leads into the beginning: the plan is played over and over, and this is one
    round of it.
    """

    opened: OpenPlan
    crossfade: CrossfadeOptions
    progress: Progress = no_progress
    block_samples: int = BLOCK_SAMPLES
    decoder: PlanDecoder | None = None
    loop: bool = False

    @property
    def plan(self) -> Plan:
        return self.opened.plan

    def blocks(self, label: str, only: str | int | None = None) -> Iterator[np.ndarray]:
        """Yield the audio in blocks and report progress; `only` as for `stitch`, not if decoded."""
        n_samples = self.plan.n_samples
        pieces: list[np.ndarray] = []
        size = 0
        done = 0
        for piece in self._pieces(only):
            pieces.append(piece)
            size += len(piece)
            is_last = size > 0 and done + size == n_samples  # pieces may be empty
            if size >= self.block_samples or is_last:
                yield np.concatenate(pieces)
                done += size
                pieces = []
                size = 0
                self.progress(done, n_samples, label)

    def _pieces(self, only: str | int | None) -> Iterator[np.ndarray]:
        plan = self.plan
        reader = self.opened.reader
        if self.decoder:
            assert only is None
            return self.decoder.blocks(plan, reader, self.crossfade)
        if self.loop:
            return stitch(
                three_rounds(plan),
                reader,
                crossfade=self.crossfade,
                only=only,
                start=plan.n_samples,
                stop=2 * plan.n_samples,
            )
        return stitch(plan, reader, crossfade=self.crossfade, only=only)

    def writer(
        self, temporary: Path, path: Path, *, bits: str | None, title: str = ""
    ) -> AudioWriter:
        """Return a writer for the audio, or a stem of it, as long as the plan.

        The file's comment names the plan and its crossfade.
        """
        options = " ".join(f"{name}={value}" for name, value in asdict(self.crossfade).items())
        comment = (
            f"Demiurge plan {self.opened.whole.identity}, database {self.plan.database['id']},"
            f" seams {options}"  # the word of 0.1.0, so that its plans give the same bytes
        )
        if self.loop:
            comment += ", a loop"
        if self.decoder:
            comment += "".join(f" {name}={value}" for name, value in self.decoder.facts.items())
        return AudioWriter(
            temporary,
            self.plan.sample_rate,
            self.plan.channels,
            bits=bits,
            n_samples=self.plan.n_samples,
            comment=comment,
            title=title,
            shown=path,
        )


def three_rounds(plan: Plan) -> Plan:
    """Return a plan that plays another three times, one right after the other."""
    n_samples = plan.n_samples
    steps = tuple(
        replace(step, at_sample=step.at_sample + number * n_samples)
        for voice in plan.voices
        for number in range(3)
        for step in plan.steps[voice.start : voice.stop]
    )
    return replace(plan, steps=steps, targets=None, spectra=None)
