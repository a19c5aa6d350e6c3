"""The drums of scripts/make/training_music.py, without its synthesiser."""

import numpy as np
import pytest

from demiurge.bundled import CORPUS_DIR, SEED_FILE
from scripts.make.music import sampled_kit
from scripts.make.music.drum_set import drive
from scripts.make.music.drum_styles import (
    CLOSED_HAT,
    CRASH,
    HOUSE,
    KICK,
    OPEN_HAT,
    ROCK,
    SNARE,
    STYLES,
    SWIRL,
)
from scripts.make.music.drums import (
    TAKE_SECONDS,
    Hands,
    choose_groove,
    choose_tempo,
    fill,
    make_take,
    phrases,
    read,
    vary,
)
from scripts.make.music.sampled_kit import LOOPS, RATE, STROKES, SampledKit, names_of, read_sound
from scripts.make.music.score import Note


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_grooves_of_a_style_have_one_length_known_letters_and_one_left_for_validation(style):
    lengths = {len(bar) for bars in style.grooves.values() for bar in bars}
    assert lengths in ({12}, {16})
    assert {letter for bars in style.grooves.values() for bar in bars for letter in bar} <= set(
        "Xxg?,."
    )
    assert all(len(bars) >= 3 for bars in style.grooves.values())


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_take_has_its_length_and_tempo_and_notes_a_synthesiser_takes(style, rng):
    take = make_take(style, rng, validation=False)
    starts = [note.start for note in take.notes]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert TAKE_SECONDS[0] - 4 < starts[-1] < TAKE_SECONDS[1] + 4
    assert style.tempo[0] <= take.tempo <= style.tempo[1]
    assert all(8 <= note.velocity <= 127 for note in take.notes)


def test_validation_has_other_tempi_and_grooves(rng):
    tempi = {
        part: {choose_tempo((80, 120), rng, validation=part) for _ in range(200)}
        for part in (False, True)
    }
    assert not tempi[False] & tempi[True]
    assert tempi[True] == set(range(80, 121, 5))
    kept = choose_groove(ROCK, rng, validation=True)
    assert kept == {key: bars[-1] for key, bars in ROCK.grooves.items()}


def test_a_varied_groove_differs_by_one_stroke_and_keeps_its_accents(rng):
    groove = "X.......X.x....."
    for _ in range(50):
        varied = vary(groove, rng)
        assert sum(a != b for a, b in zip(groove, varied, strict=True)) == 1
        assert varied[0] == "X"
    assert vary("................", rng) == "................"


def test_strokes_of_chance_are_played_as_often_as_they_should(rng):
    found = [len(read({KICK: "?,X."}, rng)) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.5 + 0.35 + 1, abs=0.06)
    assert read({KICK: "X.g."}, rng) == [(0.0, KICK, 112.0), (2.0, KICK, 40.0)]


def test_a_fill_leaves_the_bar_before_it_and_gets_louder(rng):
    bar = [(float(step), CLOSED_HAT, 80.0) for step in range(16)]
    for _ in range(40):
        filled = fill(bar, 16, rng)
        first = min(stroke[0] for stroke in filled if stroke not in bar)
        assert first > 7
        kept = [stroke for stroke in bar if stroke[0] < first - 1]
        assert filled[: len(kept)] == kept
        assert max(filled, key=lambda stroke: stroke[2])[0] >= first


def test_after_a_fill_there_may_be_a_crash_and_nowhere_else(rng):
    grooves = [choose_groove(HOUSE, rng, validation=False) for _ in range(2)]
    bars = list(phrases(HOUSE, grooves, 400, rng))
    crashes = [i for i, bar in enumerate(bars) if any(key == CRASH for _, key, _ in bar)]
    assert crashes
    assert all(number % 4 == 0 and number > 0 for number in crashes)


def test_swing_delays_every_second_sixteenth_and_nothing_else(rng):
    hands = Hands(HOUSE, 1.6, 16, rng)
    hands.swing = 0.6
    times = [hands.time(step) for step in (0.0, 1.0, 2.0, 3.0, 16.0)]
    assert times == pytest.approx([0.0, 0.12, 0.2, 0.32, 1.6])


def test_a_tight_style_is_on_the_grid_to_some_milliseconds(rng):
    take = make_take(HOUSE, rng, validation=True)
    beat = 60 / take.tempo
    kicks = np.array([note.start for note in take.notes if note.key == KICK])
    off = np.abs(kicks / beat - np.round(kicks / beat)) * beat
    assert np.median(off) < 0.01


def test_recorded_kits_have_every_drum_of_the_styles_they_play():
    wanted = {key for style in STYLES.values() if style.sampled for key in style.grooves}
    assert wanted <= set(STROKES)
    assert SWIRL not in STROKES
    for key, patterns in STROKES.items():
        assert len(names_of(patterns)) > 1, key


def test_a_recorded_kit_plays_strokes_where_the_notes_are_louder_if_struck_harder(rng):
    kit = SampledKit(rng, validation=False)
    kit.strokes = {SNARE: np.ones(100, np.float32)}
    audio = kit.render([Note(0.0, 0.1, SNARE, 127), Note(1.0, 1.1, SNARE, 60)])
    assert np.flatnonzero(audio).tolist() == [*range(100), *range(RATE, RATE + 100)]
    assert audio[0] == pytest.approx(1.0)
    assert audio[RATE] == pytest.approx((60 / 127) ** 1.6)


def test_a_closed_hat_ends_an_open_one(rng):
    kit = SampledKit(rng, validation=False)
    long = np.ones(RATE, np.float32)
    kit.strokes = {OPEN_HAT: long, CLOSED_HAT: np.zeros(10, np.float32)}
    audio = kit.render([Note(0.0, 0.1, OPEN_HAT, 127), Note(0.5, 0.6, CLOSED_HAT, 127)])
    assert audio[RATE // 2 - 1100] == pytest.approx(1.0)
    assert not audio[RATE // 2 :].any()


def test_loops_for_validation_are_bundled_and_not_trained_on():
    assert not set(LOOPS["train"]) & set(LOOPS["validation"])
    bundled = {path.stem for path in CORPUS_DIR.glob("loop_*.ogg")} | {SEED_FILE.stem}
    assert bundled <= {*LOOPS["train"], *LOOPS["validation"]}
    assert set(sampled_kit.loops("validation")) == {f"{name}_1" for name in LOOPS["validation"]}


def test_a_loop_is_repeated_whole(rng):
    sound = read_sound("loop_amen")
    looped = sampled_kit.loops("validation")["loop_amen_1"]
    assert len(looped) >= 12 * RATE
    np.testing.assert_array_equal(looped[: 2 * len(sound)], np.tile(sound, 2))


def test_drive_brings_the_peaks_nearer_to_the_rest():
    samples = np.array([0.01, -0.1, 0.2], np.float32)
    np.testing.assert_allclose(drive(samples, 20.0), np.tanh([0.5, -5.0, 10.0]), rtol=1e-5)
