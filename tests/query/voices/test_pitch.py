import numpy as np
import pytest

from query.names import MOST_TRANSPOSE
from query.voices.pitch import (
    MOST_SEMITONES,
    OUT_OF_TUNE,
    WITHOUT_PITCH,
    choose_transpose,
    copies_of,
    pitch_costs,
    tune,
)


def hz(*midi: float) -> np.ndarray:
    return 440 * 2 ** ((np.array(midi) - 69) / 12)


def test_copies_are_those_up_to_the_limit_the_corpus_itself_first():
    assert copies_of(0) == (0,)
    assert copies_of(2) == (0, 1, -1, 2, -2)
    assert len(copies_of(MOST_TRANSPOSE)) == 25


@pytest.mark.parametrize(
    ("target", "units", "most"),
    [
        ((60, 62, 64, 65, 67), (60, 62, 64, 65, 67), 1),  # fine tuning
        ((60, 61, 62, 63, 64), (60, 64), 2),
        ((72,), (60,), 12),
        ((90,), (60,), MOST_TRANSPOSE),
    ],
)
def test_units_are_transposed_as_far_as_the_target_needs(target, units, most):
    assert choose_transpose(hz(*target), np.repeat(hz(*units), 3)) == most


def test_a_pitch_of_one_or_two_units_is_not_counted_on():
    target, units = hz(70, 70, 70), np.repeat(hz(60), 3)
    assert choose_transpose(target, np.append(units, hz(70, 70))) == 10
    assert choose_transpose(target, np.append(units, hz(70, 70, 70))) == 1


def test_a_few_steps_do_not_say_how_far():
    target = np.repeat(hz(60), 100)
    target[:4] = hz(71)
    assert choose_transpose(target, np.repeat(hz(60), 3)) == 1


@pytest.mark.parametrize(
    ("target", "units"),
    [
        (np.zeros(20), hz(60, 60, 60)),  # noise, or silence
        (np.append(hz(60), np.zeros(19)), hz(60, 60, 60)),
        (hz(60, 61), np.zeros(5)),
    ],
)
def test_without_pitch_units_are_transposed_a_little(target, units):
    assert choose_transpose(target, units) == WITHOUT_PITCH


def test_a_wrong_pitch_costs_by_the_semitone_up_to_a_limit():
    units = hz(60, 61, 58, 59.5, 72)[None]
    costs = pitch_costs(units, hz(60))
    expected = OUT_OF_TUNE * np.minimum([0, 1, 2, 0.5, 12], MOST_SEMITONES)
    np.testing.assert_allclose(costs, expected[None], atol=1e-6)
    assert costs.dtype == np.float32


def test_what_has_no_pitch_costs_nothing():
    units = np.array([[0.0, 100.0], [0.0, 100.0]])
    assert pitch_costs(units, np.array([200.0, 0.0]))[:, 0].tolist() == [0, 0]
    assert pitch_costs(units, np.array([200.0, 0.0]))[1, 1] == 0


def test_runs_are_tuned_as_a_whole_by_their_median():
    units = hz(60, 60, 60, 64, 64)
    target = hz(60.2, 60.3, 65, 64.6, 64.6)
    off = tune(units, target, np.array([0, 3]))
    np.testing.assert_allclose(off, [0.3, 0.3, 0.3, 0, 0], atol=1e-6)  # 0.6 is another note


@pytest.mark.parametrize("away", [0.494, 0.5, -0.496])
def test_half_a_semitone_is_another_note(away):
    assert tune(hz(60), hz(60 + away), np.array([0])).tolist() == [0]


def test_runs_without_pitch_are_left_as_they_are():
    off = tune(np.array([0.0, 0.0, 440.0]), hz(60, 60, 60), np.array([0, 2]))
    assert off.tolist() == [0, 0, 0]
    np.testing.assert_allclose(
        tune(np.array([0, *hz(60)]), hz(60.1, 60.1), np.array([0])), [0.1, 0.1]
    )
