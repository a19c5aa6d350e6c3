"""AU (Sun, NeXT): .snd, the place and the size of the samples, encoding, rate, channels."""

import struct
from typing import BinaryIO

from audio.containers.layout import (
    UNKNOWN_LENGTH,
    Layout,
    Part,
    is_placeholder,
    patched,
    read_at,
    truncated,
)

HEAD_BYTES = 24
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # bytes per sample of an encoding


def au_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which bytes of an AU file are its samples."""
    head = read_at(file, 0, HEAD_BYTES)
    order = "<" if head[:4] == b"dns." else ">"
    if len(head) < HEAD_BYTES:
        raise truncated(f"its header has {HEAD_BYTES} bytes but {len(head)} are there")
    start, stated, encoding, _, channels = struct.unpack(order + "IIIII", head[4:])
    rest = size - start
    if rest < 0:
        raise truncated(f"its samples begin at byte {start} but {size} bytes are there")
    if is_placeholder(stated) and not 0 < stated <= rest:
        n_bytes = rest - rest % max(WIDTHS.get(encoding, 1) * channels, 1)
        sizes = {8: struct.pack(order + "I", min(n_bytes, 0xFFFFFFFF))}
        return Layout((Part(patched(start + n_bytes, sizes)),), (UNKNOWN_LENGTH,))
    if stated > rest:
        raise truncated(f"its header promises {stated} bytes of samples but {rest} are there")
    if stated < rest:
        found = f"{rest - stated} bytes after its samples were left out"
        return Layout((Part(patched(start + stated, {})),), (found,))
    return Layout()
