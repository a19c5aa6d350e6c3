"""What a session that goes on by itself plays from: the world, from what was heard lately.

It is chosen as in `demiurge.continuation`, but among passages that were described beforehand:

    corpus ──► passages, one each 1.5 s ──► those like what was heard ──► their units: the world

A passage costs more the more worlds it has been in, so that a session without an input wanders.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from db.database import Database, Units
from demiurge.continuation_world import HARMONY
from query.closed_loop import Scorer
from query.contexts import units_after
from query.continuation_costs import World
from query.online.loop import OnlineLoop
from query.online.passages import Passages
from query.rules import REST
from query.space import Space
from sequencer.sampling import AS_LEARNED, SamplingOptions

SEED_SECONDS = 20.0  # of what was heard, its end, that a loop begins with
RUN_SECONDS = 4.0  # that may be played from the beginning of a passage on
GOING_ON_SECONDS = 8.0  # that may be played from what plays on
MOST_RUN_UNITS = 512  # in either, but for the passage itself
WORLD_SECONDS = 45.0  # of sound in a world
MOST_UNITS = 2048  # of a world: all are scored at each step
# cost of a passage for each doubling of the worlds it was in, of that of a usual passage
WORN = 0.15
NEAREST = 256  # passages in style that a forecaster of affinities chooses among
SCORED_UNITS = 8  # of a passage, to tell its affinity

MakeScorer = Callable[[], Scorer]


class Worlds:
    """Makes loops that go on with what was heard.

    It takes about as long with a large corpus as with a small one. One loop is made at a time.

    Parameters
    ----------
    space : Space
    make_scorer : callable, optional
        Makes a scorer for each loop; see `forecaster_scorers`.
    random_seed : int
        Of where a session begins that has heard nothing.
    """

    def __init__(
        self, space: Space, make_scorer: MakeScorer | None = None, *, random_seed: int = 0
    ) -> None:
        self._space = space
        self._make_scorer = make_scorer
        self._random = np.random.default_rng(random_seed % 2**32)
        self._passages = Passages(space.database)
        self._uses = np.zeros(len(self._passages), np.int64)

    def loop(
        self,
        rows: np.ndarray,
        step_samples: np.ndarray,
        *,
        allowed: np.ndarray | None = None,
        tempo: float = 0.0,
        playing: int = REST,
        space: Space | None = None,
    ) -> OnlineLoop:
        """Return a loop that goes on with what was heard.

        This takes some 0.1 s, and may be done in another thread than the rest.

        Parameters
        ----------
        rows : ndarray, float32, shape (steps, n_descriptors), raw
            If there are none, it goes on with a passage at random.
        step_samples : ndarray, int64, shape (steps,)
        allowed : ndarray, bool, shape (n_units,), optional
            What the filters leave: at least one unit.
        tempo : float
            Beats per minute; 0 without a pulse.
        playing : int
            The unit that is played: what follows it is of the world.
        space : Space, optional
            With other weights than at first.
        """
        space = space or self._space
        if allowed is None:
            allowed = np.ones(len(space.database.units), bool)
        if not len(rows):
            rows, step_samples = self._random_passage(allowed)
        played = np.cumsum(step_samples[::-1])
        n_steps = int(played.searchsorted(SEED_SECONDS * space.database.sample_rate)) + 1
        seed = rows[-n_steps:]
        scorer = self._make_scorer() if self._make_scorer else None
        playable = np.add.reduceat(allowed, self._passages.edges[:-1], dtype=np.int64) > 0
        costs = self._passage_costs(space, seed, step_samples[-n_steps:], scorer, playable)
        costs = self._with_tempo_and_uses(costs, tempo)
        positions = self._choose(costs, allowed, playing)
        loop = OnlineLoop(space, scorer)
        loop.begin(seed, World(positions, np.zeros((1, len(positions)), np.float32)))
        return loop

    def _random_passage(self, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the descriptors and lengths of the units of a passage that may be played."""
        edges = self._passages.edges
        playable = np.flatnonzero(np.add.reduceat(allowed, edges[:-1], dtype=np.int64))
        passage = int(self._random.choice(playable))
        here = np.arange(edges[passage], edges[passage + 1])
        database = self._space.database
        return database.rows_at(here), database.units.n_samples[here]

    def _passage_costs(
        self,
        space: Space,
        seed: np.ndarray,
        seed_samples: np.ndarray,
        scorer: Scorer | None,
        playable: np.ndarray,
    ) -> np.ndarray:
        """Return how badly each passage goes with what was heard, infinite if not `playable`."""
        passages = self._passages
        costs = passages.style_distances(seed, seed_samples, space.factors)
        costs[~playable] = np.inf
        if scorer is None or not scorer.has_affinities:
            return costs + passages.harmony_distances(seed, seed_samples)
        costs = self._lack_of_affinity(scorer, seed, costs)
        return costs + passages.harmony_distances(seed, seed_samples, HARMONY)

    def _lack_of_affinity(
        self, scorer: Scorer, seed: np.ndarray, distances: np.ndarray
    ) -> np.ndarray:
        """Return the costs of passages by a scorer, in nats, infinite for those far in style."""
        nearest = np.argsort(distances, kind="stable")[:NEAREST]
        nearest = nearest[np.isfinite(distances[nearest])]
        first = self._passages.edges[nearest]
        length = self._passages.edges[nearest + 1] - first
        along = np.arange(SCORED_UNITS) / SCORED_UNITS
        units = (first[:, None] + along * length[:, None]).astype(np.int64).ravel()
        database = self._space.database
        following = units_after(database, units, scorer.n_following)
        affinities = scorer.affinities(seed, database.rows_at(units), following)
        costs = np.full(len(distances), np.inf)
        costs[nearest] = -affinities.reshape(-1, SCORED_UNITS).mean(axis=1)
        return costs

    def _with_tempo_and_uses(self, costs: np.ndarray, tempo: float) -> np.ndarray:
        """Return the costs with those of another tempo, and of the worlds there were."""
        costs = costs + self._passages.tempo_costs(tempo)
        usual = float(np.median(costs[np.isfinite(costs)]) - costs.min())
        return costs + WORN * usual * np.log2(1 + self._uses)

    def _choose(self, costs: np.ndarray, allowed: np.ndarray, playing: int) -> np.ndarray:
        """Return the positions of the units of a world, ascending."""
        units = self._space.database.units
        sample_rate = self._space.database.sample_rate
        chosen = np.zeros(len(units), bool)
        if playing != REST:
            following = int(units.successors(np.array([playing]))[0])
            chosen[_run_from(units, following, GOING_ON_SECONDS * sample_rate)] = True
            chosen &= allowed
        n_samples = int(units.n_samples[chosen].sum())
        n_units = int(chosen.sum())
        order = np.argsort(costs, kind="stable")
        for passage in order[np.isfinite(costs[order])].tolist():
            if n_units >= MOST_UNITS or n_samples >= WORLD_SECONDS * sample_rate:
                break
            first = int(self._passages.edges[passage])
            here = _run_from(units, first, RUN_SECONDS * sample_rate)
            here = slice(first, max(here.stop, int(self._passages.edges[passage + 1])))
            added = first + np.flatnonzero(allowed[here] & ~chosen[here])
            chosen[added] = True
            n_units += len(added)
            n_samples += int(units.n_samples[added].sum())
            self._uses[passage] += 1
        return np.flatnonzero(chosen)


def _run_from(units: Units, first: int, n_samples: float) -> slice:
    """Return the units that begin within so many samples from a unit on; none of a `REST`."""
    if first == REST:
        return slice(0, 0)
    near = slice(first, first + MOST_RUN_UNITS)
    left = (units.source[near] == units.source[first]) & (
        units.start_sample[near] < units.start_sample[first] + n_samples
    )
    return slice(first, first + int(left.sum()))


def forecaster_scorers(
    model: str | Path, database: Database, sampling: SamplingOptions = AS_LEARNED
) -> MakeScorer:
    """Return what makes scorers of a model for the units of a database.

    From now on torch computes on one thread: the others are for the audio.

    Raises
    ------
    CheckpointError
        If the model cannot be used.
    DatabaseError
        If model and database have other descriptor settings.
    """
    import torch

    from sequencer.forecaster import Forecaster
    from sequencer.scorer import ForecasterScorer

    torch.set_num_threads(1)
    forecaster = Forecaster.load(model)
    database.settings.check_matches(
        forecaster.config.settings,
        mine=f"the database {database.path}",
        theirs=f"the model {model}",
    )
    return lambda: ForecasterScorer(forecaster, sampling)
