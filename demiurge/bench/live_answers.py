"""How soon a session answers a change of its input, and how well a mosaic fits it."""

from pathlib import Path
from typing import Any

import numpy as np

from db.analyse import describe_signal
from db.database import Database
from demiurge.bench.live_corpus import SETTINGS, read_input
from demiurge.bench.live_sessions import HOP, play, session_of
from demiurge.live.knobs import Knobs
from playback.plan import Plan
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path
from query.space import Space

CHANGES = 28
CHANGE_UNITS = 24  # from one change to the next
PHASES = 7  # within a unit, at which the input changes; odd, so that each passage has them all
BLOCK_SAMPLES = 256  # as a device hands them over
PASSAGES = 256  # at random, of which the two that differ most are the input
RANDOM_SEED = 0


def answer_facts(plan: Plan, database: Database, sound: np.ndarray) -> dict[str, Any]:
    """Return how long after a frame of the input its answer begins, and how well it fits.

    A step answers the frame whose descriptors its target has.
    """
    description = describe_signal([sound[:, 0]], SETTINGS)
    assert description is not None
    assert plan.targets is not None
    frames = description.frames
    static = list(SETTINGS.frame_static)
    steps = [step for step in plan.steps if step.at_sample < len(sound) - 4 * HOP]
    latencies = []
    answered = []
    for step in steps:
        lately = slice(max(step.at_sample // HOP - 8, 0), step.at_sample // HOP + 1)
        target = plan.targets.rows[step.target][static]
        away = np.abs(frames[lately][:, static] - target).sum(axis=1)
        frame = lately.start + int(away.argmin())
        answered.append(frame)
        latencies.append((step.at_sample - frame * HOP) / HOP)
    space = Space(database)
    positions = database.units.find([step.unit for step in steps])
    targets = space.vectors(frames[answered].copy())
    live = space.distances(space.unit_vectors(positions), targets).mean()
    index = UnitIndex(space, min_samples=HOP)
    greedy, nearest = (
        find_path(
            index,
            frames[answered],
            PathOptions(search="greedy", continuity=continuity),
            step_samples=np.full(len(answered), HOP),
        ).distances.mean()
        for continuity in (Knobs.continuity, 0.0)
    )
    return {
        "from a frame to its answer, units: median": float(np.median(latencies)),
        "from a frame to its answer, units: longest": float(np.max(latencies)),
        "target cost over the offline greedy path's, %": 100 * float(live / greedy - 1),
        "target cost over the nearest units', %": 100 * float(live / nearest - 1),
    }


def change_facts(path: Path, knobs: Knobs) -> dict[str, Any]:
    """Return how long after a change of the input the first unit begins that answers it.

    The input is two passages of the corpus that sound unlike, in turn. A unit answers the change
    if it is nearer to the passage that is heard now. Since they come again and again, set novelty
    to 0.
    """
    database = Database(path)
    space = Space(database)
    passages = unlike_passages(space)
    sound, changes = changing_input(database, passages)
    with session_of(path, knobs) as session:
        play(session, sound, block_samples=BLOCK_SAMPLES)
    assert session.plan is not None
    steps = session.plan.steps
    at = np.array([step.at_sample for step in steps])
    vectors = space.unit_vectors(database.units.find([step.unit for step in steps]))
    means = np.stack([space.unit_vectors(passage).mean(axis=0) for passage in passages])
    nearer = np.linalg.norm(vectors[:, None] - means, axis=2).argmin(axis=1)
    latencies = []
    for number, change in enumerate(changes[:-1]):
        here = (at >= change) & (at < changes[number + 1]) & (nearer == (number + 1) % 2)
        if here.any():
            latencies.append((at[here][0] - change) / HOP)
    named = f"from a change to its answer, continuity {knobs.continuity:g}, units"
    return {
        f"changes answered, continuity {knobs.continuity:g}": f"{len(latencies)} of {CHANGES}",
        f"{named}: median": float(np.median(latencies)),
        f"{named}: 95th percentile": float(np.quantile(latencies, 0.95)),
        f"{named}: longest": float(np.max(latencies)),
    }


def unlike_passages(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of two passages of a corpus, neither quiet, whose means differ most."""
    database = space.database
    units = database.units
    random = np.random.default_rng(RANDOM_SEED)
    first = random.integers(len(units) - CHANGE_UNITS, size=PASSAGES)
    first = first[units.source[first] == units.source[first + CHANGE_UNITS]]
    passages = first[:, None] + np.arange(CHANGE_UNITS + 1)
    loudness = database.rows_at(passages.ravel())[:, SETTINGS.names.index("loudness")]
    level = loudness.reshape(passages.shape).min(axis=1)
    passages = passages[level >= np.median(level)]
    means = space.unit_vectors(passages.ravel()).reshape(*passages.shape, -1).mean(axis=1)
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    one, other = np.unravel_index(apart.argmax(), apart.shape)
    return passages[one], passages[other]


def changing_input(
    database: Database, passages: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return two passages in turn, (n, 1), and the samples at which the input changes.

    Each is played a little longer than whole units, so that changes fall anywhere in a unit.
    """
    n_samples = CHANGE_UNITS * HOP + HOP // PHASES
    sounds = []
    for passage in passages:
        source = database.sources[database.units.source[passage[0]]]
        start = int(database.units.start_sample[passage[0]])
        seconds = source.n_samples / database.sample_rate
        sounds.append(read_input(database.root / source.path, seconds)[start : start + n_samples])
    changes = n_samples * np.arange(1, CHANGES + 2)
    return np.concatenate([sounds[number % 2] for number in range(CHANGES + 1)]), changes
