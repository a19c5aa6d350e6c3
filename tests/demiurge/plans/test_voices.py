"""Paths of voices as steps: gains, ramps, tuning."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from db.bands import Bands
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.plans.voice_units import VoiceUnits, open_voice_units
from demiurge.plans.voices import LEAST_DB, steps_of_voice
from query.options import PathOptions
from query.path import find_path
from query.rules import REST
from query.settings import SearchSettings
from query.voices.search import VoicePath
from query.voices.target import VoiceTarget
from tests.sounds import RATE, chord

HOP = 1024
STEPS = 6


@pytest.fixture(scope="module")
def units(tmp_path_factory) -> VoiceUnits:
    """Two notes, at 0, 1 and -1 semitones."""
    folder = tmp_path_factory.mktemp("voices")
    (folder / "in").mkdir()
    for note in (60, 64):
        sf.write(folder / "in" / f"{note}.wav", chord([note], 0.6), RATE)
    build_database(folder / "in", folder / "db", settings=DescriptorSettings(sample_rate=RATE))
    database = Database(folder / "db")
    lengths = np.full(STEPS, HOP)
    return open_voice_units(database, Bands(database), (0, 1, -1), SearchSettings(), lengths)


def play(units: VoiceUnits, positions: list[int], gains: list[float], f0: float = 0.0):
    """Return the steps of a voice that plays these units at these gains."""
    rows = np.stack([units.database.normaliser.mean] * STEPS).astype(np.float32)
    lengths = np.full(STEPS, HOP)
    path = find_path(units.index, rows, PathOptions(k=4), step_samples=lengths)
    path = replace(path, positions=np.array(positions))
    voice = VoicePath(path, np.array(gains, np.float32))
    target = VoiceTarget(
        np.ones((STEPS, units.spectra.n_bands), np.float32), np.full(STEPS, f0, np.float32)
    )
    return steps_of_voice(voice, 3, units, target, stretch=False)


def test_steps_have_the_gains_in_decibels_and_their_voice(units):
    steps = play(units, [2, 3, 4, 5, 6, 7], [1.0, 0.5, 2.0, 1e-6, 0.0, 1.0])
    assert [step.gain_db for step in steps] == [0, -6.02, 6.02, LEAST_DB, LEAST_DB, 0]
    assert {step.voice for step in steps} == {3}
    assert [step.at_sample for step in steps] == [HOP * number for number in range(STEPS)]


def test_gains_glide_where_the_source_goes_on_only(units):
    n_units = len(units.database.units)
    steps = play(units, [2, 3, 9, 10, n_units + 11, n_units + 12], [1.0, 0.5, 1, 1, 1, 1])
    assert [step.ramp for step in steps] == [False, True, False, True, False, True]
    assert [step.transpose for step in steps] == [0, 0, 0, 0, 1, 1]


def test_rests_are_gaps_after_which_nothing_goes_on(units):
    steps = play(units, [2, 3, REST, 5, REST, REST], [1.0] * STEPS)
    assert [step.at_sample // HOP for step in steps] == [0, 1, 3]
    assert [step.ramp for step in steps] == [False, True, False]


def test_a_voice_that_always_rests_has_no_steps(units):
    assert play(units, [REST] * STEPS, [0.0] * STEPS) == []


def test_runs_are_tuned_to_the_target_together_with_their_transposition(units):
    n_units = len(units.database.units)
    found = units.spectra.f0(np.array([5]))[0]
    steps = play(units, [n_units + n for n in range(3, 9)], [1.0] * STEPS, found * 2 ** (1.3 / 12))
    assert {step.transpose for step in steps} == {steps[0].transpose}
    assert steps[0].transpose == pytest.approx(1.3, abs=0.05)
    far = play(units, [n_units + n for n in range(3, 9)], [1.0] * STEPS, found * 2 ** (5 / 12))
    assert {step.transpose for step in far} == {1}
