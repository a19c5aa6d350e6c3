"""The engine behind a device that does not wait: what was played is the plan, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.settings import FOR_CONTINUATIONS
from demiurge.live.feed import Feed
from demiurge.live.knobs import Knobs
from demiurge.live.ring import InputRing, OutputRing
from tests.demiurge.live.known_engine import Device, settled
from tests.demiurge.live.playing import RATE, check_is_what_was_played, open_session

AHEAD = 1014
METHODS = ("produce", "tail", "ran_on", "take_back")


@pytest.fixture(scope="module", params=["frame", "onset"])
def database(request, tmp_path_factory, tabla):
    folder = tmp_path_factory.mktemp("late")
    (folder / "audio").mkdir()
    sf.write(folder / "audio" / "a.wav", np.tile(tabla, 2), RATE, subtype="PCM_16")
    sf.write(folder / "audio" / "b.wav", tabla[::-1], RATE, subtype="PCM_16")
    settings = replace(FOR_CONTINUATIONS, units=request.param)
    build_database(folder / "audio", folder / "sounds.db", settings=settings)
    return folder / "sounds.db"


class Hasty:
    """An engine that is interrupted by the device before and after anything it does."""

    def __init__(self, engine, during):
        self._engine = engine
        self._during = during

    def __getattr__(self, name):
        value = getattr(self._engine, name)
        if name not in METHODS:
            return value

        def interrupted(*given):
            self._during(name)
            made = value(*given)
            self._during(name)
            return made

        return interrupted


@pytest.mark.parametrize("random_seed", range(3))
@pytest.mark.parametrize(("voices", "transpose"), [(1, 0), (2, 0), (1, 3)])
def test_what_was_played_is_the_plan(database, tmp_path, random_seed, voices, transpose):
    rng = np.random.default_rng(random_seed)
    counts = dict.fromkeys(METHODS, 0)
    knobs = Knobs(mode="free", voices=voices, transpose=transpose, max_run=0.3)

    def during(name: str) -> None:
        counts[name] += 1
        if device.blocks[1:] and rng.random() < 0.1:
            device.play(int(rng.integers(1, 800)))

    with open_session(database, tmp_path, knobs) as session:
        ring = OutputRing(session.engine.channels)
        device = Device(ring)
        feed = Feed(Hasty(session.engine, during), InputRing(1000, 1), ring, AHEAD)
        for _ in range(300):
            feed.top_up()
            device.play(256)
        settled(feed, device)
        ran_on = ring.finish()
        assert ran_on == 0
        device.play(ring.ahead - 256)
    assert ring.underruns == 0
    assert counts["take_back"] > 0
    played = device.played
    assert len(played) == session.engine.played
    check_is_what_was_played(session, played)
    assert np.abs(played).max() > 0.01
