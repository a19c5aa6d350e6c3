"""Sessions that the benchmarks play, faster than real time, with their work timed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demiurge.bench import SAMPLE_RATE
from demiurge.bench.live_corpus import SETTINGS
from demiurge.live.knobs import Knobs
from demiurge.live.session import Session
from query.rules import REST
from query.settings import SearchSettings

HOP = SETTINGS.hop_length


@dataclass(frozen=True)
class Played:
    """What a session gave for a sound.

    Attributes
    ----------
    seconds : ndarray, float64, (units,)
        What the work on each unit took: analysis, choice and audio.
    sounds : ndarray, bool, (units,)
        Whether a unit was chosen, rather than a rest.
    """

    seconds: np.ndarray
    sounds: np.ndarray


@contextmanager
def session_of(path: Path, knobs: Knobs, model: Path | None = None) -> Iterator[Session]:
    """Open a session beside a database, with an input."""
    plan = path.parent / "take.plan.json"
    session = Session(path, knobs, SearchSettings(), plan=plan, model=model)
    with session:
        session.engine.set_input(SAMPLE_RATE)
        yield session


def play(
    session: Session,
    sound: np.ndarray,
    out: np.ndarray | None = None,
    *,
    block_samples: int = HOP,
) -> Played:
    """Play a sound, (n, 1), into a session in blocks; `out`, (n, channels), takes what it gives.

    While the session rests, this is not faster than real time: a world may be on its way.
    """
    engine = session.engine
    n_blocks = len(sound) // block_samples
    seconds = np.zeros(n_blocks)
    sounds = np.zeros(n_blocks, bool)
    for number in range(n_blocks):
        block = sound[number * block_samples : (number + 1) * block_samples]
        started = time.perf_counter()
        engine.hear(block)
        given = engine.produce(block_samples)
        seconds[number] = time.perf_counter() - started
        sounds[number] = session.status().position != REST
        if not sounds[number]:
            time.sleep(max(block_samples / SAMPLE_RATE - seconds[number], 0))
        if out is not None:
            out[number * block_samples : (number + 1) * block_samples] = given
    return Played(seconds, sounds)
