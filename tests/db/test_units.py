import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.aggregate import unit_descriptors
from db.analyse import describe_file, describe_signal
from db.envelope import ENVELOPE_SAMPLES
from db.settings import DURATION, DescriptorSettings
from db.units import UnitFinder, step_lengths
from files.errors import ParameterError
from tests.db.sounds import RATE, sound


def starts_of(samples: np.ndarray, **options) -> np.ndarray:
    lengths = describe_signal([samples], DescriptorSettings(**options)).lengths
    return np.cumsum(lengths) - lengths


def drum_pattern() -> tuple[np.ndarray, list[int]]:
    """Five seconds of bundled drums, one every 300 to 600 ms, and where each attack is."""
    rng = np.random.default_rng(0)
    pattern = np.zeros(5 * RATE, np.float32)
    attacks = []
    at = 4000
    for name in (
        "bd_808",
        "sn_dolf",
        "drum_tom_hi_soft",
        "drum_cymbal_pedal",
        "tabla_tun1",
        "bd_haus",
        "tabla_na",
        "sn_zome",
    ):
        hit = sound(name)[: 5 * RATE - at]
        hit = hit / np.abs(hit).max()
        attacks.append(at + int(np.argmax(np.abs(hit) > 0.3)))
        pattern[at : at + len(hit)] += 0.5 * hit
        at += int(rng.uniform(0.3, 0.6) * RATE)
    return pattern, attacks


def test_every_attack_begins_a_unit_and_is_whole():
    pattern, attacks = drum_pattern()
    starts = starts_of(pattern, units="onset")
    for attack in attacks:
        before = (
            attack - starts[starts <= attack].max()
        )  # the unit that the attack is in began at most 25 ms before it
        assert before < 0.025 * RATE, attack / RATE


def test_a_steady_sound_of_any_length_is_one_unit():
    seconds = np.arange(8 * RATE) / RATE  # more frames than are looked at at a time
    chord = (
        sum(np.sin(2 * np.pi * pitch * seconds) for pitch in (220.0, 277.2, 329.6)).astype(
            np.float32
        )
        / 4
    )
    assert starts_of(chord, units="onset", max_unit_ms=20_000).tolist() == [0]


@pytest.mark.parametrize(("centre", "inside"), [("span", 1400), ("start", -900)])
def test_an_attack_is_looked_for_around_the_middle_of_the_window(centre, inside):
    at = 10 * 1024 + inside
    finder = UnitFinder(DescriptorSettings(units="onset", window_centre=centre))
    finder.watch_signal(np.where(np.arange(400 * ENVELOPE_SAMPLES) >= at, 1, 0).astype(np.float32))
    finder._envelope.finish()
    start = finder._find_attack(10)
    assert at - 2 * ENVELOPE_SAMPLES <= start <= at


def test_onset_boundaries_lie_where_the_signal_is_nearly_zero():
    pattern, _ = drum_pattern()
    starts = starts_of(pattern, units="onset")[1:]
    around = [np.abs(pattern[s - 200 : s + 200]).max() for s in starts]
    assert np.median(np.abs(pattern[starts]) / np.maximum(around, 1e-9)) < 0.05


def test_onsets_are_found_at_least_as_well_as_by_librosa():
    pattern, attacks = drum_pattern()
    theirs = librosa.onset.onset_detect(y=pattern, sr=RATE, hop_length=512, units="samples")

    def f_measure(starts):
        hits = sum(any(abs(start - attack) < 0.05 * RATE for start in starts) for attack in attacks)
        return 2 * hits / (len(starts) + len(attacks))

    assert f_measure(starts_of(pattern, units="onset")[1:]) >= f_measure(theirs)


@pytest.mark.parametrize(("name", "beat_s"), [("loop_amen", 1.7533 / 4), ("loop_garzul", 0.5)])
def test_beats_of_a_loop_are_evenly_spaced(name, beat_s):
    loop = np.tile(sound(name), 4)
    lengths = np.diff(starts_of(loop, units="beat", max_unit_ms=4000.0))
    assert np.median(lengths) == pytest.approx(beat_s * RATE, rel=0.02)


def test_parts_of_beats_begin_with_their_attacks():
    loop = np.tile(sound("loop_amen"), 4)
    asked = DescriptorSettings(units="beat/4")
    description = describe_signal([loop], asked)
    starts = np.cumsum(description.lengths) - description.lengths
    grid = description.grid
    assert grid is not None
    tatums = grid.tatums(4)
    inside = tatums[(tatums >= 0) & (tatums < len(loop) - 0.06 * RATE)]
    assert np.abs(inside[:, None] - starts).min(axis=1).max() < 0.045 * RATE
    onsets = starts_of(loop, units="onset")
    near = np.abs(onsets[:, None] - tatums).min(axis=1) < 0.03 * RATE
    assert near.mean() > 0.8
    assert np.isin(onsets[near], starts).mean() > 0.8


def test_units_without_a_pulse_are_onsets_of_a_quarter_to_half_a_second():
    choir = sound("ambi_choir")
    description = describe_signal([choir], DescriptorSettings(units="beat/4"))
    assert description.grid is not None
    assert description.grid.tempo == 0
    assert description.lengths.max() <= 0.5 * RATE
    assert description.lengths.min() >= 0.25 * RATE - 1
    assert not description.units[:, -4:].any()


def test_metrical_columns_say_where_in_the_beat_a_unit_begins():
    loop = np.tile(sound("loop_garzul"), 2)  # 120 beats a minute
    asked = DescriptorSettings(units="beat/2")
    description = describe_signal([loop], asked)
    cos, sin, tempo, pulse = description.units[:, -4:].T
    assert asked.names[-4:] == ("beat_cos", "beat_sin", "tempo", "pulse")
    np.testing.assert_allclose(np.hypot(cos, sin)[pulse > 0], 1, atol=1e-5)
    np.testing.assert_allclose(tempo[pulse > 0], 0, atol=0.01)
    angle = np.degrees(np.arctan2(sin, cos))[pulse > 0]
    to_tatum = (angle + 90) % 180 - 90  # from the nearest half beat; 60 degrees are 83 ms
    assert np.abs(to_tatum).max() < 35
    assert ((pulse >= 0.35) & (pulse <= 1)).mean() > 0.9


@settings(deadline=None, max_examples=40)
@given(
    n_samples=st.integers(1, 60_000),
    units=st.sampled_from(["onset", "beat", "beat/4", "fixed:10", "fixed:700", "frame"]),
    seed=st.integers(0, 5),
    block=st.integers(1, 20_000),
)
def test_units_tile_any_signal_within_their_limits(n_samples, units, seed, block):
    rng = np.random.default_rng(seed)
    loop = sound("loop_breakbeat")
    first = int(rng.integers(len(loop) - 60_000))
    samples = loop[first : first + n_samples] * np.float32(rng.integers(2))  # now and then silence
    asked = DescriptorSettings(units=units, min_unit_ms=50, max_unit_ms=300)
    description = describe_signal(
        [samples[i : i + block] for i in range(0, n_samples, block)], asked
    )
    assert description.lengths.sum() == n_samples
    assert description.lengths.min() >= 1
    assert description.units.shape == (len(description.lengths), asked.n_descriptors)
    assert np.isfinite(description.units).all()
    if asked.units_vary:
        assert description.lengths.max() <= 0.3 * RATE
        assert len(description.lengths) == 1 or description.lengths.min() >= 0.05 * RATE - 1


@pytest.mark.parametrize("units", ["onset", "beat/4"])
def test_cutting_the_signal_differently_changes_nothing(units):
    loop = np.tile(sound("loop_breakbeat"), 3)
    asked = DescriptorSettings(units=units, descriptors=("mfcc", "spectral", "chroma", "loudness"))
    whole = describe_signal([loop], asked)
    for size in (997, 65536):
        parts = describe_signal([loop[i : i + size] for i in range(0, len(loop), size)], asked)
        np.testing.assert_array_equal(parts.frames, whole.frames)
        np.testing.assert_array_equal(parts.units, whole.units)


def test_fixed_units_have_the_asked_length_and_the_last_the_rest(tabla):
    description = describe_signal([tabla], DescriptorSettings(units="fixed:300"))
    np.testing.assert_array_equal(description.lengths, [13230, 13230, 13230, 4410])
    np.testing.assert_allclose(description.units[:, -1], np.log2([0.3, 0.3, 0.3, 0.1]), atol=1e-6)


def test_unit_mean_and_deviation_weigh_frames_by_their_share():
    asked = DescriptorSettings(n_mfcc=1, hop_length=100, units="fixed:100", sample_rate=1000)
    frames = np.zeros((4, 3), np.float32)
    frames[:, 0] = [1, 2, 4, 8]
    units = unit_descriptors(frames, np.array([150, 250]), asked)
    # 100 samples at 1 and 50 at 2; 50 at 2, 100 at 4 and 100 at 8
    np.testing.assert_allclose(
        units[:, 0], [(100 + 2 * 50) / 150, (2 * 50 + 400 + 800) / 250], rtol=1e-6
    )
    expected = [np.std([1, 1, 2]), np.std([2, 4, 4, 8, 8])]
    np.testing.assert_allclose(units[:, 3], expected, rtol=1e-5)


def test_mean_pitch_leaves_unpitched_frames_out():
    asked = DescriptorSettings(
        descriptors=("spectral",), hop_length=100, units="fixed:100", sample_rate=1000
    )
    frames = np.zeros((4, 5), np.float32)
    frames[:, 4] = [0, 440, 220, 0]
    units = unit_descriptors(frames, np.array([200, 200]), asked)
    np.testing.assert_allclose(units[:, 4], [440, 220])


def test_steps_of_event_units_last_as_long_as_their_duration_says():
    asked = DescriptorSettings(units="onset")
    sequence = np.zeros((2, asked.n_descriptors), np.float32)
    sequence[:, asked.names.index(DURATION)] = [-1, 0.5]
    np.testing.assert_array_equal(step_lengths(sequence, asked), [22050, round(RATE * 2**0.5)])


def test_file_and_signal_are_described_alike(tmp_path, tabla):
    import soundfile as sf

    sf.write(tmp_path / "x.wav", tabla, RATE)
    asked = DescriptorSettings(units="onset")
    _, description = describe_file(tmp_path / "x.wav", asked)
    np.testing.assert_array_equal(description.units, describe_signal([tabla], asked).units)


@pytest.mark.parametrize(
    "units",
    [
        *("frames", "fixed", "fixed:", "fixed:x", "fixed:-5", "fixed:0.001", "fixed:inf"),
        *("fixed:nan", "beats", "beat/", "beat/0", "beat/04", "beat/25", "beat/2.5", "beat/x"),
    ],
)
def test_unknown_units_are_refused(units):
    with pytest.raises(ParameterError, match="units=.* must be frame, .* or beat/N"):
        DescriptorSettings(units=units)


@pytest.mark.parametrize(
    ("shortest", "longest", "told"),
    [
        (0, 100, "min_unit_ms=0 must be above 0"),
        (-1, 100, "min_unit_ms=-1 must be above 0"),
        (100, 150, "longest unit must last at least twice the shortest"),
        (60, float("inf"), "max_unit_ms=inf must be above 0 and at most 3600000"),
        ("60", 100, "min_unit_ms='60' must be above 0"),
    ],
)
def test_unit_limits_that_cannot_hold_are_refused(shortest, longest, told):
    with pytest.raises(ParameterError, match=told):
        DescriptorSettings(units="onset", min_unit_ms=shortest, max_unit_ms=longest)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("sample_rate", 999, "must be an integer from 1000 to 768000"),
        ("hop_length", 1 << 18, "must be an integer from 1 to 131072"),
        ("hop_length", 4, "must be at least 12 at sample_rate=44100 and n_fft=2048"),
        ("hop_length", True, "must be an integer"),
        ("n_fft", 10**9, "must be an integer from 2 to 131072"),
        ("n_fft", 2048.0, "must be an integer"),
        ("n_mels", 2**62, "must be an integer from 1 to 1024"),
        ("n_mfcc", 129, "must not exceed n_mels=128"),
        ("delta_width", 8, "must be odd"),
        ("delta_width", None, "must be an integer"),
        ("descriptors", "mfcc", "must be a list"),
        ("descriptors", [7], "7 is not known"),
        ("units", 7, "must be frame, fixed:MS"),
        ("units", "fixed:1e300", "at most 3600000"),
        ("units", "fixed:nan", "must be frame, fixed:MS"),
        ("window_centre", [], "must be 'span' or 'start'"),
    ],
)
def test_settings_outside_their_ranges_are_refused(name, value, told):
    stored = DescriptorSettings().to_dict() | {name: value}
    with pytest.raises(ParameterError, match=told):
        DescriptorSettings.from_dict(stored)
