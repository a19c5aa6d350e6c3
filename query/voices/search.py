"""Choose what each of several voices plays, with the others known.

    first       voice 0 alone; voice 1 for what voice 0 lacks; voice 2 …
    then        each voice again, with all others known, while the fit improves
    at each     candidates by spectrum ──► path search: continuity and rules ──► gains of all voices

This is subtracting and choosing again, as AudioGuide does (Hackbarth et al. 2013), but with joint
gains (a step of a non-negative decomposition, as in the Concatenator: Tralie & Cantil 2024), and
with the path search of one voice, so that each voice goes on in its sources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from files.errors import ParameterError
from files.progress import Progress, no_progress
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, describe_path
from query.rules import REST, Rules
from query.search import PathSearch
from query.voices.candidates import Others, VoiceCandidates
from query.voices.fit import divergences, joint_gains
from query.voices.spectra import UnitSpectra
from query.voices.target import SILENT, VoiceTarget

MOST_ROUNDS = 3
LEAST_GAIN = 0.01  # by which a round must improve the fit for another one
GAIN_ROUNDS = 10  # after each voice
LAST_GAIN_ROUNDS = 30
UNHEARD = 1e-3  # of the sum of a step: a voice that gives less rests
LEAST_FACTOR = 1e-3  # from which multiplicative updates can still rise
BLOCK_STEPS = 64


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


@dataclass
class _Voices:
    """The voices found so far: their paths, joint gains (steps, voices) and pools."""

    gains: np.ndarray
    paths: list[UnitPath] = field(default_factory=list)
    pools: list[np.ndarray] = field(default_factory=list)


class VoiceSearch:
    """Finds the paths of several voices for one target.

    Parameters
    ----------
    index : UnitIndex
        Of `db.derived.at_transpositions`.
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
        The target's descriptors, by which joins are measured.
    locked : sequence of mapping, optional
        For each voice, as `query.path.find_paths`.

    Raises
    ------
    ParameterError
        If a step is longer than all sources, or as `UnitIndex.check_k`.
    """

    def __init__(
        self,
        index: UnitIndex,
        spectra: UnitSpectra,
        target: VoiceTarget,
        sequence: np.ndarray,
        options: PathOptions,
        *,
        step_samples: np.ndarray,
        follow: str = "both",
        locked: Sequence[Mapping[int, int]] = (),
        progress: Progress = no_progress,
    ) -> None:
        self._index = index
        self._spectra = spectra
        self._target = replace(target, spectra=spectra.smoothed(target.spectra))
        self._sequence = sequence
        self._options = options
        self._step_samples = step_samples
        self._follow = follow
        self._locked = locked
        self._progress = progress
        self._earlier: list[np.ndarray] = []
        if options.k is not None:
            index.check_k(options.k)
        longest = int(index.database.units.samples_left[index.allowed].max())
        if longest < step_samples.max():
            raise ParameterError(
                f"the longest step lasts {step_samples.max()} samples, but no unit that may be"
                f" played has more than {longest} to the end of its source; use longer audio, or"
                " shorter units"
            )

    def run(self, n_voices: int) -> list[VoicePath]:
        """Return what each voice plays, unlike what earlier calls returned.

        Raises
        ------
        ParameterError
            As `query.path.find_paths`; or if there are fewer units than voices.
        """
        n_allowed = int(self._index.allowed.sum())
        if n_allowed < n_voices:
            raise ParameterError(
                f"voices={n_voices}: only {n_allowed} units may be played; ask for fewer voices,"
                " or relax the filters"
            )
        voices = _Voices(np.empty((len(self._target), 0), np.float32))
        fit = np.inf
        total = MOST_ROUNDS * n_voices
        for number in range(MOST_ROUNDS):
            for voice in range(n_voices):
                self._progress(number * n_voices + voice, total, "fitting voices")
                self._choose(voices, voice)
            fit_before = fit
            fit = self._divergence(voices)
            if n_voices == 1 or fit > (1 - LEAST_GAIN) * fit_before:
                break
        self._progress(total, total, "fitting voices")
        gains = self._fit_gains(voices.paths, voices.gains, LAST_GAIN_ROUNDS)
        self._earlier += [path.positions for path in voices.paths]
        return [self._silence(path, gains[:, i]) for i, path in enumerate(voices.paths)]

    def _choose(self, voices: _Voices, voice: int) -> None:
        """Choose what a voice plays, anew or for the first time, given what the others play."""
        kept = [other for other in range(len(voices.paths)) if other != voice]
        others = [voices.paths[other] for other in kept]
        candidates = VoiceCandidates(
            self._index,
            self._sequence,
            self._options,
            self._step_samples,
            spectra=self._spectra,
            target=self._target,
            others=Others(
                self._sum(others, voices.gains[:, kept]), [path.positions for path in others]
            ),
            follow=self._follow,
            pool=voices.pools[voice] if voice < len(voices.pools) else None,
            locked=self._locked[voice] if voice < len(self._locked) else None,
        )
        for path in self._earlier:
            candidates.keep_apart(path)
        rules = Rules(
            self._options,
            candidates.units,
            candidates.n_samples,
            self._index.database.sample_rate,
            locked=candidates.locked,
        )
        found = PathSearch(candidates, rules, progress=no_progress).run()
        voices.paths[voice : voice + 1] = [describe_path(candidates, rules, *found)]
        voices.pools[voice : voice + 1] = [candidates.pool]
        voices.gains = self._fit_gains(voices.paths, voices.gains, GAIN_ROUNDS)

    def _rows(self, paths: list[UnitPath], block: slice) -> np.ndarray:
        """Return the spectra of what voices play, float32, (steps, voices, bands); 0 at rests."""
        positions = np.stack([path.positions[block] for path in paths], axis=1)
        rows = self._spectra.rows(np.maximum(positions, 0).ravel())
        rows = rows.reshape(*positions.shape, -1)
        rows[positions == REST] = 0
        return rows

    def _blocks(self) -> list[slice]:
        starts = range(0, len(self._target), BLOCK_STEPS)
        return [slice(start, start + BLOCK_STEPS) for start in starts]

    def _sum(self, paths: list[UnitPath], gains: np.ndarray) -> np.ndarray:
        total = np.zeros_like(self._target.spectra)
        if paths:
            for block in self._blocks():
                rows = self._rows(paths, block)
                total[block] = np.matmul(gains[block, None, :], rows)[:, 0]
        return total

    def _fit_gains(self, paths: list[UnitPath], gains: np.ndarray, rounds: int) -> np.ndarray:
        """Return the joint gains of all voices, starting from those known so far."""
        fitted = np.empty((len(gains), len(paths)), np.float32)
        for block in self._blocks():
            rows = self._rows(paths, block)
            known = gains[block]
            spectra = self._target.spectra[block]
            if known.shape[1] < len(paths):
                share = spectra.sum(axis=1) / (rows[:, -1].sum(axis=1) + SILENT)
                known = np.concatenate([known, share[:, None] / len(paths)], axis=1)
            known = np.maximum(known, LEAST_FACTOR)
            fitted[block] = joint_gains(rows, spectra, known, rounds=rounds)
        return fitted

    def _divergence(self, voices: _Voices) -> float:
        each = divergences(self._target.spectra, self._sum(voices.paths, voices.gains))
        heard = ~self._target.silent
        return float(each[heard].mean()) if heard.any() else 0.0

    def _silence(self, path: UnitPath, gains: np.ndarray) -> VoicePath:
        """Let a voice rest where it adds next to nothing."""
        sums = np.concatenate([self._rows([path], block)[:, 0] for block in self._blocks()])
        unheard = gains * sums.sum(axis=1) < UNHEARD * self._target.spectra.sum(axis=1)
        unheard[list(path.rules.locked)] = False
        positions = np.where(unheard, REST, path.positions)
        joins = np.zeros_like(path.joins)
        to_each = self._index.space.joins.to_each
        joins[1:] = to_each(positions[:-1], path.n_samples[:-1], positions[1:, None])[:, 0]
        distances = np.where(positions == REST, 0, path.distances)
        rests = replace(path, positions=positions, distances=distances, joins=joins)
        return VoicePath(rests, gains)
