"""Sources held in arrays, for tests that make many."""

import numpy as np

from playback.plan import Plan, Step
from playback.stitch import stitch

RATE = 44100
HOP = 1024


class Memory:
    def __init__(self, **sources):
        self.sources = {
            name: np.asarray(a, np.float32).reshape(len(a), -1) for name, a in sources.items()
        }

    def length(self, source):
        return len(self.sources[source])

    def read_into(self, out, source, start):
        assert 0 <= start <= start + len(out) <= len(self.sources[source])
        out[:] = self.sources[source][start : start + len(out)]


def plan(steps, channels=1, root=".", tail_samples=0):
    return Plan(
        RATE, channels, {"id": "x", "root": str(root)}, tuple(steps), tail_samples=tail_samples
    )


def units(spans, hop=HOP):
    """Steps of (source, start, length), one every hop."""
    return [Step(i, source, start, n, i * hop) for i, (source, start, n) in enumerate(spans)]


def played(plan, reader, **options):
    return np.concatenate(list(stitch(plan, reader, **options)))


def noise(n, seed=0, level=0.3):
    return np.random.default_rng(seed).uniform(-level, level, n).astype(np.float32)
