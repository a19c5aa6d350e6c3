"""All measures of one continuation, as it is heard after its seed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from audio.chroma import mean_chroma
from audio.onsets import find_onsets, onset_strength
from demiurge.evaluate.embeddings import embedding_similarity
from demiurge.evaluate.loudness_course import longest_silence, loudness_deviation
from demiurge.evaluate.onset_grid import (
    TatumGrid,
    find_grid,
    share_by_chance,
    share_on_grid,
)
from demiurge.evaluate.rhythm import autocorrelation, correlate, highest_peak
from demiurge.evaluate.runs import Run, measure_runs

VERSION = 2  # raise it when a measure changes, so that kept values are not used


@dataclass(frozen=True)
class SeedProfile:
    """A seed: `audio` (n_samples,), float32, and `windows`, its embeddings (n, d).

    What continuations are compared with is measured once.
    """

    audio: np.ndarray
    sample_rate: int
    windows: np.ndarray

    @cached_property
    def correlation(self) -> np.ndarray:
        return autocorrelation(onset_strength(self.audio, self.sample_rate))

    @cached_property
    def chroma(self) -> np.ndarray:
        return mean_chroma(self.audio, self.sample_rate)

    @cached_property
    def grid(self) -> TatumGrid | None:
        return find_grid(self.audio, self.sample_rate)

    @cached_property
    def silence(self) -> float:
        """Its own longest silence, in seconds."""
        return longest_silence(self.audio, self.audio, self.sample_rate)


def measure(
    audio: np.ndarray, windows: np.ndarray, runs: Sequence[Run], seed: SeedProfile
) -> dict[str, float]:
    """Return the measures of a continuation by name.

    Parameters
    ----------
    audio : ndarray, float32, shape (n_samples,)
        At the seed's sample rate.
    windows : ndarray, shape (n, d)
        Its embeddings.
    runs : sequence of Run

    Returns
    -------
    dict
        Shares, correlations and times in seconds. `grid` and `grid_chance` are NaN without onsets
        or without a steady beat in the seed.
    """
    rate = seed.sample_rate
    correlation = autocorrelation(onset_strength(audio, rate))
    grid = seed.grid
    return {
        "pulse": highest_peak(correlation),
        "seed_pulse": highest_peak(seed.correlation),
        "tempo": correlate(correlation, seed.correlation),
        "harmony": correlate(mean_chroma(audio, rate), seed.chroma),
        "similarity": embedding_similarity(windows, seed.windows),
        "loudness": loudness_deviation(audio, seed.audio, rate),
        "silence": longest_silence(audio, seed.audio, rate),
        "seed_silence": seed.silence,
        "grid": share_on_grid(find_onsets(audio, rate), grid) if grid else np.nan,
        "grid_chance": share_by_chance(grid) if grid else np.nan,
        **asdict(measure_runs(runs, len(audio) / rate)),
    }
