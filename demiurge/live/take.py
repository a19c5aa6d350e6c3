"""What was played, on disk: a journal while it is played, a plan at the end.

    take.plan.json.journal   a line of JSON for the take, then one for each step
    take.plan.json           the plan, once the take has ended

The journal only grows, so that saving costs the same after an hour as at the start, and a program
that is killed loses two seconds at most. What a killed program left is made a plan, beside its own,
before the next take of that name begins (`recover`).
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from db.database import Database
from files.atomic import cannot_write, writing_errors
from files.errors import ParameterError, PlanError
from files.lock import locked
from files.regular import read_regular
from playback.plan import Plan, PlanTooLongError
from playback.plan_document import MAX_CHANNELS
from playback.steps import NO_TARGET, Step
from playback.targets import VALUE, Targets

FORMAT = "demiurge take"
FLUSH_SECONDS = 2.0
MAX_BYTES = 1 << 32
STEP_FIELDS = tuple(one.name for one in fields(Step) if one.name != "alternatives")


class Take:
    """The journal of what is played. As a context manager, it closes the file at the end.

    Attributes
    ----------
    path : Path
        Where the plan will be.
    problem : str
        Why nothing can be written at the moment; "" if it can. What waits is written later.
    """

    def __init__(
        self, path: Path, database: Database, channels: int, settings: dict[str, Any]
    ) -> None:
        """Begin a journal beside `path`; raise a ParameterError if it cannot be written."""
        self.path = path
        self._database = database
        self._flush_samples = round(FLUSH_SECONDS * database.sample_rate)
        self._flushed = 0
        self._waiting: list[str] = []
        head = {
            "format": FORMAT,
            "sample_rate": database.sample_rate,
            "channels": channels,
            "database": database.describe(),
            "settings": settings,
        }
        self.problem = ""
        self._end = 0  # of what was written whole
        with writing_errors(path):
            self._file = open(journal_of(path), "wb", buffering=0)  # noqa: SIM115  closed by finish()
            self._write(json.dumps(head) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, step: Step, row: np.ndarray) -> None:
        """Write a step down, with the descriptors that it was chosen for, (n_descriptors,)."""
        facts = {name: getattr(step, name) for name in STEP_FIELDS}
        facts["row"] = base64.b64encode(np.ascontiguousarray(row, VALUE).tobytes()).decode()
        self._waiting.append(json.dumps(facts))
        if step.at_sample - self._flushed >= self._flush_samples:
            self._flushed = step.at_sample
            try:
                self._flush()
            except OSError as error:  # a full disk does not end a performance
                self.problem = cannot_write(journal_of(self.path), error)

    def _flush(self) -> None:
        """Write what waits, all of it or nothing."""
        self._write("\n".join([*self._waiting, ""]))
        self._waiting.clear()
        self.problem = ""

    def _write(self, text: str) -> None:
        self._file.seek(self._end)
        self._file.truncate()  # what was written last in part
        waiting = memoryview(text.encode())
        while waiting:
            waiting = waiting[self._file.write(waiting) :]
        self._end = self._file.tell()

    def finish(self, n_samples: int) -> Plan | None:
        """Save the plan of what was played, `n_samples` long, and remove the journal.

        Returns None, and saves nothing, if nothing was played.
        """
        with writing_errors(self.path):
            self._flush()
        self._file.close()
        journal = journal_of(self.path)
        plan = read_journal(journal, self._database, n_samples)
        if plan is not None:
            plan = _save(plan, self.path)
        journal.unlink()
        return plan


def journal_of(path: Path) -> Path:
    """Return the journal of a take whose plan will be at `path`."""
    return path.with_name(path.name + ".journal")


@contextmanager
def take_lock(path: Path) -> Iterator[None]:
    """Keep other sessions from playing a take of this name.

    Raises
    ------
    ParameterError
        If one does, or the folder cannot be written.
    """
    lock = path.with_name(path.name + ".lock")
    busy = ParameterError(f"{path} is being played by another session; give another --plan")
    with locked(lock, busy):
        yield
        lock.unlink(missing_ok=True)


def recover(path: Path, database: Database) -> Path | None:
    """Save the plan of a take whose program was killed, and remove its journal.

    Returns
    -------
    Path or None
        A new file beside `path`; None if there is no journal, or nothing was played.

    Raises
    ------
    PlanError
        If it is not the journal of a take.
    """
    journal = journal_of(path)
    if not journal.exists():
        return None
    plan = read_journal(journal, database)
    saved = None
    if plan is not None:
        saved = free_name(path.with_name(f"recovered-{path.name}"))
        _save(plan, saved)
    journal.unlink()
    return saved


def _save(plan: Plan, path: Path) -> Plan:
    """Save a plan, without its targets if it would be too long; return what was saved.

    Raises
    ------
    PlanError
        If it is too long even so; its journal stays.
    """
    try:
        plan.save(path)
    except PlanTooLongError:
        steps = tuple(replace(step, target=NO_TARGET) for step in plan.steps)
        plan = replace(plan, steps=steps, targets=None)
        plan.save(path)
    return plan


def free_name(path: Path) -> Path:
    """Return a path, numbered if there is a file of that name: x.json, x-2.json, …"""
    stem, _, suffixes = path.name.partition(".")
    number = 2
    while path.exists():
        path = path.with_name(f"{stem}-{number}.{suffixes}")
        number += 1
    return path


def read_journal(journal: Path, database: Database, n_samples: int = 0) -> Plan | None:
    """Return the plan of a journal, at least `n_samples` long; None if it has no steps.

    A last line that was cut off is left out.

    Raises
    ------
    PlanError
        If it is not the journal of a take.
    """
    remedy = "give the journal of a live take"
    data = read_regular(journal, error=PlanError, remedy=remedy, max_bytes=MAX_BYTES)
    lines = _read_lines(journal, data)
    head = next(lines, None)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise PlanError(f"{journal}: not the journal of a live take; {remedy}")
    rows: list[bytes] = []
    steps: list[Step] = []
    for number, facts in enumerate(lines):
        try:
            rows.append(base64.b64decode(facts.pop("row")))
            steps.append(Step(**{**facts, "target": number}))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PlanError(
                f"{journal}: line {number + 2} is not a step ({error}); remove that line"
            ) from error
    if not steps:
        return None
    order = sorted(
        range(len(steps)), key=lambda number: (steps[number].voice, steps[number].at_sample)
    )
    has_rows = len({len(row) for row in rows}) == 1 and len(rows[0])
    end = max(step.until_sample for step in steps)
    used = {step.source for step in steps}
    return Plan(
        head["sample_rate"],
        min(head["channels"], MAX_CHANNELS),
        head["database"],
        tuple(steps[number] for number in order),
        head["settings"],
        tail_samples=max(n_samples - end, 0),
        sources=database.stamps(used),
        targets=Targets(len(rows[0]) // VALUE.itemsize, b"".join(rows)) if has_rows else None,
    )


def _read_lines(journal: Path, data: bytes) -> Iterator[Any]:
    lines = data.split(b"\n")
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            facts = json.loads(line)
        except ValueError as error:
            if number == len(lines) - 1:  # the program was killed while it wrote
                return
            raise PlanError(
                f"{journal}: line {number + 1} is damaged ({error}); remove that line"
            ) from error
        yield facts
