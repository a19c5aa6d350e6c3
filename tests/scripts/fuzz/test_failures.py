"""A traceback, a hang, a crash, noise, a torn message and a file cut short are found."""

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing

import numpy as np
import pytest
import soundfile as sf

from files.errors import DatabaseError
from scripts.fuzz import lengths
from scripts.fuzz.campaign import Campaign
from scripts.fuzz.cases import Case
from scripts.fuzz.failures import Failure, find_failure
from scripts.fuzz.sandbox import Limits, Outcome, run_forked

SHORT = Limits(seconds=0.3, n_bytes=100 << 20)


def plant(work, tmp_path):
    """The kind of failure that a piece of work is."""
    outcome = run_forked(work, tmp_path, tmp_path / "out", SHORT)
    failure = find_failure(outcome)
    return failure and failure.kind


def raise_error():
    raise DatabaseError("past the command line")


def wait():
    time.sleep(60)
    return 0


def compute():
    while True:
        pass


def use_memory():
    return len(np.ones(300 << 20, np.uint8)[:1])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def make_noise():
    os.write(2, b"Note: Trying to resync...\n")
    return 0


def warn():
    print("x.py:1: RuntimeWarning: overflow encountered in exp", file=sys.stderr)
    return 0


def say_nothing():
    return 1


def say_jargon():
    print("Error: 'NoneType' object has no attribute 'shape'", file=sys.stderr)
    return 1


def tear():
    print("Error: cannot be read (thrift\nfailed); export it again", file=sys.stderr)
    return 1


def end_with_3():
    return 3


def say_an_error():
    print("Error: my.db: the table sources has no row 3; build it again", file=sys.stderr)
    return 1


def list_failures():
    print("Error: 2 sources cannot be played:\n  a.wav: gone\n  b.wav: cut", file=sys.stderr)
    return 1


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (raise_error, "traceback"),
        (wait, "hang"),
        (compute, "hang"),
        (use_memory, "memory"),
        (die, "crash"),
        (make_noise, "noise"),
        (warn, "noise"),
        (say_nothing, "message"),
        (say_jargon, "message"),
        (tear, "message"),
        (end_with_3, "status"),
        (say_an_error, None),
        (list_failures, None),
    ],
)
def test_failure_is_found(work, kind, tmp_path):
    assert plant(work, tmp_path) == kind


def test_a_traceback_names_the_error_and_the_place(tmp_path):
    outcome = run_forked(raise_error, tmp_path, tmp_path / "out", SHORT)
    failure = find_failure(outcome)
    assert failure.where.startswith("DatabaseError tests/scripts/fuzz/test_failures.py")
    assert failure.where.endswith("raise_error")
    assert "past the command line" in failure.text


def make_manifest(folder, n_samples, warning=None):
    folder.mkdir()
    with closing(sqlite3.connect(folder / "manifest.sqlite", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE config (key, value)")
        connection.execute("INSERT INTO config VALUES ('descriptors', '{\"sample_rate\": 44100}')")
        connection.execute("CREATE TABLE sources (n_samples, state, warning)")
        connection.execute("INSERT INTO sources VALUES (?, 'ok', ?)", [n_samples, warning])


def test_a_file_cut_short_without_a_warning_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(lengths, "DECODERS", {"cat": ("cat", "{}")})
    sf.write(tmp_path / "a.wav", np.zeros(88200), 44100)
    make_manifest(tmp_path / "half.db", 44100)
    make_manifest(tmp_path / "whole.db", 88200)
    make_manifest(tmp_path / "told.db", 44100, "the rest cannot be decoded")
    found = lengths.find_cut(tmp_path / "a.wav", tmp_path / "half.db")
    assert found == "a.wav: 1.00 s were taken without a word; cat 2.00 s"
    assert lengths.find_cut(tmp_path / "a.wav", tmp_path / "whole.db") == ""
    assert lengths.find_cut(tmp_path / "a.wav", tmp_path / "told.db") is None
    assert lengths.find_cut(tmp_path / "a.wav", tmp_path / "none.db") is None


def test_a_case_is_shrunk_to_the_edits_that_matter(monkeypatch):
    outcome = Outcome(0, "", 0.0, 0, "", "", "", "")
    failure = Failure("traceback", "here", "")

    def try_case(_, case):
        return (failure if {3, 5} <= set(case.edits) else None), outcome

    monkeypatch.setattr(Campaign, "try_case", try_case)
    campaign = Campaign(1)
    campaign.close()
    case = Case(0, "plan", {}, "x.json", (1, 2, 3, 4, 5, 6), ("playback", "x.json"))
    assert campaign.shrink(case, failure).edits == (3, 5)
