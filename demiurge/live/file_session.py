"""A session from file to file, faster than real time, with the same engine as live."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from audio.read import open_audio
from audio.write import AudioWriter
from demiurge.live.engine import Engine
from files.atomic import replacing
from files.progress import Progress, no_progress

BLOCK_SAMPLES = 256  # of the input, as a device would hand them over
PROGRESS_BLOCKS = 64


def run_files(
    engine: Engine,
    source: Path | None,
    out: Path,
    *,
    seconds: float | None,
    progress: Progress = no_progress,
) -> int:
    """Play a file into an engine and write what it plays; return how many samples these are.

    After the end of the file there is silence. Samples beyond full scale are clipped.

    Parameters
    ----------
    source : Path, optional
        Without one, there is no input.
    seconds : float, optional
        How long to play; by default as long as the input.
    """
    with ExitStack() as stack:
        rate = engine.sample_rate
        blocks: Iterator[np.ndarray] = iter(())
        n_input = 0
        if source is not None:
            info, whole = stack.enter_context(open_audio(source))
            engine.set_input(info.sample_rate)
            rate = info.sample_rate
            n_input = info.n_samples
            blocks = in_blocks(whole)
        n_samples = round(n_input * engine.sample_rate / rate)
        if seconds is not None:
            n_samples = max(round(seconds * engine.sample_rate), 1)
        temporary = stack.enter_context(replacing(out))
        writer = stack.enter_context(
            AudioWriter(
                temporary,
                engine.sample_rate,
                engine.channels,
                n_samples=n_samples,
                comment="Demiurge live",
                shown=out,
            )
        )
        return _run(engine, blocks, rate, writer, n_samples, progress)


def _run(
    engine: Engine,
    blocks: Iterator[np.ndarray],
    rate: int,
    writer: AudioWriter,
    n_samples: int,
    progress: Progress,
) -> int:
    heard = 0
    played = 0
    silence = np.zeros((BLOCK_SAMPLES, 1), np.float32)
    number = 0
    while played < n_samples and not engine.ended:
        block = next(blocks, silence)
        heard += len(block)
        engine.hear(block)
        owed = min(heard * engine.sample_rate // rate, n_samples) - played
        if owed > 0:
            writer.write(engine.produce(owed))
            played += owed
        if number % PROGRESS_BLOCKS == 0:
            progress(played, n_samples, "playing")
        number += 1
    if played < n_samples:
        writer.end_here()
    return played


def in_blocks(whole: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the same samples in blocks of `BLOCK_SAMPLES`, the last one shorter."""
    waiting = np.empty((0, 1), np.float32)
    for part in whole:
        waiting = np.concatenate([waiting, part]) if len(waiting) else part
        until = len(waiting) - len(waiting) % BLOCK_SAMPLES
        for at in range(0, until, BLOCK_SAMPLES):
            yield waiting[at : at + BLOCK_SAMPLES]
        waiting = waiting[until:]
    if len(waiting):
        yield waiting
