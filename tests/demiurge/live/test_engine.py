"""The engine: what it plays is a plan, to the bit, whatever is turned while it plays."""

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.settings import FOR_CONTINUATIONS
from demiurge.live.knobs import MODES, Knobs
from playback.plan import Plan
from query.filters import Filters
from tests.demiurge.live.playing import (
    RATE,
    KnownInput,
    check_is_what_was_played,
    open_session,
    play,
)

UNITS = ("frame", "fixed:50", "onset", "beat/4")


@pytest.fixture(scope="module")
def databases(tmp_path_factory, tabla):
    """A database of each kind of units, of the same sounds."""
    folder = tmp_path_factory.mktemp("live")
    audio = folder / "audio"
    audio.mkdir()
    long = np.concatenate([tabla, tabla[::-1], tabla * 0.5])
    for number, speed in enumerate((1, 2, 3)):
        sf.write(audio / f"{number}.wav", long[::speed], RATE, subtype="PCM_16")
    sf.write(audio / "stereo.flac", np.stack([long, np.roll(long, 99)], axis=1), RATE)
    made = {}
    for kind in UNITS:
        made[kind] = folder / f"{kind.replace('/', '-').replace(':', '-')}.db"
        build_database(audio, made[kind], settings=replace(FOR_CONTINUATIONS, units=kind))
    return made


@pytest.fixture
def session(databases, tmp_path, tabla):
    """Return a session of units of a kind, with an input."""

    def make(knobs, kind="frame", *, silent_from=np.inf, **options):
        made = open_session(databases[kind], tmp_path, knobs, **options)
        settings = made.corpus.database.settings
        made.engine.listener = KnownInput(settings, np.tile(tabla, 2), silent_from)
        return made

    return make


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("mode", MODES)
def test_what_was_played_is_a_plan(session, tmp_path, kind, mode):
    with session(Knobs(mode=mode, voices=2), kind, silent_from=1.5) as one:
        played = play(one, 3)
    assert one.plan == Plan.load(tmp_path / "take.plan.json")
    check_is_what_was_played(one, played)
    assert np.abs(played).max() > 0.01
    assert len({step.voice for step in one.plan.steps}) == 2


def test_turning_everything_leaves_it_a_plan_without_clicks(session):
    """Largest sample step of what was played, against those of the sounds played."""
    turns = [
        ("level", -12),
        ("transpose", 5),
        ("voices", 3),
        ("freeze", 1),
        ("follow_loudness", 1),
        ("freeze", 0),
        ("transpose", 0),
        ("voices", 1),
        ("max_run", 0.1),
        ("temperature", 2),
        ("level", 0),
    ]

    def turn(number):
        if number % 40 == 39 and turns:
            one.controls.turn(*turns.pop(0))
        if number % 23 == 22:
            one.controls.command("jump")

    with session(Knobs(level=-6)) as one:
        played = play(one, 4, each=turn)
    assert not turns
    check_is_what_was_played(one, played)


@pytest.mark.parametrize("kind", ["frame", "beat/4"])
@pytest.mark.parametrize("transpose", [0, 4])
def test_a_late_unit_lets_the_last_one_run_on(session, kind, transpose):
    late = np.random.default_rng(1)
    blocks = []
    with session(Knobs(voices=2, transpose=transpose), kind) as one:
        for _ in range(12):
            blocks.append(play(one, 0.1, block=300))
            n_samples = int(late.integers(1, 3000))
            blocks.append(one.engine.tail(n_samples + 500)[:n_samples])
            one.engine.ran_on(n_samples)
    check_is_what_was_played(one, np.concatenate(blocks))
    assert one.facts()["late"] == 12


@pytest.mark.parametrize("mode", ["mosaic", "free"])
@pytest.mark.parametrize("kind", ["frame", "beat/4"])
def test_what_came_too_late_is_taken_back(session, kind, mode):
    """As `demiurge.live.devices` does, when the device could not wait for a block."""
    late = np.random.default_rng(1)
    blocks = []
    with session(Knobs(mode=mode, voices=2, novelty=2, min_reuse=0.3), kind) as one:
        for _ in range(40):
            blocks.append(play(one, 0.05, block=441))
            tail = one.engine.tail(4096)
            one.engine.produce(int(late.integers(1, 6000)))
            one.engine.take_back()
            n_samples = int(late.integers(1, 4096))
            one.engine.ran_on(n_samples)
            blocks.append(tail[:n_samples])
    check_is_what_was_played(one, np.concatenate(blocks))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_session_gives_the_same_bytes(session, mode):
    plans = []
    played = []
    for _ in range(2):
        with session(Knobs(mode=mode, temperature=0.5), silent_from=0.8) as one:
            played.append(play(one, 2))
        plans.append(one.plan)
    np.testing.assert_array_equal(*played)
    assert plans[0] == plans[1]


def test_panic_silences_within_two_units_and_go_plays_on(session):
    def press(number):
        if number in (200, 400):
            one.controls.command("panic" if number == 200 else "go")

    with session(Knobs()) as one:
        played = play(one, 3, each=press)
    check_is_what_was_played(one, played)
    assert played[199 * 256 : 200 * 256].any()
    assert not played[200 * 256 + 2 * 1024 : 400 * 256].any()
    assert played[400 * 256 + 2 * 1024 :][:4096].any()


def test_jump_leaves_the_source_within_two_units(session):
    knobs = Knobs(continuity=8)  # by itself it would stay
    with session(knobs) as one:
        play(one, 1)
        before = one.status()
        one.controls.command("jump")
        play(one, 2 * 1024 / RATE, block=1024)
    steps = [step for step in one.plan.steps if step.at_sample >= before.seconds * RATE]
    assert any(
        after.source != step.source or after.start_sample != step.end_sample
        for step, after in pairwise(steps)
    )


def test_freeze_stays_where_it_is(session):
    with session(Knobs()) as one:
        play(one, 1)
        one.controls.turn("freeze", 1)
        play(one, 1)
    late = [step for step in one.plan.steps if step.at_sample > 1.05 * RATE]
    assert len({step.source for step in late}) == 1
    starts = [step.start_sample for step in late]
    assert max(starts) - min(starts) <= 6 * 1024


def test_filters_hold_from_the_next_unit_on_and_impossible_ones_are_told(session):
    with session(Knobs()) as one:
        play(one, 1)
        one.controls.set_filters(Filters(sources=("1.wav",)))
        play(one, 1)
        one.controls.set_filters(Filters(sources=("none.wav",)))
        play(one, 1)
        assert "none.wav" in one.status().problem
        one.controls.set_filters(Filters())
        play(one, 0.5)
        assert not one.status().problem
    middle = {step.source for step in one.plan.steps if 1.05 < step.at_sample / RATE < 2.95}
    assert middle == {"1.wav"}


def test_a_source_that_goes_missing_is_given_up(session, databases):
    audio = databases["frame"].parent / "audio"
    hidden = audio / "hidden"
    try:
        with session(Knobs(filters=Filters(sources=("0.wav", "1.wav")))) as one:
            one.corpus.reader._open.clear()
            (audio / "0.wav").rename(hidden)
            played = play(one, 2)
            assert "0.wav" in one.status().problem
    finally:
        hidden.rename(audio / "0.wav")
    assert {step.source for step in one.plan.steps} == {"1.wav"}
    check_is_what_was_played(one, played)


def test_loudness_follows_the_input(session):
    levels = []
    for loudness in (-40.0, -10.0):
        with session(Knobs(follow_loudness=1.0)) as one:
            one.engine.listener.loudness_db = loudness
            played = play(one, 1)
        levels.append(10 * np.log10(np.mean(played**2)))
        check_is_what_was_played(one, played)
    assert levels[1] - levels[0] > 12


def test_the_tempo_of_the_knob_is_kept(session):
    with session(Knobs(mode="free", tempo=120), "beat/4") as one:
        play(one, 4)
    starts = np.array([step.at_sample for step in one.plan.steps])
    off = (starts + 2756) % 5512.5 - 2756  # from sixteenth notes at 120 beats per minute
    assert np.abs(off).max() < 0.04 * RATE
    assert one.status().tempo == 120
    assert one.status().beat == pytest.approx(8, abs=0.3)


def test_work_beside_is_taken_when_it_is_ready(session):
    """With threads as on a device: nothing is waited for, and all of it comes in time."""
    with session(Knobs(mode="free"), threaded=True) as one:
        played = []
        for source in ("0.wav", "2.wav"):
            one.controls.set_filters(Filters(sources=(source,)))
            limit = time.monotonic() + 30
            while one.status().source != source:
                played.append(play(one, 0.05))
                assert time.monotonic() < limit
    check_is_what_was_played(one, np.concatenate(played))
