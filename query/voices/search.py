"""Choose what each of several voices plays, with the others known.

    first       voice 1 alone; voice 2 for what voice 1 lacks; voice 3 …
    then        each voice again, with all others known, while the fit improves
    at each     candidates by spectrum ──► path search: continuity and rules ──► gains of all voices

This is subtracting and choosing again, as AudioGuide does (Hackbarth et al. 2013), but with joint
gains (a step of a non-negative decomposition, as in the Concatenator: Tralie & Cantil 2024), and
with the path search of one voice, so that each voice goes on in its sources.
"""

from dataclasses import dataclass, replace

import numpy as np

from files.progress import Progress, no_progress
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, _describe
from query.rules import REST, Rules
from query.search import PathSearch
from query.voices.candidates import VoiceCandidates, Wanted
from query.voices.fit import BLOCK_STEPS, divergences, joint_gains
from query.voices.spectra import UnitSpectra

MOST_ROUNDS = 3
LEAST_GAIN = 0.01  # by which a round must improve the fit for another one
GAIN_ROUNDS = 10  # after each voice
LAST_GAIN_ROUNDS = 30
SILENT = 0.1  # sum of the bands of a frame at -80 dBFS
UNHEARD = 1e-3  # of the sum of a step: a voice that gives less rests


@dataclass(frozen=True)
class VoicePath:
    """What one voice plays.

    Attributes
    ----------
    path : UnitPath
        `REST` where the voice is not needed.
    gains : ndarray, float32, shape (parts,)
        Factors on the units' own amplitudes.
    """

    path: UnitPath
    gains: np.ndarray


class VoiceSearch:
    """Finds the paths of several voices for one target."""

    def __init__(
        self,
        index: UnitIndex,
        spectra: UnitSpectra,
        sequence: np.ndarray,
        targets: np.ndarray,
        options: PathOptions,
        *,
        step_samples: np.ndarray,
        progress: Progress = no_progress,
    ) -> None:
        """Take the target as descriptors and as spectra.

        Parameters
        ----------
        sequence : ndarray, float32, shape (steps, n_descriptors), raw
        targets : ndarray, float32, shape (steps, n_bands)
        """
        self._index = index
        self._spectra = spectra
        self._sequence = sequence
        self._targets = targets
        self._options = options
        self._step_samples = step_samples
        self._progress = progress
        self._silent = targets.sum(axis=1) < SILENT
        self._onsets = onset_strengths(targets)

    def run(self, n_voices: int) -> list[VoicePath]:
        """Return what each voice plays; raises as `query.path.find_paths`."""
        paths: list[UnitPath] = []
        self.pools=[]
        gains = np.empty((len(self._targets), 0), np.float32)
        fit = np.inf
        for number in range(MOST_ROUNDS):
            for voice in range(n_voices):
                self._progress(number * n_voices + voice, MOST_ROUNDS * n_voices, "fitting voices")
                others = [path for other, path in enumerate(paths) if other != voice]
                kept = [other for other in range(len(paths)) if other != voice]
                before = self.pools[voice] if number else None
                path = self._choose(others, gains[:, kept], before)
                self.pools[voice:voice+1]=[self.pool]
                paths[voice : voice + 1] = [path]
                gains = self._fit_gains(paths, gains, GAIN_ROUNDS)
            fit_before = fit
            fit = self._divergence(paths, gains)
            if n_voices == 1 or fit > (1 - LEAST_GAIN) * fit_before:
                break
        gains = self._fit_gains(paths, gains, LAST_GAIN_ROUNDS)
        self._progress(1, 1, "fitting voices")
        return [self._silence(path, gains[:, voice]) for voice, path in enumerate(paths)]

    def _choose(
        self, others: list[UnitPath], gains: np.ndarray, before: np.ndarray | None
    ) -> UnitPath:
        """Return the best path of a voice, given what the others play."""
        wanted = Wanted(
            self._targets,
            self._sum(others, gains),
            self._silent,
            self._onsets,
            before,
        )
        candidates = VoiceCandidates(
            self._index,
            self._sequence,
            self._options,
            self._step_samples,
            spectra=self._spectra,
            wanted=wanted,
        )
        rules = Rules(
            self._options,
            candidates.units,
            candidates.n_samples,
            self._index.database.sample_rate,
            locked=candidates.locked,
        )
        self.pool = candidates.pool
        p = PathSearch(candidates, rules, progress=no_progress).run()
        return _describe(candidates, rules, *p)

    def _rows(self, paths: list[UnitPath], block: slice) -> np.ndarray:
        """Return the spectra of what voices play, float32, (steps, voices, bands); 0 at rests."""
        positions = np.stack([path.positions[block] for path in paths], axis=1)
        rows = self._spectra.rows(np.maximum(positions, 0).ravel())
        rows = rows.reshape(*positions.shape, -1)
        rows[positions == REST] = 0
        return rows

    def _blocks(self) -> list[slice]:
        size = 4 * BLOCK_STEPS
        return [slice(start, start + size) for start in range(0, len(self._targets), size)]

    def _sum(self, paths: list[UnitPath], gains: np.ndarray) -> np.ndarray:
        total = np.zeros_like(self._targets)
        if paths:
            for block in self._blocks():
                rows = self._rows(paths, block)
                total[block] = np.matmul(gains[block, None, :], rows)[:, 0]
        return total

    def _fit_gains(self, paths: list[UnitPath], gains: np.ndarray, rounds: int) -> np.ndarray:
        """Return the joint gains of all voices, starting from those known so far."""
        n_new = len(paths) - gains.shape[1]
        fitted = np.empty((len(gains), len(paths)), np.float32)
        for block in self._blocks():
            rows = self._rows(paths, block)
            known = gains[block]
            targets = self._targets[block]
            if n_new:
                start = targets.sum(axis=1) / (len(paths) * rows[:, -1].sum(axis=1) + SILENT)
                known = np.concatenate([known, start[:, None]], axis=1)
            known = np.maximum(known, 1e-3)
            fitted[block] = joint_gains(rows, targets, known, rounds=rounds)
        return fitted

    def _divergence(self, paths: list[UnitPath], gains: np.ndarray) -> float:
        return float(divergences(self._targets, self._sum(paths, gains))[~self._silent].mean())

    def _silence(self, path: UnitPath, gains: np.ndarray) -> VoicePath:
        """Let a voice rest where it adds next to nothing."""
        sums = np.zeros(len(gains), np.float32)
        for block in self._blocks():
            sums[block] = self._rows([path], block)[:, 0].sum(axis=1)
        unheard = gains * sums < UNHEARD * self._targets.sum(axis=1)
        positions = np.where(unheard, REST, path.positions)
        return VoicePath(replace(path, positions=positions), gains)


def onset_strengths(targets: np.ndarray) -> np.ndarray:
    """Return how clearly a sound begins at each step, 0 to 1, float64, (steps,).

    It is the share of a step's spectrum that was not there at the step before.
    """
    rise = np.maximum(np.diff(targets, axis=0, prepend=0), 0).sum(axis=1, dtype=np.float64)
    return rise / (targets.sum(axis=1, dtype=np.float64) + SILENT)
