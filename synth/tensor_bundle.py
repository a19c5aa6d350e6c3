"""Tensors of a TensorFlow checkpoint ("tensor bundle"), read without TensorFlow.

PREFIX.index is a sorted string table as LevelDB writes it (doc/table_format.md of LevelDB): blocks
of key and value, each followed by its compression and checksum, and a footer that says where the
block of blocks is. The values are protocol buffers (tensorflow/core/protobuf/tensor_bundle.proto)
that say where in PREFIX.data-00000-of-00001 a tensor lies, little-endian, raw.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from files.errors import CheckpointError
from synth.crc32c import masked_crc32c

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER_BYTES = 48
FLOAT = 1  # DT_FLOAT of tensorflow/core/framework/types.proto
# fields of BundleEntryProto
DTYPE = 1
SHAPE = 2
SHARD = 3
OFFSET = 4
SIZE = 5
CHECKSUM = 6


def read_tensors(prefix: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read the float32 tensors of these names; every checksum on the way is checked.

    Parameters
    ----------
    prefix : str
        The path without ".index"; a path that ends with "/" where the checkpoint has no other name.
    names : iterable of str

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, it is damaged, lacks a name, or is of a form that is not
        read (several shards, big-endian, compressed, not float32).
    """
    index = Path(f"{prefix}.index")
    data = Path(f"{prefix}.data-00000-of-00001")
    try:
        entries = dict(_entries(index.read_bytes()))
        values = data.read_bytes()
        header = dict(_fields(entries.get("", b"")))
        if header.get(1) != 1 or header.get(2, 0):
            raise ValueError("not one little-endian shard")
        return {name: _tensor(entries, name, values) for name in names}
    except OSError as error:
        raise CheckpointError(
            f"{error.filename}: cannot be read ({error.strerror}); get the checkpoint again"
        ) from error
    except (ValueError, TypeError) as error:  # TypeError: a field of another kind than it should be
        raise CheckpointError(
            f"{index}: damaged or not readable ({error}); get the checkpoint again"
        ) from error


def _tensor(entries: dict[str, bytes], name: str, values: bytes) -> np.ndarray:
    if name not in entries:
        raise ValueError(f"no tensor {name!r}")
    entry = dict(_fields(entries[name]))
    if entry.get(DTYPE) != FLOAT or entry.get(SHARD, 0):
        raise ValueError(f"{name!r} is not float32 of the first shard")
    shape = [
        dict(_fields(dim)).get(1, 0)
        for number, dim in _fields(entry.get(SHAPE, b""))
        if number == 2
    ]
    offset = entry.get(OFFSET, 0)
    size = entry.get(SIZE, 0)
    raw = values[offset : offset + size]
    if size != 4 * math.prod(shape) or len(raw) != size:
        raise ValueError(f"{name!r} of shape {tuple(shape)} has {len(raw)} bytes")
    if masked_crc32c(raw) != entry.get(CHECKSUM):
        raise ValueError(f"the checksum of {name!r} is wrong")
    return np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)


def _entries(table: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys and values of a sorted string table."""
    if len(table) < FOOTER_BYTES or not table.endswith(MAGIC):
        raise ValueError("truncated, or no TensorFlow checkpoint")
    footer = _Cursor(table[-FOOTER_BYTES:])
    footer.varint(), footer.varint()  # where the block of metadata is
    for _, handle in _block(table, footer):
        for key, value in _block(table, _Cursor(handle)):
            yield key.decode(), value


def _block(table: bytes, handle: "_Cursor") -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the block at `handle`; a key is stored as what differs from the one
    before.
    """
    offset = handle.varint()
    size = handle.varint()
    stored = table[offset : offset + size + 5]
    if len(stored) != size + 5 or size < 4:
        raise ValueError("truncated")
    if masked_crc32c(stored[:-4]) != struct.unpack("<I", stored[-4:])[0]:
        raise ValueError("its checksum is wrong")
    if stored[size]:
        raise ValueError("compressed")
    n_restarts = struct.unpack("<I", stored[size - 4 : size])[0]
    cursor = _Cursor(stored[: max(size - 4 - 4 * n_restarts, 0)])
    key = b""
    while cursor.at < len(cursor.data):
        n_shared = cursor.varint()
        n_new = cursor.varint()
        n_value = cursor.varint()
        key = key[:n_shared] + cursor.take(n_new)
        yield key, cursor.take(n_value)


class _Cursor:
    """Reads bytes from front to back; ValueError past their end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, n: int) -> bytes:
        if self.at + n > len(self.data):
            raise ValueError("truncated")
        self.at += n
        return self.data[self.at - n : self.at]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number of over 64 bits")


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of the fields of a protocol buffer: int, or bytes as they are."""
    cursor = _Cursor(message)
    while cursor.at < len(message):
        number, wire_type = divmod(cursor.varint(), 8)
        match wire_type:
            case 0:
                yield number, cursor.varint()
            case 1:
                yield number, cursor.take(8)
            case 2:
                yield number, cursor.take(cursor.varint())
            case 5:
                yield number, struct.unpack("<I", cursor.take(4))[0]
            case _:
                raise ValueError(f"unknown wire type {wire_type}")
