"""The pages of an Ogg file.

A page is a head of 27 bytes, the lengths of its segments, and the segments. Source: RFC 3533.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from audio.containers.layout import damaged, read_at, truncated

CAPTURE = b"OggS"
HEAD = struct.Struct("<4sBBqIIIB")
CHECKSUM_AT = 22
FLAGS_AT = 5
BEGINS = 2  # flag of the first page of a stream
ENDS = 4  # of the last one
READ_BYTES = 1 << 18
MOST_PAGE_BYTES = HEAD.size + 255 + 255 * 255
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bits in reverse order


@dataclass(slots=True)
class Page:
    """A page: where it is, its head, and the start of its content."""

    start: int
    content_start: int
    stop: int
    flags: int
    granule: int
    serial: int
    number: int
    content: bytes  # the first 8 bytes


@dataclass
class Junk:
    """How many bytes between or after pages are no pages."""

    n_bytes: int = 0


def walk_pages(file: BinaryIO, stop: int, junk: Junk) -> Iterator[Page]:
    """Yield the pages of a file up to a place; their checksums are not checked.

    Raises
    ------
    AudioError
        If the last one is incomplete.
    """
    at = 0
    first = 0
    data = b""
    while at < stop:
        if first + len(data) - at < min(MOST_PAGE_BYTES, stop - at):
            first = at
            data = read_at(file, at, min(READ_BYTES, stop - at))
        page = _page(data, at - first, at, stop)
        if page is not None:
            yield page
            at = page.stop
            continue
        place = data.find(CAPTURE, at - first + 1)
        following = first + place if place >= 0 else min(first + len(data), stop)
        junk.n_bytes += following - at
        at = following if place >= 0 or following == stop else max(at + 1, following - 3)


def _page(data: bytes, place: int, at: int, stop: int) -> Page | None:
    """Return the page that begins at a place of the data; None if none does."""
    if data[place : place + 4] != CAPTURE:
        return None
    if len(data) - place < HEAD.size:
        raise truncated("its last page is incomplete")
    _, _, flags, granule, serial, number, _, n_segments = HEAD.unpack_from(data, place)
    head_stop = place + HEAD.size + n_segments
    page_stop = head_stop + sum(data[place + HEAD.size : head_stop])
    if at + page_stop - place > stop:
        raise truncated("its last page is incomplete")
    content = data[head_stop : min(head_stop + 8, page_stop)]
    places = (at, at + head_stop - place, at + page_stop - place)
    return Page(*places, flags, granule, serial, number, content)


def check_page(file: BinaryIO, page: Page) -> None:
    """Raise an `AudioError` if a page does not match its checksum."""
    data = read_at(file, page.start, page.stop - page.start)
    rest = data[CHECKSUM_AT + 4 :]
    stated = int.from_bytes(data[CHECKSUM_AT : CHECKSUM_AT + 4], "little")
    if ogg_checksum(data[:CHECKSUM_AT] + bytes(4) + rest) != stated:
        raise damaged(f"page {page.number}, at byte {page.start}, does not match its checksum")


def ogg_checksum(page: bytes | bytearray) -> int:
    """Return the CRC-32 of an Ogg page whose checksum is 0.

    It uses zlib's polynomial, but starts at 0, is not inverted, and takes the highest bit first.
    """
    mirrored = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def marked_page(page: bytes, *, is_last: bool) -> bytes:
    """Return a page with or without the flag of the last one, and its checksum."""
    changed = bytearray(page)
    changed[FLAGS_AT] = changed[FLAGS_AT] & ~ENDS | (ENDS if is_last else 0)
    return with_checksum(changed)


def with_checksum(page: bytes | bytearray) -> bytes:
    """Return a page with the right checksum."""
    changed = bytearray(page)
    struct.pack_into("<I", changed, CHECKSUM_AT, 0)
    struct.pack_into("<I", changed, CHECKSUM_AT, ogg_checksum(changed))
    return bytes(changed)
