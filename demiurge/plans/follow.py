"""Gains by which the units of a plan follow the level of its target.

Both levels are measured from the audio, K-weighted, of exactly the samples of a step. Descriptors
would do without reading, but say it less well: a few MFCC estimate half of all levels to 3 dB only,
the loudness of a frame hears its neighbours, and in three unlike mosaics the courses then correlate
by 0.9 with the target's instead of 0.98.

A gain raises by at most `RAISE_DB`: the hiss of a recording is 50 to 60 dB below its sound, and so
stays 30 dB below it. What is nearly silent is not raised at all. Down to `LOWER_DB` units may be
lowered, which does no harm: a pause in the target becomes one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from audio.read import AudioInfo, measure_mono
from audio.resample import resample_blocks
from audio.span_loudness import loudness_of_each
from db.settings import DescriptorSettings
from demiurge.plans.audible import is_audible
from demiurge.plans.levels import NEAR_SILENCE_DB, levels_of
from demiurge.plans.make import GAIN_DECIMALS
from demiurge.plans.ramps import glide
from demiurge.sequences import DescriptorSequence
from files.errors import AudioError
from files.roots import Roots
from playback.options import CrossfadeOptions
from playback.plan import Plan, Step
from playback.sources import SourceReader

RAISE_DB = 24.0
LOWER_DB = 60.0
LOUDEST_SHARE = 95.0  # percentile of the audible steps that can be raised as far as they should be
LEVEL_DECIMALS = 1
# A crossfade brings a unit in before its step, at its own gain: from a pause to a stroke that would
# be heard as a swelling.
CROSSFADE_MS = 20.0


def keep_steps(crossfade: CrossfadeOptions) -> CrossfadeOptions:
    """Return crossfades that leave steps in level as they are, and begin shortly before them."""
    crossfade_ms = min(crossfade.crossfade_ms, CROSSFADE_MS)
    return replace(crossfade, crossfade_ms=crossfade_ms, level_db=0.0)


def target_levels(
    path: str | Path, sequence: DescriptorSequence, settings: DescriptorSettings
) -> np.ndarray:
    """Return the level of each step of a target in LUFS, float64, (steps,).

    Raises
    ------
    AudioError
        If it cannot be read.
    DatabaseError
        If it is a forecast, whose levels its descriptors do not say.
    """
    if Path(path).suffix.lower() == ".json":
        return levels_of(sequence.descriptors, settings).astype(np.float64)

    def measure(info: AudioInfo, blocks: Iterator[np.ndarray]) -> np.ndarray:
        resampled = resample_blocks(blocks, info.sample_rate, settings.sample_rate)
        return loudness_of_each(_cut(resampled, sequence.step_samples), settings.sample_rate)

    return measure_mono(path, measure)[0]


def _cut(blocks: Iterable[np.ndarray], lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Cut a signal in blocks into spans; the last may be filled up with silence."""
    rest = np.empty(0, np.float32)
    signal = iter(blocks)
    for length in lengths.tolist():
        parts = [rest]
        n_samples = len(rest)
        while n_samples < length and (block := next(signal, None)) is not None:
            parts.append(block)
            n_samples += len(block)
        joined = np.concatenate([*parts, np.zeros(max(length - n_samples, 0), np.float32)])
        yield joined[:length]
        rest = joined[length:]
    for _ in signal:  # the signal must be read to its end
        pass


def follow(plan: Plan, levels: np.ndarray, roots: Roots) -> tuple[Plan, np.ndarray]:
    """Let the steps of a plan follow levels; return it with the levels that were wanted.

    If many steps cannot be raised so far, the whole is lowered instead of flattened.

    Parameters
    ----------
    levels : ndarray, float64, shape (targets,)
        Of each target of the plan, in LUFS.
    roots : Roots
        The corpus folders.
    """
    played = _unit_levels(plan.steps, plan, roots)
    wanted = levels[[step.target for step in plan.steps]]
    heard = is_audible(wanted) & (played > NEAR_SILENCE_DB)
    if heard.any():
        missing = np.percentile((wanted - played)[heard], LOUDEST_SHARE) - RAISE_DB
        levels = levels - np.clip(missing, 0, RAISE_DB)
    levels = np.round(levels, LEVEL_DECIMALS)
    wanted = levels[[step.target for step in plan.steps]]
    gains = np.round(find_gains(wanted, played), GAIN_DECIMALS).tolist()
    steps = [replace(step, gain_db=gain) for step, gain in zip(plan.steps, gains, strict=True)]
    return replace(plan, steps=glide(steps)), levels


def follow_again(plan: Plan, numbers: Iterable[int], levels: list[float], roots: Roots) -> Plan:
    """Return the plan with gains for steps whose unit has changed, as `follow` gave the others."""
    numbers = [number for number in numbers if 0 <= plan.steps[number].target < len(levels)]
    steps = list(plan.steps)
    changed = [steps[number] for number in numbers]
    wanted = np.array([levels[step.target] for step in changed])
    gains = find_gains(wanted, _unit_levels(changed, plan, roots))
    for number, gain in zip(numbers, np.round(gains, GAIN_DECIMALS).tolist(), strict=True):
        steps[number] = replace(steps[number], gain_db=gain)
    return replace(plan, steps=glide(steps))


def find_gains(wanted: np.ndarray, played: np.ndarray) -> np.ndarray:
    """Return gains in dB from levels in LUFS, float64, (steps,)."""
    gains = np.clip(wanted - played, -LOWER_DB, RAISE_DB)
    return np.where(played < NEAR_SILENCE_DB, np.minimum(gains, 0.0), gains)


def _unit_levels(steps: Iterable[Step], plan: Plan, roots: Roots) -> np.ndarray:
    """Return the level of what each step plays, before its gain, in LUFS, float64, (steps,)."""
    with SourceReader(roots, sample_rate=plan.sample_rate, channels=1) as reader:
        if problems := reader.prepare(replace(plan, steps=tuple(steps))):
            source, problem = next(iter(problems.items()))
            raise AudioError(f"{source}: {problem}")
        return loudness_of_each((_read(step, reader) for step in steps), plan.sample_rate)


def _read(step: Step, reader: SourceReader) -> np.ndarray:
    """Return the samples of the source that a step plays, mono, (n_samples,)."""
    n_samples = min(step.end_sample, reader.length(step.source)) - step.start_sample
    out = np.zeros((n_samples, 1), np.float32)
    reader.read_into(out, step.source, step.start_sample)
    return out[:, 0]
