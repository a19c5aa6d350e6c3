"""A session that plays units when told to, without an engine."""

from dataclasses import replace

from db.database import Database
from demiurge.live.controls import Controls
from demiurge.live.status import Status

KEPT = 256  # steps


class FakeSession:
    """What the page sees of a session; `play` goes on by a step."""

    def __init__(self, database: Database) -> None:
        self.controls = Controls()
        self.database = database
        self._steps: list[Status] = []
        self._status = Status()

    def status(self) -> Status:
        return self._status

    def steps_since(self, number: int) -> list[Status]:
        return [status for status in self._steps[-KEPT:] if status.step > number]

    def play(self, position: int, **facts: object) -> Status:
        """Choose a unit, -1 for a rest, and return the status."""
        units = self.database.units
        unit = {"unit": -1, "position": -1, "source": ""}
        if position >= 0:
            source = self.database.sources[units.source[position]]
            unit = {"unit": int(units.ids[position]), "position": position, "source": source.path}
            unit["start_seconds"] = units.start_sample[position] / self.database.sample_rate
        step = self._status.step + 1
        knobs = self.controls.knobs
        status = replace(
            self._status, **{"step": step, "mode": knobs.mode, "state": "playing"} | unit | facts
        )
        self._steps.append(status)
        self._status = status
        return status
