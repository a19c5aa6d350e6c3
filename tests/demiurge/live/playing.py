"""Sessions for tests: an input that was described beforehand, and what was played."""

import numpy as np

from db.analyse import describe_signal
from demiurge.live.session import Session
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions
from playback.stitch import stitch
from query.settings import SearchSettings

RATE = 44100


class KnownInput:
    """A listener that knows its input from the beginning; it is silent from a second on."""

    def __init__(self, settings, signal, silent_from=np.inf):
        self.n_heard = 0
        self.repaired = 0
        self.chroma = np.ones(12, np.float32)
        self.loudness_db = -20.0
        self._settings = settings
        self._silent_from = silent_from * RATE
        self._rows = describe_signal([signal], settings).units

    @property
    def is_quiet(self):
        return self.is_silent

    @property
    def is_silent(self):
        return self.n_heard >= self._silent_from

    def hear(self, block):
        self.n_heard += len(block)

    def target(self, n_samples):
        return self._rows[self.n_heard // self._settings.hop_length % len(self._rows)]

    def pulse(self):
        return None


def open_session(database, tmp_path, knobs, *, search=None, threaded=False, **options):
    return Session(
        database,
        knobs,
        search or SearchSettings(),
        plan=tmp_path / "take.plan.json",
        threaded=threaded,
        **options,
    )


def play(session, seconds, *, block=256, each=lambda number: None):
    """What a session plays, block by block; `each` is called before each block."""
    engine = session.engine
    blocks = []
    for number in range(round(seconds * RATE / block)):
        each(number)
        engine.hear(np.zeros((block, 1), np.float32))
        blocks.append(engine.produce(block))
    return np.concatenate(blocks)


def rendered(plan):
    """A plan as it is rendered offline, before it is lowered to full scale."""
    with open_plan(plan) as opened:
        crossfade = CrossfadeOptions.of(plan.settings)
        samples = np.concatenate(list(stitch(opened.plan, opened.reader, crossfade=crossfade)))
    return np.clip(samples, -1, 1)


def check_is_what_was_played(session, played):
    """The plan of a session that has ended gives what was played, to the bit."""
    again = rendered(session.plan)
    n_samples = min(len(again), len(played))
    np.testing.assert_array_equal(played[:n_samples], again[:n_samples])
    assert not played[n_samples:].any()
