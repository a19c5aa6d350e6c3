"""What the demo made, measured as `demiurge evaluate` does, without its embeddings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.channels import to_mono
from audio.decibels import to_amplitude
from audio.onsets import onset_strength
from audio.read import read_audio
from audio.resample import resample
from demiurge.evaluate.columns import COLUMNS
from demiurge.evaluate.continuation import plan_runs
from demiurge.evaluate.harmony import harmony
from demiurge.evaluate.loudness_course import longest_silence, loudness_deviation
from demiurge.evaluate.rhythm import autocorrelation, correlate, highest_peak
from demiurge.evaluate.runs import measure_runs
from demiurge.results import RenderResult
from training.bootstrap import Estimate

SHOWN = (
    "pulse",
    "pulse_ratio",
    "tempo",
    "harmony",
    "loudness",
    "silence",
    "joins_per_second",
    "longest_run",
    "n_sources",
)


@dataclass(frozen=True)
class Figures:
    """The measures of one result by name, and what it is called."""

    name: str
    measures: dict[str, float]


def measure_result(name: str, result: RenderResult, given: Path, *, has_beat: bool) -> Figures:
    """Measure a result beside the seed or target it was given, at the level of the result.

    The level of all of a result is lowered where its peaks would be above full scale.
    """
    rate = result.plan.sample_rate
    audio = _read_mono(result.wav, rate)
    seed = _read_mono(given, rate) * np.float32(to_amplitude(result.summary.gain_db))
    runs = measure_runs(plan_runs(result.plan), len(audio) / rate)
    measures = {
        "harmony": harmony(audio, seed, rate),
        "loudness": loudness_deviation(audio, seed, rate),
        "silence": longest_silence(audio, seed, rate),
        "joins_per_second": runs.joins_per_second,
        "longest_run": runs.longest_run,
        "n_sources": float(runs.n_sources),
    }
    if has_beat:
        measures |= _measure_beat(audio, seed, rate)
    return Figures(name, measures)


def _measure_beat(audio: np.ndarray, seed: np.ndarray, rate: int) -> dict[str, float]:
    correlations = [autocorrelation(onset_strength(x, rate)) for x in (audio, seed)]
    pulse, of_seed = (highest_peak(correlation) for correlation in correlations)
    ratio = pulse / of_seed if of_seed else np.nan
    return {"pulse": pulse, "pulse_ratio": ratio, "tempo": correlate(*correlations)}


def _read_mono(path: Path, sample_rate: int) -> np.ndarray:
    audio = read_audio(path)
    return to_mono(resample(audio.samples, audio.sample_rate, sample_rate))


def figures_table(figures: list[Figures]) -> str:
    """Return a table of lines: what was made, and its measures under the headings of evaluate."""
    columns = [column for column in COLUMNS if column.measure in SHOWN]
    rows = [["", *(column.label for column in columns)]]
    for one in figures:
        values = (one.measures.get(column.measure, np.nan) for column in columns)
        estimates = [Estimate(value, np.nan, np.nan) for value in values]
        cells = (column.text(estimate) for column, estimate in zip(columns, estimates, strict=True))
        rows.append([one.name, *cells])
    rows.append(["best", *(column.best for column in columns)])
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: list[str], widths: list[int]) -> str:
    name, *cells = row
    padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
    return "   " + "  ".join([name.ljust(widths[0]), *padded]).rstrip()
