"""What scripts/measure/voices_table.py measures, on signals whose figures are known."""

import numpy as np
import pytest
import torch

from scripts.make.music.score import Note
from scripts.measure.voices.attacks import compare_attacks, measure_rises
from scripts.measure.voices.chord import frequency, measure_chord
from scripts.measure.voices.concatenator import (
    HOP,
    WINDOW,
    ConcatenatorSettings,
    Corpus,
    choose,
    concatenate,
    fit_gains,
    move,
    resample_evenly,
    windowed,
)
from scripts.measure.voices.fit import FLOOR, spectral_kl, stft_magnitudes
from scripts.measure.voices.melody import Solo, share_in_tune, top_line, written

RATE = 44_100


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def draws():
    return torch.Generator().manual_seed(0)


def tone(keys, seconds=2.0, partials=8):
    """Pitches of equally loud partials that fall by 6 dB an octave."""
    times = np.arange(round(seconds * RATE)) / RATE
    sounds = [
        np.sin(2 * np.pi * frequency(key) * number * times) / number
        for key in keys
        for number in range(1, partials + 1)
    ]
    return np.sum(sounds, axis=0)


def ramp(milliseconds, at=0.5, seconds=1.0):
    """A high sine that rises in a straight line from `at` on, and slowly falls to 0 at the end."""
    times = np.arange(round(seconds * RATE)) / RATE - at
    rising = np.clip(times / (milliseconds / 1000), 0, 1)
    falling = np.clip((seconds - at - times) / 0.3, 0, 1)
    return 0.3 * rising * falling * np.sin(2 * np.pi * 9000 * times)


def test_kl_of_a_sound_with_itself_is_0_at_any_level(rng):
    sound = rng.standard_normal(RATE)
    assert spectral_kl(sound, 0.1 * sound) == pytest.approx(0, abs=1e-9)


def test_kl_is_that_of_the_definition(rng):
    target, result = rng.standard_normal((2, RATE))
    a, b = stft_magnitudes(target), stft_magnitudes(result)
    b = b * a.sum() / b.sum() + FLOOR
    a = a + FLOOR
    expected = np.mean(a * np.log(a) - a * np.log(b) - a + b)
    assert spectral_kl(target, result) == pytest.approx(expected)
    assert expected > 1


def test_magnitudes_of_a_sine_are_half_its_amplitude_times_the_window():
    sine = np.sin(2 * np.pi * 100 / 2048 * np.arange(1 << 14))
    magnitudes = stft_magnitudes(sine)
    assert magnitudes.shape == (17, 1025)
    assert magnitudes[8].argmax() == 100
    assert magnitudes[8, 100] == pytest.approx(2048 / 2 / 2)


@pytest.mark.parametrize("milliseconds", [3, 6, 12])
def test_rise_is_from_10_to_90_percent(milliseconds):
    rises, _ = measure_rises(ramp(milliseconds), np.array([0.505]), RATE)
    assert rises[0] == pytest.approx(0.8 * milliseconds, abs=0.3)


def test_attack_of_a_click_is_not_longer_than_the_window():
    rises, ratios = measure_rises(ramp(0.01), np.array([0.51]), RATE)
    assert rises[0] < 1
    assert ratios[0] > 1000


def test_smeared_attacks_are_kept_but_not_close():
    target = np.concatenate([ramp(2)] * 4)
    same = compare_attacks(target, target, RATE)
    assert len(same.kept) == 4
    assert same.kept.all()
    assert same.close.all()
    smeared = compare_attacks(target, np.concatenate([ramp(12)] * 4), RATE)
    assert smeared.kept.mean() >= 0.75
    assert not smeared.close.any()


def test_silence_keeps_no_attack():
    target = ramp(2)
    figures = compare_attacks(target, np.zeros(100), RATE)
    assert figures.kept.tolist() == [False]
    assert figures.close.tolist() == [False]


def test_the_pitches_of_a_chord_are_there_and_no_others():
    keys = (57, 60, 64)
    figures = measure_chord(tone(keys), keys, RATE)
    assert min(figures.wanted) > -6
    assert figures.other < -40


def test_a_missing_pitch_is_not_made_up_by_partials_of_others():
    figures = measure_chord(tone((57, 64)), (57, 60, 64), RATE)
    assert figures.wanted[1] < -40
    assert min(figures.wanted[0], figures.wanted[2]) > -6


def test_another_pitch_is_named_with_its_level():
    sound = tone((57, 60, 64)) + 0.1 * tone((66,))
    figures = measure_chord(sound, (57, 60, 64), RATE)
    assert figures.other_key == 66
    assert figures.other == pytest.approx(-20, abs=6)


def test_in_tune_is_within_50_cents_of_voiced_frames():
    wanted = np.array([440, 440, 440, 440, np.nan])
    heard = np.array([440 * 2 ** (40 / 1200), 440 * 2 ** (60 / 1200), 880, np.nan, 440])
    assert share_in_tune(wanted, heard) == 1 / 4
    assert share_in_tune(wanted, heard, any_octave=True) == 2 / 4
    assert share_in_tune(wanted, heard[:1]) == 1 / 4


def test_top_line_leaves_out_chords_and_what_lies_under_long_notes():
    notes = [
        Note(0.0, 2.0, 72, 80),
        Note(0.0, 1.0, 64, 80),
        Note(1.0, 1.5, 67, 80),  # under the first
        Note(1.5, 4.0, 74, 80),  # ends the first
        Note(2.0, 3.0, 40, 80),  # accompaniment
        Note(9.0, 9.5, 76, 80),  # too late
    ]
    line = top_line(notes, Solo("flute", 73, 60, 73, "any", 50, 2.0), seconds=5)
    assert [(note.start, note.end, note.key) for note in line] == [(0, 3, 72), (3, 8, 62)]


def test_pitches_other_than_the_written_ones_do_not_count():
    heard = np.full(200, 880.0)
    heard[100:] = 440.0
    found = written([Note(0.0, 10.0, 69, 80)], heard)
    assert np.isnan(found[:100]).all()
    assert (found[100:] == 440).all()


def test_windows_overlap_to_the_sound_itself(rng):
    sound = rng.standard_normal(5 * WINDOW).astype(np.float32)
    frames = windowed(sound)
    whole = np.zeros(len(frames) * HOP + WINDOW)
    for number, frame in enumerate(frames):
        whole[number * HOP : number * HOP + WINDOW] += frame
    np.testing.assert_allclose(whole[HOP : HOP + len(sound)], sound, atol=1e-6)


def test_gains_of_a_mixture_are_found(rng):
    windows = torch.from_numpy(rng.random((1, 2, 50)).astype(np.float32))
    mixture = 0.7 * windows[0, 0] + 0.2 * windows[0, 1]
    gains, losses = fit_gains(windows, mixture, iterations=500)
    np.testing.assert_allclose(gains[0], [0.7, 0.2], atol=0.01)
    assert float(losses[0]) == pytest.approx(0, abs=1e-4)


def test_windows_of_most_weight_are_played_but_not_recent_ones():
    states = torch.tensor([[1, 2], [2, 3], [4, 5]])
    weights = torch.tensor([0.5, 0.3, 0.2])
    assert choose(states, weights, [], 2).tolist() == [2, 1]
    assert choose(states, weights, [torch.tensor([2])], 2).tolist() == [1, 3]


def test_particles_are_drawn_as_often_as_they_weigh(draws):
    drawn = resample_evenly(torch.tensor([0.5, 0.0, 0.25, 0.25]), draws)
    assert np.bincount(drawn, minlength=4).tolist() == [2, 0, 1, 1]


def test_particles_go_on_within_a_file_only(rng, draws):
    corpus = Corpus([rng.standard_normal(4 * WINDOW).astype(np.float32)] * 2, RATE, 8000)
    states = torch.arange(len(corpus.audio))[:, None]
    moved = move(states, corpus, 1.0, draws)[:, 0]
    assert (moved == states[:, 0] + 1)[~corpus.is_last].all()
    assert int(corpus.is_last.sum()) == 2


def test_a_sound_of_the_corpus_is_rebuilt(rng):
    noise = 0.05 * rng.standard_normal((2, 8 * WINDOW)).astype(np.float32)
    bright = np.convolve(noise[0], np.ones(2), "same")
    dark = np.convolve(noise[1], np.ones(40), "same")
    corpus = Corpus([bright, dark], RATE, 8000)
    settings = ConcatenatorSettings(particles=200, windows=2)
    result = concatenate(dark, corpus, settings)
    assert len(result) == len(dark)
    assert spectral_kl(dark, result) < spectral_kl(dark, bright) / 2
    np.testing.assert_array_equal(result, concatenate(dark, corpus, settings))
