"""When the steps of a continuation begin: in the seed's tempo and phase, if it has a pulse."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from db.beat_grid import TEMPO_ORIGIN
from db.database import Database
from demiurge.sequences import DescriptorSequence, check_seconds
from query.cluster.corpus import Part
from query.cluster.parts import on_each_part

ENOUGH = 0.05  # of what has a pulse, at a tempo to be kept
NEAR_OCTAVES = 0.09  # 6 %
PULSE = 0.25  # a seed of less confidence has no pulse to keep
BEATS_IN_BAR = 4
LOOP_S = 0.01  # how far a seed may be from a whole number of beats to be taken for a loop
SHORTEST_PICKUP = 0.02  # seconds; a shorter rest of a tatum is added to the first step


@dataclass(frozen=True)
class Timing:
    """The steps of a continuation.

    Attributes
    ----------
    step_samples : ndarray, int64, shape (steps,)
    first_part : int, optional
        The part of a beat that the first step is; None without a pulse, where each step lasts as
        long as its unit.
    whole_first : int
        How long the first step would be if the seed did not end within it.
    tempo : float
        Beats per minute; 0 without a pulse.
    confidence : float
        How sure the pulse of the seed is, 0 to 1; 0 if units are not parts of beats.
    beats_of : str
        Whose beats these are: "the seed", or "the track" that it goes with.
    """

    step_samples: np.ndarray
    first_part: int | None = None
    whole_first: int = 0
    tempo: float = 0.0
    confidence: float = 0.0
    beats_of: str = "the seed"

    @property
    def has_pulse(self) -> bool:
        return self.first_part is not None


def time_steps(
    seed: DescriptorSequence, database: Database, seconds: float, *, whole_bars: bool = False
) -> Timing:
    """Return the steps that continue a seed for `seconds`.

    If the seed has a pulse and units are parts of beats, the steps are the seed's own parts of
    beats, from where it ends. Otherwise they are as long as the units are: on average, if these
    vary. All together last for `seconds`; with `whole_bars` and a pulse for the nearest number of
    bars, of four beats, of which a seed that is a loop is taken to have a whole number as well.

    Raises
    ------
    ParameterError
        If that is no time, or longer than audio may be.
    """
    settings = database.settings
    check_seconds(seconds, settings)
    total = max(seconds * settings.sample_rate, 1)
    grid = seed.grid
    confidence = grid.confidence if settings.is_metrical and grid else 0.0
    if grid is None or confidence < PULSE:
        return Timing(_even_steps(database, round(total)), confidence=confidence)
    parts = settings.beat_parts
    end = int(seed.step_samples.sum())
    beats = grid.after(end, 1, count=2)
    seed_tempo = 60 * settings.sample_rate / float(beats[1] - beats[0])
    tempo, parts_in_beat = choose_level(seed_tempo, parts, partial(_share_at, database))
    step = float(beats[1] - beats[0]) / parts_in_beat
    scale = 1.0
    if whole_bars:
        scale = _scale_of_loop(end, step * parts_in_beat, settings.sample_rate)
        bar = BEATS_IN_BAR * parts * step * scale
        total = bar * max(round(total / bar), 1)
        step *= scale
        tempo /= scale
    n_steps = 2 * int(np.ceil(total / step)) + 1  # enough, should a track become faster
    times = grid.after(end, parts_in_beat, count=n_steps) - end
    times *= scale
    first_part = int(np.rint((times[0] + end - beats[0]) / step)) % parts
    if times[0] > SHORTEST_PICKUP * settings.sample_rate:
        times = np.concatenate([[times[0] - step], times])
        first_part = (first_part - 1) % parts
    edges = np.rint(np.maximum(times, 0)).astype(np.int64)
    edges[0] = 0
    edges = np.append(edges[edges < total], round(total))
    edges = edges[np.append(True, np.diff(edges) > 0)]
    return Timing(np.diff(edges), first_part, round(step), tempo, confidence, seed.beats_of)


def _scale_of_loop(n_samples: int, beat: float, sample_rate: int) -> float:
    """Return the factor by which a whole number of beats lasts as long as a loop; 1 if none can."""
    n_beats = max(round(n_samples / beat), 1)
    is_loop = abs(n_beats * beat - n_samples) < LOOP_S * sample_rate
    return n_samples / (n_beats * beat) if is_loop else 1.0


class Tempos:
    """The tempi of a corpus whose units are parts of beats."""

    def __init__(self, database: Database) -> None:
        self._parts = database.settings.beat_parts
        self._own = database.column("tempo")
        self._lasting = database.units.n_samples * (database.column("pulse") > 0)

    def choose_level(self, tempo: float) -> tuple[float, int]:
        """Return `choose_level` of the whole corpus."""
        return choose_level(tempo, self._parts, self.share)

    def share(self, tempo: float) -> float:
        """Return how much of what has a pulse is at a tempo, 0 to 1."""
        at_tempo, with_pulse = self.samples(tempo)
        return at_tempo / max(with_pulse, 1)

    def samples(self, tempo: float) -> tuple[int, int]:
        """Return how many samples are at a tempo, and how many have a pulse at all."""
        near = np.abs(self._own - np.log2(tempo / TEMPO_ORIGIN)) < NEAR_OCTAVES
        return int(self._lasting[near].sum()), int(self._lasting.sum())


def _share_at(database: Database, tempo: float) -> float:
    """Return `Tempos.share`, wherever the units of a database are."""
    found = on_each_part(database, _samples_at, tempo)
    at_tempo, with_pulse = (sum(samples) for samples in zip(*found, strict=True))
    return at_tempo / max(with_pulse, 1)


def _samples_at(part: Part, tempo: float) -> tuple[int, int]:
    return Tempos(part.database).samples(tempo)


def choose_level(
    tempo: float, beat_parts: int, share: Callable[[float], float]
) -> tuple[float, int]:
    """Return a tempo, or twice or half of it, and the parts of its beat.

    A tracker may count a piece of 80 beats per minute as 160. That is taken of which the corpus has
    most; the tempo itself, if there is enough at it.

    Parameters
    ----------
    beat_parts : int
        Of the corpus's own beats.
    share : callable
        Returns how much of the corpus is at a tempo, 0 to 1.
    """
    levels = [level for level in (1.0, 0.5, 2.0) if (beat_parts * level).is_integer()]
    shares = [share(tempo * level) for level in levels]
    best = int(np.argmax(shares))
    level = 1.0 if shares[0] >= ENOUGH or shares[best] < ENOUGH else levels[best]
    return tempo * level, int(beat_parts * level)


def _even_steps(database: Database, total: int) -> np.ndarray:
    """Return steps as long as a unit, int64; units go on in their source only if they are played
    whole.
    """
    if database.settings.units_vary:
        n_steps = max(round(total / database.units.mean_length), 1)
        edges = np.rint(np.arange(n_steps + 1) * total / n_steps).astype(np.int64)
    else:
        edges = np.append(np.arange(0, total, database.units.longest_unit), total)
    return np.diff(edges)
