"""Plan files that the page knows: those it was started with, saved plans, and plans of jobs.

Pages refer to plans only by their id, a hash of the path.
"""

import os
import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from demiurge.web.names import file_stem
from files.atomic import writing_errors
from files.errors import PlanError
from files.names import printable
from files.temporary import temporary_folder
from playback.plan import Plan

SUFFIX = ".plan.json"

Stamp = tuple[int, int]  # size and date of a file


@dataclass(frozen=True)
class PlanFile:
    """A plan on disk.

    `kind` is "opened" (at the start), "made" (by `job`) or "saved" (in the folder of plans).
    """

    id: str
    name: str
    path: Path
    kind: str
    job: str | None = None


@dataclass(frozen=True)
class PlanFacts:
    """Facts for the list of plans, or the `error` if the file cannot be read."""

    seconds: float | None = None
    steps: int | None = None
    modified: float | None = None
    error: str | None = None


class Plans:
    """Plan files by id. Safe to use from several threads."""

    def __init__(self, folder: Path, given: Iterable[Path] = ()) -> None:
        """Register the given plans, and those in `folder`, which need not exist yet.

        Raises
        ------
        PlanError
            If a given plan cannot be read.
        """
        self.folder = folder.absolute()
        self._lock = threading.Lock()
        self._files: dict[str, PlanFile] = {}
        self._facts: dict[str, tuple[Stamp, PlanFacts]] = {}  # by plan id
        self.given = [self.add(path, kind="opened") for path in given]
        for file in self.given:
            Plan.load(file.path, alternatives=False)

    def add(
        self, path: Path, *, kind: str, name: str | None = None, job: str | None = None
    ) -> PlanFile:
        """Register a plan file; its name is that of the file unless another is given."""
        path = path.absolute()
        plan_id = xxhash.xxh3_64_hexdigest(str(path).encode(errors="surrogateescape"))
        file = PlanFile(plan_id, name or stem_of(path), path, kind, job)
        with self._lock:
            return self._files.setdefault(plan_id, file)

    def files(self) -> list[PlanFile]:
        """Return all plan files; the folder is read again."""
        found = sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else []
        for path in found:
            self.add(path, kind="saved")
        with self._lock:
            files = list(self._files.values())
        return [file for file in files if file.kind != "saved" or file.path.is_file()]

    def get(self, plan_id: str) -> PlanFile | None:
        """Return the plan file of that id, if there is one."""
        return self._files.get(plan_id) or {file.id: file for file in self.files()}.get(plan_id)

    def documents(self) -> list[dict[str, Any]]:
        """Describe each plan for JSON, newest first."""
        found = []
        for file in self.files():
            document = {"id": file.id, "name": file.name, "kind": file.kind, "job": file.job}
            facts = asdict(self._read_facts(file))
            if facts["error"] is None:
                del facts["error"]
            found.append(document | facts)
        return sorted(found, key=lambda document: document["modified"] or 0, reverse=True)

    def _read_facts(self, file: PlanFile) -> PlanFacts:
        """Return facts of a plan; its file is read only if it has changed."""
        try:
            status = file.path.stat()
        except OSError as error:
            return PlanFacts(error=f"{file.path}: {error.strerror}")
        stamp = (status.st_size, status.st_mtime_ns)
        if file.id not in self._facts or self._facts[file.id][0] != stamp:
            self._facts[file.id] = stamp, _measure(file.path, status.st_mtime)
        return self._facts[file.id][1]

    def save(self, plan: Plan, name: str) -> PlanFile:
        """Write a plan to a new file: NAME.plan.json, or NAME-2, NAME-3, … if that exists.

        Raises
        ------
        ParameterError
            If the name cannot be a file name, or the file cannot be written.
        """
        return self._write(plan, file_stem(name), 1)

    def save_edited(self, plan: Plan, file: PlanFile) -> PlanFile:
        """Write an edited plan to a new file with the next number: OUT-2 for OUT, OUT-3 for OUT-2.

        Raises as `save`.
        """
        name = file.name
        if file.path.parent == self.folder:
            name = re.sub(r"(.)-\d{1,6}\Z", r"\1", name)
        return self._write(plan, file_stem(name), 2)

    def _write(self, plan: Plan, name: str, number: int) -> PlanFile:
        """Write a plan to a new file with the first free number from `number` on."""
        with writing_errors(self.folder, "free some space, or choose another folder with --folder"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary_folder(self.folder) as place:
                plan.save(place / "plan.json")
                while True:
                    suffix = f"-{number}" if number > 1 else ""
                    path = self.folder / f"{name}{suffix}{SUFFIX}"
                    try:
                        _move_to_new(place / "plan.json", path)
                        return self.add(path, kind="saved")
                    except FileExistsError:
                        number += 1


def _move_to_new(file: Path, path: Path) -> None:
    """Give a file another name; raise `FileExistsError` if there is one of that name."""
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first
        path.open("x").close()
        file.replace(path)


def stem_of(path: Path) -> str:
    """some/OUT.plan.json -> OUT."""
    return printable(path.name.removesuffix(".json").removesuffix(".plan"))


def _measure(path: Path, modified: float) -> PlanFacts:
    try:
        plan = Plan.load(path, alternatives=False)
    except PlanError as error:
        return PlanFacts(modified=modified, error=str(error))
    return PlanFacts(plan.n_samples / plan.sample_rate, len(plan.steps), modified)
