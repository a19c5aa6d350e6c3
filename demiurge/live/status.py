"""What a session tells while it runs: one snapshot for each unit, to be read from any thread."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Status:
    """What is played, and how well the machine keeps up.

    Attributes
    ----------
    mode : str
    state : str
        "listening", "playing", or "silent" after panic.
    step : int
        Number of units chosen so far, in all voices.
    seconds : float
        Length of what was played.
    voice : int
        Of the unit that was chosen last.
    unit : int
        Its id in the database; -1 for a rest.
    position : int
        Its position in the database's table of units; -1 for a rest.
    source : str
    start_seconds : float
        Where it begins in its source.
    distance, join : float
        Its costs.
    beat : float
        Beats since there has been a tempo, the last of them in parts; 0 if there is none.
    tempo : float
        Beats per minute; 0 if there is none.
    input_db, output_db : float
        Loudness of the input in LUFS, and peak of the output in dB of full scale, of about the last
        unit; -120 for silence.
    work_ms : float
        What the last unit took: analysis, choice and audio.
    late : int
        Units that came too late, so that the one before ran on.
    underruns : int
        Times that the device had nothing to play.
    clipped : int
        Output samples beyond full scale.
    repaired : int
        Input samples that were not finite.
    dropped : int
        Messages that were not obeyed, since too many came.
    problem : str
        Why what was asked for last is not done, or a source is not played any more; else empty.
    """

    mode: str = ""
    state: str = "listening"
    step: int = 0
    seconds: float = 0.0
    voice: int = 0
    unit: int = -1
    position: int = -1
    source: str = ""
    start_seconds: float = 0.0
    distance: float = 0.0
    join: float = 0.0
    beat: float = 0.0
    tempo: float = 0.0
    input_db: float = -120.0
    output_db: float = -120.0
    work_ms: float = 0.0
    late: int = 0
    underruns: int = 0
    clipped: int = 0
    repaired: int = 0
    dropped: int = 0
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return asdict(self)
