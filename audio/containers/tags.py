"""Tags around and between frames: ID3v2, ID3v1, APE, Lyrics3.

Sources: id3.org "ID3 tag version 2.4.0" and "Lyrics3 v2"; hydrogenaud.io "APEv2 specification".
"""

from typing import BinaryIO

from audio.containers.layout import read_at

ID3_HEAD = 10
ID3V1_BYTES = 128
APE_HEAD = 32
LYRICS_END = 15  # six digits and LYRICS200
MAX_TAGS = 100


def tag_bytes(file: BinaryIO, at: int) -> int:
    """Return the size of the tag that begins at a place of a file; 0 if none does."""
    head = read_at(file, at, APE_HEAD)
    if head[:3] == b"ID3" and len(head) >= ID3_HEAD and not any(b >> 7 for b in head[6:10]):
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        footer = ID3_HEAD if head[5] & 0x10 else 0
        return ID3_HEAD + size + footer
    if head[:8] == b"APETAGEX" and len(head) == APE_HEAD:
        return APE_HEAD + int.from_bytes(head[12:16], "little")
    return ID3V1_BYTES if head[:3] == b"TAG" else 0


def start_of_audio(file: BinaryIO, size: int) -> int:
    """Return the place after the tags at the start of a file."""
    at = 0
    for _ in range(MAX_TAGS):
        n_bytes = tag_bytes(file, at)
        if not n_bytes or at + n_bytes > size:
            break
        at += n_bytes
    return at


def end_of_audio(file: BinaryIO, size: int) -> int:
    """Return the place in front of the tags at the end of a file."""
    for _ in range(MAX_TAGS):
        n_bytes = _last_tag_bytes(file, size)
        if not 0 < n_bytes <= size:
            break
        size -= n_bytes
    return size


def _last_tag_bytes(file: BinaryIO, size: int) -> int:
    """Return the size of the tag that ends at `size`; 0 if none does."""
    if size >= ID3V1_BYTES and read_at(file, size - ID3V1_BYTES, 3) == b"TAG":
        return ID3V1_BYTES
    foot = read_at(file, max(size - APE_HEAD, 0), min(size, APE_HEAD))
    if foot[:8] == b"APETAGEX":
        has_head = foot[23] >> 7
        return int.from_bytes(foot[12:16], "little") + (APE_HEAD if has_head else 0)
    if foot[-9:] == b"LYRICS200" and foot[-LYRICS_END:-9].isdigit():
        return int(foot[-LYRICS_END:-9]) + LYRICS_END
    if foot[-ID3_HEAD:-7] == b"3DI" and not any(b >> 7 for b in foot[-4:]):
        sizes = foot[-4:]
        inside = sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3]
        return inside + 2 * ID3_HEAD
    return 0
