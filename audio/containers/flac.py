"""FLAC: fLaC, STREAMINFO with the number of samples, frames that count themselves.

Source: RFC 9639.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

from audio.containers.flac_frames import counts_on, find_last_frame, first_block_size
from audio.containers.layout import (
    UNKNOWN_LENGTH,
    Layout,
    Part,
    Piece,
    Span,
    damaged,
    read_at,
    truncated,
)
from audio.containers.tags import end_of_audio, start_of_audio

MAGIC = b"fLaC"
INFO_BYTES = 34
AUDIO_AT = len(MAGIC) + 4 + INFO_BYTES
TOTAL_BITS = 36
SEARCHED = 1 << 20  # bytes of the file at a time
MAX_STREAMS = 1000
START = re.compile(MAGIC + b'[\\0\\x80]\\0\\0"')  # and STREAMINFO of 34 bytes
CUT_FRAME = (
    "its header states no length, and its last frame is incomplete: it may have been cut off"
)


@dataclass(frozen=True)
class _Stream:
    """One stream of a file, from `start` to before `stop`."""

    start: int
    stop: int
    info: bytes  # STREAMINFO

    @property
    def total(self) -> int:
        """The number of samples stated, or 0."""
        return int.from_bytes(self.info[10:18], "big") % (1 << TOTAL_BITS)

    @property
    def block_size(self) -> int:
        """The smallest number of samples stated of a block."""
        return int.from_bytes(self.info[:2], "big")


def flac_layout(file: BinaryIO, size: int) -> Layout:
    """Decide how many samples each FLAC stream of a file holds."""
    start = start_of_audio(file, size)
    stop = end_of_audio(file, size)
    starts = _find_streams(file, start, stop)
    stops = [*starts[1:], stop]
    streams = [_stream(file, *ends) for ends in zip(starts, stops, strict=True)]
    parts = []
    warnings = []
    is_as_it_is = start == 0 and len(streams) == 1
    for stream in streams:
        block_size = _block_size(file, stream)
        part, warning = _part(file, stream, block_size)
        if block_size != stream.block_size:  # else libFLAC cannot seek
            part = _with_block_size(stream, part, block_size)
            is_as_it_is = False
        is_as_it_is &= not warning
        parts.append(part)
        warnings += [warning] if warning else []
    if len(parts) > 1:
        warnings.insert(0, f"{len(parts)} FLAC files one after the other: all were read")
    return Layout(() if is_as_it_is else tuple(parts), tuple(dict.fromkeys(warnings)))


def _find_streams(file: BinaryIO, start: int, stop: int) -> list[int]:
    """Return where streams begin."""
    if not START.match(read_at(file, start, 8)):
        raise damaged("it begins without STREAMINFO")
    block_size = int.from_bytes(read_at(file, start + 8, 2), "big")
    if block_size and counts_on(file, start + AUDIO_AT, stop, block_size):
        return [start]
    found: list[int] = []
    at = start
    while at < stop and len(found) < MAX_STREAMS:
        data = read_at(file, at, min(SEARCHED + 7, stop - at))
        place = START.search(data)
        if place:
            found.append(at + place.start())
            at = found[-1] + 8
        else:
            at += SEARCHED
    if len(found) == MAX_STREAMS:
        raise damaged(f"it begins {MAX_STREAMS} times")
    return found


def _stream(file: BinaryIO, start: int, stop: int) -> _Stream:
    info = read_at(file, start + 8, INFO_BYTES)
    if stop - start < AUDIO_AT or len(info) < INFO_BYTES:
        raise truncated("it ends in its header")
    return _Stream(start, stop, info)


def _part(file: BinaryIO, stream: _Stream, block_size: int) -> tuple[Part, str]:
    """Return the part to decode for a stream, and a warning or an empty text."""
    whole = Part((Span(stream.start, stream.stop),))
    last = find_last_frame(file, stream.start + AUDIO_AT, stream.stop, block_size)
    if stream.total == 0:
        if last is None:
            raise damaged("its header states no length, and its last frame cannot be found")
        if last.is_complete:
            n_samples = last.first_sample + last.n_samples
            return _with_total(stream, n_samples, stream.stop), UNKNOWN_LENGTH
        return _with_total(stream, last.first_sample, last.start), CUT_FRAME
    if last is not None and last.is_complete:
        n_samples = last.first_sample + last.n_samples
        if n_samples < stream.total:
            raise truncated(f"its header promises {stream.total} samples but {n_samples} are there")
        if n_samples > stream.total:
            found = f"its header states {stream.total} samples, but {n_samples} are there"
            return _with_total(stream, n_samples, stream.stop), f"{found}: all were read"
    elif last is not None and last.first_sample + last.n_samples < stream.total:
        raise truncated(
            f"its header promises {stream.total} samples but it ends after {last.first_sample}"
        )
    return whole, ""


def _block_size(file: BinaryIO, stream: _Stream) -> int:
    """Return the size of all blocks but the last, in samples.

    Some encoders state a smaller one, that of the last block or 16. The first frame has it right.
    """
    if stream.info[:2] == stream.info[2:4]:
        return stream.block_size
    at = stream.start + len(MAGIC)
    is_last = False
    while not is_last:
        head = read_at(file, at, 4)
        if len(head) < 4:
            return stream.block_size
        is_last = bool(head[0] >> 7)
        at += 4 + int.from_bytes(head[1:], "big")
    return first_block_size(read_at(file, at, 16)) or stream.block_size


def _with_block_size(stream: _Stream, part: Part, block_size: int) -> Part:
    """Return a part of a stream with another smallest size of blocks in its header."""
    first, *others = part.pieces
    assert isinstance(first, Span)
    at = stream.start + 8
    stated = block_size.to_bytes(2, "big")
    return Part((Span(first.start, at), stated, Span(at + 2, first.stop), *others))


def _with_total(stream: _Stream, n_samples: int, stop: int) -> Part:
    """Return a stream with another number of samples in its header, and no checksum of them."""
    at = stream.start + 8 + 10
    bits = int.from_bytes(stream.info[10:18], "big")
    counted = (bits >> TOTAL_BITS << TOTAL_BITS | n_samples).to_bytes(8, "big")
    pieces: tuple[Piece, ...] = (Span(stream.start, at), counted + bytes(16))
    return Part((*pieces, Span(at + 24, stop)))
