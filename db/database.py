"""A descriptor database, opened for reading.

Many readers may be open while one builder (`db.build`) writes. A reader sees the state that was
committed when it opened the database.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from db.derived_rows import Rows
from db.described_units import DescribedUnits
from db.manifest import cannot_use, damaged, find_root, never_built, open_manifest
from db.manifest_reading import (
    read_config,
    read_frame_spans,
    read_normaliser,
    read_remarks,
    read_shard_rows,
    read_sources,
    read_tags,
    read_unit_lengths,
)
from db.manifest_rows import bad_lengths, stored_settings
from db.normaliser import Normaliser
from db.row_kinds import unit_row_kind
from db.source import Failure, Source
from db.unit_rows import UnitRows, frame_rows, unit_spans
from db.unit_table import Units
from files.errors import DatabaseError
from files.names import quoted
from files.roots import Folder, Roots, folder_of

REMADE = ("units", "descriptors", "sources_by_path", "source_numbers", "_frame_rows")

__all__ = ["Database", "Failure", "Source", "Units"]


class Database(DescribedUnits):
    """Sources, units and descriptors of a corpus.

    Attributes
    ----------
    path : Path
    id : str
        Random, made with the database.
    root : Path or RemoteFolder
        The corpus folder, to which the paths of sources are relative. It is found even if it was
        moved together with the database. One in object storage is not looked for here.
    settings : DescriptorSettings
    sources : list of Source
        Analysed sources in the order of their rows, which is also the order of `units` and
        `descriptors`.
    failures : list of Failure
    warnings : dict
        What reading a source warned of, by path.
    tags : dict
        The set of tags of each source that has any, by path.
    semitones : ndarray, int64, shape (n_sources,)
        How far each source is transposed when it is played: 0, but see `db.derived`.
    copy_ids : int
        By how much the ids of a unit differ in successive copies of the corpus; 0 if there is one.
    source_member : ndarray, int64, shape (n_sources,)
        The number of the database that each source is in, if there are several; see `db.union`.
    unit_lengths : ndarray, int64, or None
        Samples in each unit, if these are neither frames nor of one length.
    rows : Rows
        The descriptors of units, on disk.
    index_folder : Path
        Where indexes of the units are kept.
    """

    names: tuple[str, ...] = ()  # of the members, if there are several; see `db.union`
    members: Mapping[str, "Database"] = {}
    normaliser_name: str | None = None  # of the member whose it is, if not of all units

    def __init__(self, path: str | Path, *, root: str | Folder | None = None) -> None:
        """Open the database in folder `path`; give its corpus folder as `root` if that has moved.

        Raises
        ------
        DatabaseError
            If there is no database, or it is damaged or of another version.
        """
        self.path = Path(path)
        with closing(open_manifest(self.path, write=False)) as connection:
            try:
                self._read(connection)
            except sqlite3.DatabaseError as error:
                raise cannot_use(self.path, error) from error
        if root is not None:
            self.root = folder_of(root).absolute()
            if isinstance(self.root, Path) and not self.root.is_dir():
                raise DatabaseError(
                    f"{root}: no such folder; give the corpus folder of {self.path} as root"
                )

    def _read(self, connection: sqlite3.Connection) -> None:
        config = read_config(connection)
        if not config:
            raise never_built(self.path)
        self.id = config["id"]
        self.root = find_root(self.path, config)
        self.settings = stored_settings(config)
        self.sources = read_sources(connection, self.settings)
        self.failures, self.warnings = read_remarks(connection)
        self.tags = read_tags(connection)
        self._normaliser = read_normaliser(connection)
        kind = unit_row_kind(self.settings)
        self.unit_lengths = read_unit_lengths(connection) if kind == "units" else None
        if self.unit_lengths is not None:
            for damage in bad_lengths(self.sources, self.unit_lengths):
                raise damaged(self.path, damage)
        self.index_folder = self.path / "index"
        self.semitones = np.zeros(len(self.sources), np.int64)
        self.copy_ids = 0
        self.source_member = np.zeros(len(self.sources), np.int64)
        self.rows: Rows = UnitRows(
            self.path,
            self.sources,
            kind=kind,
            n_columns=self.settings.n_descriptors,
            shard_rows=read_shard_rows(connection, kind),
        )
        self._frame_spans = (
            None if kind == "frames" else read_frame_spans(connection, self.settings)
        )
        self._frame_shards = read_shard_rows(connection, "frames")

    @property
    def roots(self) -> Roots:
        """Where the files of sources are."""
        return Roots.of(self.root)

    def describe(self) -> dict[str, Any]:
        """Return what a plan says of the database: "id" and "root"; of several, "databases"."""
        return {"id": self.id, "root": str(self.root)}

    @property
    def normaliser(self) -> Normaliser:
        """Mean and standard deviation over all units.

        Raises
        ------
        DatabaseError
            If the database holds no units, or its build was cut off before the normaliser was
            written, at the end.
        """
        if not self.sources:
            raise DatabaseError(
                f"{self.path} holds no units; add audio with: demiurge db build AUDIO_DIR"
                f" {quoted(self.path)}"
            )
        if self._normaliser is None:
            raise DatabaseError(
                f"{self.path}: its build was cut off; run the same demiurge db build again, which"
                " finishes it"
            )
        return self._normaliser

    @cached_property
    def known_paths(self) -> list[str]:
        """The paths of sources; of some of the sources of a database, those of all."""
        return [source.path for source in self.sources]

    @cached_property
    def _frame_rows(self) -> UnitRows:
        spans = unit_spans(self.sources) if self._frame_spans is None else self._frame_spans
        return frame_rows(
            self.path,
            self.sources,
            spans=spans,
            n_columns=len(self.settings.frame_names),
            shard_rows=self._frame_shards,
        )

    def source_frames(self, number: int) -> np.ndarray:
        """Return the frames of the source at a position in `sources`.

        Returns
        -------
        ndarray, float32, shape (n_frames, n_frame_descriptors)
            Without rows if the database does not hold them, since it was imported from a table.

        Raises
        ------
        DatabaseError
            If they are damaged on disk.
        """
        return self._frame_rows.of_source(number)

    def frames_between(self, number: int, first: int, stop: int) -> np.ndarray | None:
        """Return some of the `source_frames`, from `first` to before `stop`.

        None if there are not so many.
        """
        rows = self.source_frames(number)
        return rows[first:stop] if 0 <= first <= stop <= len(rows) else None

    def changed(self, **attributes: Any) -> Self:
        """Return this database with other attributes, as `db.derived` makes them."""
        changed = copy(self)
        for name in REMADE:
            changed.__dict__.pop(name, None)
        changed.__dict__.update(attributes)
        return changed
