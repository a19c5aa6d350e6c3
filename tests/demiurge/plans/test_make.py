"""Paths as plans: where steps are, how many channels they need, what else was near, and what is
wrong with their sources.
"""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from demiurge.plans.make import ALTERNATIVES, check_sources, make_plan
from demiurge.plans.settings import PlanSettings
from files.errors import DatabaseError
from playback.plan import Plan
from query.explain import explain
from query.filters import Filters
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path
from query.rules import REST
from query.space import Space

HOP = 1024
N = 6


@pytest.fixture
def database(corpus, tmp_path) -> Database:
    build_database(corpus, tmp_path / "db")
    return Database(tmp_path / "db")


def plan_of(database: Database, *sources: str, resting: tuple[int, ...] = ()) -> Plan:
    """A plan of sources' own first steps, with rests at some."""
    positions = [s.path for s in database.sources]
    sequence = np.concatenate(
        [database.source_descriptors(positions.index(source))[:N] for source in sources]
    )
    index = UnitIndex(Space(database), filters=Filters(sources=sources))
    options = PathOptions(k=20)
    path = find_path(index, sequence, options, step_samples=np.full(len(sequence), HOP))
    played = path.positions.copy()
    played[list(resting)] = REST
    path = replace(path, positions=played)
    return make_plan(path, explain(index.space, path), database, sequence, PlanSettings())


def test_steps_are_where_they_should_be_and_rests_at_the_end_are_the_tail(database):
    plan = plan_of(database, "a/x.wav", resting=(0, 2, 4, 5))
    assert [(step.at_sample, step.start_sample, step.target) for step in plan.steps] == [
        (HOP, HOP, 1),
        (3 * HOP, 3 * HOP, 3),
    ]
    assert (plan.tail_samples, plan.n_samples) == (2 * HOP, N * HOP)


@pytest.mark.parametrize(
    ("sources", "channels"),
    [(["a/x.wav"], 1), (["stereo.wav"], 2), (["short.flac", "stereo.wav"], 2)],
    ids=str,
)
def test_a_plan_has_the_channels_of_the_sources_it_plays(database, sources, channels):
    plan = plan_of(database, *sources)
    assert plan.channels == channels
    assert list(plan.sources) == sources
    assert all(
        stamp["bytes"] == (database.root / source).stat().st_size
        for source, stamp in plan.sources.items()
    )


def test_a_source_whose_file_is_not_known_is_taken_as_it_is(database):
    with closing(sqlite3.connect(database.path / "manifest.sqlite")) as connection, connection:
        connection.execute(
            "UPDATE sources SET n_bytes = -1 WHERE path = 'stereo.wav'"
        )  # its rows were imported
    assert list(check_sources(Database(database.path), ["stereo.wav", "a/x.wav"])) == ["a/x.wav"]


def test_alternatives_are_the_nearest_others(database):
    for step in plan_of(database, "a/x.wav").steps:
        distances = [other["distance"] for other in step.alternatives]
        assert len(distances) == ALTERNATIVES
        assert distances == sorted(distances)
        assert step.unit not in [other["unit"] for other in step.alternatives]


def test_sources_that_are_missing_or_of_another_length_are_named(database):
    names = [source.path for source in database.sources]
    assert list(check_sources(database, names)) == sorted(names)
    with open(database.root / "stereo.wav", "ab") as file:
        file.write(b"\0")
    assert list(check_sources(database, ["short.flac"])) == ["short.flac"]
    with pytest.raises(
        DatabaseError,
        match=r"1 source has changed since the analysis: stereo.wav; run demiurge db build",
    ):
        check_sources(database, names)
    for name in names:
        (database.root / name).unlink()
    with pytest.raises(
        DatabaseError,
        match=r"4 sources are not in .*: a/x.wav, b/x.wav, short.flac, stereo.wav; put them back",
    ):
        check_sources(database, names)
