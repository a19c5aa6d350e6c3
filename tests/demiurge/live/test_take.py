"""The journal of what is played, and the plan that becomes of it."""

import json
import resource
import signal

import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.live.take import Take, journal_of, read_journal, recover, take_lock
from demiurge.plans.make import make_step
from files.errors import ParameterError, PlanError
from playback.plan import Plan

SETTINGS = {"crossfade": {"crossfade_ms": 10.0}}


@pytest.fixture
def database(corpus, tmp_path):
    build_database(corpus, tmp_path / "my.db", settings=DescriptorSettings())
    return Database(tmp_path / "my.db")


def steps_of(database, n=6):
    """Units of two voices, in the order in which they are chosen."""
    return [
        make_step(
            database, 3 * number, n_samples=1024, at_sample=number // 2 * 1024, voice=number % 2
        )
        for number in range(n)
    ]


def write(take, database, steps):
    for number, step in enumerate(steps):
        take.add(step, database.rows_at(np.array([3 * number]))[0])


def test_what_was_played_becomes_a_plan(database, tmp_path):
    path = tmp_path / "take.plan.json"
    steps = steps_of(database)
    with Take(path, database, 2, SETTINGS) as take:
        write(take, database, steps)
        plan = take.finish(5000)
    assert Plan.load(path) == plan
    assert not journal_of(path).exists()
    assert [(s.voice, s.at_sample) for s in plan.steps] == [
        (voice, at) for voice in (0, 1) for at in (0, 1024, 2048)
    ]
    assert plan.n_samples == 5000
    assert plan.sources.keys() == {step.source for step in steps}
    for step in plan.steps:  # each has the row that it was chosen for
        position = database.units.find(step.unit)
        np.testing.assert_array_equal(
            plan.targets.rows[step.target], database.rows_at(np.array([position]))[0]
        )


def test_a_killed_program_loses_no_more_than_its_last_line(database, tmp_path):
    path = tmp_path / "take.plan.json"
    with Take(path, database, 2, SETTINGS) as take:
        write(take, database, steps_of(database))
        take._flush()
    whole = journal_of(path).read_bytes()
    assert not path.exists()
    for cut in (1, 20, 200):
        journal_of(path).write_bytes(whole[:-cut])
        assert len(read_journal(journal_of(path), database).steps) == (6 if cut == 1 else 5)
    for name in ("recovered-take.plan.json", "recovered-take-2.plan.json"):
        journal_of(path).write_bytes(whole)
        saved = recover(path, database)
        assert saved == tmp_path / name
        assert len(Plan.load(saved).steps) == 6
    assert not path.exists()
    assert recover(path, database) is None


def test_nothing_played_leaves_nothing(database, tmp_path):
    path = tmp_path / "take.plan.json"
    with Take(path, database, 2, SETTINGS) as take:
        assert take.finish(1000) is None
    assert not path.exists()
    assert not journal_of(path).exists()


def test_the_journal_is_written_while_it_is_played(database, tmp_path):
    path = tmp_path / "take.plan.json"
    with Take(path, database, 2, SETTINGS) as take:
        step = steps_of(database)[0]
        row = np.zeros(3, np.float32)
        lengths = []
        for second in range(8):
            take.add(make_step(database, 0, n_samples=9, at_sample=44100 * second), row)
            lengths.append(len(journal_of(path).read_bytes().splitlines()))
        assert lengths == [1, 1, 4, 4, 6, 6, 8, 8]
        assert step.voice == 0


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", '{"format": "other"}\n'])
def test_other_files_are_refused(database, tmp_path, text):
    journal = tmp_path / "x.journal"
    journal.write_text(text)
    with pytest.raises(PlanError, match="not the journal of a live take"):
        read_journal(journal, database)


def test_damage_within_a_journal_is_named(database, tmp_path):
    path = tmp_path / "take.plan.json"
    with Take(path, database, 2, SETTINGS) as take:
        write(take, database, steps_of(database))
        take._flush()
    lines = journal_of(path).read_text().splitlines()
    for damaged, message in ((lines[2][:50], "line 3 is damaged"), ("{}", "line 3 is not a step")):
        journal_of(path).write_text("\n".join([*lines[:2], damaged, *lines[3:]]))
        with pytest.raises(PlanError, match=message):
            read_journal(journal_of(path), database)
    assert json.loads(lines[0])["channels"] == 2


def test_a_take_that_cannot_be_written_is_refused(database, tmp_path):
    with pytest.raises(ParameterError, match="cannot be written"):
        Take(tmp_path / "missing" / "take.plan.json", database, 2, SETTINGS)


def test_a_full_disk_does_not_end_a_take(database, tmp_path):
    """What could not be written is written once there is space again."""
    path = tmp_path / "take.plan.json"
    steps = [make_step(database, 0, n_samples=9, at_sample=44100 * second) for second in range(12)]
    row = np.zeros(3, np.float32)
    with Take(path, database, 2, SETTINGS) as take:
        for step in steps[:4]:
            take.add(step, row)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = journal_of(path).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, most))
        try:
            for step in steps[4:8]:
                take.add(step, row)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            signal.signal(signal.SIGXFSZ, before)
        assert "cannot be written" in take.problem
        for step in steps[8:]:
            take.add(step, row)
        assert not take.problem
        plan = take.finish(12 * 44100)
    assert [step.at_sample for step in plan.steps] == [step.at_sample for step in steps]


def test_two_sessions_cannot_play_one_take(tmp_path):
    path = tmp_path / "take.plan.json"
    busy = pytest.raises(ParameterError, match="played by another session")
    with take_lock(path), busy, take_lock(path):
        pass
    with take_lock(path):
        pass
    assert not list(tmp_path.iterdir())
