"""Databases that are open already, or are opened again in another process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from db.database import Database
from demiurge.databases import open_databases
from files.roots import Folder


def as_database(database: str | Path | Database, root: str | Folder | None = None) -> Database:
    """Return a database that is open, or open that of a folder; `root` is its corpus folder."""
    return database if isinstance(database, Database) else Database(database, root=root)


@dataclass(frozen=True)
class DatabaseFiles:
    """Where databases are, to open them again as they are.

    Attributes
    ----------
    folders : dict of str to (Path, Path)
        The folder of each, and its corpus folder, by name; of one alone, the name is empty.
    normaliser : str, optional
    """

    folders: dict[str, tuple[Path, Folder]]
    normaliser: str | None = None

    @classmethod
    def of(cls, database: Database) -> Self:
        """Return where an open database is, or each of several."""
        members = database.members or {"": database}
        return cls(
            {name: (one.path.absolute(), one.root.absolute()) for name, one in members.items()},
            database.normaliser_name,
        )

    def open(self) -> Database:
        """Open them; raises as `open_databases`."""
        if "" in self.folders:
            return Database(self.folders[""][0], root=self.folders[""][1])
        return open_databases(
            [f"{name}={path}" for name, (path, _) in self.folders.items()],
            root={name: root for name, (_, root) in self.folders.items()},
            normaliser=self.normaliser,
        )
