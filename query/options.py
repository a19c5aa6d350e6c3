"""Options of the path search."""

from dataclasses import dataclass

import numpy as np

from files.errors import ParameterError
from files.ranges import shown
from query.names import CONTINUITY, MAX_RUN, NOVELTY, SEARCHES

DEFAULT_K = 32


@dataclass(frozen=True)
class PathOptions:
    """The wanted properties of a path.

    Costs and distances are those of z-scored, weighted descriptors.

    Attributes
    ----------
    k : int, optional
        Nearest units considered at each step; by default `DEFAULT_K`, or all if there are fewer.
    search : str
        One of `SEARCHES`.
    continuity : float >= 0
        Weight of the join costs. 0 gives the nearest unit of every step; larger values give longer
        runs of one source.
    novelty : float >= 0
        Additional cost of a unit for each doubling of its uses.
    min_reuse : float >= 0
        Seconds that must pass before a unit may begin again.
    max_run : float > 0
        Longest run of one source, in seconds.
    rest_threshold : float > 0
        Nothing is played at steps whose nearest unit is further away than this.
    temperature : float >= 0
        Amount of random variation of the target costs.
    random_seed : int
    """

    k: int | None = None
    search: str = "viterbi"
    continuity: float = 0.25  # 9 % above the best fit, 60 % fewer joins
    novelty: float = 0.0
    min_reuse: float = 0.0
    max_run: float = np.inf
    rest_threshold: float = np.inf
    temperature: float = 0.0
    random_seed: int = 0

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise ParameterError(
                f"search={shown(self.search)} must be one of {', '.join(SEARCHES)}"
            )
        for name in ("continuity", "novelty", "min_reuse", "temperature"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ParameterError(f"{name}={value} must be a finite number of at least 0")
        for name in ("max_run", "rest_threshold"):
            if not getattr(self, name) > 0:
                raise ParameterError(f"{name}={getattr(self, name)} must be above 0")

    @property
    def looks_back(self) -> bool:
        """True if what may be played, or its cost, depends on more than the unit before."""
        return bool(self.novelty or self.min_reuse or np.isfinite(self.max_run))


CONTINUATION_PATH = PathOptions(continuity=CONTINUITY, novelty=NOVELTY, max_run=MAX_RUN)
