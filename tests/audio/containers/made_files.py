"""Audio files as recorders, encoders and disks leave them, made from a sound."""

import io
import struct

import numpy as np
import soundfile as sf

RATE = 44100
FRAME = 1152  # samples of an MP3 frame, MPEG-1


def sweep(seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """A rising tone, which is nowhere the same."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 + 80 * t) * t)).astype(np.float32)


def encoded(samples: np.ndarray, container: str, rate: int = RATE, **options: object) -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, rate, format=container, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes, size: int | None = None, order: str = "<") -> bytes:
    stated = len(data) if size is None else size
    return name + struct.pack(order + "I", stated) + data + b"\0" * (len(data) % 2)


def pcm_format(channels: int = 1, rate: int = RATE, order: str = "<") -> bytes:
    block = 2 * channels
    return struct.pack(order + "HHIIHH", 1, channels, rate, rate * block, block, 16)


def integers(samples: np.ndarray) -> bytes:
    return (samples * 32000).astype("<i2").tobytes()


def wav(
    data: bytes,
    *,
    stated: int | None = None,
    riff: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
    channels: int = 1,
) -> bytes:
    """A WAV of 16 bits that states other sizes than it has."""
    inner = b"WAVE" + chunk(b"fmt ", pcm_format(channels)) + before
    inner += chunk(b"data", data, stated) + after
    return b"RIFF" + struct.pack("<I", len(inner) if riff is None else riff) + inner


def id3(*frames: tuple[bytes, bytes], footer: bool = False) -> bytes:
    """An ID3v2 tag, of version 2.4 if it has a footer."""
    body = b"".join(name + struct.pack(">I", len(data)) + b"\0\0" + data for name, data in frames)
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    head = bytes([4, 0, 0x10]) if footer else bytes([3, 0, 0])
    end = b"3DI" + head + size if footer else b""
    return b"ID3" + head + size + body + end


def ape(text: bytes = b"x" * 40) -> bytes:
    """An APE tag with a head and a foot."""
    size = struct.pack("<II", len(text) + 32, 1)
    head = b"APETAGEX" + struct.pack("<I", 2000) + size + struct.pack("<I", 0xA0000000) + bytes(8)
    foot = b"APETAGEX" + struct.pack("<I", 2000) + size + struct.pack("<I", 0x80000000) + bytes(8)
    return head + text + foot


ID3V1 = b"TAG" + b"a title".ljust(125, b"\0")


def mp3(samples: np.ndarray, rate: int = RATE, *, variable: bool = False) -> bytes:
    mode = "VARIABLE" if variable else "CONSTANT"
    return encoded(samples, "MP3", rate, bitrate_mode=mode, compression_level=0.5)


def mp3_frames(content: bytes) -> list[bytes]:
    """The frames of an MP3 of layer III without tags; the first describes the others."""
    kbits = {
        3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    }
    frames = []
    while content[:1] == b"\xff":
        version = content[1] >> 3 & 3
        rate = (44100, 48000, 32000)[content[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}[version]
        kbit = kbits[3 if version == 3 else 2][(content[2] >> 4) - 1]
        size = (144000 if version == 3 else 72000) * kbit // rate + (content[2] >> 1 & 1)
        frames.append(content[:size])
        content = content[size:]
    return frames


def without_count(content: bytes) -> bytes:
    """An MP3 as an encoder leaves it that wrote to a pipe."""
    return b"".join(mp3_frames(content)[1:])


def silent_frames(head: bytes, size: int, number: int) -> bytes:
    """Frames of layer I or II, or of free format, without any sound."""
    return (head + bytes(size - len(head))) * number


def ogg(samples: np.ndarray, subtype: str = "VORBIS", rate: int = RATE) -> bytes:
    return encoded(samples, "OGG", rate, subtype=subtype)


def ogg_pages(content: bytes) -> list[bytes]:
    pages = []
    while content:
        n_segments = content[26]
        size = 27 + n_segments + sum(content[27 : 27 + n_segments])
        pages.append(content[:size])
        content = content[size:]
    return pages


def changed_page(page: bytes, **fields: int) -> bytes:
    """A page with another `flags`, `granule`, `serial` or `number`, and the checksum of that."""
    places = {"flags": (5, "B"), "granule": (6, "<q"), "serial": (14, "<I"), "number": (18, "<I")}
    changed = bytearray(page)
    for name, value in fields.items():
        at, layout = places[name]
        struct.pack_into(layout, changed, at, value)
    struct.pack_into("<I", changed, 22, 0)
    struct.pack_into("<I", changed, 22, slow_checksum(changed))
    return bytes(changed)


def slow_checksum(page: bytes | bytearray) -> int:
    """Ogg's CRC-32, bit by bit as RFC 3533 has it."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
    return value


def flac_without_total(content: bytes, total: int = 0) -> bytes:
    """A FLAC whose header states another length; 0 is none."""
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | total >> 32
    changed[22:26] = (total % (1 << 32)).to_bytes(4, "big")
    changed[26:42] = bytes(16)  # the checksum of the samples
    return bytes(changed)
