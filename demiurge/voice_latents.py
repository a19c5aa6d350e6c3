"""The latents of a voice of a plan, on the frames of the output.

    runs          ────── first ──────┐┌────── second ─────   at the codec's rate
    encoded     ..[=]..[=]..[=]..[=]..[=]..                  with sound of their sources around,
                       ..[=]..[=]..[=]..[=]..[=]..           both on the frames of the output
    latents       | 1 | 1 | 1 |.8+.2|.1+.9| 2 | 2 |          mixed by the share of the fade

Time. A run is read so that its frames are those of the output: every sample keeps its time,
wherever the plan begins or ends a unit. Only the change from one run to the next goes by
frames: a linear fade, as long as the plan's crossfade where units and sources are long enough, and
each frame has the mean of the fade over its span. With a crossfade of 0, the frame in which the
join lies has both sides, by their shares of it.

Sound. Gains, ramps, transposition, stretch and reversal are applied to the audio before it is
encoded. A codec of other channels than the plan's encodes every channel by itself. Beside silence a
run has nothing before its start or after its end.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from audio.resample import resample, resampled_length
from demiurge.encode_blocks import encode_long
from demiurge.model_descriptors import one_at_a_time
from playback.plan import Plan
from playback.run_audio import RunAudio
from playback.runs import Run, join_runs
from playback.sources import SampleReader
from playback.steps import Step
from synth.codec import Codec

CONTEXT_SECONDS = 0.25  # of the source, encoded on either side of a run
EDGE_SECONDS = 0.002  # over which a run beside silence begins or ends
FULL = 1 - 1e-9  # the sum of shares, but for rounding, of a frame that runs fill


class Fade(NamedTuple):
    """From where to where one run gives way to the next, in samples of the plan."""

    left: float
    right: float

    def shares(self, edges: np.ndarray) -> np.ndarray:
        """Return the mean share of the next run between successive edges, 0 to 1."""
        if self.right > self.left:
            inside = np.clip(edges, self.left, self.right) - self.left
            risen = inside**2 / (2 * (self.right - self.left))
        else:
            risen = np.zeros(len(edges))
        risen += np.maximum(edges - self.right, 0)
        return np.diff(risen) / np.diff(edges)


class VoiceLatents:
    """The latents of a voice, made run by run.

    Attributes
    ----------
    rows : list of ndarray, float32, shape (frames, n_latents)
        One if the codec takes all channels of the plan at once, else one for each of them.
    n_samples : int
        Length at the codec's rate.
    """

    def __init__(
        self, codec: Codec, plan: Plan, steps: list[Step], reader: SampleReader, *, overlap: int
    ) -> None:
        """Take the steps of the voice, and the full length of fades in samples of the plan."""
        self._codec = codec
        self._plan = plan
        self._reader = reader
        self._overlap = overlap
        self._hop = codec.hop_length * plan.sample_rate / codec.sample_rate  # samples of the plan
        self._context = math.ceil(CONTEXT_SECONDS * codec.frame_rate)  # frames
        self.n_samples = resampled_length(plan.n_samples, plan.sample_rate, codec.sample_rate)
        self.n_frames = codec.n_frames(self.n_samples)
        self._together = codec.channels == plan.channels
        n_parts = 1 if self._together else plan.channels
        shape = (self.n_frames, codec.n_latents)
        self.rows = [np.zeros(shape, np.float32) for _ in range(n_parts)]
        self._weight = np.zeros(self.n_frames)
        self._filled = 0  # the frame before which all is complete
        self._runs = join_runs(steps)
        self._adding = self._add_runs()

    def make_until(self, frame: int) -> None:
        """Make the latents of all frames before `frame`.

        Raises
        ------
        AudioError
            If the codec turns sound into latents that are not finite.
        """
        complete = self._filled
        while complete < frame:
            complete = next(self._adding, self.n_frames)
            self._fill_silence(complete)

    def _add_runs(self) -> Iterator[int]:
        """Add run after run; yield the frame before which all is complete."""
        following: RunAudio | None = None
        before: Fade | None = None
        for number, run in enumerate(self._runs):
            audio = following or self._open(run)
            after = following = None
            if number + 1 < len(self._runs):
                other = self._runs[number + 1]
                following = self._open(other)
                after = self._fade(run, audio, other, following)
            self._add(run, audio, before, after)
            before = after
            begin = self._runs[number + 1].step.at_sample if following else self._plan.n_samples
            yield min(math.floor((after.left if after else begin) / self._hop), self.n_frames)

    def _open(self, run: Run) -> RunAudio:
        return RunAudio(run.step, self._reader, self._plan, run.ramps)

    def _fade(self, run: Run, audio: RunAudio, other: Run, following: RunAudio) -> Fade | None:
        """Return the fade between two runs; None if there is silence between them."""
        join = other.step.at_sample
        if join != run.step.until_sample:
            return None
        half = self._overlap // 2
        half = min(half, run.tail_limit(half), other.head_limit(half))
        return Fade(
            join - min(half, max(following.before, 0)), join + min(half, max(audio.after, 0))
        )

    def _add(self, run: Run, audio: RunAudio, before: Fade | None, after: Fade | None) -> None:
        """Add the latents of one run, weighted by its share of each frame."""
        step = run.step
        hop = self._hop
        begin = before.left if before else step.at_sample
        end = after.right if after else step.until_sample
        first = math.floor(begin / hop)
        last = min(math.ceil(end / hop), self.n_frames)
        edges = np.arange(first, last + 1) * hop
        # beside silence, a frame that the run begins or ends in is all its own
        share = before.shares(edges) if before else np.ones(last - first)
        if after:
            share = share - after.shares(edges)
        sound = self._read(run, audio, first, last, before=before, after=after)
        part = slice(first, last)
        self._weight[part] += share
        for rows, own in zip(self.rows, self._encode(sound, last - first), strict=True):
            rows[part] += (share[:, None] * own).astype(np.float32)

    def _read(
        self,
        run: Run,
        audio: RunAudio,
        first: int,
        last: int,
        *,
        before: Fade | None,
        after: Fade | None,
    ) -> np.ndarray:
        """Return a run from one frame to another, and its surroundings, at the codec's rate.

        float32, shape (n, channels). It is read from where both rates have a sample.
        """
        codec = self._codec
        rate = self._plan.sample_rate
        wanted = (first - self._context) * codec.hop_length
        grid = codec.sample_rate // math.gcd(codec.sample_rate, rate)
        begin = wanted // grid * grid
        start = begin * rate // codec.sample_rate
        stop = math.ceil((last + self._context) * self._hop)
        sound = np.empty((stop - start, self._plan.channels), np.float32)
        audio.read(sound, start - run.step.at_sample)
        edge = min(round(EDGE_SECONDS * rate), run.step.n_samples // 2)
        rise = ((np.arange(edge) + 0.5) / max(edge, 1)).astype(np.float32)[:, None]
        if not before:
            at = run.step.at_sample - start
            sound[:at] = 0
            sound[at : at + edge] *= rise
        if not after:
            until = run.step.until_sample - start
            sound[until:] = 0
            sound[until - edge : until] *= rise[::-1]
        return resample(sound, rate, codec.sample_rate)[wanted - begin :]

    def _encode(self, sound: np.ndarray, n_frames: int) -> list[np.ndarray]:
        """Return the latents of the frames between the surroundings, as `rows`."""
        n_samples = (n_frames + 2 * self._context) * self._codec.hop_length
        sound = sound[:n_samples]
        sound = np.pad(sound, ((0, n_samples - len(sound)), (0, 0))).T
        parts = [sound] if self._together else list(sound[:, None])
        if all(np.array_equal(part, parts[0]) for part in parts):  # mono in all channels
            parts = parts[:1]
        inside = slice(self._context, self._context + n_frames)
        with one_at_a_time():
            encoded = [encode_long(self._codec, part)[inside] for part in parts]
        return encoded if len(encoded) == len(self.rows) else encoded * len(self.rows)

    def _fill_silence(self, until: int) -> None:
        """Give frames the latents of silence for what no run fills of them."""
        part = slice(self._filled, until)
        weight = self._weight[part, None]
        is_full = (weight > FULL).all()
        silence = np.float32(0) if is_full else self._silence
        for rows in self.rows:
            # two runs may share a frame that silence lies in as well
            rows[part] = rows[part] / np.maximum(weight, 1) + np.maximum(1 - weight, 0) * silence
        self._filled = max(until, self._filled)

    @cached_property
    def _silence(self) -> np.ndarray:
        """The latents of a frame of silence."""
        nothing = np.zeros((2 * self._context + 1) * self._codec.hop_length, np.float32)
        with one_at_a_time():
            return self._codec.latents(nothing)[self._context]
