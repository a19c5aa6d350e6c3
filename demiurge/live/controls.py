"""What is asked of a session while it runs, from any thread: knobs, commands and scenes."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from demiurge.live.knobs import (
    Knobs,
    check_mode,
    check_pitch_classes,
    check_weight,
)
from files.errors import ParameterError
from files.ranges import shown
from query.filters import Filters

COMMANDS = {
    "go": "In mode continue: go on now.",
    "listen": "In mode continue: be silent and listen again.",
    "jump": "The next unit lies elsewhere.",
    "panic": "Be silent after the unit that plays, until go.",
    "stop": "End the session.",
}
MOST_WAITING = 256  # commands not yet obeyed; what comes on top is dropped and counted
MOST_SCENES = 128


class Controls:
    """The knobs and waiting commands of a session. All methods may be called from any thread.

    Attributes
    ----------
    dropped : int
        Commands and messages that were not obeyed, since too many came.
    """

    def __init__(self, knobs: Knobs | None = None) -> None:
        self._lock = threading.RLock()  # a signal may come while it is held
        self._knobs = knobs or Knobs()
        self._waiting: deque[str] = deque()
        self._scenes: dict[int, Knobs] = {}
        self._clock_bpm = 0.0
        self.dropped = 0

    @property
    def knobs(self) -> Knobs:
        return self._knobs

    @property
    def scenes(self) -> dict[int, Knobs]:
        """The saved scenes by number."""
        with self._lock:
            return dict(self._scenes)

    @property
    def clock_bpm(self) -> float:
        """Tempo of an external clock; 0 if there is none."""
        return self._clock_bpm

    def set_clock(self, bpm: float) -> None:
        """Take note of the tempo of an external clock, such as MIDI's; 0 if it stopped."""
        self._clock_bpm = bpm

    def turn(self, name: str, value: float) -> None:
        """Set a knob; raises as `Knobs.turned`."""
        with self._lock:
            self._knobs = self._knobs.turned(name, value)

    def set_mode(self, mode: str) -> None:
        """Change the mode; raises a ParameterError if there is none of that name."""
        with self._lock:
            self._knobs = replace(self._knobs, mode=check_mode(mode))

    def set_filters(self, filters: Filters) -> None:
        """Replace all filters."""
        with self._lock:
            self._knobs = replace(self._knobs, filters=filters)

    def change_filters(self, **changes: Any) -> None:
        """Replace some fields of the filters."""
        with self._lock:
            filters = replace(self._knobs.filters, **changes)
            self._knobs = replace(self._knobs, filters=filters)

    def revert(
        self,
        refused: tuple[Filters, dict[str, float]],
        in_force: tuple[Filters, dict[str, float]],
    ) -> None:
        """Set filters and weights as they were before some that cannot be followed.

        What was changed meanwhile stays.
        """
        with self._lock:
            if (self._knobs.filters, self._knobs.weights) == refused:
                filters, weights = in_force
                self._knobs = replace(self._knobs, filters=filters, weights=weights)

    def set_weight(self, name: str, value: float) -> None:
        """Set the weight of a descriptor; raises a ParameterError if it is no weight."""
        with self._lock:
            weights = {**self._knobs.weights, name: check_weight(name, value)}
            self._knobs = replace(self._knobs, weights=weights)

    def set_pitch_classes(self, numbers: Iterable[int]) -> None:
        """Replace the wanted pitch classes; raises a ParameterError if one is not 0 to 11."""
        with self._lock:
            wanted = check_pitch_classes(list(numbers))
            self._knobs = replace(self._knobs, pitch_classes=wanted)

    def command(self, name: str) -> None:
        """Ask for one of `COMMANDS`; raises a ParameterError if there is none of that name."""
        if name not in COMMANDS:
            raise ParameterError(
                f"command={shown(name)} is unknown; known are {', '.join(COMMANDS)}"
            )
        with self._lock:
            if len(self._waiting) >= MOST_WAITING and name not in ("panic", "stop"):
                self.dropped += 1
                return
            self._waiting.append(name)

    def count_dropped(self, number: int) -> None:
        """Take note of messages that were not obeyed, since too many came."""
        with self._lock:
            self.dropped += number

    def take_commands(self) -> list[str]:
        """Return the waiting commands, in order, and forget them."""
        with self._lock:
            # one by one: a signal may add one meanwhile
            return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def save_scene(self, number: int) -> None:
        """Keep all knobs under a number; raises a ParameterError if it is out of range."""
        _check_scene(number)
        with self._lock:
            self._scenes[number] = self._knobs

    def recall_scene(self, number: int) -> None:
        """Set all knobs as they were saved; raises a ParameterError if nothing was."""
        _check_scene(number)
        with self._lock:
            if number not in self._scenes:
                known = ", ".join(map(str, sorted(self._scenes))) or "none yet"
                raise ParameterError(f"scene {number} was not saved; saved are {known}")
            self._knobs = self._scenes[number]

    def load_scenes(self, scenes: dict[int, Knobs]) -> None:
        """Replace all scenes."""
        for number in scenes:
            _check_scene(number)
        with self._lock:
            self._scenes = dict(scenes)


def _check_scene(number: Any) -> None:
    if type(number) is not int or not 0 <= number < MOST_SCENES:
        raise ParameterError(
            f"scene={shown(number)} must be an integer from 0 to {MOST_SCENES - 1}"
        )
