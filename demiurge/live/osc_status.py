"""What subscribers are told over OSC: the status of a session, and its knobs when they change."""

from collections.abc import Iterable
from typing import Any

from demiurge.live.knobs import KNOBS, Knobs
from demiurge.live.messages import ROOT
from demiurge.live.osc_packets import write_message
from demiurge.live.status import Status
from files.names import printable

STATUS = f"{ROOT}status/"
# The fields of `Status` that the arguments of each message are, in order.
STREAM: dict[str, tuple[str, ...]] = {
    "state": ("mode", "state"),
    "time": ("seconds",),
    "beat": ("beat", "tempo"),
    "level": ("input_db", "output_db"),
    "load": ("work_ms", "late", "underruns", "clipped", "repaired", "dropped"),
    "problem": ("problem",),
}
UNIT = ("step", "voice", "unit", "position", "source", "start_seconds")
COSTS = ("distance", "join")


def status_messages(status: Status, told: Status | None = None) -> list[bytes]:
    """Return a status as messages, without those that are as last told, and without units."""
    return [
        _write(name, status, names)
        for name, names in STREAM.items()
        if told is None or any(getattr(told, one) != getattr(status, one) for one in names)
    ]


def unit_messages(steps: Iterable[Status]) -> list[bytes]:
    """Return two messages for each unit that was chosen: which, and its costs."""
    messages = []
    for step in steps:
        messages.append(_write("unit", step, UNIT))
        messages.append(_write("costs", step, COSTS))
    return messages


def knob_messages(knobs: Knobs, told: Knobs | None) -> list[bytes]:
    """Return messages of the knobs and the mode, without those that are as last told."""
    messages = [
        write_message(f"{ROOT}knob/{name}", [float(getattr(knobs, name))])
        for name in KNOBS
        if told is None or getattr(told, name) != getattr(knobs, name)
    ]
    if told is None or told.mode != knobs.mode:
        messages.append(write_message(f"{ROOT}mode", [knobs.mode]))
    return messages


def _write(name: str, status: Status, names: Iterable[str]) -> bytes:
    return write_message(f"{STATUS}{name}", [_value(getattr(status, one)) for one in names])


def _value(value: Any) -> int | float | str:
    """Return a value of Python's own types, which OSC can hold."""
    if isinstance(value, str):
        return printable(value)
    return value if type(value) is int else float(value)
