"""Open the databases that a command is given: one, or several as one."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from db.tags import copy_tags
from db.union import unite
from demiurge.model_descriptors import open_model
from files.cache import cache_folder
from files.errors import DatabaseError, ParameterError
from files.progress import Progress, no_progress
from files.roots import Folder, split_named
from query.cluster.client import connect_corpus
from query.cluster.paged import PagedDatabase

SUFFIX = ".db"

log = logging.getLogger(__name__)


def open_databases(
    given: Sequence[str | Path],
    *,
    root: str | Folder | Mapping[str, str | Folder] | None = None,
    normaliser: str | None = None,
    progress: Progress = no_progress,
) -> Database:
    """Open databases, several as one.

    The sources of a database with other settings than the first are described again with its
    settings, into the cache, and a warning says so.

    Parameters
    ----------
    given : sequence of str or Path
        Folders, or "NAME=FOLDER". A database without a name is called as its folder, without .db.
    root : folder or mapping, optional
        The corpus folder, if that has moved; of several databases, by their names.
    normaliser : str, optional
        As for `db.union.unite`.

    Raises
    ------
    ParameterError
        If two have one name, `roots` names none of them, or as `unite`.
    DatabaseError
        If one cannot be opened, or cannot be described again.
    """
    named = name_databases(given)
    roots = _roots_by_name(root, list(named))
    opened = {name: Database(path, root=roots.get(name)) for name, path in named.items()}
    settings = next(iter(opened.values())).settings
    alike = {
        name: _described_alike(name, database, settings, progress)
        for name, database in opened.items()
    }
    return unite(alike, normaliser=normaliser)


@contextmanager
def open_served(
    address: str,
    given: Sequence[str | Path],
    *,
    root: str | Folder | Mapping[str, str | Folder] | None = None,
    normaliser: str | None = None,
) -> Iterator[Database]:
    """Open databases that a cluster serves, as one, until the block ends.

    Parameters are those of `open_databases`, and the address of the cluster.

    Raises
    ------
    ParameterError, DemiurgeError
        As `query.cluster.client.connect_corpus`, or `files.roots.Roots.moved`.
    """
    specs = name_databases(given).items()
    with connect_corpus(address, specs, normaliser_name=normaliser) as (shards, corpus):
        yield PagedDatabase(shards, corpus, root=root)


def _roots_by_name(
    root: str | Folder | Mapping[str, str | Folder] | None, names: Sequence[str]
) -> Mapping[str, str | Folder]:
    if root is None:
        return {}
    if not isinstance(root, Mapping):
        root = {names[0] if len(names) == 1 else "": root}
    for name, folder in root.items():
        if name not in names:
            raise ParameterError(
                f"root {name}={folder}: the databases are {', '.join(names)}; write NAME={folder}"
            )
    return root


def name_databases(given: Sequence[str | Path]) -> dict[str, Path]:
    """Return the folders of databases by their names; raises as `open_databases`."""
    named: dict[str, Path] = {}
    for one in given:
        name, path = _split_name(str(one))
        if name in named:
            raise ParameterError(
                f"two databases are called {name!r}, {named[name]} and {path}; give them names:"
                f" NAME={path}"
            )
        named[name] = path
    return named


def _split_name(given: str) -> tuple[str, Path]:
    """Return the name and the folder of a database; a folder that is there has no name before."""
    name, path = split_named(given)
    if name:
        return name, Path(path)
    stem = Path(path).absolute().name.removesuffix(SUFFIX)
    return re.sub(r"[^\w.-]+", "-", stem) or "db", Path(path)


def _described_alike(
    name: str, database: Database, settings: DescriptorSettings, progress: Progress
) -> Database:
    """Return a database with these settings: itself, or one in the cache made of its sources."""
    try:
        settings.check_matches(database.settings, mine="the first", theirs=name)
        return database
    except DatabaseError as error:
        differing = str(error).partition(": ")[2].rpartition("; ")[0]
    folder = cache_folder("described") / f"{database.id}-{settings.hash}"
    if database.roots.missing():
        raise DatabaseError(
            f"{database.path} has other settings than the first database ({differing}), and its"
            f" sources are not in {database.roots} to be described again; name the folder with"
            " --root, or build it again with the other's settings"
        )
    log.warning(
        "%s has other settings than the first database (%s): its sources are described again with"
        " those of the first, once, in %s",
        database.path,
        differing,
        folder,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = build_database(
        database.root,
        folder,
        settings=settings,
        prune=True,
        moved=True,
        executor="threads",
        open_model=open_model,
        progress=progress,
    )
    for path, reason in report.failed:
        log.warning("%s: %s: %s", name, path, reason)
    described = Database(folder)
    if described.tags == database.tags:
        return described
    copy_tags(folder, database.tags)
    return Database(folder)
