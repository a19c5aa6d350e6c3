"""A voice of a session: its steps, where its next unit begins, and its sound."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from itertools import takewhile

import numpy as np

from db.database import Database
from demiurge.plans.make import GAIN_DECIMALS, place_of
from files.errors import AudioError, PlanError
from playback.growing import GrowingVoice
from playback.lead import lead_samples
from playback.options import CrossfadeOptions
from playback.runs import is_contiguous, kept_apart
from playback.sources import SampleReader
from playback.steps import NO_UNIT, Step
from query.online.choice import Choice
from query.online.loop import OnlineLoop
from query.online.past import OnlinePast

BACK_SECONDS = 1.0  # where a source ends before the next unit comes, its last second is repeated


class Line:
    """One voice: what it played, what it plays, and the loop that chooses for it.

    Attributes
    ----------
    voice : int
    past : OnlinePast
    loop : OnlineLoop or None
        Chooses units where they do not follow the input.
    next_at : int
        The sample at which its next unit begins.
    is_resting : bool
        True while it plays nothing.
    """

    def __init__(
        self,
        database: Database,
        reader: SampleReader,
        voice: int,
        *,
        channels: int,
        crossfade: CrossfadeOptions,
    ) -> None:
        self.voice = voice
        self.past = OnlinePast(
            database.units, database.sample_rate, whole_units=database.settings.units_vary
        )
        self.loop: OnlineLoop | None = None
        self.next_at = 0
        self.is_resting = True
        self._database = database
        self._reader = reader
        self._back = round(BACK_SECONDS * database.sample_rate)
        self._chunk = 2 * lead_samples(crossfade, database.sample_rate)
        self._last: Step | None = None
        self._is_cut = False
        self._growing = GrowingVoice(
            reader,
            sample_rate=database.sample_rate,
            channels=channels,
            voice=voice,
            crossfade=crossfade,
        )
        self.mark()

    @property
    def final_until(self) -> int:
        """All samples before this are final, whatever is played next."""
        return self._growing.final_until

    @property
    def last(self) -> Step | None:
        """The step that is played, or None while it rests."""
        return None if self.is_resting else self._last

    @property
    def can_run_on(self) -> bool:
        """Whether something plays that can go on; to transpose it further would take too long."""
        return self.last is not None and not self.last.is_resampled and not self._is_cut

    def rest(self, n_samples: int) -> None:
        """Play nothing for so long."""
        self.is_resting = True
        self.past.then(-1, n_samples, goes_on=False)
        self.next_at += n_samples
        self._growing.rest(self.next_at)

    def step_of(
        self, choice: Choice, n_samples: int, gain_db: float, transpose: float
    ) -> tuple[Step, bool]:
        """Return the step that plays a unit next, and whether it goes on in its source.

        A transposed unit is a run by itself, even if it goes on: a run is transposed as a whole,
        and cannot grow while it is heard.
        """
        position = choice.position
        goes_on = not self.is_resting and position == self.past.following()
        step = Step(
            unit=self._database.stored_id(position),
            **place_of(self._database, position),
            n_samples=n_samples,
            at_sample=self.next_at,
            gain_db=round(gain_db, GAIN_DECIMALS),
            transpose=round(transpose, GAIN_DECIMALS),
            voice=self.voice,
            distance=round(choice.distance, 4),
            join=round(choice.join, 4),
        )
        last = self._last
        if not goes_on or last is None or not is_contiguous(last, replace(step, ramp=True)):
            return step, False
        if step.is_resampled:
            return kept_apart(step, last), False
        return replace(step, ramp=step.gain_db != last.gain_db), True

    def play(self, step: Step, position: int, *, goes_on: bool) -> None:
        """Take a step that begins at `next_at`."""
        self._growing.add(step)
        self._is_cut = False
        self.past.then(position, step.n_samples, goes_on=goes_on)
        self._last = step
        self.is_resting = False
        self.next_at = step.until_sample

    def mark(self) -> None:
        """Let `take_back` return to this moment."""
        self.past.mark()
        self._marked = (copy(self._growing), self._last, self.is_resting, self.next_at)

    def take_back(self) -> None:
        """Forget what was played since the last `mark`."""
        self.past.take_back()
        self._growing, self._last, self.is_resting, self.next_at = self._marked

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return final samples, float32, (stop - start, channels); those before are forgotten."""
        samples = self._growing.read(start, stop)
        self._growing.forget(stop)
        return samples

    def preview(self, start: int, stop: int) -> np.ndarray:
        """Return what would sound if no unit were chosen until `stop`, as `read`."""
        far = stop + 2 * self._chunk  # the end of what runs on is not heard before `stop`
        running_on = self._running_on() if self.can_run_on else ()
        steps = takewhile(lambda step: step.at_sample < far, running_on)
        try:
            return self._growing.preview(list(steps), start, stop)
        except (AudioError, PlanError):  # its source cannot be read further: it fades out
            self._is_cut = True
            return self._growing.preview([], start, stop)

    def run_on(self, until: int) -> list[Step]:
        """Play what `preview` gives until a sample; return the steps."""
        steps: list[Step] = []
        running_on = self._running_on()
        while self.final_until < until:
            step = next(running_on)
            self._growing.add(step)
            self.past.ran_on(step.n_samples)
            self._last = step
            self.next_at = step.until_sample
            steps.append(step)
        return steps

    def _running_on(self) -> Iterator[Step]:
        """Yield steps that go on from the last one, without end.

        Where its source ends, it goes on from a second before, again and again.
        """
        last = self._last
        assert last is not None
        length = self._reader.length(last.source)
        at = last.until_sample
        start = last.end_sample
        while True:
            if start >= length:
                start = max(length - self._back, 0)
            n_samples = min(length - start, self._chunk)
            yield replace(
                last,
                unit=NO_UNIT,
                start_sample=start,
                n_samples=n_samples,
                at_sample=at,
                ramp=False,
            )
            start += n_samples
            at += n_samples
