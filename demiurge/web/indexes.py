"""A small cache of unit indexes and of the units of voices, one for each set of settings."""

import json
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from db.database import Database

if TYPE_CHECKING:
    from db.bands import Bands
    from demiurge.plans.voice_units import VoiceUnits
    from playback.plan import Plan
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
        self._bands: Bands | None = None
        self._indexes: dict[str, Any] = {}  # and VoiceUnits; most recently used last

    def get(self, search: "SearchSettings") -> "UnitIndex":
        """Return the index of the units that these settings allow.

        Raises
        ------
        DatabaseError, ParameterError
            As `query.index.UnitIndex`.
        """
        with self._lock:
            return self._keep(_key(search), lambda: self._make(search))

    def voices(self, plan: "Plan") -> "VoiceUnits | None":
        """Return the units that the voices of a plan may play.

        None if they were not chosen by their spectra, or for another database. Spectra that are
        missing are measured.

        Raises
        ------
        ParameterError
            As `demiurge.plans.voice_units.find_semitones` and `query.index.UnitIndex`.
        DatabaseError, PlanError
            If a source that has to be measured is missing, or the plan's spectra have other bands.
        """
        from db.bands import Bands
        from demiurge.plans.locate import belongs
        from demiurge.plans.settings import PlanSettings, fits_spectra
        from demiurge.plans.voice_units import find_semitones, kept_target, open_voice_units

        database = self._database
        kept = plan.spectra
        if kept is None or not belongs(plan, database) or not fits_spectra(plan):
            return None
        search = PlanSettings.of(plan).search
        with self._lock:
            bands = self._bands or Bands(database, progress=self._progress)
            self._bands = bands
            target = kept_target(kept, len(bands.centres))
            semitones = find_semitones(search, bands, target)
            longest = int(kept.n_samples.max())
            return self._keep(
                _key(search, semitones, search.voices.follow, longest),
                lambda: open_voice_units(
                    database, bands, semitones, search, kept.n_samples, self._progress
                ),
            )

    def _keep(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what is kept, or make it and forget what was not used for longest."""
        found = self._indexes.pop(key, None) or make()
        self._indexes[key] = found
        for old in list(self._indexes)[: -self._kept]:
            del self._indexes[old]
        return found

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


def _key(search: "SearchSettings", *also: Any) -> str:
    facts = (search.filters.to_dict(), search.weights, search.metric, search.kind, *also)
    return json.dumps(facts, sort_keys=True)
