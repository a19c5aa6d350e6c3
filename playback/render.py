"""Render a plan to an audio file: at the right level, never clipped, and complete or absent."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from audio.decibels import to_amplitude, to_decibels
from audio.loudness import LoudnessMeter, TruePeakMeter
from files.atomic import replacing, writing_errors
from files.progress import Progress, no_progress
from files.roots import Folder, Roots
from playback.levels import PeakMeter, find_gain_db
from playback.open_plan import OpenPlan, open_plan
from playback.options import DEFAULT_RENDER, OutputOptions, RenderOptions
from playback.plan import Plan
from playback.plan_audio import BLOCK_SAMPLES, PlanAudio

# samples at the start of a render that are not made again if a later one is too high
KEPT_SAMPLES = 1 << 22


@dataclass(frozen=True)
class RenderSummary:
    """The levels of a render.

    `gain_db` was applied to the whole. `peak` is its sample peak after that, and `lufs` and
    `true_peak_db` are its loudness and true peak, if they were measured.
    """

    n_samples: int
    peak: float
    gain_db: float
    lufs: float | None = None
    true_peak_db: float | None = None


class _OverFullScaleError(Exception):
    """A sample is over full scale, so the whole, whose blocks it holds, must be lowered."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        super().__init__()
        self.blocks = blocks


def render(
    plan: Plan,
    path: str | Path,
    *,
    root: str | Folder | Roots | Mapping[str, str | Folder] | None = None,
    render_options: RenderOptions = DEFAULT_RENDER,
    progress: Progress = no_progress,
) -> RenderSummary:
    """Write a plan as WAV, FLAC or OGG, depending on the suffix.

    16- and 24-bit sources come out bit-exact where nothing is faded. A render over full scale is
    lowered as a whole. The file's comment states the identity of the plan.

    Parameters
    ----------
    root : str, Path, Roots or mapping of str to Path, optional
        As `open_plan`.
    progress : callable (done, total, label)

    Raises
    ------
    PlanError
        If sources are missing, unreadable, changed or too short.
    ParameterError
        If `path` cannot be written, or its format does not support the render.
    """
    with open_plan(plan, root, outputs=[path], outside=True, progress=progress) as opened:
        return write_whole(opened, Path(path), render_options, progress=progress)


def write_whole(
    opened: OpenPlan,
    path: Path,
    render_options: RenderOptions = DEFAULT_RENDER,
    *,
    progress: Progress = no_progress,
    block_samples: int = BLOCK_SAMPLES,
) -> RenderSummary:
    """Do as `render`, for a plan that has been opened."""
    audio = PlanAudio(
        opened,
        render_options.crossfade,
        progress,
        block_samples,
        render_options.decoder,
        render_options.output.loop,
    )
    output = render_options.output
    with replacing(path) as temporary:
        blocks = audio.blocks(path.name)
        # decoding takes long, and is done once
        if output.lufs is None and output.true_peak_db is None and not render_options.decoder:
            try:
                return _write_as_it_is(audio, blocks, output, temporary, path)
            except _OverFullScaleError as error:
                blocks = error.blocks  # do not clip: write the whole again at a lower level
        return _write_at_level(audio, blocks, output, temporary, path)


def _write_as_it_is(
    audio: PlanAudio,
    blocks: Iterator[np.ndarray],
    output: OutputOptions,
    temporary: Path,
    path: Path,
) -> RenderSummary:
    meter = PeakMeter()
    kept: list[np.ndarray] = []
    n_samples = 0
    with audio.writer(temporary, path, bits=output.bits) as writer:
        for block in blocks:
            n_samples += len(block)
            if n_samples <= KEPT_SAMPLES:
                kept.append(block)
            meter.add(block)
            if meter.peak > 1:
                are_all_kept = n_samples <= KEPT_SAMPLES
                raise _OverFullScaleError(
                    chain(kept, blocks) if are_all_kept else audio.blocks(path.name)
                )
            writer.write(block)
    return RenderSummary(audio.plan.n_samples, meter.peak, 0.0)


def _write_at_level(
    audio: PlanAudio,
    blocks: Iterable[np.ndarray],
    output: OutputOptions,
    temporary: Path,
    path: Path,
) -> RenderSummary:
    """Measure the whole, then write it with the gain that it needs.

    In between, it is kept in an unnamed temporary file beside the output.
    """
    with TemporaryFile(dir=temporary.parent) as file:
        peak, lufs, true_peak = _measure(audio.plan, blocks, output, file, path)
        true_peak_db = None if true_peak is None else to_decibels(true_peak)
        gain_db = find_gain_db(output, lufs, true_peak_db, to_decibels(peak))
        file.seek(0)
        _write_from(file, audio, output, gain_db, temporary, path)
    return RenderSummary(
        audio.plan.n_samples,
        peak * to_amplitude(gain_db),
        gain_db,
        _changed_by(lufs, gain_db),
        _changed_by(true_peak_db, gain_db),
    )


def _measure(
    plan: Plan, blocks: Iterable[np.ndarray], output: OutputOptions, file: IO[bytes], path: Path
) -> tuple[float, float | None, float | None]:
    """Store the audio in a file; return its peak, and its loudness and true peak if needed."""
    meter = PeakMeter()
    if output.lufs is None and output.true_peak_db is None:
        for block in blocks:
            meter.add(block)
            _keep(block, file, path)
        return meter.peak, None, None
    loudness = LoudnessMeter(plan.sample_rate, plan.channels)
    true_peak = TruePeakMeter(plan.channels)
    for block in blocks:
        meter.add(block)
        loudness.add(block)
        true_peak.add(block)
        _keep(block, file, path)
    return meter.peak, loudness.integrated(), true_peak.peak()


def _keep(block: np.ndarray, file: IO[bytes], path: Path) -> None:
    with writing_errors(path):
        file.write(block.data)


def _write_from(
    file: IO[bytes],
    audio: PlanAudio,
    output: OutputOptions,
    gain_db: float,
    temporary: Path,
    path: Path,
) -> None:
    channels = audio.plan.channels
    gain = np.float32(to_amplitude(gain_db))
    with audio.writer(temporary, path, bits=output.bits) as writer:
        while len(values := np.fromfile(file, np.float32, audio.block_samples * channels)):
            writer.write(values.reshape(-1, channels) * gain)


def _changed_by(level: float | None, gain_db: float) -> float | None:
    """Return a level after a gain; None if it was not measured or is that of silence."""
    return None if level is None or math.isinf(level) else level + gain_db
