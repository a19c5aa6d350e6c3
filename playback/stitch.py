"""Stitch a plan to audio, join by join, in memory that does not depend on the plan's length.

steps ──► runs (adjacent units as one) ──► joins, a batch at a time ──► blocks in output order
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter

import numpy as np

from files.errors import ParameterError
from playback.joins import BATCH_VALUES, make_joins
from playback.options import DEFAULT_CROSSFADE, CrossfadeOptions
from playback.plan import Plan
from playback.run_audio import RunAudio
from playback.runs import join_runs, run_end, run_start
from playback.sources import SampleReader
from playback.steps import Step

BLOCK_SAMPLES = 1 << 17  # samples handed on at a time


def stitch(
    plan: Plan,
    reader: SampleReader,
    *,
    crossfade: CrossfadeOptions = DEFAULT_CROSSFADE,
    only: str | None = None,
    start: int = 0,
    stop: int | None = None,
    block_samples: int = BLOCK_SAMPLES,
    batch_values: int = BATCH_VALUES,
) -> Iterator[np.ndarray]:
    """Yield the plan's audio in order, float32, shape (any, channels).

    The blocks have `stop - start` samples in total.

    Parameters
    ----------
    only : str, optional
        Yield only the part of this source; the parts of all sources add up to the whole.
    start, stop : int
        Part of the output to yield, by default all of it. Its samples are exactly those of the
        whole, and the time it takes depends on its own length only.
    block_samples, batch_values : int
        Amount in memory at a time: samples of a block, and samples times channels of the joins that
        are made together. The audio does not depend on them.

    Raises
    ------
    ParameterError
        If there is no such part.
    """
    stop = plan.n_samples if stop is None else stop
    if not 0 <= start <= stop <= plan.n_samples:
        raise ParameterError(
            f"start={start}, stop={stop} must be in order, and within the plan's 0 to"
            f" {plan.n_samples}"
        )
    runs = join_runs(_steps_around(plan.steps, start, stop))
    position = start
    for made, audio in make_joins(
        plan, reader, runs, crossfade=crossfade, only=only, batch_values=batch_values
    ):
        begin = made.join.at_sample - made.left
        until = min(begin, stop)
        number = made.join.outgoing
        if number is None or only not in (None, runs[number].step.source):
            yield from _silence(until - position, plan.channels, block_samples)
        else:
            yield from _read_run(audio[number], position, until, plan.channels, block_samples)
        position = max(position, until)
        mixed = made.mixed[max(position - begin, 0) : max(stop - begin, 0)]
        yield mixed
        position += len(mixed)
    yield from _silence(stop - position, plan.channels, block_samples)


def _steps_around(steps: Sequence[Step], start: int, stop: int) -> Sequence[Step]:
    """Return the steps that determine the audio of [start, stop).

    These are the runs that sound there, and one more run on either side. Since a crossfade takes
    at most half of a run, runs beyond these are not heard there.
    """
    first = bisect_right(steps, start, key=attrgetter("until_sample"))
    last = bisect_left(steps, stop, key=attrgetter("at_sample")) - 1
    first = run_start(steps, run_start(steps, first) - 1)
    last = run_end(steps, run_end(steps, last) + 1)
    return steps[first : last + 1]


def _read_run(
    audio: RunAudio, start: int, stop: int, channels: int, block_samples: int
) -> Iterator[np.ndarray]:
    """Yield the audio of a run from `start` to `stop` in the output, between its crossfades."""
    for at in range(start, stop, block_samples):
        block = np.empty((min(block_samples, stop - at), channels), np.float32)
        audio.read(block, at - audio.step.at_sample)
        yield block


def _silence(n_samples: int, channels: int, block_samples: int) -> Iterator[np.ndarray]:
    for at in range(0, n_samples, block_samples):
        yield np.zeros((min(block_samples, n_samples - at), channels), np.float32)
