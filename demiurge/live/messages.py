"""The messages that control a session: addresses, arguments, and what they do.

OSC and the page "Live" share them; docs/live_control.md describes them for players.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from demiurge.live.controls import COMMANDS, Controls
from files.errors import ParameterError
from files.ranges import shown
from query.filters import Filters, parse_condition

ROOT = "/demiurge/"
NAME = "NAME"  # the last part of an address that is the name of a knob or a descriptor
MOST_ARGUMENTS = 64
MOST_WEIGHTS = 256  # of descriptors in a scene
MOST_TEXT = 1024  # characters of an argument
MOST_NUMBER = sys.float_info.max
MIDI_NOTES = 128


@dataclass(frozen=True)
class Message:
    """What may be asked at an address.

    Attributes
    ----------
    kind : str
        Of its arguments: "number", "integer" or "text".
    help : str
        One sentence.
    obey : callable
        Takes the controls, the last part of the address, and the arguments.
    least, most : int
        Number of arguments.
    """

    kind: str
    help: str
    obey: Callable[..., None]
    least: int = 1
    most: int = 1


def obey(controls: Controls, address: str, arguments: Sequence[Any]) -> None:
    """Do what a message asks.

    Parameters
    ----------
    controls : Controls
    address : str
        Such as "/demiurge/knob/level".
    arguments : sequence
        Numbers and texts.

    Raises
    ------
    ParameterError
        If there is no such address, or the arguments are not of its types or ranges.
    """
    message, name = find_message(address)
    message.obey(controls, name, *check_arguments(address, message, arguments))


def find_message(address: str) -> tuple[Message, str]:
    """Return what may be asked at an address, and the address's last part."""
    path = address.removeprefix(ROOT) if address.startswith(ROOT) else ""
    parent, _, name = path.rpartition("/")
    message = MESSAGES.get(path) or MESSAGES.get(f"{parent}/{NAME}")
    if message is None or not name:
        known = ", ".join(ROOT + known for known in MESSAGES)
        raise ParameterError(f"address {shown(address)} is unknown; known are {known}")
    return message, name


def check_arguments(address: str, message: Message, arguments: Sequence[Any]) -> list[Any]:
    """Return the arguments of a message in their own types.

    Programs such as Pure Data send integers as floats, and OSC has true and false.

    Raises
    ------
    ParameterError
        If there are too few or too many, or they are of other types.
    """
    if not message.least <= len(arguments) <= message.most:
        wanted = f"{message.least}"
        if message.least < message.most:
            wanted += f" to {message.most}"
        raise ParameterError(f"{address} has {len(arguments)} arguments; send {wanted}")
    take = TAKE[message.kind]
    return [take(address, value) for value in arguments]


def _take_number(address: str, value: Any) -> float:
    if not isinstance(value, int | float) or not abs(value) <= MOST_NUMBER:
        raise ParameterError(f"{address} takes finite numbers; it was sent {shown(value)}")
    return float(value)


def _take_integer(address: str, value: Any) -> int:
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    if not is_whole:
        raise ParameterError(f"{address} takes integers; it was sent {shown(value)}")
    return int(value)


def _take_text(address: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_TEXT:
        raise ParameterError(
            f"{address} takes texts of 1 to {MOST_TEXT} characters; it was sent {shown(value)}"
        )
    return value


ANY = {"least": 0, "most": MOST_ARGUMENTS}
TAKE: dict[str, Callable[[str, Any], Any]] = {
    "number": _take_number,
    "integer": _take_integer,
    "text": _take_text,
}


def _turn(controls: Controls, name: str, value: float) -> None:
    controls.turn(name, value)


def _set_mode(controls: Controls, _: str, mode: str) -> None:
    controls.set_mode(mode)


def _command(controls: Controls, name: str, pressed: float = 1.0) -> None:
    """Ask for a command, unless a button is released."""
    if pressed:
        controls.command(name)


def _save(controls: Controls, _: str, number: int) -> None:
    controls.save_scene(number)


def _recall(controls: Controls, _: str, number: int) -> None:
    controls.recall_scene(number)


def _filter_sources(controls: Controls, _: str, *patterns: str) -> None:
    controls.change_filters(sources=patterns)


def _filter_tags(controls: Controls, _: str, *tags: str) -> None:
    controls.change_filters(tags=tags)


def _filter_where(controls: Controls, _: str, *conditions: str) -> None:
    controls.change_filters(where=tuple(map(parse_condition, conditions)))


def _clear_filters(controls: Controls, _: str, pressed: float = 1.0) -> None:
    if pressed:
        controls.set_filters(Filters())


def _weigh(controls: Controls, name: str, value: float) -> None:
    weights = controls.knobs.weights
    if name not in weights and len(weights) >= MOST_WEIGHTS:
        raise ParameterError(
            f"weight of {shown(name)}: {MOST_WEIGHTS} descriptors have weights already; "
            "recall a scene with fewer"
        )
    controls.set_weight(name, value)


def _set_notes(controls: Controls, _: str, *notes: int) -> None:
    if not all(0 <= note < MIDI_NOTES for note in notes):
        raise ParameterError(
            f"notes={shown(notes)} must be pitch classes or MIDI notes, 0 to {MIDI_NOTES - 1}"
        )
    controls.set_pitch_classes(note % 12 for note in notes)


MESSAGES: dict[str, Message] = {
    f"knob/{NAME}": Message("number", "Turn a knob.", _turn),
    "mode": Message("text", "Change the mode.", _set_mode),
    **{name: Message("number", text, _command, least=0) for name, text in COMMANDS.items()},
    "scene/save": Message("integer", "Save all knobs under a number.", _save),
    "scene/recall": Message("integer", "Set all knobs as they were saved.", _recall),
    "filter/source": Message("text", "Only sources that fit a pattern.", _filter_sources, **ANY),
    "filter/tag": Message("text", "Only sources with one of the tags.", _filter_tags, **ANY),
    "filter/where": Message("text", "Only units that meet all conditions.", _filter_where, **ANY),
    "filter/clear": Message("number", "All units again.", _clear_filters, least=0),
    f"weight/{NAME}": Message("number", "Set the weight of a descriptor.", _weigh),
    "notes": Message("integer", "Prefer units of these pitch classes.", _set_notes, **ANY),
}
