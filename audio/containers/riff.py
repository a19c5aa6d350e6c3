"""WAV: RIFF, RIFX, RF64 and BW64 chunks.

RIFF size WAVE, fmt, (ds64, fact, LIST, …), data: the samples, (LIST, …) to the end of the file.
Sources: Microsoft/IBM "Multimedia Programming Interface" 1991; EBU Tech 3306 (RF64);
ITU-R BS.2088 (BW64).
"""

import struct
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from audio.containers.layout import (
    UNKNOWN_LENGTH,
    Layout,
    Part,
    Piece,
    Span,
    damaged,
    is_placeholder,
    patched,
    read_at,
    truncated,
)
from audio.containers.mp3 import mpeg_layout
from files.errors import AudioError

WRAP = 1 << 32  # a size of 32 bits counts from 0 again
MAX_CHUNKS = 10_000
MAX_PADDING = 1 << 16  # bytes; some writers fill a file up
OTHER_TAGS = {  # of the fmt chunk: what libsndfile does not decode
    0x00FF: "AAC",
    0x0092: "AC-3",
    0x0160: "Windows Media (WMA)",
    0x0161: "Windows Media (WMA)",
    0x0162: "Windows Media (WMA)",
    0x0270: "ATRAC3",
    0x1600: "AAC",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
    0xF1AC: "FLAC",
}
MPEG_TAGS = (0x50, 0x55)  # of the fmt chunk: MPEG layer I or II, layer III


@dataclass
class _Wav:
    """What was found on the way to the samples; offsets and sizes in bytes."""

    file: BinaryIO
    size: int
    order: str  # < or >, as `struct` has it
    is_64: bool
    data_at: int = 0  # of the samples
    stated: int = 0  # their size in the header
    stated_at: tuple[int, int] = (0, 0)  # where, and in how many bytes
    tag: int = 0
    block: int = 1  # bytes of a sample of all channels
    skipped: list[Span] = field(default_factory=list)  # in front of the samples


def wav_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which bytes of a WAV are its samples."""
    magic = read_at(file, 0, 4)
    wav = _Wav(file, size, ">" if magic == b"RIFX" else "<", magic in (b"RF64", b"BW64"))
    _find_data(wav)
    if wav.tag in OTHER_TAGS:
        raise AudioError(
            f"is {OTHER_TAGS[wav.tag]} in WAV, which is not decoded; convert it first, e.g. with"
            " ffmpeg"
        )
    n_bytes, warnings = _data_bytes(wav)
    if wav.tag in MPEG_TAGS:
        found = mpeg_layout(file, wav.data_at, wav.data_at + n_bytes)
        return replace(found, warnings=(*warnings, *found.warnings))
    if n_bytes == wav.stated and not wav.skipped and magic != b"BW64":
        return Layout((), warnings)
    return Layout((Part(_pieces(wav, n_bytes)),), warnings)


def _find_data(wav: _Wav) -> None:
    at = 12
    ds64_at = 0
    for _ in range(MAX_CHUNKS):
        at, name, stated = _chunk(wav, at)
        if name == b"data":
            wav.data_at = at + 8
            wav.stated = stated
            wav.stated_at = (at + 4, 4)
            if wav.is_64 and stated == WRAP - 1 and ds64_at:
                wav.stated_at = (ds64_at + 16, 8)
                wav.stated = _unpack("<Q", read_at(wav.file, ds64_at + 16, 8))
            return
        if not _is_name(name):
            raise damaged(f"byte {at} begins no chunk, and no samples were found before it")
        if stated > wav.size - at - 8:
            left = wav.size - at - 8
            shown = name.decode().strip()
            raise truncated(f"its {shown} chunk promises {stated} bytes but {left} are there")
        if name == b"ds64":
            ds64_at = at
        if name == b"fmt ":
            values = read_at(wav.file, at + 8, 16)
            wav.tag, _, _, _, block, _ = struct.unpack(
                wav.order + "HHIIHH", values.ljust(16, b"\0")
            )
            wav.block = max(block, 1)
        at += 8 + stated
        at += _padding(wav, at) if stated % 2 else 0
    raise damaged(f"more than {MAX_CHUNKS} chunks lie in front of its samples")


def _chunk(wav: _Wav, at: int) -> tuple[int, bytes, int]:
    """Return the place, name and size of the chunk in front of the samples at `at`."""
    head = read_at(wav.file, at, 8)
    if len(head) < 8:
        raise truncated("it ends in front of its samples: it has no data chunk")
    return at, head[:4], _unpack(wav.order + "I", head[4:])


def _padding(wav: _Wav, at: int) -> int:
    """Return 1 for the byte after a chunk of odd size, or 0 if a writer has left it out."""
    if _is_name(read_at(wav.file, at + 1, 4)) or not _is_name(read_at(wav.file, at, 4)):
        return 1
    wav.skipped.append(Span(at, at))
    return 0


def _data_bytes(wav: _Wav) -> tuple[int, tuple[str, ...]]:
    """Return how many bytes of samples there are, and warnings."""
    rest = wav.size - wav.data_at
    stated = wav.stated
    if stated == 0 and rest and _is_empty(wav):
        return 0, ()
    if is_placeholder(stated) and (stated == 0 or stated > rest):
        return _whole(wav, rest), (UNKNOWN_LENGTH,) if rest else ()
    if stated > rest:
        raise truncated(f"its header promises {stated} bytes of samples but {rest} are there")
    end = wav.data_at + stated
    if _ends_well(wav, end) or (stated % 2 and _ends_well(wav, end + 1)):
        return stated, _check_end(wav, end)
    if rest - stated >= WRAP and wav.stated_at[1] == 4:
        return _unwrapped(wav, rest)
    left = rest - stated
    return stated, (f"{left} bytes after its samples are no chunk: they were left out",)


def _is_empty(wav: _Wav) -> bool:
    """Return whether no samples follow a size of 0, but another chunk or only zeros."""
    head = read_at(wav.file, wav.data_at, 8)
    if _is_name(head[:4]):
        return wav.data_at + 8 + _unpack(wav.order + "I", head[4:]) <= wav.size
    rest = wav.size - wav.data_at
    return rest <= MAX_PADDING and not any(read_at(wav.file, wav.data_at, rest))


def _unwrapped(wav: _Wav, rest: int) -> tuple[int, tuple[str, ...]]:
    """Return the size of samples whose stated size is the rest of a division by 4 GiB."""
    n_bytes = wav.stated + (rest - wav.stated) // WRAP * WRAP
    if not _ends_well(wav, wav.data_at + n_bytes):
        n_bytes = _whole(wav, rest)
    return n_bytes, (
        f"it holds more than 4 GiB, but its header states {wav.stated} bytes: all of it was read",
    )


def _whole(wav: _Wav, n_bytes: int) -> int:
    """Leave out the begun sample at the end."""
    return n_bytes - n_bytes % wav.block if wav.tag not in MPEG_TAGS else n_bytes


def _check_end(wav: _Wav, end: int) -> tuple[str, ...]:
    """Return a warning if chunks after the samples are cut off."""
    at = end + wav.stated % 2
    for _ in range(MAX_CHUNKS):
        head = read_at(wav.file, at, 8)
        if len(head) < 8:
            return ()
        at += 8 + _unpack(wav.order + "I", head[4:])
        if at > wav.size:
            return ("a chunk after its samples is cut off; all samples are there",)
        at += at % 2
    return ()


def _ends_well(wav: _Wav, at: int) -> bool:
    """Return whether the file ends at `at`, but for some zeros, or goes on with a chunk."""
    head = read_at(wav.file, at, 8)
    is_padding = not any(head) and wav.size - at <= MAX_PADDING
    return len(head) < 8 or is_padding or _is_name(head[:4])


def _pieces(wav: _Wav, n_bytes: int) -> tuple[Piece, ...]:
    """Return the file with its sizes set right."""
    stop = wav.data_at + n_bytes
    insert = {span.start: b"\0" for span in wav.skipped}
    grown = len(insert)
    at, width = wav.stated_at
    if width == 8:  # libsndfile knows BW64 by its older name only
        return patched(stop, {0: b"RF64", at: struct.pack("<Q", n_bytes)})
    if stop + grown < WRAP:
        riff = b"RIFX" if wav.order == ">" else b"RIFF"
        head = riff + struct.pack(wav.order + "I", stop + grown - 8)
        sized = patched(stop, {0: head, at: struct.pack(wav.order + "I", n_bytes)})
        return _inserted(sized, insert)
    if wav.order == ">":
        raise damaged("its samples are more than the 4 GiB that RIFX can hold")
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, stop + 36 - 8, n_bytes, n_bytes // wav.block, 0)
    unknown = struct.pack("<I", WRAP - 1)
    return (b"RF64" + unknown + b"WAVE" + ds64, Span(12, at), unknown, Span(at + 4, stop))


def _inserted(pieces: tuple[Piece, ...], insert: dict[int, bytes]) -> tuple[Piece, ...]:
    """Return pieces with bytes added at offsets of the file."""
    out: list[Piece] = []
    for piece in pieces:
        if not isinstance(piece, Span):
            out.append(piece)
            continue
        at = piece.start
        for offset in sorted(offset for offset in insert if piece.start < offset <= piece.stop):
            out += [Span(at, offset), insert[offset]]
            at = offset
        out.append(Span(at, piece.stop))
    return tuple(out)


def _unpack(layout: str, data: bytes) -> int:
    return int(struct.unpack(layout, data.ljust(struct.calcsize(layout), b"\0"))[0])


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= byte < 127 for byte in name) and name.strip() != b""
