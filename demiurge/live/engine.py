"""The engine of a session: samples in, samples out, by the clock of the samples.

Devices and files use it alike. A unit is chosen as late as can be: when samples are asked for that
depend on it. So it answers what was heard until then.
"""

import numpy as np

from audio.decibels import to_decibels
from demiurge.live.background import Background
from demiurge.live.chooser import Chooser, Moment
from demiurge.live.controls import Controls
from demiurge.live.corpus import Corpus
from demiurge.live.director import Director
from demiurge.live.heard import Heard
from demiurge.live.knobs import MOST_VOICES, Knobs
from demiurge.live.line import Line
from demiurge.live.listener import Listener
from demiurge.live.meters import SILENCE_DB, Meters
from demiurge.live.take import Take
from demiurge.live.timekeeper import Timekeeper
from demiurge.live.worlds import Worlds
from playback.lead import lead_samples, live_crossfade
from playback.steps import NO_UNIT, Step
from query.online.choice import NOTHING, Choice
from query.rules import REST


class Engine:
    """Plays a corpus.

    Attributes
    ----------
    sample_rate, channels : int
        Of what `produce` gives.
    played : int
        Samples given so far.
    ended : bool
        True once it was told to stop.
    listener : Listener or None
        What is known of the input.
    meters : Meters
    take : Take, optional
        What is played is written down there.
    """

    def __init__(
        self,
        corpus: Corpus,
        controls: Controls,
        worlds: Worlds,
        *,
        threaded: bool = True,
        random_seed: int = 0,
    ) -> None:
        database = corpus.database
        self.sample_rate = database.sample_rate
        self.channels = corpus.channels
        self.played = 0
        self.ended = False
        self.meters = Meters()
        self.take: Take | None = None
        self.listener: Listener | None = None
        self._corpus = corpus
        self._controls = controls
        self._background = Background(threaded=threaded)
        self._chooser = Chooser(
            corpus, controls.knobs, self._background, worlds, random_seed=random_seed
        )
        self._director = Director()
        self._heard = Heard(database.settings.n_descriptors, self.sample_rate)
        self._time = Timekeeper(corpus, controls, self._background)
        crossfade = live_crossfade(corpus.step_samples, self.sample_rate)
        self._lead = lead_samples(crossfade, self.sample_rate)
        self._lines = [
            Line(
                database,
                corpus.reader,
                voice,
                channels=self.channels,
                crossfade=crossfade,
            )
            for voice in range(MOST_VOICES)
        ]
        self._leave: set[int] = set()  # lines that have not jumped yet
        self._asked = 0  # samples asked for so far
        self._committed = 0  # samples that cannot be taken back
        self._unwritten: list[tuple[Step, np.ndarray]] = []
        self._begins = False  # whether the first unit has found its place
        self._plays = False

    def set_input(self, sample_rate: int) -> None:
        """Expect an input at this rate."""
        self.listener = Listener(
            self._corpus.database.settings,
            sample_rate=sample_rate,
            database=self._corpus.database,
        )

    def hear(self, block: np.ndarray) -> None:
        """Take the next samples of the input, (n, channels), at its rate."""
        if self.listener is not None:
            with self.meters.working():
                self.listener.hear(block)

    def produce(self, n_samples: int) -> np.ndarray:
        """Return the next samples of the output, float32, (n_samples, channels)."""
        self._commit()
        until = self.played + n_samples
        self._asked = until
        with self.meters.working():
            self._obey()
            for line in self._lines:
                while line.final_until < until:
                    self._step(line)
            block = np.zeros((n_samples, self.channels), np.float32)
            for line in self._lines:
                block += line.read(self.played, until)
        self.played = until
        return self.meters.limited(block)

    def tail(self, n_samples: int) -> np.ndarray:
        """Return what plays next if nothing is chosen in time: the last units run on."""
        until = self.played + n_samples
        block = np.zeros((n_samples, self.channels), np.float32)
        for line in self._lines:
            block += line.preview(self.played, until)
        return np.clip(block, -1, 1)

    def take_back(self) -> None:
        """Forget the last call of `produce`: its samples came too late and were not played."""
        for line in self._lines:
            line.take_back()
        self.played = self._committed
        self._unwritten.clear()

    def _commit(self) -> None:
        """Take note that everything so far is played."""
        for line in self._lines:
            line.mark()
        self._committed = self.played
        if self.take is not None:
            for step, row in self._unwritten:
                self.take.add(step, row)
        self._unwritten.clear()

    def ran_on(self, n_samples: int) -> None:
        """Take note that so many samples of the tail were played instead of chosen units."""
        until = self.played + n_samples
        for line in self._lines:
            if not line.can_run_on:
                line.rest(max(until - line.next_at, 1))
                continue
            row = self._row_of(line.past.last)
            self._unwritten += [(step, row) for step in line.run_on(until)]
            line.read(self.played, until)
        self.played = until
        self._commit()
        self.meters.late += 1

    def close(self) -> None:
        """End what is done beside, and write down what was played last."""
        self._background.close()
        self._commit()

    def _obey(self) -> None:
        """Do what was asked for since the last time."""
        for command in self._controls.take_commands():
            if command == "stop":
                self.ended = True
            elif command == "jump":
                self._leave = set(range(MOST_VOICES))
            else:
                self._director.obey(command)
                if command == "listen":
                    self._heard.clear()
        self._chooser.keep_up(self._controls.knobs)
        self._time.keep(self._lines[0].next_at, self.listener)

    def _step(self, line: Line) -> None:
        """Choose the next unit of a line, or let it rest."""
        knobs = self._controls.knobs
        if not self._begins:
            self._find_phase()
        n_samples, part = self._time.next_length(line.next_at)
        resting = self._time.rest_samples(n_samples)
        if line.voice == 0:
            seconds = resting / self.sample_rate
            self._plays = self._director.plays(knobs.mode, self.listener, seconds)
        choice = NOTHING
        if self._plays and line.voice < knobs.voices:
            choice = self._play(line, knobs, n_samples, part)
        if choice.position == REST:
            self._rest(line, resting)
        if line.voice < knobs.voices:
            self._tell(line, choice, knobs)

    def _find_phase(self) -> None:
        """Rest until units can begin as soon as may be after the frames that they answer."""
        self._begins = True
        settings = self._corpus.database.settings
        if self.listener is None or settings.units_vary:
            return
        centre = settings.hop_length // 2 if settings.window_centre == "span" else 0
        ahead = self._asked - self.listener.n_heard
        first = (ahead + self._lead + centre + settings.n_fft // 2) % self._corpus.step_samples
        for line in self._lines:
            line.rest(first)

    def _rest(self, line: Line, n_samples: int) -> None:
        if not self._plays:
            line.loop = None
            if line.voice == 0 and self.listener is not None:
                self._heard.listen_again()
                row = self.listener.target(n_samples)
                self._heard.add_input(row, n_samples, self.listener.loudness_db)
        line.rest(n_samples)

    def _play(self, line: Line, knobs: Knobs, n_samples: int, part: int | None) -> Choice:
        """Choose a unit and let a line play it; return it, or nothing if there is none."""
        listener = self.listener
        moment = Moment(
            n_samples=n_samples,
            target=None
            if listener is None
            else listener.target(self._time.rest_samples(n_samples)),
            chroma=self._chroma_beside(line, knobs),
            part=part,
            tempo=self._time.tempo,
            apart=tuple(other.past.last for other in self._lines if other is not line),
        )
        leave = line.voice in self._leave
        choice = self._chooser.choose(line, knobs, moment, self._heard, leave)
        if choice.position == REST:
            return choice
        row = self._row_of(choice.position) if moment.target is None else moment.target
        lasting = self._time.length_of(choice.position, n_samples)
        gain_db = self._gain_db(choice.position, knobs)
        step, goes_on = line.step_of(choice, lasting, gain_db, knobs.transpose)
        if problem := self._corpus.problem_of(step, self._lead):
            self._chooser.give_up(step.source, problem)
            return NOTHING
        line.play(step, choice.position, goes_on=goes_on)
        self._unwritten.append((step, row))
        self._leave.discard(line.voice)
        if line.voice == 0 and knobs.mode != "mosaic":
            self._heard.add_own(self._row_of(choice.position), lasting)
            if knobs.mode == "accompany" and moment.target is not None:
                self._heard.add_input(moment.target, lasting, 0.0)
        return choice

    def _chroma_beside(self, line: Line, knobs: Knobs) -> np.ndarray | None:
        """Return the pitch classes of the input that a line goes with."""
        if knobs.mode != "accompany" or self.listener is None:
            return None
        return self.listener.chroma

    def _row_of(self, position: int) -> np.ndarray:
        return self._corpus.database.rows_at(np.array([position]))[0]

    def _gain_db(self, position: int, knobs: Knobs) -> float:
        """Return the gain of a unit: the knob's, less with voices, more if it is to follow."""
        gain_db = knobs.level - to_decibels(knobs.voices**0.5)
        if not knobs.follow_loudness or self.listener is None:
            return gain_db
        following = self._corpus.gain_towards(self.listener.loudness_db, position)
        return gain_db + knobs.follow_loudness * following

    def _tell(self, line: Line, choice: Choice, knobs: Knobs) -> None:
        """Publish what was chosen."""
        step = line.last
        listener = self.listener
        self.meters.tell(
            mode=knobs.mode,
            state=self._state,
            seconds=self.played / self.sample_rate,
            voice=line.voice,
            unit=NO_UNIT if step is None else step.unit,
            position=choice.position,
            source="" if step is None else step.source,
            start_seconds=0.0 if step is None else step.start_sample / self.sample_rate,
            distance=choice.distance,
            join=choice.join,
            beat=self._time.beats(line.next_at),
            tempo=self._time.tempo,
            input_db=SILENCE_DB if listener is None else listener.loudness_db,
            repaired=0 if listener is None else listener.repaired,
            dropped=self._controls.dropped,
            problem=self._chooser.problem or (self.take.problem if self.take else ""),
        )

    @property
    def _state(self) -> str:
        if self._director.is_silenced:
            return "silent"
        return "playing" if self._plays else "listening"
