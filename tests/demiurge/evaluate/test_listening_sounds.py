"""Sounds made comparable: format, length, loudness, the moment where a continuation begins."""

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile as sf

from demiurge.evaluate.listening_sounds import (
    HIGHEST_PEAK,
    LOUDNESS,
    SAMPLE_RATE,
    make_comparable,
    match_loudness,
)
from files.errors import AudioError

RATE = SAMPLE_RATE


def noise(seconds: float, level: float = 0.1, channels: int = 1, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(round(1000 * seconds))
    return (level * rng.standard_normal((round(seconds * rate), channels))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    sf.write(path, samples, rate, subtype="FLOAT")
    return path


def loudness(samples: np.ndarray) -> float:
    return pyloudnorm.Meter(RATE).integrated_loudness(samples)


def test_sounds_are_the_end_of_the_seed_and_as_long_as_the_shortest(tmp_path):
    seed = write(tmp_path / "seed.wav", noise(8))
    after = [write(tmp_path / f"{length}.wav", noise(length)) for length in (4, 3.5, 25)]
    made = make_comparable(seed, after)
    assert made.seed_samples == 6 * RATE
    assert [sound.shape for sound in made.samples] == [(round(9.5 * RATE), 1)] * 3
    start = round(0.05 * RATE)  # it fades in
    assert made.samples[0][0] == 0
    heard = made.samples[0][start : 6 * RATE]
    expected = noise(8)[2 * RATE + start :]
    np.testing.assert_allclose(heard / heard[0], expected / expected[0], rtol=1e-4, atol=1e-5)


def test_short_seed_is_whole_and_long_continuation_is_cut(tmp_path):
    seed = write(tmp_path / "seed.wav", noise(0.2))
    after = [write(tmp_path / f"{length}.wav", noise(length)) for length in (21, 22)]
    made = make_comparable(seed, after)
    assert made.seed_samples == 8820
    assert {len(sound) for sound in made.samples} == {8820 + 20 * RATE}


def test_other_rates_and_channels_become_one_format(tmp_path):
    seed = write(tmp_path / "seed.wav", noise(1, channels=2))
    stereo = write(tmp_path / "stereo.wav", noise(2, channels=2, rate=48000), 48000)
    surround = write(tmp_path / "surround.wav", noise(2, channels=6))
    mono = write(tmp_path / "mono.wav", noise(2, rate=22050), 22050)
    shapes = {sound.shape for sound in make_comparable(seed, [stereo, surround]).samples}
    assert shapes == {(3 * RATE, 2)}
    shapes = {sound.shape for sound in make_comparable(seed, [stereo, mono]).samples}
    assert shapes == {(3 * RATE, 1)}


def test_loudness_is_equal_within_half_a_decibel(tmp_path):
    seed = write(tmp_path / "seed.wav", noise(6))
    after = [
        write(tmp_path / "quiet.wav", noise(10, 0.01)),
        write(tmp_path / "loud.wav", noise(10, 0.3)),
    ]
    made = make_comparable(seed, after)
    for sound in made.samples:
        assert loudness(sound) == pytest.approx(LOUDNESS, abs=0.5)


def test_peaks_lower_all_sounds_alike():
    click = noise(5, 0.05)
    click[RATE] = 1.0
    scaled = match_loudness([click, noise(4, 0.2)])
    assert np.abs(scaled[0]).max() == pytest.approx(10 ** (HIGHEST_PEAK / 20), rel=0.02)
    assert loudness(scaled[0]) < LOUDNESS - 3
    assert loudness(scaled[1]) == pytest.approx(loudness(scaled[0]), abs=0.5)


def test_silence_stays_silent_and_changes_nothing_for_the_others():
    silent, loud = match_loudness([np.zeros((RATE, 1), np.float32), noise(1)])
    assert not silent.any()
    assert loudness(loud) == pytest.approx(LOUDNESS, abs=0.5)


def test_level_of_a_continuation_beside_its_seed_is_kept(tmp_path):
    seed = write(tmp_path / "seed.wav", noise(6, 0.1))
    after = [
        write(tmp_path / f"{k}.wav", noise(6 + k, level)) for k, level in enumerate((0.05, 0.2))
    ]
    made = make_comparable(seed, after)
    for sound, ratio in zip(made.samples, (0.5, 2), strict=True):
        before = sound[: 6 * RATE].std()
        assert sound[6 * RATE + 1000 : 12 * RATE - 4000].std() / before == pytest.approx(
            ratio, rel=0.02
        )


def test_step_at_the_beginning_is_smoothed_and_the_end_fades(tmp_path):
    seed = write(tmp_path / "seed.wav", np.full((RATE, 1), 0.5, np.float32))
    after = [write(tmp_path / "low.wav", np.full((RATE, 1), -0.5, np.float32))] * 2
    sound = make_comparable(seed, after).samples[0]
    sound = sound / sound[0]
    assert np.abs(np.diff(sound[:, 0])).max() < 0.01
    assert sound[RATE + round(0.01 * RATE)] == pytest.approx(-1, abs=1e-3)
    assert sound[-round(0.06 * RATE)] == pytest.approx(-1, abs=1e-3)
    assert sound[-1] == pytest.approx(0, abs=1e-6)


def test_recording_itself_goes_on_unchanged(tmp_path):
    tone = np.sin(np.arange(4 * RATE) * 0.05)[:, None].astype(np.float32) / 4
    seed = write(tmp_path / "seed.wav", tone[: 2 * RATE])
    after = [write(tmp_path / "true.wav", tone[2 * RATE :])] * 2
    sound = make_comparable(seed, after).samples[0]
    scale = sound[: 2 * RATE].std() / tone[: 2 * RATE].std()
    unfaded = 4 * RATE - round(0.06 * RATE)
    difference = np.abs(sound[:unfaded] / scale - tone[:unfaded])
    assert difference.max() < 0.013  # a step from one sample to the next


@pytest.mark.parametrize("which", ["seed", "continuation"])
def test_sound_under_a_tenth_of_a_second_raises(which, tmp_path):
    short = write(tmp_path / "short.wav", noise(0.05))
    long = write(tmp_path / "long.wav", noise(2))
    seed, after = (short, [long, long]) if which == "seed" else (long, [long, short])
    with pytest.raises(AudioError, match=r"short\.wav: 0\.050 s must be at least 0\.1 s"):
        make_comparable(seed, after)
