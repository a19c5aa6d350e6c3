"""The same bytes for the same samples: what libsndfile takes from the clock becomes a constant."""

import struct
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO

OGG_POLYNOMIAL = 0x104C11DB7
OGG_SERIAL = 1


def make_constant(path: Path) -> None:
    """Set the time in a WAV's PEAK chunk to 0, and an Ogg stream's serial number to 1."""
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
    """Set the serial number in every page, and correct the page's checksum.

    A page is 27 bytes, among them serial number, page number and checksum from byte 14; the lengths
    of its segments; the segments. The checksum, a CRC without offset, is linear: it changes by the
    CRC of the change, whatever else is in the page.
    """
    at = 0
    while True:
        file.seek(at)
        head = bytearray(file.read(27 + 255))
        if not head:
            return
        length = 27 + head[26] + sum(head[27 : 27 + head[26]])
        serial, number, checksum = struct.unpack_from("<III", head, 14)
        change = int.from_bytes(struct.pack("<I", serial ^ OGG_SERIAL), "big")
        checksum ^= _crc_shift(change, length - 14)
        struct.pack_into("<III", head, 14, OGG_SERIAL, number, checksum)
        file.seek(at)
        file.write(head[:27])
        at += length


def _crc_shift(value: int, n_bytes: int) -> int:
    """Multiply a 32-bit polynomial by x to the 8 n_bytes, modulo Ogg's."""
    power = 1 << 8
    while n_bytes:
        if n_bytes & 1:
            value = _crc_multiply(value, power)
        power = _crc_multiply(power, power)
        n_bytes >>= 1
    return value


def _crc_multiply(a: int, b: int) -> int:
    """Multiply two 32-bit polynomials, modulo Ogg's."""
    product = 0
    for bit in range(31, -1, -1):
        product <<= 1
        product ^= OGG_POLYNOMIAL * (product >> 32) ^ a * (b >> bit & 1)
    return product
