"""A small cache of unit indexes, one for each set of search settings."""

import json
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from db.database import Database

if TYPE_CHECKING:
    from query.index import UnitIndex
    from query.settings import SearchSettings

KEPT = 3  # enough for similar units on the map and two plans with other settings


class Indexes:
    """Indexes of a database, built when first needed. Safe to use from several threads."""

    def __init__(
        self, database: Database, progress: Callable[[int, int, str], None], kept: int = KEPT
    ) -> None:
        self._database = database
        self._progress = progress
        self._kept = kept
        self._lock = threading.Lock()
        self._indexes: dict[str, UnitIndex] = {}  # most recently used last

    def get(self, search: "SearchSettings") -> "UnitIndex":
        """Return the index of the units that these settings allow.

        Raises
        ------
        DatabaseError, ParameterError
            As `query.index.UnitIndex`.
        """
        facts = (search.filters.to_dict(), search.weights, search.metric, search.kind)
        key = json.dumps(facts, sort_keys=True)
        with self._lock:
            index = self._indexes.pop(key, None) or self._make(search)
            self._indexes[key] = index
            for old in list(self._indexes)[: -self._kept]:
                del self._indexes[old]
            return index

    def _make(self, search: "SearchSettings") -> "UnitIndex":
        index = search.index(self._database, self._usual_samples, self._progress)
        one_row = self._database.rows_at(np.array([0]))
        index.search(one_row, k=1)  # build the lazy FAISS index now
        return index

    @cached_property
    def _usual_samples(self) -> np.ndarray:
        """The length of a step if all have the same, int64, (1,)."""
        settings = self._database.settings
        return np.array([settings.fixed_samples or settings.hop_length])
