"""The frames of an MPEG audio stream, each of which states its own size.

Header, 32 bits: sync 11, version 2, layer 2, no checksum 1, bit rate 4, sample rate 2, padding 1,
private 1, mode 2, … Sources: ISO/IEC 11172-3 and 13818-3, 2.4.1.3.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np

from audio.containers.layout import damaged, read_at

READ_BYTES = 1 << 18
NEAR_BYTES = 1 << 14  # where the next frame nearly always is
MOST_FRAME_BYTES = 8192  # above that of any bit rate; free format may have more in theory
HEAD_BYTES = 4
MAX_TRIES = 100_000  # places at which frames may begin
DESCRIBING = (b"Xing", b"Info")  # begins the content of a frame that describes the others
INITIALS = frozenset(mark[0] for mark in DESCRIBING)
SURE_FRAMES = 4  # that follow one another by chance in no file
NO_LAYER = 0
LAYER_1 = 3
LAYER_2 = 2
LAYER_3 = 1
MPEG_1 = 3
KBIT_MPEG_1 = {
    LAYER_1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    LAYER_2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    LAYER_3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
KBIT_LSF_1 = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
KBIT_LSF = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True)
class Format:
    """What all frames of a stream have in common.

    Attributes
    ----------
    first, second : int
        Bits of the second and third byte of their headers: version and layer, sample rate.
    is_mono : bool
    free_bytes : int
        Size without padding, if the header does not state the bit rate; else 0.
    """

    first: int
    second: int
    is_mono: bool
    free_bytes: int = 0

    @property
    def layer(self) -> int:
        return self.first >> 1 & 3

    @property
    def is_mpeg_1(self) -> bool:
        return self.first >> 3 & 3 == MPEG_1

    @property
    def samples_per_frame(self) -> int:
        if self.layer == LAYER_1:
            return 384
        return 1152 if self.layer == LAYER_2 or self.is_mpeg_1 else 576

    @property
    def side_bytes(self) -> int:
        """Size of what lies between header and content in layer III."""
        if self.is_mpeg_1:
            return 17 if self.is_mono else 32
        return 9 if self.is_mono else 17


def _frame_bytes(first: int, second: int) -> int:
    """Return the size of a frame by two bytes of its header; 0 if they are none."""
    version = first >> 3 & 3
    layer = first >> 1 & 3
    bits_index = second >> 4
    rate_index = second >> 2 & 3
    if first >> 5 != 7 or version == 1 or layer == NO_LAYER or rate_index == 3:
        return 0
    if bits_index in (0, 15):
        return 0
    rate = RATES[version][rate_index]
    padding = second >> 1 & 1
    if version == MPEG_1:
        bits = KBIT_MPEG_1[layer][bits_index - 1] * 1000
    else:
        bits = (KBIT_LSF_1 if layer == LAYER_1 else KBIT_LSF)[bits_index - 1] * 1000
    if layer == LAYER_1:
        return (12 * bits // rate + padding) * 4
    per_bit = 72 if layer == LAYER_3 and version != MPEG_1 else 144
    return per_bit * bits // rate + padding


SIZES = [_frame_bytes(code >> 8, code & 0xFF) for code in range(1 << 16)]
IS_HEADER = np.array(SIZES) > 0
FREE = -1  # the size of a frame that does not state its bit rate


@lru_cache(maxsize=16)
def _sizes_of(first: int, second: int) -> list[int]:
    """Return the sizes of frames of one format by two bytes of their headers; 0 for others."""
    codes = np.arange(1 << 16)
    is_one = ((codes >> 8 & 0xFE) == first) & ((codes & 0x0C) == second)
    is_free = is_one & ((codes >> 4 & 15) == 0)
    sizes: list[int] = np.where(is_free, FREE, np.where(is_one, SIZES, 0)).tolist()
    return sizes


@dataclass(frozen=True)
class Run:
    """Frames that follow one another: where the first and the last begin, and where they end."""

    start: int
    last: int
    stop: int
    n_frames: int


class Frames:
    """Finds and counts the frames of a file between two places."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self._file = file
        self.stop = stop
        self._first = start
        self._data = b""
        self._n_tries = 0

    def read(self, at: int, n_bytes: int) -> bytes:
        """Return bytes from a place on; fewer at the end."""
        n_bytes = min(n_bytes, self.stop - at)
        if not self._first <= at <= at + n_bytes <= self._first + len(self._data):
            self._first = at
            self._data = read_at(self._file, at, min(max(READ_BYTES, n_bytes), self.stop - at))
        return self._data[at - self._first : at - self._first + n_bytes]

    def format_at(self, at: int) -> Format | None:
        """Return the format of the frame that begins at a place; None if none does."""
        head = self.read(at, HEAD_BYTES)
        if len(head) < HEAD_BYTES or head[0] != 0xFF:
            return None
        is_mono = head[3] >> 6 == 3
        if SIZES[head[1] << 8 | head[2]]:
            return Format(head[1] & 0xFE, head[2] & 0x0C, is_mono)
        as_free = head[2] >> 4 == 0 and SIZES[head[1] << 8 | head[2] | 0x10]
        if as_free and head[1] >> 1 & 3 != LAYER_1:
            free_bytes = self._free_bytes(at, head)
            if free_bytes:
                return Format(head[1] & 0xFE, head[2] & 0x0C, is_mono, free_bytes)
        return None

    def _free_bytes(self, at: int, head: bytes) -> int:
        """Return the distance to the next frame of free format, less padding; 0 if none."""
        data = self.read(at, 2 * MOST_FRAME_BYTES)
        start = bytes([0xFF, head[1]])
        place = data.find(start, 24)
        while 0 < place < len(data) - HEAD_BYTES:
            if data[place + 2] & 0xFD == head[2] & 0xFD:
                return place - (head[2] >> 1 & 1)
            place = data.find(start, place + 1)
        return 0

    def count(self, at: int, kind: Format, most: int = 1 << 40) -> Run:
        """Count the frames of a format that follow one another from a place on.

        An incomplete frame at the end does not count; nor does one that describes others, but for
        the first.
        """
        run = Run(at, at, at, 0)
        n_bytes = min(READ_BYTES, most * MOST_FRAME_BYTES)
        while run.n_frames < most:
            data = self.read(run.stop, n_bytes)
            more = _count(data, kind, most - run.n_frames, is_first=run.n_frames == 0)
            if not more.n_frames:
                break
            n_frames = run.n_frames + more.n_frames
            run = Run(at, run.stop + more.last, run.stop + more.stop, n_frames)
        return run

    def find(self, at: int, stop: int) -> int | None:
        """Return the place of the first frame between two places; None if there is none.

        `SURE_FRAMES` of them follow one another, or fewer of them up to the end.
        """
        n_bytes = NEAR_BYTES
        while at < stop:
            data = np.frombuffer(self.read(at, n_bytes), np.uint8)
            if len(data) < HEAD_BYTES:
                return None
            codes = data[1:-1].astype(np.int32) << 8 | data[2:]
            for place in np.flatnonzero((data[:-2] == 0xFF) & IS_HEADER[codes]).tolist():
                if at + place >= stop:
                    return None
                if self.is_sure(at + place):
                    return at + place
            at += max(len(data) - 2, 1)
            n_bytes = READ_BYTES
        return None

    def is_sure(self, at: int, least: int = 2) -> bool:
        """Return whether frames begin at a place.

        `SURE_FRAMES` must follow one another, or `least` of them up to the end.
        """
        self._n_tries += 1
        if self._n_tries > MAX_TRIES:
            raise damaged(f"its frames begin anew at more than {MAX_TRIES} places")
        kind = self.format_at(at)
        if kind is None:
            return False
        run = self.count(at, kind, SURE_FRAMES)
        return run.n_frames >= SURE_FRAMES or (run.n_frames >= least and run.stop == self.stop)


def _describes(data: bytes, mark: int) -> bool:
    return data[mark : mark + 4] in DESCRIBING


def _count(data: bytes, kind: Format, most: int, *, is_first: bool) -> Run:
    """Count the frames that the data begin with; places are counted from their start."""
    sizes = _sizes_of(kind.first, kind.second)
    is_mono = kind.is_mono
    free_bytes = kind.free_bytes
    mark = HEAD_BYTES + kind.side_bytes if kind.layer == LAYER_3 else 0
    n_frames = at = start = 0
    last = len(data) - HEAD_BYTES
    while at <= last and n_frames < most:
        size = sizes[data[at + 1] << 8 | data[at + 2]]
        if free_bytes and size == FREE:
            size = free_bytes + (data[at + 2] >> 1 & 1)
        if data[at] != 0xFF or size <= 0 or (data[at + 3] >> 6 == 3) != is_mono:
            break
        if at + size > len(data):
            break
        if data[at + mark] in INITIALS and (at or not is_first) and _describes(data, at + mark):
            break
        start = at
        at += size
        n_frames += 1
    return Run(0, start, at, n_frames)
