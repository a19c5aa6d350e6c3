"""Plan to audio, step by step: each sample is read once or twice, memory does not depend on the plan's length.

steps ──► runs (adjacent units joined) ──► seams ──► blocks in output order ──► WAV
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from db.atomic import replacing
from db.errors import ParameterError, PlanError
from playback.crossfade import Seam, equal_power, is_contiguous, mix_overlap, plan_seam
from playback.plan import Plan, Step
from playback.sources import SourceReader

CROSSFADE_MS = 22.0  # the original's
BLOCK_SAMPLES = 1 << 17  # samples read or written at a time
PCM_24_SCALE = 2.0**23  # what libsndfile divides 24-bit samples by; it would multiply by 2**23 - 1, so we do it ourselves
SAFE_PEAK = 10 ** (-0.1 / 20)  # -0.1 dBFS, where an over-full render is brought to


@dataclass(frozen=True)
class RenderSummary:
    """What was written. `gain_db` is 0 unless the whole was lowered to stay below full scale; `peak` is after that."""

    n_samples: int
    peak: float
    gain_db: float


def render(
    plan: Plan,
    path: str | Path,
    *,
    root: str | Path | None = None,
    crossfade_ms: float = CROSSFADE_MS,
    progress: Callable[[int, int], None] | None = None,
) -> RenderSummary:
    """Write a plan as 24-bit WAV; 16- and 24-bit sources come back bit-exact where nothing is faded.

    Parameters
    ----------
    root : path, optional
        The corpus folder; the plan's own by default.
    crossfade_ms : float >= 0
        Length of the overlaps; 0 cuts plainly.
    progress : callable (samples done, samples in all)

    Raises
    ------
    PlanError
        If a source is missing, too short, or gives samples that are not finite.
    AudioError
        If a source cannot be read.
    ParameterError
        If `crossfade_ms` is negative or `path` cannot be written.
    """
    with replacing(path) as temporary:
        peak = _write(plan, temporary, root, crossfade_ms, gain=1.0, progress=progress)
        gain = 1.0
        if peak > 1:  # never clip: once more, lower as a whole
            gain = SAFE_PEAK / peak
            _write(plan, temporary, root, crossfade_ms, gain=gain, progress=progress)
    return RenderSummary(plan.n_samples, peak * gain, 20 * float(np.log10(gain)))


def render_blocks(plan: Plan, reader: SourceReader, *, crossfade_ms: float = CROSSFADE_MS) -> Iterator[np.ndarray]:
    """Yield the plan's audio in order, float32, shape (any, channels); together exactly `plan.n_samples` samples."""
    if not (np.isfinite(crossfade_ms) and crossfade_ms >= 0):
        raise ParameterError(f"crossfade_ms={crossfade_ms} must be a finite number of at least 0")
    crossfade = round(crossfade_ms * plan.sample_rate / 1000)
    runs = _runs(plan.steps)
    before, done, carried = None, 0, np.empty((0, plan.channels), np.float32)
    left = Seam()
    for run, after in zip(runs, [*runs[1:], None], strict=True):
        if before is None or before.until_sample < run.at_sample:
            yield from _silence(run.at_sample - done, plan.channels)
            left = plan_seam(None, run, crossfade=crossfade)
        adjacent = after if after and after.at_sample == run.until_sample else None
        right = plan_seam(run, adjacent, crossfade=crossfade, outgoing_length=reader.length(run.source))
        yield from _run_blocks(run, reader, left, right, carried)
        carried = _read(reader, run, run.end_sample - right.pre, right.pre + right.post)
        before, done, left = run, run.until_sample, right
    yield from _silence(plan.tail_samples, plan.channels)


def _run_blocks(run: Step, reader: SourceReader, left: Seam, right: Seam, carried: np.ndarray) -> Iterator[np.ndarray]:
    """One run, from its left overlap (mixed with `carried`, the sound of the run before) up to its right overlap."""
    if left.pre + left.post:
        yield mix_overlap(carried, _read(reader, run, run.start_sample - left.pre, left.pre + left.post))
    start, stop = run.start_sample + left.post, run.end_sample - right.pre
    for at in range(start, stop, BLOCK_SAMPLES):
        block = _read(reader, run, at, min(BLOCK_SAMPLES, stop - at))
        yield _edge_fades(block, at - run.start_sample, run.n_samples, left.fade_in, right.fade_out)


def _edge_fades(block: np.ndarray, offset: int, n_samples: int, fade_in: int, fade_out: int) -> np.ndarray:
    """Fade the first `fade_in` and last `fade_out` samples of a run of `n_samples`, of which this block starts at `offset`."""
    if offset < fade_in:
        block = block.copy()
        inside = min(fade_in - offset, len(block))
        block[:inside] *= equal_power(fade_in)[offset : offset + inside, None]
    tail = offset + len(block) - (n_samples - fade_out)  # samples of the block within the fade out
    if tail > 0 and fade_out:
        block = block.copy()
        falling = equal_power(fade_out)[::-1]
        inside = min(tail, len(block))
        block[-inside:] *= falling[tail - inside : tail, None]
    return block


def _read(reader: SourceReader, run: Step, start: int, n_samples: int) -> np.ndarray:
    samples = reader.read(run.source, start, n_samples)
    if not np.isfinite(samples).all():
        raise PlanError(f"{run.source}: samples {start} to {start + n_samples} are not all finite; repair the file")
    return samples if run.gain_db == 0 else samples * np.float32(10 ** (run.gain_db / 20))


def _runs(steps: tuple[Step, ...]) -> list[Step]:
    """Steps with adjacent units of one source joined into one."""
    runs: list[Step] = []
    first, last = steps[0], steps[0]
    for step in steps[1:]:
        if not is_contiguous(last, step):
            runs.append(_joined(first, last))
            first = step
        last = step
    runs.append(_joined(first, last))
    return runs


def _joined(first: Step, last: Step) -> Step:
    return Step(
        first.unit, first.source, first.start_sample, last.until_sample - first.at_sample, first.at_sample, first.gain_db
    )


def _silence(n_samples: int, channels: int) -> Iterator[np.ndarray]:
    for at in range(0, n_samples, BLOCK_SAMPLES):
        yield np.zeros((min(BLOCK_SAMPLES, n_samples - at), channels), np.float32)


def _write(
    plan: Plan,
    path: Path,
    root: str | Path | None,
    crossfade_ms: float,
    *,
    gain: float,
    progress: Callable[[int, int], None] | None,
) -> float:
    """Write one pass and return its peak before `gain`."""
    peak, written, size = 0.0, 0, 0
    waiting: list[np.ndarray] = []
    reader = SourceReader(root or plan.database["root"], sample_rate=plan.sample_rate, channels=plan.channels)
    with reader, sf.SoundFile(path, "w", plan.sample_rate, plan.channels, "PCM_24", format="WAV") as file:

        def flush() -> None:
            nonlocal peak, written, size
            block = np.concatenate(waiting)
            peak = max(peak, _peak(block))
            file.write(_pcm_24(block if gain == 1 else block * np.float32(gain)))
            written += len(block)
            waiting.clear()
            size = 0
            if progress:
                progress(written, plan.n_samples)

        for block in render_blocks(plan, reader, crossfade_ms=crossfade_ms):
            waiting.append(block)
            size += len(block)
            if size >= BLOCK_SAMPLES:
                flush()
        if waiting:
            flush()
    return peak


def _peak(block: np.ndarray) -> float:
    """Largest magnitude in units of what 24-bit PCM can hold: 1 - 2⁻²³ upwards, 1 downwards."""
    return max(float(block.max()) / (1 - 1 / PCM_24_SCALE), -float(block.min()), 0.0)


def _pcm_24(block: np.ndarray) -> np.ndarray:
    """float32 -> int32 whose upper 24 bits are the samples."""
    top = PCM_24_SCALE - 1
    return np.clip(np.rint(block.astype(np.float64) * PCM_24_SCALE), -PCM_24_SCALE, top).astype(np.int32) << 8
