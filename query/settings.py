"""Search settings: filters, weights, metric and path options; also to and from a plan's JSON."""

from dataclasses import asdict, dataclass, field, fields
from math import inf, isfinite
from typing import Any, Self

import numpy as np

from db.database import Database
from files.errors import ParameterError
from files.progress import Progress, no_progress
from files.ranges import shown
from query.cluster.paged import PagedDatabase
from query.cluster.remote_index import RemoteIndex
from query.filters import Filters
from query.index import UnitIndex
from query.metrics import parse_metric
from query.names import STRETCHES
from query.options import PathOptions
from query.space import Space
from query.voices.options import ONE_VOICE, VoiceOptions

KINDS = {str: "text", float: "a number"}


@dataclass(frozen=True)
class SearchSettings:
    """All settings of a search.

    Attributes
    ----------
    path : PathOptions
    variations : int
        Number of different paths to find.
    filters : Filters
        Conditions on the units that may be played.
    weights : dict
        Weights of descriptors, by name.
    metric : str
        Distance measure, one of `query.names.METRICS`.
    kind : str
        Kind of the index, one of `query.names.INDEX_KINDS`, or "auto".
    voices : VoiceOptions
        Of a mosaic.
    stretch : "auto" or "off"
        Whether the units of a mosaic are stretched to the lengths of their steps.
    """

    path: PathOptions = field(default_factory=PathOptions)
    variations: int = 1
    filters: Filters = field(default_factory=Filters)
    weights: dict[str, float] = field(default_factory=dict)
    metric: str = "l2"
    kind: str = "auto"
    voices: VoiceOptions = ONE_VOICE
    stretch: str = "off"

    def __post_init__(self) -> None:
        if self.stretch not in STRETCHES:
            raise ParameterError(f"stretch={shown(self.stretch)} must be {' or '.join(STRETCHES)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings that a plan keeps, for JSON.

        Unlimited options, `variations`, `kind`, and what is not used of `voices` and `stretch`, are
        left out.
        """
        path = asdict(self.path)
        voices = {"voices": self.voices.to_dict()} if self.voices.fit_spectra else {}
        stretch = {"stretch": self.stretch} if self.stretch != "off" else {}
        return {
            **voices,
            **stretch,
            "path": {name: value for name, value in path.items() if value not in (inf, None)},
            "filters": self.filters.to_dict(),
            "weights": self.weights,
            "metric": str(parse_metric(self.metric)),
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Read settings that `to_dict` wrote.

        Missing keys take their defaults; unknown keys are ignored.

        Raises
        ------
        ParameterError
            If a value is invalid.
        """
        path = facts.get("path", facts.get("selection", {}))  # 0.1.0: "selection"
        return cls(
            path=_parse_path(path),
            filters=Filters.from_dict(facts.get("filters", {})),
            weights=_parse_weights(facts.get("weights", {})),
            metric=str(parse_metric(str(facts.get("metric", "l2")))),
            voices=VoiceOptions.from_dict(facts.get("voices", {})),
            stretch=facts.get("stretch", "off"),
        )

    def space(self, database: Database) -> Space:
        """Return the space that distances are measured in."""
        return Space(database, weights=self.weights, metric=self.metric)

    def index(
        self, database: Database, step_samples: np.ndarray, progress: Progress = no_progress
    ) -> UnitIndex:
        """Return an index of the units that can fill steps of `step_samples`, int64, (steps,)."""
        min_samples = 1
        if not database.settings.units_vary:
            # a unit whose source ends sooner would need another join
            min_samples = int(min(step_samples.max(), database.units.longest))
        return self.index_of(database, min_samples=min_samples, progress=progress)

    def index_of(
        self, database: Database, *, min_samples: int = 1, progress: Progress = no_progress
    ) -> UnitIndex:
        """Return an index of the units that pass the filters; in shards if the database is."""
        space = self.space(database)
        asked: dict[str, Any] = {"min_samples": min_samples, "filters": self.filters}
        if isinstance(database, PagedDatabase):
            asked["weights"] = self.weights
            return RemoteIndex(space, **asked, kind=self.kind, progress=progress)
        return UnitIndex(space, **asked, kind=self.kind, progress=progress)


def _parse_path(facts: Any) -> PathOptions:
    kinds: dict[str, Any] = {option.name: option.type for option in fields(PathOptions)}
    if isinstance(facts, dict) and "seed" in facts:  # 0.1.0
        facts = {"random_seed": facts["seed"]} | {n: v for n, v in facts.items() if n != "seed"}
    if not isinstance(facts, dict) or not facts.keys() <= kinds.keys():
        raise ParameterError(
            f"path={shown(facts)} must be an object with some of {', '.join(kinds)}"
        )
    for name, value in facts.items():
        kind = int | float if kinds[name] is float else kinds[name]
        if isinstance(value, bool) or not isinstance(value, kind):
            what = KINDS.get(kinds[name], "an integer")
            raise ParameterError(f"path: {name}={shown(value)} must be {what}")
    return PathOptions(**facts)


def _parse_weights(weights: Any) -> dict[str, float]:
    numbers = isinstance(weights, dict) and all(
        type(weight) in (int, float) and isfinite(weight) and weight >= 0
        for weight in weights.values()
    )
    if not numbers:
        raise ParameterError(
            f"weights={shown(weights)} must be an object of numbers, 0 at least, by descriptor"
        )
    return weights
