import errno
import os
from pathlib import Path

import numpy as np
import pytest

from db import shards
from db.shards import (
    ShardWriter,
    checksum,
    file_problem,
    map_shard,
    read_rows,
    remove_strays,
    shard_path,
)
from files.errors import DatabaseError


def rows(n, *, first=0) -> np.ndarray:
    return np.arange(first, first + 2 * n, dtype=np.float32).reshape(n, 2)


def write(folder, *blocks, shard=0, committed=0) -> list[tuple[int, int]]:
    writer = ShardWriter(folder, "frames", 2, shard=shard, committed_rows=committed)
    places = [writer.append(block) for block in blocks]
    writer.sync()
    writer.close()
    return places


def test_rows_come_back_from_where_they_were_put(tmp_path):
    assert write(tmp_path, rows(3), rows(2, first=50)) == [(0, 0), (0, 3)]
    path = shard_path(tmp_path, "frames", 0)
    np.testing.assert_array_equal(read_rows(path, 3, 2, 2), rows(2, first=50))
    np.testing.assert_array_equal(map_shard(path, 5, 2)[:3], rows(3))
    assert path.read_bytes() == rows(3).tobytes() + rows(2, first=50).tobytes()


def test_a_shard_is_filled_to_the_last_row_and_no_further(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 5 * 2 * 4)
    assert write(tmp_path, rows(3), rows(2), rows(1)) == [(0, 0), (0, 3), (1, 0)]
    assert write(tmp_path, rows(5), shard=1, committed=1) == [(2, 0)]


def test_rows_that_were_never_committed_are_cut_off(tmp_path):
    write(tmp_path, rows(3), rows(4))
    assert write(tmp_path, rows(1, first=90), committed=3) == [(0, 3)]
    path = shard_path(tmp_path, "frames", 0)
    assert path.stat().st_size == 4 * 4 * 2
    np.testing.assert_array_equal(read_rows(path, 3, 1, 2), rows(1, first=90))


def test_rows_are_flushed_before_a_new_shard_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 3 * 2 * 4)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    write(tmp_path, rows(3), rows(1))
    assert synced == [24, 8]


def test_committed_rows_that_are_missing_are_an_error(tmp_path):
    write(tmp_path, rows(3))
    with pytest.raises(DatabaseError, match="24 bytes long, but 32 were committed"):
        write(tmp_path, rows(1), committed=4)
    with pytest.raises(DatabaseError, match="is missing; run demiurge db verify --repair"):
        map_shard(shard_path(tmp_path, "units", 0), 1, 2)


def test_fewer_rows_are_read_of_a_file_that_is_cut_short(tmp_path):
    write(tmp_path, rows(3))
    path = shard_path(tmp_path, "frames", 0)
    path.write_bytes(path.read_bytes()[:21])
    assert read_rows(path, 1, 2, 2).shape == (1, 2)


def test_the_checksum_is_that_of_the_bytes():
    assert checksum(rows(3)) == checksum(rows(3).astype(">f4")) != checksum(rows(3, first=1))


def test_only_unknown_shards_of_the_kind_are_strays(tmp_path):
    for name in ("00000.f32", "00001.f32", "units-00000.f32", "units-00001.f32"):
        (tmp_path / name).touch()
    remove_strays(tmp_path, "frames", {0})
    assert sorted(os.listdir(tmp_path)) == ["00000.f32", "units-00000.f32", "units-00001.f32"]
    remove_strays(tmp_path, "units", {1})
    assert sorted(os.listdir(tmp_path)) == ["00000.f32", "units-00001.f32"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_shard_that_the_system_refuses_is_no_damage(tmp_path, monkeypatch, number):
    def refused(self, **options):
        raise OSError(number, os.strerror(number), str(self))

    path = tmp_path / "00000.f32"
    path.write_bytes(b"")
    monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(DatabaseError, match=rf"{os.strerror(number)}\); (change|check) the"):
        file_problem(path, 0)
