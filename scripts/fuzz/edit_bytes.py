"""Edits of bytes: bits, ranges, sizes in headers, and the blocks that containers consist of."""

import re
import struct
from itertools import pairwise
from random import Random

from scripts.fuzz import hostile_values

SYNCS = (rb"OggS", rb"\xff[\xf8\xf9]", rb"\xff[\xe2-\xfb]")  # pages; frames of FLAC; of MPEG
CHUNKED = (b"RIFF", b"RF64", b"riff", b"FORM", b"caff", b".snd")
FOUR = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")  # names of chunks
HEADER = 256  # bytes in which sizes are looked for
JUNK = (b"", bytes(100), b"\xff" * 4000, b"TAG" + b"x" * 125, b"<html>404</html>", b"RIFF")
ID3_INFO = b"ID3\x03\0\0\0\0\0\x14TPE1\0\0\0\x0a\0\0\0Info band"


def edit_bytes(data: bytes, rng: Random, other: bytes = b"") -> bytes:
    """Return the data with one edit; `other` is a file to splice it with."""
    if not data:
        return rng.choice(JUNK)
    if rng.random() < 0.4:
        return edit_blocks(data, rng)
    return rng.choice(EDITS)(bytearray(data), rng, other)


def flip_bits(data: bytearray, rng: Random, _: bytes) -> bytes:
    for _number in range(rng.choice((1, 1, 4, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def flip_header_bits(data: bytearray, rng: Random, _: bytes) -> bytes:
    data[rng.randrange(min(HEADER, len(data)))] = rng.randrange(256)
    return bytes(data)


def delete_range(data: bytearray, rng: Random, _: bytes) -> bytes:
    start, stop = some_range(data, rng)
    return bytes(data[:start] + data[stop:])


def repeat_range(data: bytearray, rng: Random, _: bytes) -> bytes:
    start, stop = some_range(data, rng)
    return bytes(data[:stop] + data[start:])


def blank_range(data: bytearray, rng: Random, _: bytes) -> bytes:
    start, stop = some_range(data, rng)
    data[start:stop] = bytes([rng.choice((0, 255))]) * (stop - start)
    return bytes(data)


def insert_junk(data: bytearray, rng: Random, _: bytes) -> bytes:
    at = rng.choice((0, rng.randrange(len(data)), len(data)))
    junk = rng.choice((*JUNK, rng.randbytes(rng.choice((1, 2, 500)))))
    return bytes(data[:at] + junk + data[at:])


def prepend_tag(data: bytearray, rng: Random, _: bytes) -> bytes:
    return ID3_INFO + bytes(data)


def cut(data: bytearray, rng: Random, _: bytes) -> bytes:
    return bytes(data[: rng.randrange(rng.choice((len(data), min(64, len(data)))))])


def splice(data: bytearray, rng: Random, other: bytes) -> bytes:
    """Continue with the end of another file."""
    at = rng.choice((len(data), rng.randrange(len(data))))
    return bytes(data[:at]) + other[rng.choice((0, rng.randrange(len(other) + 1))) :]


def replace_size(data: bytearray, rng: Random, _: bytes) -> bytes:
    """Put an interesting number at a place where a header may keep a size."""
    at = rng.choice(size_places(bytes(data)))
    width = rng.choice(("<I", "<I", ">I", "<H", ">H", "<Q", ">Q"))
    size = struct.calcsize(width)
    if at + size > len(data):
        return bytes(data)
    number = hostile_values.integer(rng)
    if rng.random() < 0.5:
        (number,) = struct.unpack_from(width, data, at)
        number = rng.choice((number + 1, number - 1, number * 2, number // 2, len(data)))
    struct.pack_into(width, data, at, number % (1 << 8 * size))
    return bytes(data)


def size_places(data: bytes) -> list[int]:
    """Return the bytes after names of chunks, and even ones near the beginning."""
    named = [found.end() for found in FOUR.finditer(data[:HEADER])]
    return [*named, *named, *range(0, min(HEADER, len(data)), 2)]


EDITS = (
    *(flip_bits, flip_header_bits, delete_range, repeat_range, blank_range, insert_junk),
    *(prepend_tag, cut, cut, splice, replace_size, replace_size, replace_size),
)


def some_range(data: bytearray, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    length = rng.choice((1, 2, 4, 100, 4096, len(data) // 4, len(data) // 2))
    return start, min(start + length, len(data))


def edit_blocks(data: bytes, rng: Random) -> bytes:
    """Delete, repeat, move or damage one of the pages, frames or chunks of a file."""
    blocks = split_blocks(data)
    if len(blocks) < 2:
        return flip_bits(bytearray(data), rng, b"")
    index = rng.randrange(len(blocks))
    choice = rng.randrange(5)
    if choice == 0:
        del blocks[index : index + rng.choice((1, 1, 2, len(blocks) // 2))]
    elif choice == 1:
        blocks.insert(index, blocks[index])
    elif choice == 2:
        blocks.insert(rng.randrange(len(blocks)), blocks.pop(index))
    elif choice == 3:
        blocks[index] = edit_page(blocks[index], rng)
    else:
        del blocks[index:]
        blocks.append(b"" if rng.random() < 0.5 else bytes(50))
    return b"".join(blocks)


def split_blocks(data: bytes) -> list[bytes]:
    """Split data before each page or frame if it has such, or before the names of chunks."""
    places: list[int] = []
    for sync in () if data[:4] in CHUNKED else SYNCS:
        places = places or [found.start() for found in re.finditer(sync, data)]
    if len(places) < 2:
        places = [found.start() for found in FOUR.finditer(data[:4096])]
    bounds = sorted({0, *places, len(data)})
    return [data[start:stop] for start, stop in pairwise(bounds)]


def edit_page(block: bytes, rng: Random) -> bytes:
    """Damage a block; an Ogg page gets another header with a right checksum."""
    data = bytearray(block)
    if not block.startswith(b"OggS") or len(block) < 28:
        return flip_header_bits(data, rng, b"") if data else block
    field, width = rng.choice(((5, "<B"), (6, "<q"), (14, "<I"), (18, "<I")))
    value = rng.choice((0, 1, 4, 2**31 - 1, 2**40, -1)) % (1 << 8 * struct.calcsize(width) - 1)
    struct.pack_into(width, data, field, value)
    struct.pack_into("<I", data, 22, 0)
    struct.pack_into("<I", data, 22, ogg_checksum(bytes(data)))
    return bytes(data)


def ogg_checksum(page: bytes) -> int:
    """Return the CRC-32 of an Ogg page (RFC 3533): polynomial 0x04c11db7, not reflected."""
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _bit in range(8):
            carry = checksum & 0x80000000
            checksum = (checksum << 1) & 0xFFFFFFFF ^ (0x04C11DB7 if carry else 0)
    return checksum
