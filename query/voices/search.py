"""Choose what each of several voices plays, with the others known.

    first       voice 0 alone; voice 1 for what voice 0 lacks; voice 2 …: the unit that fits best
    then        each voice again, with all others known: path search, for continuity and rules
    at each     candidates by spectrum ──► units ──► gains of all voices together

This is subtracting and choosing again, as AudioGuide does (Hackbarth et al. 2013), but with joint
gains (a step of a non-negative decomposition, as in the Concatenator: Tralie & Cantil 2024), and
with the path search of one voice, so that each voice goes on in its sources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
from threadpoolctl import threadpool_limits

from files.errors import ParameterError
from files.progress import Progress, no_progress
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, describe_path
from query.rules import REST, Rules
from query.search import PathSearch
from query.voices.candidates import Others, VoiceCandidates
from query.voices.fit import HIGHEST_GAIN, divergences, joint_gains, level_factors
from query.voices.spectra import UnitSpectra
from query.voices.target import SILENT, VoiceTarget

_BLAS_LOCK = Lock()  # the limit is of the process: one search must not restore another's
MOST_ROUNDS = 3
LEAST_GAIN = 0.04  # by which a round must improve the fit for another one
DEFAULT_K = 64  # candidates; with 32, voices change more often and fit less well
GAIN_ROUNDS = 10  # after each voice
LAST_GAIN_ROUNDS = 30
UNHEARD = 1e-2  # of the sum of a step: a voice that gives less rests
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
    """The voices found so far.

    Attributes
    ----------
    gains : ndarray, float32, shape (steps, voices)
    positions : list of ndarray, int64, shape (steps,)
        What each plays; `REST` where nothing.
    paths : list of UnitPath
        The same, once it keeps to the rules.
    rows : list of ndarray, float32, shape (steps, bands)
        The spectra of what each plays.
    pools : list of ndarray
        `VoiceCandidates.pool` of each.
    """

    gains: np.ndarray
    positions: list[np.ndarray] = field(default_factory=list)
    paths: list[UnitPath] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
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
        most = min(DEFAULT_K, int(index.allowed.sum()))
        self._options = replace(options, k=most) if options.k is None else options
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

        The work is shared out among threads in large pieces, so linear algebra gets one in each.

        Raises
        ------
        ParameterError
            As `query.path.find_paths`; or if there are fewer units than voices.
        """
        allowed = self._index.allowed[: self._spectra.n_units]
        n_allowed = self._spectra.n_copies * int(allowed.sum())
        if n_allowed < n_voices:
            raise ParameterError(
                f"voices={n_voices}: only {n_allowed} units may be played; ask for fewer voices,"
                " or relax the filters"
            )
        with _BLAS_LOCK, threadpool_limits(limits=1, user_api="blas"):
            return self._run(n_voices)

    def _run(self, n_voices: int) -> list[VoicePath]:
        voices = _Voices(np.empty((len(self._target), 0), np.float32))
        fit = np.inf
        total = MOST_ROUNDS * n_voices
        for number in range(MOST_ROUNDS):
            for voice in range(n_voices):
                self._progress(number * n_voices + voice, total, "fitting voices")
                self._choose(voices, voice, follow_rules=number > 0)
            fit_before = fit
            fit = self._divergence(voices)
            if number and fit > (1 - LEAST_GAIN) * fit_before:
                break
        self._progress(total, total, "fitting voices")
        gains = self._at_level(voices, self._fit_gains(voices, LAST_GAIN_ROUNDS)).T
        self._earlier += [path.positions for path in voices.paths]
        each = zip(voices.paths, voices.rows, gains, strict=True)
        return [self._silence(*of_voice) for of_voice in each]

    def _choose(self, voices: _Voices, voice: int, *, follow_rules: bool) -> None:
        """Choose what a voice plays, given what the others play; first, without any rules."""
        kept = [other for other in range(len(voices.rows)) if other != voice]
        candidates = VoiceCandidates(
            self._index,
            self._sequence,
            self._options,
            self._step_samples,
            spectra=self._spectra,
            target=self._target,
            others=Others(self._sum(voices, kept), [voices.positions[other] for other in kept]),
            follow=self._follow,
            pool=voices.pools[voice] if voice < len(voices.pools) else None,
            locked=self._locked[voice] if voice < len(self._locked) else None,
        )
        voices.pools[voice : voice + 1] = [candidates.pool]
        if follow_rules:
            try:
                path = self._find_path(candidates)
            except ParameterError as error:  # the rules leave nothing
                raise ParameterError(f"voice {voice}: {error}") from error
            voices.paths[voice : voice + 1] = [path]
            positions = path.positions
        else:
            positions = np.where(candidates.rests, REST, candidates.matches.positions[:, 0])
            positions[list(candidates.locked)] = list(candidates.locked.values())
        voices.positions[voice : voice + 1] = [positions]
        voices.rows[voice : voice + 1] = [self._spectra.played(positions)]
        voices.gains = self._fit_gains(voices, GAIN_ROUNDS)

    def _find_path(self, candidates: VoiceCandidates) -> UnitPath:
        for path in self._earlier:
            candidates.keep_apart(path)
        rules = Rules(
            self._options,
            candidates.units,
            candidates.n_samples,
            self._index.database.sample_rate,
            locked=candidates.locked,
            n_units=self._spectra.n_units,
        )
        found = PathSearch(candidates, rules, progress=no_progress).run()
        return describe_path(candidates, rules, *found)

    def _sum(self, voices: _Voices, kept: list[int]) -> np.ndarray:
        """Return the sum of some voices, float32, (steps, bands)."""
        total = np.zeros_like(self._target.spectra)
        for voice in kept:
            total += voices.gains[:, voice, None] * voices.rows[voice]
        return total

    def _fit_gains(self, voices: _Voices, rounds: int) -> np.ndarray:
        """Return the joint gains of all voices, starting from those known so far."""
        known = voices.gains
        spectra = self._target.spectra
        if known.shape[1] < len(voices.rows):
            share = spectra.sum(axis=1) / (voices.rows[-1].sum(axis=1) + SILENT)
            known = np.concatenate([known, share[:, None] / len(voices.rows)], axis=1)
        known = np.maximum(known, LEAST_FACTOR)
        fitted = np.empty_like(known)
        for start in range(0, len(known), BLOCK_STEPS):
            block = slice(start, start + BLOCK_STEPS)
            rows = np.stack([of_voice[block] for of_voice in voices.rows], axis=1)
            fitted[block] = joint_gains(rows, spectra[block], known[block], rounds=rounds)
        return fitted

    def _at_level(self, voices: _Voices, gains: np.ndarray) -> np.ndarray:
        """Return gains by which the voices together have the level of the target."""
        factors = np.empty(len(gains), np.float32)
        for start in range(0, len(gains), BLOCK_STEPS):
            block = slice(start, start + BLOCK_STEPS)
            rows = np.stack([of_voice[block] for of_voice in voices.rows], axis=1)
            factors[block] = level_factors(rows, self._target.spectra[block], gains[block])
        return np.minimum(gains * factors[:, None], HIGHEST_GAIN)

    def _divergence(self, voices: _Voices) -> float:
        every = list(range(len(voices.rows)))
        each = divergences(self._target.spectra, self._sum(voices, every))
        heard = ~self._target.silent
        return float(each[heard].mean()) if heard.any() else 0.0

    def _silence(self, path: UnitPath, rows: np.ndarray, gains: np.ndarray) -> VoicePath:
        """Let a voice rest where it adds next to nothing."""
        unheard = gains * rows.sum(axis=1) < UNHEARD * self._target.spectra.sum(axis=1)
        unheard[list(path.rules.locked)] = False
        positions = np.where(unheard, REST, path.positions)
        joins = self._index.space.joins.along(positions, path.n_samples)
        distances = np.where(positions == REST, 0, path.distances)
        rests = replace(path, positions=positions, distances=distances, joins=joins)
        return VoicePath(rests, gains)
