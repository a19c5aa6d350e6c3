"""Which units are searched for steps that last so long."""

import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from query.settings import SearchSettings

# samples of a unit, and of the longest source
HOP = 1024
LONGEST = 44100


@pytest.mark.parametrize(
    ("units", "step_samples", "shortest"),
    [
        ("frame", [HOP // 2, HOP], HOP),
        ("frame", [10 * HOP], 10 * HOP),
        ("frame", [10**9], LONGEST),  # nothing lasts as long: what lasts longest is joined
        ("fixed:50", [2205], 2205),
        ("onset", [10 * HOP], 1),  # units last as long as they last
    ],
)
def test_units_with_enough_sound_behind_their_start_are_searched(
    corpus, tmp_path, units, step_samples, shortest
):
    build_database(corpus, tmp_path / "db", settings=DescriptorSettings(units=units))
    database = Database(tmp_path / "db")
    index = SearchSettings().index(database, np.array(step_samples))
    assert len(index) == (database.units.samples_left >= shortest).sum()
    assert (len(index) == database.n_units) == (shortest == 1)
