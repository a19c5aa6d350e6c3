"""A file for libsndfile that is made of pieces of another."""

import os
from bisect import bisect_right
from typing import BinaryIO

from audio.containers.layout import Part, Span

# The size that is stated for a part whose length libsndfile would guess from its size, so that it
# reads all of it. What lies between the pieces and the last bytes is never there.
STATED_BYTES = 1 << 40
TAIL_BYTES = 128  # zeros at the stated end, where libmpg123 looks for a tag


class View:
    """The pieces of a part as one file, read through a file that the caller closes.

    An error of the system while reading is kept in `error`: libsndfile has no way to pass it on.
    """

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self._file = file
        self._pieces = part.pieces
        self._starts = []
        self._end = 0
        for piece in part.pieces:
            self._starts.append(self._end)
            self._end += piece.stop - piece.start if isinstance(piece, Span) else len(piece)
        self._size = STATED_BYTES if part.is_endless else self._end
        self._at = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; fewer bytes at the end."""
        wanted = memoryview(buffer)
        n_read = 0
        while n_read < len(wanted):
            try:
                n_bytes = self._read_piece(wanted[n_read:])
            except OSError as error:
                self.error = error
                break
            if not n_bytes:
                break
            n_read += n_bytes
            self._at += n_bytes
        return n_read

    def _read_piece(self, wanted: memoryview) -> int:
        """Read from the piece at the current place, as far as it goes."""
        if self._at >= self._end:
            is_tail = self._size - TAIL_BYTES <= self._at < self._size
            return self._fill(wanted, bytes(self._size - self._at)) if is_tail else 0
        number = bisect_right(self._starts, self._at) - 1
        piece = self._pieces[number]
        inside = self._at - self._starts[number]
        if isinstance(piece, bytes):
            return self._fill(wanted, piece[inside:])
        self._file.seek(piece.start + inside)
        left = piece.stop - piece.start - inside
        return self._file.readinto(wanted[:left])  # type: ignore[attr-defined,no-any-return]

    @staticmethod
    def _fill(wanted: memoryview, data: bytes) -> int:
        n_bytes = min(len(wanted), len(data))
        wanted[:n_bytes] = data[:n_bytes]
        return n_bytes
