"""A drum loop, on the grid of another tempo: what is heard keeps the beat and the level."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.plans.levels import level_column, match_levels
from demiurge.plans.placing import place_on_grid
from playback.plan import Plan, Step
from playback.render import render
from tests.playback.rises import find_rises

RATE = 44100
LOOP_BPM = 100
BEATS = 16
BEAT = 60 / LOOP_BPM  # s
GAINS = (1.0, 0.25)  # of the two sources


def make_loop(gain: float) -> np.ndarray:
    """Drums at 100 bpm: a hit on every beat, and a soft bed of noise throughout."""
    random = np.random.default_rng(1)
    n = round(BEAT * RATE)
    t = np.arange(n) / RATE
    beats = []
    for number in range(BEATS):
        kick = np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-t * 30)))) * np.exp(-t * 12)
        snare = random.normal(size=n) * np.exp(-t * 18) * 0.3
        beats.append(0.6 * (kick + snare if number % 2 else kick + 0.3 * snare))
    loop = np.concatenate(beats) + random.normal(size=n * BEATS) * 0.001
    return (loop * gain).astype(np.float32)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Database:
    folder = tmp_path_factory.mktemp("placed")
    (folder / "in").mkdir()
    for name, gain in zip("ab", GAINS, strict=True):
        sf.write(folder / "in" / f"{name}.wav", make_loop(gain), RATE)
    settings = DescriptorSettings(units=f"fixed:{BEAT * 1000:g}", descriptors=("mfcc", "loudness"))
    build_database(folder / "in", folder / "db", settings=settings)
    return Database(folder / "db")


def place(database: Database, positions: np.ndarray, beats: np.ndarray, *, stretch: bool) -> Plan:
    units = database.units
    grid = np.round(beats * RATE).astype(np.int64)
    placement = place_on_grid(positions, units, np.diff(grid), sample_rate=RATE, stretch=stretch)
    levels = level_column(database)
    gains = match_levels(positions, units, levels[positions], float(levels.max()) - 3)
    steps = [
        Step(
            int(units.ids[position]),
            database.sources[units.source[position]].path,
            int(placement.start_sample[i]),
            int(placement.n_samples[i]),
            int(placement.at_sample[i]),
            gain_db=float(gains[i]),
            stretch=float(placement.stretch[i]),
        )
        for i, position in enumerate(positions)
    ]
    return Plan(RATE, 1, {"id": database.id, "root": str(database.root)}, tuple(steps))


@pytest.mark.parametrize("stretch", [False, True])
@pytest.mark.parametrize("grid_bpm", [92, 100, 110])
def test_attacks_are_on_the_grid_and_the_level_is_steady(database, tmp_path, grid_bpm, stretch):
    if stretch:
        pytest.importorskip("python_stretch")
    loud, soft = ([0, 1, 2, 3], [BEATS + i for i in (2, 3, 4, 5)])
    positions = np.array([*loud, *soft, 8, 9, *soft, 4, 5])
    beats = np.arange(len(positions) + 1) * 60 / grid_bpm
    plan = place(database, positions, beats, stretch=stretch)
    render(plan, tmp_path / "o.wav")
    sound, _ = sf.read(tmp_path / "o.wav")
    found = find_rises(sound, RATE, ratio=10)
    near = np.abs(found - beats[1:-1, None]).min(axis=1)  # the first has nothing before it
    assert near.max() < 0.010
    assert np.abs(found[:, None] - beats).min(axis=1).max() < 0.010  # and there are no others
    bars = np.round(beats[::2] * RATE).astype(int)  # a kick and a snare each
    powers = [np.mean(sound[start:stop] ** 2) for start, stop in pairwise(bars)]
    levels = 10 * np.log10(powers)
    assert levels.max() - levels.min() < 2
    assert abs(len(sound) - beats[-1] * RATE) < 0.06 * RATE
