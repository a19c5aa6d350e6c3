"""Costs of pitch classes, of what sounds beside, and of the place in the beat."""

import numpy as np
import pytest

from db.settings import DescriptorSettings
from query.metre import PART, TEMPO
from query.online.choice import Wishes
from query.online.harmony import BESIDE, WANTED, Harmony

C_AND_G = np.array([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], np.float32)
F_SHARP = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], np.float32)
SETTINGS = DescriptorSettings(descriptors=("mfcc", "chroma"))
LENGTHS = np.full(3, 1024)


def rows_of(settings, **columns):
    """Three units with these values in some columns and 0 in all others."""
    rows = np.zeros((3, settings.n_descriptors), np.float32)
    for name, values in columns.items():
        rows[:, settings.names.index(name)] = values
    return rows


def rows_of_chroma(*chroma):
    columns = {f"chroma{number}": np.array(chroma)[:, number] for number in range(12)}
    return rows_of(SETTINGS, **columns)


def test_a_unit_costs_as_much_as_is_not_of_the_wanted_pitch_classes():
    rows = rows_of_chroma(C_AND_G, F_SHARP, np.ones(12))
    harmony = Harmony(SETTINGS)
    costs = harmony.costs(rows, LENGTHS, Wishes(1024, pitch_classes=frozenset({0, 7})))
    np.testing.assert_allclose(costs, WANTED * np.array([0, 1, 10 / 12]), atol=1e-5)
    everything = Wishes(1024, pitch_classes=frozenset(range(12)))
    np.testing.assert_allclose(harmony.costs(rows, LENGTHS, everything), 0, atol=1e-5)


def test_a_unit_costs_as_much_as_it_disagrees_with_what_sounds_beside():
    rows = rows_of_chroma(C_AND_G, F_SHARP, np.zeros(12))
    costs = Harmony(SETTINGS).costs(rows, LENGTHS, Wishes(1024, chroma=C_AND_G))
    correlation = np.corrcoef(C_AND_G, F_SHARP)[0, 1]
    np.testing.assert_allclose(costs, BESIDE * np.array([0, 1 - correlation, 1]), atol=1e-4)


def test_the_target_is_given_the_wanted_pitch_classes():
    target = rows_of_chroma(F_SHARP, F_SHARP, F_SHARP)[0]
    aimed = Harmony(SETTINGS).aim(target, Wishes(1024, pitch_classes=frozenset({0, 7})))
    np.testing.assert_array_equal(aimed, rows_of_chroma(C_AND_G, C_AND_G, C_AND_G)[0])
    assert Harmony(SETTINGS).aim(target, Wishes(1024)) is target


def test_a_unit_of_another_tempo_or_part_costs_more():
    settings = DescriptorSettings(units="beat/4")
    rows = rows_of(settings, tempo=[0, 1, 0], beat_cos=[1, 1, 0], beat_sin=[0, 0, 1], pulse=1)
    harmony = Harmony(settings)
    costs = harmony.costs(rows, LENGTHS, Wishes(1024, tempo=120.0))
    np.testing.assert_allclose(costs, [0, TEMPO * 0.97, 0])
    costs = harmony.costs(rows, LENGTHS, Wishes(1024, tempo=120.0, part=1))
    np.testing.assert_allclose(costs, [PART, PART + TEMPO * 0.97, 0], atol=1e-6)
    np.testing.assert_array_equal(harmony.costs(rows, LENGTHS, Wishes(1024, part=1)), 0)


def test_without_a_pulse_a_unit_is_of_the_tempo_that_its_length_is():
    settings = DescriptorSettings(units="beat/4")
    part = settings.sample_rate // 8  # of a second at 120 beats per minute
    lengths = np.array([part, 2 * part, part // 2])
    costs = Harmony(settings).costs(rows_of(settings), lengths, Wishes(1024, tempo=120.0))
    np.testing.assert_allclose(costs, TEMPO * np.array([0, 0.97, 0.97]), atol=0.01)


@pytest.mark.parametrize(
    "wishes", [{"pitch_classes": frozenset({1})}, {"chroma": C_AND_G}, {"tempo": 120.0, "part": 2}]
)
def test_what_is_not_described_costs_nothing(wishes):
    settings = DescriptorSettings()
    rows = np.ones((3, settings.n_descriptors), np.float32)
    harmony = Harmony(settings)
    np.testing.assert_array_equal(harmony.costs(rows, LENGTHS, Wishes(1024, **wishes)), 0)
    target = rows[0]
    assert harmony.aim(target, Wishes(1024, **wishes)) is target
