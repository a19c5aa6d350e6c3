"""Stitch a plan to audio, join by join, in memory that does not depend on the plan's length.

steps ──► runs (adjacent units as one) ──► joins, a batch at a time ──► blocks in output order

Each voice is stitched by itself, and the blocks of all are added in the order of the voices, so
that a sample is the same however the whole is cut into parts.
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
    only: str | int | None = None,
    start: int = 0,
    stop: int | None = None,
    block_samples: int = BLOCK_SAMPLES,
    batch_values: int = BATCH_VALUES,
) -> Iterator[np.ndarray]:
    """Yield the plan's audio in order, float32, shape (any, channels).

    The blocks have `stop - start` samples in total.

    Parameters
    ----------
    only : str or int, optional
        Yield only the part of this source, or of this voice; the parts of all sources, or voices,
        add up to the whole.
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
    source = only if isinstance(only, str) else None
    numbers = plan.voices
    if isinstance(only, int):
        numbers = plan.voices[only : only + 1] or (range(0),)
    voices = [
        _stitch_voice(
            plan,
            plan.steps[voice.start : voice.stop],
            reader,
            crossfade=crossfade,
            only=source,
            start=start,
            stop=stop,
            block_samples=block_samples,
            batch_values=batch_values,
        )
        for voice in numbers
    ]
    if len(voices) == 1:
        yield from voices[0]
    else:
        yield from mix_voices(voices, stop - start, plan.channels, block_samples=block_samples)


def mix_voices(
    voices: list[Iterator[np.ndarray]],
    n_samples: int,
    channels: int,
    *,
    block_samples: int = BLOCK_SAMPLES,
) -> Iterator[np.ndarray]:
    """Yield the sum of voices, each of which has `n_samples` in pieces of any length."""
    rests = [np.empty((0, channels), np.float32) for _ in voices]
    for at in range(0, n_samples, block_samples):
        mixed = np.zeros((min(block_samples, n_samples - at), channels), np.float32)
        for number, pieces in enumerate(voices):
            rests[number] = _add(mixed, pieces, rests[number])
        yield mixed


def _add(out: np.ndarray, pieces: Iterator[np.ndarray], rest: np.ndarray) -> np.ndarray:
    """Add `rest` and as many pieces as it takes to `out`; return what is left of the last."""
    done = 0
    while done < len(out):
        if not len(rest):
            rest = next(pieces)
        part = rest[: len(out) - done]
        out[done : done + len(part)] += part
        done += len(part)
        rest = rest[len(part) :]
    return rest


def _stitch_voice(
    plan: Plan,
    steps: Sequence[Step],
    reader: SampleReader,
    *,
    crossfade: CrossfadeOptions,
    only: str | None,
    start: int,
    stop: int,
    block_samples: int,
    batch_values: int,
) -> Iterator[np.ndarray]:
    """Yield one voice, given as its steps, as `stitch`."""
    if not steps:
        yield from _silence(stop - start, plan.channels, block_samples)
        return
    runs = join_runs(_steps_around(steps, start, stop))
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
