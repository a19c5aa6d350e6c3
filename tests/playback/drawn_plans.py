"""Plans of real sounds, drawn by hypothesis: units of one sample and of half a second, runs,
rests, transformed units, ramps, voices.
"""

from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import soundfile as sf
from hypothesis import strategies as st

from demiurge.bundled import CORPUS_DIR
from playback.options import FADES, CrossfadeOptions
from playback.plan import Plan, Step
from tests.playback.sounds import RATE, Memory

NAMES = ("ambi_choir", "bd_haus", "loop_amen")
LENGTHS = (1, 2, 63, 1024, 1024, 1024, 3000, 20_000)
GAINS = (-20.0, -9.0, 0.0, 3.0)
HOW = [{}] * 6 + [{"gain_db": -9.0}, {"gain_db": 6.0}, {"reverse": True}]
MADE = [{"transpose": 5.0}, {"stretch": 1.5}, {"stretch": 0.5, "reverse": True, "gain_db": -3.0}]


def read_sounds(channels: int) -> Memory:
    """A second and a half of each."""
    sources = {
        name: sf.read(CORPUS_DIR / f"{name}.ogg", 3 * RATE // 2, dtype="float32", always_2d=True)[0]
        for name in NAMES
    }
    return Memory(
        **{name: np.stack([a[:, 0], a[:, -1]][:channels], axis=1) for name, a in sources.items()}
    )


SOUND = {channels: read_sounds(channels) for channels in (1, 2)}
LASTS = {name: SOUND[1].length(name) for name in NAMES}


def lay_out(steps: list[Step], gaps: list[int], tail_samples: int, channels: int) -> Plan:
    """Steps one after the other, each behind its gap."""
    laid = list[Step]()
    at = 0
    for step, gap in zip(steps, gaps, strict=True):
        laid.append(replace(step, at_sample=at + gap))
        at += gap + step.n_samples
    return Plan(RATE, channels, {"id": "x", "root": "."}, tuple(laid), tail_samples=tail_samples)


@st.composite
def drawn_steps(draw) -> Step:
    """A unit somewhere in a source, often at its very beginning or end."""
    source = draw(st.sampled_from(NAMES))
    n = draw(st.sampled_from(LENGTHS))
    how = draw(st.sampled_from(HOW + (MADE if find_spec("python_stretch") and n <= 3000 else [])))
    step = Step(0, source, 0, min(n, LASTS[source]), 0, **how)
    last = LASTS[source] - step.end_sample
    return replace(step, start_sample=draw(st.sampled_from([0, last]) | st.integers(0, last)))


@st.composite
def drawn_runs(draw) -> list[Step]:
    """A step, and often such as go on behind it in its source."""
    steps = [draw(drawn_steps())]
    for n in draw(st.lists(st.sampled_from(LENGTHS[:-1]), max_size=3)):
        following = replace(steps[-1], start_sample=steps[-1].end_sample, n_samples=n)
        if draw(st.sampled_from([False, False, True])):
            following = replace(following, gain_db=draw(st.sampled_from(GAINS)), ramp=True)
        fits = following.end_sample <= LASTS[following.source]
        if fits and not following.reverse and not (following.is_resampled and n > 3000):
            steps.append(following)
    return steps


@st.composite
def drawn_plans(draw, most_runs: int = 8) -> Plan:
    """Runs, some behind rests."""
    steps = [
        step for run in draw(st.lists(drawn_runs(), min_size=1, max_size=most_runs)) for step in run
    ]
    gaps = [draw(st.sampled_from([0, 0, 0, 0, 0, 1, 50, 5000])) for _ in steps]
    for number, (before, after) in enumerate(pairwise(steps), start=1):
        if before.source == after.source and before.end_sample == after.start_sample:
            gaps[number] = 0
    return lay_out(steps, gaps, draw(st.sampled_from([0, 0, 700])), draw(st.sampled_from([1, 2])))


def join_voices(voices: list[Plan]) -> Plan:
    """The voices at once, each given as a plan of one voice; a plan of no steps is silent."""
    n_samples = max(voice.n_samples for voice in voices)
    steps = tuple(
        replace(step, voice=number) for number, voice in enumerate(voices) for step in voice.steps
    )
    whole = replace(voices[0], steps=steps, tail_samples=0)
    return replace(whole, tail_samples=n_samples - whole.n_samples)


@st.composite
def drawn_voices(draw, most_runs: int = 4) -> Plan:
    """One to four voices, each as a drawn plan; the lower ones may be empty."""
    channels = draw(st.sampled_from([1, 2]))
    voices = draw(st.lists(drawn_plans(most_runs), min_size=1, max_size=4))
    whole = join_voices([replace(voice, channels=channels) for voice in voices])
    if draw(st.sampled_from([False, False, True])):
        return replace(whole, steps=tuple(replace(s, voice=2 * s.voice + 1) for s in whole.steps))
    return whole


CROSSFADES = st.builds(
    CrossfadeOptions,
    crossfade_ms=st.sampled_from([0.0, 1.0, 22.0, 60.0, 200.0]),
    fade=st.sampled_from(FADES),
    align_ms=st.sampled_from([0.0, 5.0]),
    attacks=st.booleans(),
    level_db=st.sampled_from([0.0, 12.0]),
)
