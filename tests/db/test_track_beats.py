import numpy as np
import pytest
import soundfile as sf

from db.settings import DescriptorSettings
from db.track_beats import track_beats
from demiurge.bundled import SEED_FILE
from files.errors import AudioError
from tests.db.sounds import RATE, sound

SETTINGS = DescriptorSettings()


def click_track(times: np.ndarray, seconds: float) -> np.ndarray:
    """Bundled drums at times, alternately a kick and a snare."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    drums = [sound("bd_haus"), sound("sn_dolf")]
    for i, time in enumerate(times):
        start = round(time * RATE)
        hit = drums[i % 2][: max(len(samples) - start, 0)]
        samples[start : start + len(hit)] += hit / 3
    return samples


@pytest.mark.parametrize("bpm", [67.3, 93, 120, 128.5, 171])
def test_the_grid_of_a_steady_tempo_is_exactly_even(bpm):
    times = 0.2 + np.arange(int(bpm * 1.9)) * 60 / bpm
    grid = track_beats(click_track(times, 120), SETTINGS)
    parts = max(1, round(grid.tempo / bpm))
    beats = grid.beats[(grid.beats > times[4] * RATE) & (grid.beats < times[-4] * RATE)]
    intervals = np.diff(beats)
    assert intervals.mean() == pytest.approx(60 / bpm / parts * RATE, rel=1e-5)
    np.testing.assert_allclose(intervals, intervals.mean(), rtol=1e-9)
    distance = np.abs(times[:, None] * RATE - beats).min(axis=1)[5:-5] / RATE
    assert distance.max() < 0.010


def test_a_changing_tempo_is_followed():
    beat = np.arange(70)
    times = 0.2 + 160 * np.log1p(beat / 240)  # from 90 to 116 beats a minute
    grid = track_beats(click_track(times, times[-1] + 0.5), SETTINGS)
    distance = np.abs(times[:, None] * RATE - grid.beats).min(axis=1) / RATE
    assert np.median(distance) < 0.008
    assert distance.max() < 0.035


def test_a_tempo_that_jumps_is_steady_on_either_side():
    times = 0.2 + np.concatenate([np.arange(40) * 0.6, 23.4 + np.arange(1, 60) * 0.48])
    grid = track_beats(click_track(times, 53), SETTINGS)
    intervals = np.diff(grid.beats) / RATE
    np.testing.assert_allclose(intervals[5:25], 0.6, atol=1e-3)
    np.testing.assert_allclose(intervals[-30:-5], 0.48, atol=1e-3)


def test_the_continuation_begins_in_phase():
    times = 0.2 + np.arange(60) * 0.47
    grid = track_beats(click_track(times, 20.0), SETTINGS)
    expected = times[times >= 20.0][:8] * RATE
    np.testing.assert_allclose(grid.after(20.0 * RATE, 1, count=8), expected, atol=0.01 * RATE)


def test_silence_noise_and_single_sounds_have_no_beat():
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal(20 * RATE).astype(np.float32)
    names = ("ambi_choir", "ambi_piano", "bass_hard_c", "bd_boom")
    for samples in (np.zeros(RATE * 5, np.float32), noise, *map(sound, names)):
        grid = track_beats(samples, SETTINGS)
        assert grid.confidence == 0
        assert grid.tempo == 0
        assert len(grid.beats) == 0


@pytest.mark.parametrize("n_samples", [1, 2, 63, 64, 1000, 8820, 22_050, 44_100])
@pytest.mark.parametrize("units", ["beat", "beat/4"])
def test_short_signals_can_be_tracked(n_samples, units):
    grid = track_beats(sound("loop_amen")[:n_samples], DescriptorSettings(units=units))
    assert np.isfinite(grid.beats).all()
    assert n_samples > RATE / 2 or not len(grid.beats)


@pytest.mark.parametrize(
    "options",
    [
        {"sample_rate": 22_050, "hop_length": 512, "n_fft": 1024},
        {"hop_length": 256, "n_fft": 1024},
        {"n_mels": 13},
        {"window_centre": "start"},
    ],
)
def test_the_grid_hardly_depends_on_the_settings(options):
    asked = DescriptorSettings(**options)
    times = 0.2 + np.arange(60) * 0.5
    samples = click_track(times, 30)[:: RATE // asked.sample_rate].copy()
    beats = track_beats(samples, asked).beats / asked.sample_rate
    assert np.abs(times[4:-4, None] - beats).min(axis=1).max() < 0.012


def test_a_file_has_the_grid_of_its_samples(tmp_path):
    samples = np.tile(sound("loop_garzul"), 2)
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    file = track_beats(tmp_path / "a.wav", SETTINGS)
    signal = track_beats(samples, SETTINGS)
    np.testing.assert_array_equal(file.beats, signal.beats)
    np.testing.assert_array_equal(file.pulse, signal.pulse)


def test_a_signal_without_samples_is_refused():
    with pytest.raises(AudioError, match="0 samples; re-export the file or remove it"):
        track_beats(np.empty(0, np.float32), SETTINGS)


@pytest.mark.parametrize(
    ("name", "n_beats"), [("loop_amen", 4), ("loop_breakbeat", 4), ("loop_compus", 16)]
)
def test_a_loop_begins_on_a_beat_and_lasts_a_whole_number(name, n_beats):
    loop = sound(name)
    grid = track_beats(loop, SETTINGS)
    assert grid.tempo == pytest.approx(60 * n_beats / (len(loop) / RATE), rel=0.005)
    inside = grid.beats[(grid.beats > -0.02 * RATE) & (grid.beats < len(loop) - 0.03 * RATE)]
    np.testing.assert_allclose(inside, np.arange(n_beats) * len(loop) / n_beats, atol=0.015 * RATE)


def test_the_bundled_seed_goes_on_at_its_end():
    grid = track_beats(SEED_FILE, SETTINGS)
    after = grid.after(grid.n_samples - 0.02 * RATE, 1, count=4) / RATE
    beat = grid.n_samples / RATE / 16
    np.testing.assert_allclose(after, (16 + np.arange(4)) * beat, atol=0.015)
