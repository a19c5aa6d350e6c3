"""Rows of a database as they lie on disk, for tests that compare them."""

from contextlib import closing
from pathlib import Path

import numpy as np

from db.database import Database
from db.manifest import open_manifest
from db.row_kinds import SPAN_TABLES
from db.shards import read_rows, shard_path


def read_frames(path: Path) -> dict[str, np.ndarray]:
    """The frames of every source, float32, (n_frames, len(settings.frame_names)), by its path."""
    spans, _ = SPAN_TABLES["frames"]
    query = f"SELECT path, shard, first_row, n_rows FROM sources JOIN {spans} ON source_id = id"
    n_columns = len(Database(path).settings.frame_names)
    with closing(open_manifest(path, write=False)) as connection:
        return {
            name: read_rows(shard_path(path / "shards", "frames", shard), first, n_rows, n_columns)
            for name, shard, first, n_rows in connection.execute(query)
        }
