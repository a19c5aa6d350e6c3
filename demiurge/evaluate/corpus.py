"""Databases of the same corpus as another database, with other units and descriptors."""

from pathlib import Path

import xxhash

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from files.progress import Progress, no_progress


def analyse_corpus(
    database: Database,
    folder: Path,
    settings: DescriptorSettings,
    *,
    progress: Progress = no_progress,
) -> Database:
    """Build a database of the corpus of another in `folder`, or bring the one there up to date.

    Raises as `build_database`.
    """
    path = folder / f"{settings.units}-{settings.hash}.db"
    build_database(
        database.root, path, settings=settings, prune=True, moved=True, progress=progress
    )
    return Database(path)


def corpus_identity(database: Database) -> str:
    """Return a hash of the contents of all sources, 32 hex digits."""
    hashes = sorted(source.content_hash for source in database.sources)
    return xxhash.xxh3_128("\n".join(hashes).encode()).hexdigest()
