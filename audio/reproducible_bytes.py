"""Replace the bytes that libsndfile takes from the clock, so that equal audio is equal files."""

import struct
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO

from audio.containers.ogg_pages import ogg_checksum

OGG_SERIAL = 1
HEAD_BYTES = 27  # of an Ogg page, up to the lengths of its segments
SERIAL_AT = 14
CHECKSUM_AT = 22


def make_constant(path: Path) -> None:
    """Set the time in a WAV's PEAK chunk to 0, or an Ogg stream's serial number to 1."""
    with open(path, "r+b") as file:
        start = file.read(4)
        if start == b"OggS":
            _set_serials(file)
        elif start == b"RIFF":
            _zero_peak_time(file)


def _zero_peak_time(file: BinaryIO) -> None:
    file.seek(12)  # past the size and "WAVE"
    name, size = struct.unpack("<4sI", file.read(8))
    while name not in (b"PEAK", b"data"):
        file.seek(size + size % 2, SEEK_CUR)
        name, size = struct.unpack("<4sI", file.read(8))
    if name == b"PEAK":
        file.seek(4, SEEK_CUR)  # the version
        file.write(bytes(4))


def _set_serials(file: BinaryIO) -> None:
    """Rewrite every page, which is a 27-byte head, its segments' lengths, and the segments."""
    file.seek(0)
    while head := file.read(HEAD_BYTES):
        lengths = file.read(head[-1])
        page = bytearray(head + lengths + file.read(sum(lengths)))
        struct.pack_into("<I", page, SERIAL_AT, OGG_SERIAL)
        struct.pack_into("<I", page, CHECKSUM_AT, 0)
        struct.pack_into("<I", page, CHECKSUM_AT, ogg_checksum(page))
        file.seek(-len(page), SEEK_CUR)
        file.write(page)
