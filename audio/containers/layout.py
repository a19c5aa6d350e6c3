"""Which bytes of a file are to be decoded, and what has to be said about them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from files.errors import AudioError

COPY = "copy or export the file again, or remove it"
UNKNOWN_LENGTH = "its header states no length: read to the end of the file"
# A writer that cannot seek back leaves a size of 0, about 2^31 or about 2^32.
PLACEHOLDERS = (range(1), range(0x7F000000, 0x80010000), range(0xFFFF0000, 1 << 32))
MOST_BYTES = 1 << 43  # 8 TiB; no system has larger files, and a larger size is a placeholder


@dataclass(frozen=True)
class Span:
    """The bytes of a file from `start` to before `stop`."""

    start: int
    stop: int


Piece = Span | bytes


@dataclass(frozen=True)
class Part:
    """What the decoder gets to see as one file.

    Attributes
    ----------
    pieces : tuple of Span or bytes
        Byte ranges of the file, and bytes that stand in the place of others.
    n_samples : int, optional
        The length, if the decoder could only guess it.
    is_endless : bool
        It shall seem endless to the decoder, which would guess from its size when to stop.
    is_uncounted : bool
        Its length is only known when it has been decoded.
    """

    pieces: tuple[Piece, ...]
    n_samples: int | None = None
    is_endless: bool = False
    is_uncounted: bool = False


@dataclass(frozen=True)
class Layout:
    """The parts of a file, in order; none if it is decoded as it is.

    Attributes
    ----------
    parts : tuple of Part
    warnings : tuple of str
        What was repaired or is unusual, without the file's name.
    is_mpeg : bool
        libmpg123 decodes it, which writes to standard error.
    is_plain : bool
        The only part is the file as it is, of which only the length might be guessed wrongly.
    """

    parts: tuple[Part, ...] = ()
    warnings: tuple[str, ...] = ()
    is_mpeg: bool = False
    is_plain: bool = False


AS_IT_IS = Layout()


class Rest:
    """A file without its first bytes, for `read_at`."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start

    def seek(self, offset: int) -> int:
        return self._file.seek(self._start + offset) - self._start

    def read(self, n_bytes: int) -> bytes:
        return self._file.read(n_bytes)


def moved(layout: Layout, start: int, size: int) -> Layout:
    """Return the layout of a file of `size` bytes, given that of its `Rest` from `start` on."""
    whole = Part((Span(0, size - start),))
    parts = tuple(
        replace(part, pieces=tuple(_moved(piece, start) for piece in part.pieces))
        for part in layout.parts or (whole,)
    )
    return replace(layout, parts=parts)


def _moved(piece: Piece, start: int) -> Piece:
    if isinstance(piece, bytes):
        return piece
    return Span(piece.start + start, piece.stop + start)


def truncated(what: str) -> AudioError:
    """Return the error for a file of which a part is missing."""
    return AudioError(f"truncated, {what}; {COPY}")


def damaged(what: str) -> AudioError:
    """Return the error for a file whose structure is broken."""
    return AudioError(f"damaged, {what}; {COPY}")


def is_placeholder(size: int) -> bool:
    """Return whether a size says no more than that its writer did not know it."""
    return size > MOST_BYTES or any(size in sizes for sizes in PLACEHOLDERS)


def patched(stop: int, patches: Mapping[int, bytes]) -> tuple[Piece, ...]:
    """Return a file up to `stop` with some of its bytes replaced, given by their offsets."""
    pieces: list[Piece] = []
    at = 0
    for offset, data in sorted(patches.items()):
        pieces += [Span(at, offset), data] if offset > at else [data]
        at = offset + len(data)
    return (*pieces, Span(at, stop))


def read_at(file: BinaryIO, offset: int, n_bytes: int) -> bytes:
    """Read from a place of a file; fewer bytes at its end, and none at a place that cannot be."""
    if not 0 <= offset <= MOST_BYTES:
        return b""
    file.seek(offset)
    return file.read(n_bytes)
