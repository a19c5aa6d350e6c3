"""Stems: the part of each source, or voice, of a plan in a file of its own."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from audio.decibels import to_amplitude, to_decibels
from files.atomic import replacing
from files.progress import Progress, no_progress
from playback.levels import SAFE_PEAK_DB, PeakMeter
from playback.open_plan import OpenPlan
from playback.options import DEFAULT_RENDER, RenderOptions
from playback.plan import Plan
from playback.plan_audio import PlanAudio
from playback.sources import sources_of
from playback.steps import lies_outside

NAME_LETTERS = 60  # most letters of a source's name in the name of its stem


def write_stems(
    opened: OpenPlan,
    folder: Path,
    render_options: RenderOptions = DEFAULT_RENDER,
    *,
    by: str = "source",
    suffix: str = ".wav",
    gain_db: float | None = None,
    progress: Progress = no_progress,
) -> list[Path]:
    """Write the part of each source, as long as the plan; the stems sum to the whole.

    Parameters
    ----------
    by : "source" or "voice"
        With "voice", write the part of each voice instead.
    gain_db : float, optional
        The gain of the whole. By default, the gain that keeps the whole below full scale.

    Raises
    ------
    PlanError, ParameterError
        As `render`.
    AudioError
        If a stem alone would pass full scale.
    """
    loop = render_options.output.loop
    audio = PlanAudio(opened, render_options.crossfade, progress, loop=loop)
    if gain_db is None:
        gain_db = _safe_gain_db(audio)
    gain = np.float32(to_amplitude(gain_db))
    written = []
    for path, only in stem_paths(opened.whole, folder, suffix, by).items():
        if only not in opened.skipped:
            _write_stem(audio, path, only, gain, bits=render_options.output.bits)
            written.append(path)
    return written


def stem_paths(
    plan: Plan, folder: Path, suffix: str, by: str = "source"
) -> Mapping[Path, str | int]:
    """Map the file of each stem to its source, or voice.

    Files of sources are numbered in the order of first use.
    """
    if by == "voice":
        width = len(str(plan.n_voices - 1))
        voices = [number for number, steps in enumerate(plan.voices) if steps]
        return {folder / f"voice {voice:0{width}}{suffix}": voice for voice in voices}
    sources = list(sources_of(plan))
    width = len(str(len(sources)))
    paths = {}
    for number, source in enumerate(sources, start=1):
        database, relative = plan.roots.split(source)
        path = PurePosixPath(relative).with_suffix("")
        parts = path.parts[-1:] if lies_outside(source) else path.parts
        name = " - ".join([database, *parts] if database else parts)[:NAME_LETTERS]
        paths[folder / f"{number:0{width}} {name}{suffix}"] = source
    return paths


def _safe_gain_db(audio: PlanAudio) -> float:
    """Return the gain that keeps the whole below full scale."""
    meter = PeakMeter()
    for block in audio.blocks("measuring"):
        meter.add(block)
    return SAFE_PEAK_DB - to_decibels(meter.peak) if meter.peak > 1 else 0.0


def _write_stem(
    audio: PlanAudio, path: Path, only: str | int, gain: np.float32, *, bits: str | None
) -> None:
    title = only if isinstance(only, str) else f"voice {only}"
    with (
        replacing(path) as temporary,
        audio.writer(temporary, path, bits=bits, title=title) as writer,
    ):
        for block in audio.blocks(path.name, only):
            writer.write(block if gain == 1 else block * gain)
