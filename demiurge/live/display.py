"""Two lines at the bottom of the terminal: what is played, and how well the machine keeps up."""

import os
from typing import TextIO

from demiurge.live.knobs import KNOBS, Knobs
from demiurge.live.status import Status
from files.names import printable

BAR_CELLS = 4  # so that all fits into 80 columns
QUIETEST_DB = -60.0  # where a level's bar begins
COLUMNS = 80  # of a terminal that does not say
START_OF_LINE = "\r"
LINE_UP = "\x1b[1A"
CLEAR_BELOW = "\x1b[J"
CLEAR_LINE = "\x1b[K"


class Display:
    """The status on a terminal; lines that are told stand above it.

    Parameters
    ----------
    stream : text file
        The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_drawn = False
        self._is_unicode = (stream.encoding or "").lower().startswith("utf")

    def draw(self, status: Status, knobs: Knobs, selected: str) -> None:
        """Show a status, and the knob that the arrows turn."""
        lines = [playing_line(status), self._machine_line(status, knobs, selected)]
        shown = [f"{self._fit(line)}{CLEAR_LINE}" for line in lines]
        self._write(self._to_top() + "\n".join(shown))
        self._is_drawn = True

    def tell(self, text: str) -> None:
        """Show a line above the status, which is to be drawn again."""
        self._write(f"{self._to_top()}{CLEAR_BELOW}{printable(text)}\n")
        self._is_drawn = False

    def close(self) -> None:
        """Leave the status where it is, and the cursor below it."""
        if self._is_drawn:
            self._write("\n")
        self._is_drawn = False

    def _to_top(self) -> str:
        return START_OF_LINE + LINE_UP if self._is_drawn else START_OF_LINE

    def _machine_line(self, status: Status, knobs: Knobs, selected: str) -> str:
        levels = [("in", status.input_db), ("out", status.output_db)]
        shown = [f"{name} {self._bar(level)} {level:4.0f}" for name, level in levels]
        return (
            f"{'  '.join(shown)} dB  late {status.late}  underruns {status.underruns}"
            f"  {status.work_ms:.1f} ms  {knob_text(knobs, selected)}"
        )

    def _bar(self, level_db: float) -> str:
        share = (level_db - QUIETEST_DB) / -QUIETEST_DB
        full = round(BAR_CELLS * min(max(share, 0.0), 1.0))
        letters = "█░" if self._is_unicode else "#."
        return letters[0] * full + letters[1] * (BAR_CELLS - full)

    def _fit(self, line: str) -> str:
        """Return a line that does not reach the terminal's last column."""
        from rich.cells import set_cell_size

        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns or COLUMNS
        except OSError:
            columns = COLUMNS
        return set_cell_size(printable(line), columns - 1).rstrip()

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def playing_line(status: Status) -> str:
    """Return what is played: mode, source and place, tempo."""
    parts = [f"{status.mode}: {status.state}", f"{status.seconds:.1f} s"]
    if status.tempo:
        parts.append(f"{status.tempo:.1f} bpm, beat {status.beat:.2f}")
    if status.source:
        parts.append(f"{status.start_seconds:.3f} s of {status.source}")
    return "  ".join(parts)


def knob_text(knobs: Knobs, name: str) -> str:
    """Return a knob with its value and unit."""
    value = getattr(knobs, name)
    if KNOBS[name].is_switch:
        return f"{name} {'on' if value else 'off'}"
    return f"{name} {value:.4g} {KNOBS[name].unit}".rstrip()
