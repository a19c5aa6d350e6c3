"""What may be played and what is best: as it is asked for, and as a plan keeps it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from math import inf, isfinite
from typing import Any, Self

import numpy as np

from db.database import Database
from files.errors import ParameterError, PlanError
from query.filters import Filters
from query.index import UnitIndex
from query.metrics import parse_metric
from query.options import PathOptions

KINDS = {str: "text", float: "a number"}
MOST_VARIATIONS = 1000  # of a plan that can be found again


@dataclass(frozen=True)
class SearchSettings:
    """What may be played, how distance is measured (both as `UnitIndex`), and what the path, or
    paths, should be like.
    """

    path: PathOptions = field(default_factory=PathOptions)
    variations: int = 1
    filters: Filters = field(default_factory=Filters)
    weights: dict[str, float] = field(default_factory=dict)
    metric: str = "l2"
    kind: str = "auto"

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """What the settings of a plan ask for, the defaults where they say nothing; it finds as
        many variations as it takes to find the plan's own again.

        Raises
        ------
        PlanError
            If they ask for what there is not.
        """
        try:
            path = _take_path(settings.get("selection", {}))
            filters = Filters.from_dict(settings.get("filters", {}))
            metric = str(parse_metric(str(settings.get("metric", "l2"))))
        except ParameterError as error:
            raise PlanError(f"the plan's settings: {error}") from error
        variation = settings.get("variation", 1)
        if type(variation) is not int or not 1 <= variation <= MOST_VARIATIONS:
            raise PlanError(
                f"the plan's settings: variation={variation!r} must be an integer from 1 to"
                f" {MOST_VARIATIONS}"
            )
        return cls(path, variation, filters, _take_weights(settings.get("weights", {})), metric)

    def index(
        self, database: Database, step_samples: np.ndarray, progress: Callable | None = None
    ) -> UnitIndex:
        """The units that may be played for steps that last so long, `step_samples`, int64,
        (steps,).
        """
        shortest = 1
        if database.settings.units not in ("onset", "beat"):
            shortest = int(
                min(step_samples.max(), database.units.room.max(initial=0))
            )  # less sound would need another join
        return UnitIndex(
            database,
            min_samples=shortest,
            filters=self.filters,
            weights=self.weights,
            metric=self.metric,
            kind=self.kind,
            progress=progress,
        )


def selection_facts(selection: SearchSettings, index: UnitIndex) -> dict[str, Any]:
    """What was asked for and what the filters left, for a plan or for people."""
    path = {
        name: value for name, value in asdict(selection.path).items() if value not in (inf, None)
    }
    return {
        "selection": path,
        "filters": selection.filters.to_dict(),
        "units": index.counts,
        "weights": selection.weights,
        "metric": str(index.metric),
        "index": index.kind,
    }


def _take_path(facts: Any) -> PathOptions:
    kinds: dict[str, Any] = {option.name: option.type for option in fields(PathOptions)}
    if not isinstance(facts, dict) or not facts.keys() <= kinds.keys():
        raise ParameterError(
            f"selection={facts!r} must be an object with some of {', '.join(kinds)}"
        )
    for name, value in facts.items():
        kind = int | float if kinds[name] is float else kinds[name]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise ParameterError(
                f"selection: {name}={value!r} must be {KINDS.get(kinds[name], 'an integer')}"
            )
    return PathOptions(**facts)


def _take_weights(weights: Any) -> dict[str, float]:
    if not isinstance(weights, dict) or not all(
        type(w) in (int, float) and isfinite(w) and w >= 0 for w in weights.values()
    ):
        raise PlanError(
            f"the plan's settings: weights={weights!r} must be an object of numbers, 0 at least, by"
            " descriptor"
        )
    return weights
