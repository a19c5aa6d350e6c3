"""What MIDI controllers and notes mean, kept in a JSON file beside the scenes."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from demiurge.live.controls import COMMANDS
from demiurge.live.knobs import KNOBS
from files.atomic import write_text
from files.documents import read_document
from files.errors import ParameterError
from files.ranges import shown

VERSION = 1
TARGETS = (*KNOBS, *COMMANDS)  # what a controller can be bound to
NOTES = {
    "pitch": "The pitch classes of the notes that are held are wanted.",
    "transpose": "The last note transposes; middle C (60) is as recorded.",
}
CHANNELS = 16
MOST_CONTROLLERS = 128

Controller = tuple[int, int]
"""Channel, 1 to 16, and number of a controller, 0 to 127."""


class _Binding(msgspec.Struct, forbid_unknown_fields=True):
    channel: Annotated[int, Meta(ge=1, le=CHANNELS)]
    controller: Annotated[int, Meta(ge=0, lt=MOST_CONTROLLERS)]
    name: str

    def __post_init__(self) -> None:
        if self.name not in TARGETS:
            raise ValueError(_unknown(self.name))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    notes: Literal["pitch", "transpose"] = "pitch"
    controllers: Annotated[list[_Binding], Meta(max_length=CHANNELS * MOST_CONTROLLERS)] = (
        msgspec.field(default_factory=list)
    )


@dataclass(frozen=True)
class Bindings:
    """What MIDI controllers and notes mean.

    Attributes
    ----------
    notes : str
        One of `NOTES`.
    controllers : dict
        Name of a knob or command by channel, 1 to 16, and number, 0 to 127.
    """

    notes: str = "pitch"
    controllers: dict[Controller, str] = field(default_factory=dict)

    def bound(self, channel: int, number: int, name: str) -> Self:
        """Return these with a controller bound to a name, and no other to the same.

        Raises
        ------
        ParameterError
            If there is no such knob or command.
        """
        check_target(name)
        others = {key: other for key, other in self.controllers.items() if other != name}
        return replace(self, controllers={**others, (channel, number): name})


def check_target(name: str) -> str:
    """Return a name; raise a ParameterError if it is neither a knob's nor a command's."""
    if name not in TARGETS:
        raise ParameterError(_unknown(name))
    return name


def load_bindings(path: str | Path) -> Bindings:
    """Return the bindings of a file; none if it does not exist.

    Raises
    ------
    ParameterError
        If it cannot be read or holds something else.
    """
    if not Path(path).exists():
        return Bindings()
    remedy = "correct it or remove it"
    kept = read_document(path, _File, error=ParameterError, remedy=remedy)
    controllers = {(one.channel, one.controller): one.name for one in kept.controllers}
    return Bindings(kept.notes, controllers)


def save_bindings(bindings: Bindings, path: str | Path) -> None:
    """Write or replace a file of bindings; raises a ParameterError if it cannot be written."""
    controllers = [
        {"channel": channel, "controller": number, "name": name}
        for (channel, number), name in sorted(bindings.controllers.items())
    ]
    document = {"version": VERSION, "notes": bindings.notes, "controllers": controllers}
    write_text(path, json.dumps(document, indent=1) + "\n")


def _unknown(name: str) -> str:
    return f"binding {shown(name)} is neither a knob nor a command: {', '.join(TARGETS)}"
