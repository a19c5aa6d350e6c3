"""Where the files of sources are: in one corpus folder, or in one for each of several databases.

The sources of several databases are named by the database they are in: `drums:loops/one.wav`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from files.errors import ParameterError

SEPARATOR = ":"  # between the name of a database and the path of its source


class Roots:
    """The corpus folders that the paths of sources are relative to.

    Attributes
    ----------
    folders : dict of str to Path
        By the name of the database; of one database alone, the name is empty.
    """

    def __init__(self, folders: Mapping[str, str | Path]) -> None:
        self.folders = {name: Path(folder) for name, folder in folders.items()}

    @classmethod
    def of(cls, root: "str | Path | Roots") -> "Roots":
        """Return the roots of sources in one folder; roots are returned as they are."""
        return root if isinstance(root, Roots) else cls({"": root})

    def __str__(self) -> str:
        return ", ".join(str(folder) for folder in self.folders.values())

    @property
    def several(self) -> bool:
        """True if sources are named by their database, even if there is only one."""
        return "" not in self.folders

    def moved(self, to: "str | Path | Roots | Mapping[str, Path] | None") -> "Roots":
        """Return where the folders are now: one folder, or those of some of several by name.

        Raises
        ------
        ParameterError
            If there are several databases, and it is not said which of them has moved.
        """
        if to is None or isinstance(to, Roots):
            return self if to is None else to
        known = (
            f"the databases are {', '.join(self.folders)}"
            if self.several
            else "there is one database"
        )
        if not isinstance(to, Mapping):
            if self.several:
                raise ParameterError(f"root {to}: {known}; say which has moved: NAME={to}")
            return Roots.of(to)
        for name, folder in to.items():
            if not self.several or name not in self.folders:
                remedy = "name one of them" if self.several else f"give {folder} alone"
                raise ParameterError(f"root {name}={folder}: {known}; {remedy}")
        return Roots({**self.folders, **to})

    def absolute(self) -> Self:
        """Return them as absolute paths."""
        return type(self)({name: folder.absolute() for name, folder in self.folders.items()})

    def split(self, source: str) -> tuple[str, str]:
        """Return the name of a source's database, and its path in the corpus folder.

        The name is empty if there is one database only, or the path is absolute.

        Raises
        ------
        ParameterError
            If there are several databases, and it names none of them.
        """
        if not self.several or os.path.isabs(source):
            return "", source
        name, _, path = source.partition(SEPARATOR)
        if name not in self.folders or not path:
            known = ", ".join(f"{known}{SEPARATOR}" for known in self.folders)
            raise ParameterError(
                f"source {source!r} must begin with the name of a database, one of {known}"
            )
        return name, path

    def file_of(self, source: str) -> Path:
        """Return the file of a source; one with an absolute path need not be in a corpus folder.

        Raises
        ------
        ParameterError
            As `split`.
        """
        name, path = self.split(source)
        return Path(path) if os.path.isabs(path) else self.folders[name] / path

    def missing(self) -> list[Path]:
        """Return the corpus folders that do not exist."""
        return [folder for folder in self.folders.values() if not os.path.isdir(folder)]


def named_source(database: str, path: str) -> str:
    """Return the name of a source of one of several databases."""
    return f"{database}{SEPARATOR}{path}"
