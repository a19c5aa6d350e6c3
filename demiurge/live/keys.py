"""What the keys of the terminal ask of a session."""

from collections.abc import Callable

from demiurge.live.controls import Controls
from demiurge.live.knobs import KNOBS, MODES
from demiurge.live.turning import stepped
from files.errors import ParameterError

FAR = 10  # steps, with shift
KEYS = {
    "space": "freeze, or go on",
    "j": "jump elsewhere",
    "g": "go on now (continue)",
    "l": "listen again (continue)",
    "p": "panic: be silent until go",
    "m": "next mode",
    "0-9": "recall a scene",
    "s 0-9": "save a scene",
    "up, down": "select a knob",
    "left, right": "turn it; with shift, ten times as far",
    "b": "bind the MIDI controller that is moved next to the knob",
    "?": "these keys",
    "q": "stop",
}
COMMANDS = {"j": "jump", "g": "go", "l": "listen", "p": "panic", "q": "stop"}
TURNS = {"left": -1, "right": 1, "shift-left": -FAR, "shift-right": FAR}
SELECTS = {"up": -1, "shift-up": -1, "down": 1, "shift-down": 1}
DIGITS = "0123456789"
NAMES = list(KNOBS)


class KeyHandler:
    """Does what keys ask.

    Parameters
    ----------
    controls : Controls
    tell : callable (text)
        Shows a line to the player.
    learn : callable (name), optional
        Binds the next MIDI controller that is moved, see `MidiHandler.learn`.

    Attributes
    ----------
    selected : str
        Name of the knob that the arrows turn.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        tell: Callable[[str], None],
        learn: Callable[[str], None] | None = None,
    ) -> None:
        self.selected = NAMES[0]
        self._controls = controls
        self._tell = tell
        self._learn = learn
        self._saves = False
        self._actions: dict[str, Callable[[], None]] = {
            " ": self._freeze,
            "m": self._next_mode,
            "b": self._bind,
            "?": self._help,
        }

    def press(self, key: str) -> None:
        """Do what a key asks; what cannot be done is told, and unknown keys are not heeded."""
        try:
            self._press(key)
        except ParameterError as error:
            self._tell(str(error))

    def _press(self, key: str) -> None:
        saves = self._saves
        self._saves = key == "s"
        if key == "s":
            self._tell("save as scene 0-9?")
        elif key in DIGITS:
            self._scene(int(key), saves)
        elif key in COMMANDS:
            self._controls.command(COMMANDS[key])
        elif key in TURNS:
            value = stepped(self._controls.knobs, self.selected, TURNS[key])
            self._controls.turn(self.selected, value)
        elif key in SELECTS:
            at = NAMES.index(self.selected) + SELECTS[key]
            self.selected = NAMES[at % len(NAMES)]
        elif key in self._actions:
            self._actions[key]()

    def _scene(self, number: int, saves: bool) -> None:
        if saves:
            self._controls.save_scene(number)
            self._tell(f"scene {number} is saved")
        else:
            self._controls.recall_scene(number)
            self._tell(f"scene {number}")

    def _freeze(self) -> None:
        self._controls.turn("freeze", 0.0 if self._controls.knobs.freeze else 1.0)

    def _next_mode(self) -> None:
        at = MODES.index(self._controls.knobs.mode) + 1
        self._controls.set_mode(MODES[at % len(MODES)])

    def _bind(self) -> None:
        if self._learn is None:
            self._tell("no MIDI port is open")
        else:
            self._learn(self.selected)

    def _help(self) -> None:
        for key, meaning in KEYS.items():
            self._tell(f"{key:>12}  {meaning}")
