"""What MIDI messages ask of a session: controllers, notes, clock, transport and programs.

port ──► MidiHandler.handle ──► Controls
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from demiurge.live.bindings import (
    NOTES,
    Bindings,
    check_target,
    load_bindings,
    save_bindings,
)
from demiurge.live.controls import COMMANDS, Controls
from demiurge.live.knobs import KNOBS
from demiurge.live.midi_clock import MidiClock
from demiurge.live.turning import CENTRE, value_at
from files.errors import ParameterError
from files.ranges import shown

MIDDLE_C = 60
ALL_SOUND_OFF = 120
ALL_NOTES_OFF = 123
TRANSPORT = {"start": "go", "continue": "go", "stop": "listen"}

Message = Any
"""A `mido.Message`."""


class MidiHandler:
    """Does what MIDI messages ask; its methods may be called from any thread.

    Parameters
    ----------
    controls : Controls
    path : Path, optional
        File of the bindings; read now, and written when a controller is learned.
    tell : callable (text)
        Shows a line to the player: what was learned, and what could not be done.

    Raises
    ------
    ParameterError
        If the file of the bindings is damaged.
    """

    def __init__(
        self,
        controls: Controls,
        path: str | Path | None = None,
        *,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.bindings = Bindings() if path is None else load_bindings(path)
        self._controls = controls
        self._path = path
        self._tell = tell
        self._lock = threading.RLock()
        self._clock = MidiClock()
        self._held: dict[tuple[int, int], None] = {}  # channel and note, in order
        self._positions: dict[tuple[int, int], int] = {}  # of controllers
        self._to_learn = ""
        self._handlers: dict[str, Callable[[Message], None]] = {
            "note_on": self._note,
            "note_off": self._note,
            "control_change": self._controller,
            "program_change": lambda message: controls.recall_scene(message.program),
        }

    def handle(self, message: Message, at_s: float) -> None:
        """Do what a message asks; what cannot be done is told.

        Parameters
        ----------
        message : mido.Message
        at_s : float
            When it came, in seconds of `time.monotonic`.
        """
        with self._lock:
            if message.type == "clock":
                self._clock.tick(at_s)
                self._set_clock()
            elif message.type in TRANSPORT:
                self._controls.command(TRANSPORT[message.type])
            elif message.type in self._handlers:
                try:
                    self._handlers[message.type](message)
                except ParameterError as error:
                    self._tell(f"MIDI: {error}")

    def check(self, at_s: float) -> None:
        """Notice that the clock has stopped; to be called a few times a second."""
        with self._lock:
            self._clock.check(at_s)
            self._set_clock()

    def learn(self, name: str) -> None:
        """Bind the next controller that is moved to a knob or a command.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        with self._lock:
            self._to_learn = check_target(name)
        self._tell(f"MIDI: move the controller for {name}")

    def set_notes(self, meaning: str) -> None:
        """Choose what notes mean, one of `NOTES`, and keep it; raises a ParameterError."""
        if meaning not in NOTES:
            raise ParameterError(f"notes={shown(meaning)} must be one of {', '.join(NOTES)}")
        with self._lock:
            self._release_notes()
            self._keep(replace(self.bindings, notes=meaning))

    def release(self) -> None:
        """Forget held notes and the clock, since the port is gone."""
        with self._lock:
            self._clock = MidiClock()
            self._set_clock()
            self._release_notes()

    def _set_clock(self) -> None:
        bpm = round(self._clock.bpm, 1)
        if bpm != self._controls.clock_bpm:
            self._controls.set_clock(bpm)

    def _note(self, message: Message) -> None:
        key = (message.channel, message.note)
        is_on = message.type == "note_on" and message.velocity > 0
        if not is_on and key not in self._held:
            return
        self._held.pop(key, None)
        if is_on:
            self._held[key] = None
        if self.bindings.notes == "pitch":
            self._want_pitches()
        elif self._held:
            _, note = next(reversed(self._held))
            self._controls.turn("transpose", _interval(note))

    def _want_pitches(self) -> None:
        self._controls.set_pitch_classes({note % 12 for _, note in self._held})

    def _release_notes(self) -> None:
        if self._held:
            self._held.clear()
            if self.bindings.notes == "pitch":
                self._want_pitches()

    def _controller(self, message: Message) -> None:
        key = (message.channel + 1, message.control)
        if message.control >= ALL_NOTES_OFF:  # and the modes that imply it
            self._release_notes()
        elif message.control == ALL_SOUND_OFF:
            self._controls.command("panic")
        elif message.control < ALL_SOUND_OFF:
            if self._to_learn:
                self._bind(key)
            else:
                self._move(key, message.value)
            self._positions[key] = message.value

    def _bind(self, key: tuple[int, int]) -> None:
        name = self._to_learn
        self._to_learn = ""
        self._tell(f"MIDI: controller {key[1]} of channel {key[0]} is {name}")
        self._keep(self.bindings.bound(*key, name))

    def _keep(self, bindings: Bindings) -> None:
        self.bindings = bindings
        if self._path is not None:
            save_bindings(bindings, self._path)

    def _move(self, key: tuple[int, int], position: int) -> None:
        """Turn a knob, or give a command where a pedal goes down."""
        name = self.bindings.controllers.get(key)
        if name in KNOBS:
            self._controls.turn(name, value_at(name, position))
        elif name in COMMANDS and self._positions.get(key, 0) < CENTRE <= position:
            self._controls.command(name)


def _interval(note: int) -> float:
    """Return the semitones from middle C, by octaves nearer if the knob does not go as far."""
    knob = KNOBS["transpose"]
    interval = note - MIDDLE_C
    while interval > knob.most:
        interval -= 12
    while interval < knob.least:
        interval += 12
    return float(interval)
