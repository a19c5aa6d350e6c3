"""The measures as people read them, in the order of tables and pictures."""

from dataclasses import dataclass

import numpy as np

from training.bootstrap import Estimate


@dataclass(frozen=True)
class Column:
    """A measure with its heading.

    Values are multiplied by `scale` and rounded to `digits`. `best` says what is good.
    """

    measure: str
    label: str
    best: str
    digits: int = 2
    scale: float = 1.0
    with_interval: bool = False

    def text(self, estimate: Estimate) -> str:
        """Return a value as it is shown, with its interval if it has one; "" for NaN."""
        if np.isnan(estimate.value):
            return ""
        text = self._number(estimate.value)
        if not self.with_interval or np.isnan(estimate.lower):
            return text
        return f"{text} ({self._number(estimate.lower)}…{self._number(estimate.upper)})"

    def _number(self, value: float) -> str:
        return f"{self.scale * value + 0.0:.{self.digits}f}"


COLUMNS = (
    Column("joins_per_second", "joins/s", "", digits=1),
    Column("kad", "KAD", "around 0", digits=0, with_interval=True),
    Column("told_apart", "told apart %", "50", digits=0, scale=100, with_interval=True),
    Column(
        "told_apart_after_seed",
        "… after the seed %",
        "50",
        digits=0,
        scale=100,
        with_interval=True,
    ),
    Column("pulse", "pulse", "the seed's"),
    Column("pulse_ratio", "× seed's", "1"),
    Column("tempo", "tempo", "1"),
    Column("grid", "on grid %", "100", digits=0, scale=100),
    Column("harmony", "harmony", "1"),
    Column("similarity", "similarity", "1"),
    Column("loudness", "level ±dB", "0", digits=1),
    Column("silence", "silence s", "the seed's"),
    Column("longest_run", "run s", "up to 4", digits=1),
    Column("n_sources", "sources", "", digits=1),
    Column("verbatim_share", "verbatim %", "0", digits=0, scale=100),
)
