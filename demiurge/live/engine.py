"""The engine of a session: samples in, samples out, by the clock of the samples.

Devices and files use it alike. A unit is chosen as late as can be: when samples are asked for that
depend on it. So it answers what was heard until then.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from demiurge.live.background import Background
from demiurge.live.chooser import Chooser, Moment
from demiurge.live.controls import Controls
from demiurge.live.corpus import Corpus
from demiurge.live.director import Director
from demiurge.live.heard import Heard
from demiurge.live.knobs import MOST_VOICES, Knobs
from demiurge.live.line import Line
from demiurge.live.lines import Lines
from demiurge.live.listener import Listener
from demiurge.live.meters import FLOOR_DB, Meters
from demiurge.live.take import Take
from demiurge.live.timekeeper import Timekeeper
from demiurge.live.worlds import Worlds
from playback.lead import lead_samples, live_crossfade
from playback.steps import Step
from query.online.choice import NOTHING, Choice
from query.rules import REST

NO_LINES: frozenset[int] = frozenset()


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
        self._lines = Lines(corpus, crossfade)
        self._leave: frozenset[int] = NO_LINES  # that have not jumped yet
        self._asked = 0  # samples asked for so far
        self._first_ahead: int | None = None  # of the input, when the first unit was chosen
        self._in_phase = False  # whether units begin just after the frames that they answer
        self._plays = False
        self._mode = controls.knobs.mode
        self._later: list[Callable[[], None]] = []  # to be done once nothing can be taken back
        self.commit()

    def set_input(self, sample_rate: int) -> None:
        """Expect an input at this rate."""
        database = self._corpus.database
        self.listener = Listener(database.settings, sample_rate=sample_rate, database=database)

    def hear(self, block: np.ndarray) -> None:
        """Take the next samples of the input, (n, channels), at its rate."""
        if self.listener is not None:
            with self.meters.working():
                self.listener.hear(block)

    def produce(self, n_samples: int) -> np.ndarray:
        """Return the next samples of the output, float32, (n_samples, channels)."""
        until = self.played + n_samples
        self._asked = until
        with self.meters.working():
            self._obey()  # first, since it is not taken back
            self.commit()
            for line in self._lines:
                while line.final_until < until:
                    self._step(line)
            block = self._lines.read(self.played, until)
        self.played = until
        return self.meters.limited(block)

    def tail(self, n_samples: int) -> np.ndarray:
        """Return what plays next if nothing is chosen in time: the last units run on."""
        return np.clip(self._lines.preview(self.played, self.played + n_samples), -1, 1)

    def take_back(self) -> None:
        """Forget the last call of `produce`: its samples came too late and were not played."""
        self._lines.take_back()
        self.played, self._leave, self._director = self._marked
        self._later.clear()

    def commit(self) -> None:
        """Take note that everything so far is played: tell it, hear it, and write it down."""
        self._lines.mark()
        self._marked = (self.played, self._leave, copy(self._director))
        for do in self._later:
            do()
        self._later.clear()

    def _write(self, step: Step, row: np.ndarray) -> None:
        if self.take is not None:
            self._later.append(partial(self.take.add, step, row))

    def ran_on(self, n_samples: int) -> None:
        """Take note that so many samples of the tail were played instead of chosen units."""
        until = self.played + n_samples
        for step, unit in self._lines.run_on(self.played, until):
            self._write(step, self._corpus.row_of(unit))
        self.played = until
        self._in_phase = False
        self.commit()
        self.meters.late += 1

    def close(self) -> None:
        """End what is done beside."""
        self._background.close()

    def _obey(self) -> None:
        """Do what was asked for since the last time."""
        for command in self._controls.take_commands():
            if command == "stop":
                self.ended = True
            elif command == "jump":
                self._leave = frozenset(range(MOST_VOICES))
            else:
                self._director.obey(command)
                if command == "listen":
                    self._heard.clear()
        refused = self._chooser.keep_up(self._controls.knobs)
        if refused is not None:
            self._controls.revert(*refused)
        drift = 0 if self._first_ahead is None else self._ahead - self._first_ahead
        self._time.keep(self._lines.next_at, self.listener, drift)

    @property
    def _ahead(self) -> int:
        """Samples of the output asked for, beyond those of the input."""
        return 0 if self.listener is None else self._asked - self.listener.n_heard

    def _step(self, line: Line) -> None:
        """Choose the next unit of a line, or let it rest."""
        if not self._in_phase:
            self._find_phase()
        knobs = self._controls.knobs
        if line.voice == 0:
            self._mode = knobs.mode
        knobs = replace(knobs, mode=self._mode)  # in which was decided whether to play
        n_samples, part = self._time.next_length(line.next_at)
        resting = self._time.rest_samples(n_samples)
        if line.voice == 0:
            seconds = resting / self.sample_rate
            self._plays = self._director.plays(knobs.mode, self.listener, seconds)
        choice = NOTHING
        if self._plays and line.voice < knobs.voices:
            choice = self._play(line, knobs, n_samples, part)
        if choice.position == REST:
            self._rest(line, resting, knobs.voices)
        if line.voice < knobs.voices:
            self._tell(line, choice, knobs)

    def _find_phase(self) -> None:
        """Rest until units can begin as soon as may be after the frames that they answer.

        What plays is not interrupted for that.
        """
        if not self._lines.are_resting:
            return
        self._in_phase = True
        if self._first_ahead is None:
            self._first_ahead = self._ahead
        if self.listener is not None and not self._corpus.database.settings.units_vary:
            begin = self._ahead + self._lead + self._corpus.analysis_samples
            self._lines.rest_until_phase(begin, self._corpus.step_samples)

    def _rest(self, line: Line, n_samples: int, n_voices: int) -> None:
        if not self._plays or line.voice >= n_voices:
            self._chooser.forget(line)
        if not self._plays and line.voice == 0 and self.listener is not None:
            self._listen(n_samples)
        line.rest(n_samples)

    def _listen(self, n_samples: int) -> None:
        """Take note of what the input was lately, if it sounds."""
        listener = self.listener
        assert listener is not None
        if listener.is_silent:
            return
        self._later.append(self._heard.listen_again)
        row = listener.target(n_samples)
        heard = partial(self._heard.add_input, row, n_samples, is_quiet=listener.is_quiet)
        self._later.append(heard)

    def _play(self, line: Line, knobs: Knobs, n_samples: int, part: int | None) -> Choice:
        """Choose a unit and let a line play it; return it, or nothing if there is none."""
        listener = self.listener
        resting = self._time.rest_samples(n_samples)
        moment = Moment(
            n_samples=n_samples,
            least_samples=min(n_samples, resting),
            target=None if listener is None else listener.target(resting),
            chroma=listener.chroma if listener and knobs.mode == "accompany" else None,
            part=part,
            tempo=self._time.tempo,
            apart=self._lines.others(line),
        )
        leave = line.voice in self._leave
        choice = self._chooser.choose(line, knobs, moment, self._heard, leave)
        if choice.position == REST:
            return choice
        row = self._corpus.row_of(choice.position) if moment.target is None else moment.target
        lasting = self._time.length_of(choice.position, n_samples)
        input_db = None if listener is None else listener.loudness_db
        gain_db = self._corpus.gain_db(choice.position, knobs, input_db)
        step, goes_on = line.step_of(choice, lasting, gain_db, knobs.transpose)
        if problem := self._corpus.problem_of(step, self._lead):
            self._chooser.give_up(step.source, problem)
            return NOTHING
        line.play(step, choice.position, goes_on=goes_on)
        self._write(step, row)
        self._leave -= {line.voice}
        if line.voice == 0:
            self._hear(choice.position, lasting, knobs.mode, moment.target)
        return choice

    def _hear(self, position: int, n_samples: int, mode: str, target: np.ndarray | None) -> None:
        """Take note of what sounds: what is played, and the input that it goes with."""
        if mode != "mosaic":
            row = self._corpus.row_of(position)
            self._later.append(partial(self._heard.add_own, row, n_samples))
        if mode in ("mosaic", "accompany") and target is not None:
            heard = partial(self._heard.add_input, target, n_samples, is_quiet=False)
            self._later.append(heard)

    def _tell(self, line: Line, choice: Choice, knobs: Knobs) -> None:
        """Publish what was chosen, once it is certain."""
        step = line.last
        listener = self.listener
        facts: dict[str, Any] = {
            "mode": knobs.mode,
            "state": self._state,
            "seconds": self.played / self.sample_rate,
            "voice": line.voice,
            "position": choice.position,
            "distance": choice.distance,
            "join": choice.join,
            "beat": self._time.beats(line.next_at),
            "tempo": self._time.tempo,
            "input_db": FLOOR_DB if listener is None else listener.loudness_db,
            "repaired": 0 if listener is None else listener.repaired,
            "dropped": self._controls.dropped,
            "problem": self._chooser.problem or (self.take.problem if self.take else ""),
        }
        if step is not None:
            start_seconds = step.start_sample / self.sample_rate
            facts |= {"unit": step.unit, "source": step.source, "start_seconds": start_seconds}
        self._later.append(partial(self.meters.tell, **facts))

    @property
    def _state(self) -> str:
        if self._director.is_silenced:
            return "silent"
        return "playing" if self._plays else "listening"
