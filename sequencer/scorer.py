"""Score real units as the next step of several hypotheses, which then hear what is played.

In a rollout a forecaster samples steps and hears its own samples, which may lead to where the
database has nothing. Here it hears real units only: a search decides what each hypothesis plays.
The scores of what a hypothesis has played add up to the log-likelihood of the whole sequence.
"""

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from files.errors import ParameterError
from sequencer.averages import slow_averages
from sequencer.condition import Conditions
from sequencer.conditions import check_accompanies, conditions_for
from sequencer.forecaster import Forecaster
from sequencer.hypotheses import HypothesisGroup
from sequencer.rollout import check_seed
from sequencer.sampling import AS_LEARNED, SamplingOptions
from sequencer.track import Track
from training.threads import torch_threads

REST = -1  # instead of a unit: nothing is played


class ForecasterScorer:
    """Scores the units of one search, hypothesis by hypothesis.

    Of the sampling options only the temperature changes scores; `top_p` and the random seed are
    for the choice among the units, and for the coarse level of a forecaster that has one, which is
    sampled on the way.

    Parameters
    ----------
    track : Track, optional
        What the units go with, from the beginning of the seed on.
    threads : int
        See `training.threads`.

    Raises
    ------
    ParameterError
        If there is a track and the forecaster was not trained to go with one.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        sampling: SamplingOptions = AS_LEARNED,
        *,
        track: Track | None = None,
        threads: int = 1,
    ) -> None:
        if track is not None:
            check_accompanies(forecaster)
        self._forecaster = forecaster
        self._sampling = sampling
        self._track = track
        self._threads = threads
        self._n_units = 0
        # Hypotheses that have heard equally many steps are a group, and run as one batch.
        self._groups: list[HypothesisGroup] = []
        self._group = np.empty(0, np.int64)  # of each hypothesis
        self._row = np.empty(0, np.int64)  # of each hypothesis in its group, in order

    @property
    def n_following(self) -> int:
        """Units after each candidate that `begin` takes."""
        return self._forecaster.head.n_following

    @property
    def has_affinities(self) -> bool:
        """Whether `affinities` can be asked for: of the contrast head."""
        return not self._forecaster.head.forecasts

    @torch.inference_mode()
    def affinities(self, seed: np.ndarray, units: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Return how well units go with a seed, in nats up to a constant, float32, (M,).

        Parameters and errors are those of `begin`. Units in parts give what they give together.
        """
        self._check(seed, units, following)
        with torch_threads(self._threads):
            hidden = self._hear_seed(seed)
            head = self._forecaster.head
            found = head.affinities(hidden, self._normalise(units), self._normalise(following))
        return found.cpu().numpy()

    def _hear_seed(self, seed: np.ndarray) -> Tensor:
        """Return the hidden state (hidden_size,) after a raw seed."""
        forecaster = self._forecaster
        scores = self._normalise(seed)[None]
        known = slow_averages(
            scores.cpu().numpy(), forecaster.config.spans, delay=forecaster.head.delay
        )
        averages = torch.from_numpy(known).to(scores.device)
        conditions = self._conditions(scores)
        rows = conditions.of_seed() if conditions else None
        return forecaster(scores, averages, len(seed) - 1, rows)[0, -1]

    def _conditions(self, seed: Tensor) -> Conditions | None:
        """Return the condition of a z-scored seed (1, steps, n), the same at every call."""
        return conditions_for(
            self._forecaster,
            seed,
            track=self._track,
            generator=torch.Generator().manual_seed(self._sampling.random_seed),
            sampling=self._sampling,
        )

    def _check(self, seed: np.ndarray, units: np.ndarray, following: np.ndarray) -> None:
        n = self._forecaster.config.settings.n_descriptors
        check_seed(seed, n, least=1)
        _check_units(units, n)
        shape = (len(units), self.n_following, n)
        if following.shape != shape:
            raise ParameterError(
                f"following units of shape {following.shape} do not fit the model and the units:"
                f" they must be {shape}"
            )

    @torch.inference_mode()
    def begin(
        self, seed: np.ndarray, units: np.ndarray, following: np.ndarray | None = None
    ) -> None:
        """Hear a seed and take the units that may be played; there is one hypothesis then.

        Parameters
        ----------
        seed : ndarray, shape (steps, n_descriptors), raw
            One step is enough.
        units : ndarray, shape (M, n_descriptors), raw
        following : ndarray, shape (M, n_following, n_descriptors), raw, optional
            The units that follow each in its source, NaN where it has ended. By default nothing
            follows.

        Raises
        ------
        ParameterError
            If one is empty, of another width or not finite.
        """
        n = self._forecaster.config.settings.n_descriptors
        if following is None:
            following = np.full((len(units), self.n_following, n), np.nan, np.float32)
        self._check(seed, units, following)
        with torch_threads(self._threads):
            heard = self._normalise(seed)[None]
            group = HypothesisGroup(
                self._forecaster,
                heard,
                self._normalise(units),
                self._normalise(following),
                self._sampling.temperature,
                self._conditions(heard),
            )
        self._n_units = len(units)
        self._groups = [group]
        self._group = np.zeros(1, np.int64)
        self._row = np.zeros(1, np.int64)

    @torch.inference_mode()
    def scores(self) -> np.ndarray:
        """Return the log-likelihood in nats of each unit as the next step of each hypothesis.

        Returns
        -------
        ndarray, float32, shape (hypotheses, M)
        """
        scores = np.empty((len(self._group), self._n_units), np.float32)
        with torch_threads(self._threads):
            for number, group in enumerate(self._groups):
                members = np.flatnonzero(self._group == number)
                scores[members] = group.scores().cpu().numpy()
        return scores

    @torch.inference_mode()
    def advance(
        self, rows: np.ndarray, units: np.ndarray, now: np.ndarray | None = None
    ) -> np.ndarray:
        """Go on with hypotheses `rows`, each of which plays a unit.

        Parameters
        ----------
        rows : ndarray, int64, shape (new hypotheses,)
            Positions of the hypotheses gone on with, repeated where one goes on in several ways.
        units : ndarray, int64, shape (new hypotheses,)
            What each plays: a row of the units given to `begin`, or -1 for a rest, at which a
            hypothesis stays as it is.
        now : ndarray, int64, shape (new hypotheses,), optional
            Samples played so far, by which a track is followed. By default every step lasts as
            long as is usual.

        Returns
        -------
        ndarray, float32, shape (new hypotheses,)
            What the log-likelihood of each hypothesis gains beside what `scores` said: of the
            tokens head the upper levels of earlier steps, else 0.

        Raises
        ------
        ParameterError
            If there is no such hypothesis or unit.
        """
        rows = np.asarray(rows, np.int64)
        units = np.asarray(units, np.int64)
        _check_positions(rows, units, n_hypotheses=len(self._group), n_units=self._n_units)
        gained = np.zeros(len(rows), np.float32)
        groups: list[HypothesisGroup] = []
        new_group = np.empty(len(rows), np.int64)
        new_row = np.empty(len(rows), np.int64)
        plays = units != REST
        with torch_threads(self._threads):
            for number, group in enumerate(self._groups):
                for playing in (True, False):
                    chosen = np.flatnonzero((self._group[rows] == number) & (plays == playing))
                    if not len(chosen):
                        continue
                    part = group.select(self._to_tensor(self._row[rows[chosen]]))
                    if playing:
                        heard = self._to_tensor(units[chosen])
                        gain = part.hear(heard, None if now is None else now[chosen])
                        gained[chosen] = gain.cpu().numpy()
                    new_group[chosen] = len(groups)
                    new_row[chosen] = np.arange(len(chosen))
                    groups.append(part)
        self._groups = groups
        self._group = new_group
        self._row = new_row
        return gained

    def _normalise(self, raw: np.ndarray) -> Tensor:
        """Return the z-scored independent columns of raw rows."""
        columns = static_columns(self._forecaster.config.settings)
        static = raw if len(columns) == raw.shape[-1] else raw[..., columns]
        static = np.ascontiguousarray(static, np.float32)
        return self._forecaster.normalise(torch.from_numpy(static).to(self._forecaster.mean.device))

    def _to_tensor(self, positions: np.ndarray) -> Tensor:
        return torch.from_numpy(positions).to(self._forecaster.mean.device)


def _check_units(units: np.ndarray, n_descriptors: int) -> None:
    if units.ndim != 2 or units.shape[1] != n_descriptors or not len(units):
        raise ParameterError(
            f"units of shape {units.shape} do not fit the model: they must be (units,"
            f" {n_descriptors}), at least one"
        )
    if not np.isfinite(units).all():
        first = int(np.argwhere(~np.isfinite(units))[0, 0])
        raise ParameterError(f"unit {first} is not finite; repair it")


def _check_positions(
    rows: np.ndarray, units: np.ndarray, *, n_hypotheses: int, n_units: int
) -> None:
    if rows.shape != units.shape or rows.ndim != 1 or not len(rows):
        raise ParameterError(
            f"rows of shape {rows.shape} and units of shape {units.shape} must be of one length,"
            " at least 1"
        )
    for row in rows[(rows < 0) | (rows >= n_hypotheses)]:
        raise ParameterError(f"row {row} is none of the {n_hypotheses} hypotheses, counted from 0")
    for unit in units[(units < REST) | (units >= n_units)]:
        raise ParameterError(
            f"unit {unit} is none of the {n_units} units, counted from 0; {REST} is a rest"
        )
