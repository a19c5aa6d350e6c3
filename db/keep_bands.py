"""Bring the kept spectra of a database up to date: measure sources that are missing."""

import logging
import os
import time
from collections.abc import Sequence

import xxhash

from db.band_filters import FORMULA as BAND_FORMULA
from db.band_filters import band_centres
from db.band_store import FOLDER, BandStore
from db.band_writer import BandWriter, has_much_stale, writing
from db.database import Database
from db.executors import run_tasks
from db.follow_pitch import FORMULA as PITCH_FORMULA
from db.measure_bands import BandTask, measure_source
from db.settings import DescriptorSettings
from db.source import Source
from db.source_files import check_are_there
from files.cache import cache_folder, may_write
from files.errors import DatabaseError, ParameterError
from files.progress import Progress, no_progress

FLUSH_SECONDS = 1.0

log = logging.getLogger(__name__)


def keep_bands(database: Database, *, progress: Progress = no_progress) -> BandStore:
    """Return the spectra of all sources, after measuring those that are not kept yet.

    They are kept in the database's folder; if that cannot be written, or if it is several
    databases as one, in the user's cache folder.

    Raises
    ------
    ParameterError
        If sources are transposed or not stored, or the spectra cannot be kept anywhere.
    DatabaseError
        If a source that has to be measured is missing, or has changed since the analysis.
    """
    if database.semitones.any() or not all(source.is_stored for source in database.sources):
        raise ParameterError(
            f"{database.path}: sources that are transposed, or added to an open database, have no"
            " kept spectra; give the database as it is on disk"
        )
    store = open_store(database)
    for place, problem in store.damage:
        log.warning("%s: %s; the spectra are measured again", place, problem)
    if store.is_complete and not has_much_stale(store):
        return store
    if not may_write(store.folder.absolute()):
        if store.is_complete:
            return store
        store = open_store(database, in_cache=True)
        if store.is_complete:
            return store
    with writing(store) as writer:
        if has_much_stale(store):
            writer.drop_stale()
        _measure(database, _missing(database, store), writer, progress)
    return store


def open_store(database: Database, *, in_cache: bool = False) -> BandStore:
    """Return what is kept in a database's folder, or in the user's cache folder.

    What is kept of several databases as one is always there.
    """
    folder = database.path / FOLDER
    if in_cache or database.names:  # an id may be any text, also a path
        folder = cache_folder(FOLDER) / xxhash.xxh3_128_hexdigest(database.id.encode())
    settings = database.settings
    live = {source.content_hash: _count_frames(source, settings) for source in database.sources}
    n_bands = len(band_centres(settings.sample_rate, settings.n_fft))
    return BandStore(folder, dependencies(settings), n_bands + 1, live)


def dependencies(settings: DescriptorSettings) -> dict[str, int | float | str]:
    """Return what the spectra of a source depend on beside its content."""
    return {
        "sample_rate": settings.sample_rate,
        "hop_length": settings.hop_length,
        "n_fft": settings.n_fft,
        "window_centre": settings.window_centre,
        "bands": BAND_FORMULA,
        "pitch": PITCH_FORMULA,
    }


def _count_frames(source: Source, settings: DescriptorSettings) -> int:
    return -(-source.n_samples // settings.hop_length)


def _missing(database: Database, store: BandStore) -> list[Source]:
    """Return one source for each content that is not kept."""
    by_content = {source.content_hash: source for source in database.sources}
    return [source for content, source in by_content.items() if content not in store.spans]


def _measure(
    database: Database, sources: Sequence[Source], writer: BandWriter, progress: Progress
) -> None:
    """Measure sources and append them; what is done stays, whatever happens."""
    check_are_there(database.roots, [source.path for source in sources])
    tasks = [
        BandTask(
            database.roots.object_of(source.path) or str(database.roots.file_of(source.path)),
            source.content_hash,
            source.n_bytes,
            source.modified_ns,
            _count_frames(source, database.settings),
            database.settings,
        )
        for source in sources
    ]
    results = run_tasks(measure_source, tasks, executor="threads", jobs=os.cpu_count() or 1)
    flushed = time.monotonic()
    try:
        for done, (source, result) in enumerate(zip(sources, results, strict=True), start=1):
            if result.rows is None:
                raise DatabaseError(f"{source.path}: {result.error}")
            writer.append(source.content_hash, result.rows, result.exponent)
            if time.monotonic() - flushed > FLUSH_SECONDS:
                writer.flush()
                flushed = time.monotonic()
            progress(done, len(sources), source.path)
    finally:
        results.close()
        writer.flush()
