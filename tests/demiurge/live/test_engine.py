"""The engine: what it plays is a plan, to the bit, whatever is turned while it plays."""

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.settings import FOR_CONTINUATIONS
from demiurge.live.knobs import KNOBS, MODES, Knobs
from demiurge.live.listener import Pulse
from files.errors import AudioError
from playback.plan import Plan
from query.filters import Filters
from query.online.choice import Choice
from query.rules import REST
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


def test_a_mode_that_needs_an_input_is_silent_without_one(databases, tmp_path):
    """The mode is changed between the steps of two voices."""
    with open_session(databases["onset"], tmp_path, Knobs(mode="free", voices=2)) as one:
        for number in range(40):
            play(one, 0.05)
            one.controls.set_mode("mosaic" if number % 2 else "free")


def test_a_job_that_fails_is_told_and_does_not_end_the_session(session, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("out of memory")

    with session(Knobs(mode="free"), silent_from=0) as one:
        play(one, 1)
        monkeypatch.setattr("demiurge.live.worlds.Worlds.loop", fail)
        played = play(one, 12)  # beyond the next refresh
        assert one.status().problem == "out of memory"
    assert np.abs(played[-RATE:]).max() > 0


def test_a_tail_that_cannot_be_read_fades_out(session):
    with session(Knobs(continuity=8)) as one:
        blocks = [play(one, 0.5)]
        reader = one.corpus.reader
        read = reader.read_into
        step = one.engine._lines._lines[0].last

        def read_into(out, source, start_sample):
            if source == step.source and start_sample + len(out) > step.end_sample + 2500:
                raise AudioError("cut off")
            read(out, source, start_sample)

        reader.read_into = read_into
        tail = one.engine.tail(8000)
        one.engine.ran_on(4000)
        blocks.append(tail[:4000])
        assert not tail[6000:].any()
        reader.read_into = read
        blocks.append(play(one, 0.5))
    check_is_what_was_played(one, np.concatenate(blocks))


def test_a_jump_that_was_taken_back_is_made_after_all(session):
    with session(Knobs(continuity=8, voices=2)) as one:
        play(one, 1)
        one.controls.command("jump")
        one.engine.produce(4096)
        assert not one.engine._leave & {0, 1}
        one.engine.take_back()
        assert one.engine._leave >= {0, 1}
        play(one, 0.2)
        assert not one.engine._leave & {0, 1}


def test_what_is_told_was_played(session):
    with session(Knobs()) as one:
        for _ in range(20):
            play(one, 0.05)
            one.engine.produce(3000)
            one.engine.take_back()
        told = [status.unit for status in one.steps_since(0) if status.unit >= 0]
    played = [step.unit for step in one.plan.steps]
    assert told == played[: len(told)]
    assert len(told) >= len(played) - 4


def test_the_tempo_stays_when_the_input_has_ended(session):
    with session(Knobs(mode="continue"), "beat/4", silent_from=4) as one:
        listener = one.engine.listener
        listener.pulse = lambda: None if listener.is_silent else Pulse(120.0, 1000.0)
        one.engine._time._tempo_like = lambda tempo: tempo
        play(one, 3.5)
        assert one.engine._time.tempo == 120
        play(one, 4)
        assert one.engine._time.tempo == 120
        assert one.status().state == "playing"


def test_the_music_before_a_long_silence_is_continued(session):
    with session(Knobs(mode="continue"), silent_from=2) as one:
        play(one, 2)
        one.controls.command("panic")
        play(one, 30)
        rows, _ = one.engine._heard.until_now()
        assert len(rows) == pytest.approx(2 * RATE / 1024, abs=3)


def test_other_filters_make_other_loops_at_once(session):
    with session(Knobs(mode="free")) as one:
        play(one, 1)
        loop = one.engine._lines._lines[0].loop
        one.controls.set_filters(Filters(sources=("2.wav",)))
        play(one, 0.3)
        assert one.engine._lines._lines[0].loop is not loop
        assert one.status().source == "2.wav"


def test_transposed_frames_of_short_sounds_are_played(tabla, tmp_path):
    audio = tmp_path / "audio"
    audio.mkdir()
    for number in range(4):
        sf.write(audio / f"{number}.wav", tabla[number * 9000 :][:7000], RATE)
    build_database(audio, tmp_path / "my.db", settings=replace(FOR_CONTINUATIONS, units="frame"))
    with open_session(tmp_path / "my.db", tmp_path, Knobs(mode="free", transpose=3)) as one:
        played = play(one, 1)
    assert np.abs(played).max() > 0.05


def test_filters_and_weights_that_cannot_be_followed_are_set_back(session):
    with session(Knobs()) as one:
        play(one, 0.2)
        one.controls.set_weight("nothing", 2)
        play(one, 0.2)
        assert not one.controls.knobs.weights
        play(one, 0.5)
        assert "nothing" in one.status().problem  # until something else is asked for
        one.controls.set_filters(Filters(sources=("1.wav",)))
        play(one, 0.3)
        assert not one.status().problem
        assert one.status().source == "1.wav"


def test_a_line_goes_on_where_transposition_ends(session):
    """Units that go on in their source: transposed, transposed, and as they are."""
    with session(Knobs()) as one:
        [line, *_] = one.engine._lines
        position = 10
        for transpose in (3, 3, 0, 0, -2):
            step, goes_on = line.step_of(Choice(position), 4096, 0.0, transpose)
            line.play(step, position, goes_on=goes_on)
            position = line.past.following()
            assert position != REST
        assert not step.ramp
        assert line.next_at == 5 * 4096


def ask_for_anything(controls, random):
    """Turn a knob, change the mode or ask for something else, by chance."""
    kind = random.random()
    if kind < 0.5:
        name = str(random.choice(list(KNOBS)))
        controls.turn(name, float(random.uniform(KNOBS[name].least, KNOBS[name].most)))
    elif kind < 0.65:
        controls.set_mode(str(random.choice(MODES)))
    elif kind < 0.8:
        controls.command(str(random.choice(["go", "listen", "jump", "panic", "go"])))
    elif kind < 0.85:
        controls.set_filters(Filters(sources=(("1*",), ("none",), ())[random.integers(3)]))
    elif kind < 0.9:
        controls.set_weight(str(random.choice(["chroma", "none"])), float(random.uniform(0, 3)))
    elif kind < 0.95:
        controls.set_pitch_classes(random.integers(0, 12, 3).tolist())
    else:
        controls.set_clock(float(random.choice([0, 90, 140])))


@pytest.mark.parametrize("kind", ["frame", "beat/4"])
@pytest.mark.parametrize("number", range(2))
def test_whatever_is_asked_for_at_any_time_what_was_played_is_a_plan(session, kind, number):
    random = np.random.default_rng(number)
    blocks = []
    with session(Knobs(), kind, silent_from=4, threaded=bool(number)) as one:
        for _ in range(250):
            n_samples = int(random.integers(1, 3000))
            if random.random() < 0.2:
                ask_for_anything(one.controls, random)
            one.engine.hear(np.zeros((n_samples, 1), np.float32))
            if random.random() < 0.08:  # the device could not wait
                tail = one.engine.tail(5000)
                one.engine.produce(n_samples)
                one.engine.take_back()
                n_late = int(random.integers(1, 4500))
                one.engine.ran_on(n_late)
                blocks.append(tail[:n_late])
            blocks.append(one.engine.produce(n_samples))
    check_is_what_was_played(one, np.concatenate(blocks))
