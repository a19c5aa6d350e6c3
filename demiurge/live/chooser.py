"""Choose the next unit of a line, in the way of the mode, with the knobs as they are now."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from demiurge.live.background import Background
from demiurge.live.corpus import Corpus
from demiurge.live.heard import Heard
from demiurge.live.knobs import Knobs
from demiurge.live.line import Line
from demiurge.live.worlds import Worlds
from query.filters import Filters
from query.online.choice import NOTHING, Choice, Wishes
from query.online.loop import OnlineLoop
from query.options import PathOptions
from query.rules import REST

RETRY_SECONDS = 0.5  # after which a loop is asked for again, if it could not be made
REFRESH_SECONDS = 8.0  # after which a loop begins anew with what was played
MOSAIC_NOISE = 0.1  # of a mosaic's costs at a temperature of 1: most of it is another then
FROZEN_UNITS = 3  # on either side of the unit at which a session is frozen
PLAYABLE = "playable"  # the job that finds what filters leave

Choosing = tuple[Filters, dict[str, float]]  # filters and weights


@dataclass(frozen=True)
class Moment:
    """What is known when a unit is chosen.

    Attributes
    ----------
    n_samples : int
        How long it may last.
    least_samples : int
        How long its source must last.
    target : ndarray, float32, (n_descriptors,), or None
        What the input was lately.
    chroma : ndarray, float32, (12,), or None
        What sounds beside it.
    part : int, optional
        The part of a beat.
    tempo : float
    apart : tuple of int
        What other lines play.
    """

    n_samples: int
    least_samples: int
    target: np.ndarray | None
    chroma: np.ndarray | None = None
    part: int | None = None
    tempo: float = 0.0
    apart: tuple[int, ...] = ()


class Chooser:
    """Chooses units; what takes longer than a unit is done beside."""

    def __init__(
        self,
        corpus: Corpus,
        knobs: Knobs,
        background: Background,
        worlds: Worlds,
        *,
        random_seed: int,
    ) -> None:
        self._lost = ""  # why the last source is lost that could not be read
        self._corpus = corpus
        self._background = background
        self._worlds = worlds
        self._random_seed = random_seed
        self._wanted: Choosing = (knobs.filters, knobs.weights)
        self._in_force = self._wanted
        self._playable = corpus.choose_from(*self._wanted)
        self._frozen: dict[int, tuple[int, int]] = {}
        self._begun: dict[int, int] = {}  # the sample at which the loop of each line was asked for

    @property
    def problem(self) -> str:
        """Why the filters or weights that were asked for last are not used, or a source is not
        played any more; "" if nothing is wrong.
        """
        return self._background.problem or self._lost

    def keep_up(self, knobs: Knobs) -> tuple[Choosing, Choosing] | None:
        """Begin to change what knobs ask for, and take what is ready.

        Returns
        -------
        tuple, optional
            Filters and weights that cannot be followed, and those that stay in force.
        """
        if (knobs.filters, knobs.weights) != self._wanted:
            self._wanted = (knobs.filters, knobs.weights)
            self._lost = ""
            self._find_playable()
        if (playable := self._background.take(PLAYABLE)) is not None:
            self._playable = playable
            self._in_force = self._wanted
            self._begun.clear()  # loops know other units
        if not self._background.has_failed(PLAYABLE):
            return None
        refused = self._wanted
        self._wanted = self._in_force
        return refused, self._in_force

    def give_up(self, source: str, problem: str) -> None:
        """Play nothing of a source any more, since it cannot be read."""
        self._lost = problem
        self._corpus.problems[source] = problem
        self._playable = self._corpus.without(self._playable, source)

    def forget(self, line: Line) -> None:
        """Let a line begin anew when it plays again."""
        line.loop = None
        self._begun.pop(line.voice, None)
        self._background.forget(_job_of(line))

    def _find_playable(self) -> None:
        filters, weights = self._wanted
        self._background.start(PLAYABLE, lambda: self._corpus.choose_from(filters, weights))

    def choose(self, line: Line, knobs: Knobs, moment: Moment, heard: Heard, leave: bool) -> Choice:
        """Return the unit that a line plays next; nothing while its loop is not ready yet."""
        wishes = self._wishes(line, knobs, moment, leave)
        if knobs.mode == "mosaic":
            self.forget(line)
            assert moment.target is not None
            return self._playable.mosaic.choose(moment.target, line.past, wishes)
        loop = self._loop_of(line, moment, heard)
        return NOTHING if loop is None else loop.choose(line.past, wishes)

    def _loop_of(self, line: Line, moment: Moment, heard: Heard) -> OnlineLoop | None:
        """Return the loop of a line; begin one, or a new one, where it is time."""
        name = _job_of(line)
        now = line.next_at
        wait = RETRY_SECONDS if line.loop is None else REFRESH_SECONDS
        is_time = now - self._begun.get(line.voice, -math.inf) > wait * self._sample_rate
        if is_time and not self._background.is_busy(name):
            self._begun[line.voice] = now
            rows, step_samples = heard.until_now()
            make = partial(
                self._worlds.loop,
                rows,
                step_samples,
                allowed=self._playable.allowed,
                tempo=moment.tempo,
                playing=line.past.last,
                space=self._playable.mosaic.space,
            )
            self._background.start(name, make)
        ready = self._background.take(name)
        if ready is not None:
            line.loop = ready
        return line.loop

    @property
    def _sample_rate(self) -> int:
        return self._corpus.database.sample_rate

    def _wishes(self, line: Line, knobs: Knobs, moment: Moment, leave: bool) -> Wishes:
        return Wishes(
            n_samples=moment.n_samples,
            least_samples=moment.least_samples,
            options=PathOptions(
                continuity=knobs.continuity,
                novelty=knobs.novelty,
                min_reuse=knobs.min_reuse,
                max_run=knobs.max_run,
                temperature=knobs.temperature * (MOSAIC_NOISE if knobs.mode == "mosaic" else 1),
                random_seed=self._random_seed + line.voice,
            ),
            allowed=self._playable.allowed,
            leave=leave,
            stay=self._stay(line, frozen=knobs.freeze),
            pitch_classes=knobs.pitch_classes,
            chroma=moment.chroma,
            part=moment.part,
            tempo=moment.tempo,
            apart=moment.apart,
        )

    def _stay(self, line: Line, *, frozen: bool) -> tuple[int, int] | None:
        """Return the units around which a line stays while a session is frozen."""
        last = line.past.last
        if not frozen or last == REST:
            self._frozen.pop(line.voice, None)
            return None
        if line.voice not in self._frozen:
            units = self._corpus.database.units
            around = np.arange(
                max(last - FROZEN_UNITS, 0), min(last + FROZEN_UNITS + 1, len(units))
            )
            around = around[units.source[around] == units.source[last]]
            self._frozen[line.voice] = (int(around[0]), int(around[-1]))
        return self._frozen[line.voice]


def _job_of(line: Line) -> str:
    return f"loop {line.voice}"
