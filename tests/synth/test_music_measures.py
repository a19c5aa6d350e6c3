"""Measures of sounds whose onsets and pitches are known."""

import numpy as np
import pytest

from synth.music_measures import chroma_entropy, measure_music, onsets_per_second, pulse_clarity
from tests.sounds import RATE, chord, clicks, noise

SILENCE = np.zeros(10 * RATE, np.float32)


@pytest.mark.parametrize("bpm", [60, 150, 220])
def test_clicks_are_counted_and_have_a_clear_pulse(bpm):
    audio = clicks(bpm, 10, first=0.2)
    assert onsets_per_second(audio, RATE) == pytest.approx(bpm / 60, abs=0.1)
    assert pulse_clarity(audio, RATE) > 0.9


def test_rates_and_lengths_do_not_matter():
    audio = clicks(120, 20, first=0.2, rate=44100)
    assert onsets_per_second(audio, 44100) == pytest.approx(2, abs=0.05)
    assert pulse_clarity(audio, 44100) == pytest.approx(
        pulse_clarity(clicks(120, 5, first=0.2), RATE), abs=0.05
    )


def test_pulse_of_noise_of_irregular_clicks_and_of_silence_is_low():
    times = np.cumsum(np.random.default_rng(1).uniform(0.15, 0.9, 40))
    irregular = sum(np.roll(clicks(1, 21, first=0), round(t * RATE)) for t in times[times < 20])
    assert pulse_clarity(irregular, RATE) < 0.3
    assert pulse_clarity(noise(10), RATE) < 0.2
    assert pulse_clarity(SILENCE, RATE) == 0
    assert pulse_clarity(clicks(120, 0.2), RATE) == 0  # shorter than the shortest period


def test_chroma_entropy_of_one_note_a_chord_and_a_cluster():
    one, triad, cluster = (
        chroma_entropy(chord(notes, 5), RATE) for notes in ((69,), (60, 64, 67), range(60, 72))
    )
    assert one < 1.6
    assert 2.3 < triad < 3.1
    assert cluster == pytest.approx(np.log2(12), abs=0.01)
    assert np.isnan(chroma_entropy(SILENCE, RATE))


def test_means_of_a_set_lie_between_those_of_its_clips():
    found = measure_music([clicks(60, 10), clicks(150, 10), SILENCE], RATE)
    assert found.onsets.value == pytest.approx((1 + 2.5 + 0) / 3, abs=0.1)
    assert found.onsets.lower < found.onsets.value < found.onsets.upper
    alone = [chroma_entropy(clicks(bpm, 10), RATE) for bpm in (60, 150)]
    assert found.chroma_entropy.value == pytest.approx(np.mean(alone))  # silence has none
    assert measure_music([SILENCE], RATE).to_dict()["chroma_entropy"]["value"] is None
