"""The plans that the page knows: those it was opened with, those in the workspace's folder, those
that jobs made.

Each has an id that stands for its path and stays the same from one day to the next; a page names
plans by nothing else.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import xxhash

from demiurge.web.names import file_stem
from demiurge.web.values import printable
from files.errors import ParameterError, PlanError
from playback.plan import Plan

if TYPE_CHECKING:
    from demiurge.web.workspace import Workspace

SUFFIX = ".plan.json"

_opened: "WeakKeyDictionary[Workspace, Plans]" = WeakKeyDictionary()


def plans_of(workspace: "Workspace") -> "Plans":
    """The plans of a workspace, the same ones for all views.

    Raises
    ------
    PlanError
        The first time, if a plan that was asked for cannot be used.
    """
    if workspace not in _opened:
        _opened[workspace] = Plans(workspace.folder, workspace.plan_files)
    return _opened[workspace]


@dataclass(frozen=True)
class PlanFile:
    """A plan on disk.

    `kind` is "opened" (asked for), "made" (by `job`) or "saved" (in the folder).
    """

    id: str
    name: str
    path: Path
    kind: str
    job: str | None = None


class Plans:
    """Plan files by id. Safe to be used from several threads."""

    def __init__(self, folder: Path, given: Iterable[Path] = ()) -> None:
        """Know the given plans and those in `folder`, which need not be there yet; raises as
        `plans_of`.
        """
        self.folder = folder.absolute()
        self._lock = threading.Lock()
        self._files: dict[str, PlanFile] = {}
        self._facts: dict[
            str, tuple[tuple[int, int], dict[str, Any]]
        ] = {}  # by id: size and date, and what was read then
        self.given = [self.add(path, kind="opened") for path in given]
        for file in self.given:
            Plan.load(file.path, alternatives=False)

    def add(
        self, path: Path, *, kind: str, name: str | None = None, job: str | None = None
    ) -> PlanFile:
        """Know one more; by the name of its file unless another is given."""
        path = path.absolute()
        plan_id = xxhash.xxh3_64_hexdigest(str(path).encode(errors="surrogateescape"))
        with self._lock:
            self._files.setdefault(
                plan_id, PlanFile(plan_id, name or stem_of(path), path, kind, job)
            )
            return self._files[plan_id]

    def files(self) -> list[PlanFile]:
        """All that are known; the folder is looked at again."""
        found = sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else []
        for path in found:
            self.add(path, kind="saved")
        with self._lock:
            return [
                file for file in self._files.values() if file.kind != "saved" or file.path.is_file()
            ]

    def get(self, plan_id: str) -> PlanFile | None:
        """The plan of that id, if there is one."""
        return self._files.get(plan_id) or {file.id: file for file in self.files()}.get(plan_id)

    def documents(self) -> list[dict[str, Any]]:
        """What is known of each, newest first; of one that cannot be read there is the "error"."""
        found = []
        for file in self.files():
            facts = {"id": file.id, "name": file.name, "kind": file.kind, "job": file.job}
            found.append(facts | self._read_facts(file))
        return sorted(found, key=lambda facts: facts["modified"] or 0, reverse=True)

    def _read_facts(self, file: PlanFile) -> dict[str, Any]:
        """Length, steps and date of a plan; it is read again only if its file has changed."""
        try:
            status = file.path.stat()
        except OSError as error:
            return {
                "seconds": None,
                "steps": None,
                "modified": None,
                "error": f"{file.path}: {error.strerror}",
            }
        stamp = (status.st_size, status.st_mtime_ns)
        if file.id not in self._facts or self._facts[file.id][0] != stamp:
            self._facts[file.id] = stamp, {**_length(file.path), "modified": status.st_mtime}
        return self._facts[file.id][1]

    def save(self, plan: Plan, name: str) -> PlanFile:
        """Write a plan as NAME.plan.json, or NAME-2, NAME-3, … if there is one: never over another.

        Raises
        ------
        ParameterError
            If nothing of the name can be in a file's name, or it cannot be written.
        """
        return self._write(plan, file_stem(name), 1)

    def save_edited(self, plan: Plan, file: PlanFile) -> PlanFile:
        """Write what became of a plan under its name and the next number: OUT becomes OUT-2, and
        that OUT-3.
        """
        numbered = (
            re.fullmatch(r"(.+)-\d{1,6}", file.name) if file.path.parent == self.folder else None
        )
        return self._write(plan, file_stem(numbered[1] if numbered else file.name), 2)

    def _write(self, plan: Plan, name: str, number: int) -> PlanFile:
        path = self._reserve(name, number)
        try:
            plan.save(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self.add(path, kind="saved")

    def _reserve(self, name: str, number: int) -> Path:
        """An empty new file: whoever else looks for a name at the same time finds another."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                path = self.folder / f"{name}{f'-{number}' if number > 1 else ''}{SUFFIX}"
                try:
                    path.open("x").close()
                except FileExistsError:
                    number += 1
                else:
                    return path
        except OSError as error:
            raise ParameterError(
                f"{self.folder}: cannot be written ({error.strerror}); make room, or name another"
                " place with --folder"
            ) from error


def stem_of(path: Path) -> str:
    """some/OUT.plan.json -> OUT."""
    return printable(path.name.removesuffix(".json").removesuffix(".plan"))


def _length(path: Path) -> dict[str, Any]:
    try:
        plan = Plan.load(path, alternatives=False)
    except PlanError as error:
        return {"seconds": None, "steps": None, "error": str(error)}
    return {"seconds": plan.n_samples / plan.sample_rate, "steps": len(plan.steps)}
