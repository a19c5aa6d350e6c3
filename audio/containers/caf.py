"""CAF: chunks with sizes of 64 bits; that of the samples may be -1, up to the end of the file.

Source: Apple "Core Audio Format Specification" 1.0.
"""

import struct
from typing import BinaryIO

from audio.containers.layout import (
    UNKNOWN_LENGTH,
    Layout,
    Part,
    Span,
    damaged,
    patched,
    read_at,
    truncated,
)
from audio.containers.riff import MAX_CHUNKS

HEAD_BYTES = 12  # name and size
UNKNOWN = -1
PACKET_SIZE_AT = 16  # in the desc chunk: bytes of a sample of all channels; 0 if they vary


def caf_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which bytes of a CAF file are its samples."""
    at = 8
    block = 1
    for _ in range(MAX_CHUNKS):
        head = read_at(file, at, HEAD_BYTES)
        if len(head) < HEAD_BYTES:
            raise truncated("it ends in front of its samples: it has no data chunk")
        name, stated = struct.unpack(">4sq", head)
        at += HEAD_BYTES
        if name == b"data":
            return _layout(file, at, stated, size, block)
        if stated < 0:
            raise damaged(f"byte {at} begins no chunk, and no samples were found before it")
        if name == b"desc":
            values = read_at(file, at + PACKET_SIZE_AT, 4)
            block = max(int.from_bytes(values, "big"), 1)
        at += stated
    raise damaged(f"more than {MAX_CHUNKS} chunks lie in front of its samples")


def _layout(file: BinaryIO, at: int, stated: int, size: int, block: int) -> Layout:
    rest = size - at
    if stated == UNKNOWN or (stated == 0 and rest > 4):
        n_bytes = 4 + (rest - 4) // block * block  # a count of edits comes first
        sizes = {at - 8: struct.pack(">q", n_bytes)}
        return Layout((Part(patched(at + n_bytes, sizes)),), (UNKNOWN_LENGTH,))
    if stated > rest:
        raise truncated(f"its header promises {stated} bytes of samples but {rest} are there")
    following = read_at(file, at + stated, HEAD_BYTES)
    if following and not (following[:4].isalnum() and following[:4].isascii()):
        found = f"{rest - stated} bytes after its samples are no chunk: they were left out"
        return Layout((Part((Span(0, at + stated),)),), (found,))
    return Layout()
