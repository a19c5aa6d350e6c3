"""A voice that grows step by step gives, of what is final, what `stitch` gives of the whole."""

import random
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError, PlanError
from playback.growing import GrowingVoice
from playback.lead import lead_samples, live_crossfade
from playback.options import DEFAULT_CROSSFADE, CrossfadeOptions
from playback.plan import Plan, Step
from playback.runs import ZONE_GRID, is_contiguous, kept_apart
from tests.playback.drawn_plans import CROSSFADES, NAMES, SOUND, drawn_plans
from tests.playback.sounds import HOP, RATE, plan, played

LIVE = live_crossfade(HOP, RATE)


def grow(channels: int = 1, crossfade: CrossfadeOptions = LIVE, voice: int = 0) -> GrowingVoice:
    return GrowingVoice(
        SOUND[channels], sample_rate=RATE, channels=channels, voice=voice, crossfade=crossfade
    )


def made_apart(drawn: Plan) -> Plan:
    """Each transposed or stretched step as a run of its own."""
    steps: list[Step] = []
    for step in drawn.steps:
        before = steps[-1] if steps else None
        steps.append(kept_apart(step, before) if step.is_resampled else step)
    return replace(drawn, steps=tuple(steps))


def span(rng: random.Random, least: int, most: int) -> tuple[int, int]:
    start = rng.randint(least, most)
    return start, rng.choice([most, rng.randint(start, most)])


def check_preview(voice: GrowingVoice, drawn: Plan, n_added: int, rng: random.Random, least: int):
    """What would sound is the plan that ends after some of the coming steps."""
    n_ahead = rng.choice([0, 1, 2])
    ended = replace(drawn, steps=drawn.steps[: n_added + n_ahead], tail_samples=500)
    whole = played(ended, SOUND[drawn.channels], crossfade=voice.crossfade)
    start, stop = span(rng, least, ended.n_samples)
    found = voice.preview(drawn.steps[n_added : n_added + n_ahead], start, stop)
    assert found.tobytes() == whole[start:stop].tobytes()


@settings(deadline=None, max_examples=30)
@given(
    drawn_plans(most_runs=5).map(made_apart),
    st.just(LIVE) | CROSSFADES,
    st.randoms(use_true_random=False),
)
def test_what_is_final_is_what_stitch_makes_of_the_whole(drawn, crossfade, rng):
    whole = played(drawn, SOUND[drawn.channels], crossfade=crossfade)
    voice = grow(drawn.channels, crossfade)
    final = forgotten = 0
    for n_added, step in enumerate(drawn.steps, start=1):
        if rng.random() < 0.5:
            voice.rest(step.at_sample)
        voice.add(step)
        assert voice.final_until >= final
        final = voice.final_until
        if rng.random() < 0.3:
            check_preview(voice, drawn, n_added, rng, forgotten)
        if rng.random() < 0.7:
            start, stop = span(rng, forgotten, final)
            assert voice.read(start, stop).tobytes() == whole[start:stop].tobytes()
            if rng.random() < 0.7:
                forgotten = rng.randint(forgotten, stop)
                voice.forget(forgotten)
    voice.rest(drawn.n_samples + 1)
    rest = voice.read(forgotten, drawn.n_samples)
    assert rest.tobytes() == whole[forgotten:].tobytes()
