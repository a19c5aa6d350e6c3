"""Sony Wave64: WAV with names of 16 bytes and sizes of 64 bits that count their own head."""

import struct
from typing import BinaryIO

from audio.containers.layout import (
    UNKNOWN_LENGTH,
    Layout,
    Part,
    damaged,
    is_placeholder,
    patched,
    read_at,
    truncated,
)
from audio.containers.riff import MAX_CHUNKS

HEAD_BYTES = 24  # name and size
NAME_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of every name but that of the file
RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")


def w64_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which bytes of a Wave64 file are its samples."""
    at = HEAD_BYTES + 16
    block = 1
    for _ in range(MAX_CHUNKS):
        head = read_at(file, at, HEAD_BYTES)
        if len(head) < HEAD_BYTES:
            raise truncated("it ends in front of its samples: it has no data chunk")
        name = head[:4]
        stated = int.from_bytes(head[16:], "little")
        if name == b"data":
            return _layout(file, at, stated, size, block)
        if stated < HEAD_BYTES or head[4:16] != NAME_END:
            raise damaged(f"byte {at} begins no chunk, and no samples were found before it")
        if name == b"fmt ":
            block = max(int.from_bytes(read_at(file, at + HEAD_BYTES + 12, 2), "little"), 1)
        at += stated + -stated % 8
    raise damaged(f"more than {MAX_CHUNKS} chunks lie in front of its samples")


def _layout(file: BinaryIO, at: int, stated: int, size: int, block: int) -> Layout:
    rest = size - at - HEAD_BYTES
    promised = max(stated - HEAD_BYTES, 0)  # less than the head is a placeholder
    if is_placeholder(promised) and not 0 < promised <= rest:
        n_bytes = rest - rest % block
        stop = at + HEAD_BYTES + n_bytes
        sizes = {16: struct.pack("<Q", stop), at + 16: struct.pack("<Q", n_bytes + HEAD_BYTES)}
        return Layout((Part(patched(stop, sizes)),), (UNKNOWN_LENGTH,))
    if promised > rest:
        raise truncated(f"its header promises {promised} bytes of samples but {rest} are there")
    stop = at + stated
    if size == stop:
        return Layout()
    following = read_at(file, stop + -stop % 8, HEAD_BYTES)
    warnings: tuple[str, ...] = ()
    if following and following[4:16] != NAME_END:
        warnings = (f"{size - stop} bytes after its samples are no chunk: they were left out",)
    # libsndfile would take them for samples
    return Layout((Part(patched(stop, {16: struct.pack("<Q", stop)})),), warnings)
