"""Fill a folder with audio by a plug-in: files one after another, each by all processors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.channels import fit_channels
from audio.read import probe, read_audio
from audio.resample import resample
from files.errors import AudioError, ParameterError
from files.progress import Progress, no_progress
from synth.clips import MIN_CHECKED_SECONDS, GeneratedClip, safe_gain
from synth.faults import audio_fault
from synth.file_request import NOTHING_ASKED, FileRequest
from synth.fill_folder import FilesToMake, GenerateSummary, fill_folder
from synth.generate import GenerateOptions
from synth.generated_header import make_plugin_header
from synth.mel import MelSettings
from synth.plan_clips import DEFAULT_SECONDS
from synth.plugins.plugin import Plugin
from synth.recordings import check_audible, read_recording

UNUSED = ("--fill", "--like", "--loop")  # by any plug-in


@dataclass(frozen=True)
class Sounds:
    """What a plug-in is given of a request, and what was changed in it for the user to know."""

    audio: np.ndarray | None
    melody: np.ndarray | None
    notes: list[str]


def generate_with(
    plugin: Plugin,
    out: Path,
    *,
    options: GenerateOptions,
    request: FileRequest = NOTHING_ASKED,
    force: bool = False,
    progress: Progress = no_progress,
) -> GenerateSummary:
    """Fill `out` with files, or continue an interrupted run. Other files in it are kept.

    Raises
    ------
    AudioError
        If a sound of the request cannot be read, or is silent.
    ParameterError
        If the plug-in cannot do what is asked, `out` was made by another one or with other options,
        or cannot be written.
    """
    seconds = _check(plugin, options, request)
    sounds = _read(plugin, request)
    if sounds.melody is not None:
        seconds = _seconds_of(sounds.melody, plugin, options)
    header = make_plugin_header(
        plugin, seconds=seconds, random_seed=options.random_seed, request=request.record()
    )

    def make(random_seed: int) -> GeneratedClip:
        audio = plugin.generate(
            seconds,
            random_seed=random_seed,
            prompt=request.prompt,
            audio=sounds.audio,
            melody=sounds.melody,
        )
        return checked_clip(audio, plugin.sample_rate, sounds.audio)

    files = FilesToMake(
        header,
        options.n_files(seconds),
        make,
        random_seed=options.random_seed,
        sample_rate=plugin.sample_rate,
        notes=sounds.notes,
    )
    return fill_folder(out, files, workers=None, force=force, progress=progress)


def _check(plugin: Plugin, options: GenerateOptions, request: FileRequest) -> float:
    """Refuse what the plug-in has no use for; return the seconds of each file."""
    if unused := [option for option in UNUSED if option in request.asked()]:
        raise ParameterError(f"{plugin.name} has no use for {' and '.join(unused)}; leave it out")
    if options.workers is not None:
        raise ParameterError(
            f"{plugin.name} makes one file after another, each with all processors; leave --workers"
            " out"
        )
    seconds = options.seconds or min(DEFAULT_SECONDS, plugin.most_seconds)
    plugin.check_request(
        seconds,
        has_prompt=request.prompt is not None,
        has_audio=request.continues is not None,
        has_melody=request.follows is not None,
    )
    return seconds


def _seconds_of(melody: np.ndarray, plugin: Plugin, options: GenerateOptions) -> float:
    """Return how long to follow a melody: by default as long as it is."""
    longest = melody.shape[1] / plugin.sample_rate
    if options.seconds is not None and options.seconds > longest:
        raise AudioError(
            f"the sound that is followed lasts {longest:.3f} s, and cannot be followed for"
            f" {options.seconds:g} s; leave out --seconds, or give fewer"
        )
    return options.seconds or longest


def _read(plugin: Plugin, request: FileRequest) -> Sounds:
    """Read the sounds of a request, at the plug-in's rate and channels."""
    notes: list[str] = []
    audio = melody = None
    if request.continues is not None:
        audio, note = read_for(request.continues, plugin)
        notes += note
        check_audible(request.continues.name, audio.ravel())
    if request.follows is not None:
        recording = read_recording(request.follows, plugin.sample_rate)
        notes += [recording.note] if recording.note else []
        check_audible(recording.name, recording.audio)
        melody = recording.audio[None]
    return Sounds(audio, melody, notes)


def read_for(path: Path, plugin: Plugin) -> tuple[np.ndarray, list[str]]:
    """Return a file as float32 (channels, n_samples), and what was changed in it."""
    if plugin.channels == 1:
        recording = read_recording(path, plugin.sample_rate)
        return recording.audio[None], [recording.note] if recording.note else []
    rate = probe(path).sample_rate
    samples = resample(read_audio(path).samples, rate, plugin.sample_rate)
    notes = []
    if rate != plugin.sample_rate:
        notes.append(f"{path.name}: resampled from {rate} to {plugin.sample_rate} Hz")
    return np.ascontiguousarray(fit_channels(samples, plugin.channels).T), notes


def checked_clip(
    audio: np.ndarray, sample_rate: int, given: np.ndarray | None = None
) -> GeneratedClip:
    """Lower a sound (channels, n_samples) that is too loud, and say if it is broken.

    What it begins with, `given`, is neither checked nor lowered.
    """
    n_given = 0 if given is None else given.shape[1]
    new = audio[:, n_given:]
    if not np.isfinite(new).all():
        return GeneratedClip(audio, fault="not finite")
    gain_db, factor = safe_gain(new)
    clip = np.concatenate([audio[:, :n_given], new * factor], axis=1)
    if new.shape[1] < MIN_CHECKED_SECONDS * sample_rate:
        return GeneratedClip(clip, gain_db)
    settings = MelSettings(sample_rate=sample_rate, f_max=min(11025.0, sample_rate / 2))
    faults = [audio_fault(channel, settings) for channel in new * factor]
    return GeneratedClip(clip, gain_db, None if None in faults else faults[0])
