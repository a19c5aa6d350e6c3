"""Healthy audio files of every container that Demiurge reads, a few seconds of bundled sounds."""

import re
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile as sf

from demiurge.bundled import CORPUS_DIR

RATE = 44100
PLAIN = {  # container, encoding, sample rate and channels by file name
    "pcm16.wav": ("WAV", "PCM_16", 44100, 2),
    "pcm24.wav": ("WAVEX", "PCM_24", 48000, 2),
    "pcm8.wav": ("WAV", "PCM_U8", 22050, 1),
    "float.wav": ("WAV", "FLOAT", 44100, 1),
    "double.wav": ("WAV", "DOUBLE", 32000, 1),
    "ulaw.wav": ("WAV", "ULAW", 8000, 1),
    "ima.wav": ("WAV", "IMA_ADPCM", 22050, 1),
    "ms.wav": ("WAV", "MS_ADPCM", 22050, 2),
    "gsm.wav": ("WAV", "GSM610", 8000, 1),
    "pcm16.rf64": ("RF64", "PCM_16", 44100, 1),
    "pcm16.w64": ("W64", "PCM_16", 44100, 1),
    "pcm16.aiff": ("AIFF", "PCM_16", 44100, 2),
    "pcm24.aif": ("AIFF", "PCM_24", 44100, 1),
    "float.aifc": ("AIFF", "FLOAT", 44100, 1),
    "pcm16.au": ("AU", "PCM_16", 22050, 1),
    "ulaw.snd": ("AU", "ULAW", 8000, 1),
    "pcm16.caf": ("CAF", "PCM_16", 44100, 1),
    "alac.caf": ("CAF", "ALAC_16", 44100, 2),
    "pcm16.flac": ("FLAC", "PCM_16", 44100, 2),
    "pcm24.flac": ("FLAC", "PCM_24", 48000, 1),
    "vorbis.ogg": ("OGG", "VORBIS", 44100, 2),
    "mono.oga": ("OGG", "VORBIS", 22050, 1),
    "opus.opus": ("OGG", "OPUS", 48000, 1),
    "layer3.mp3": ("MP3", "MPEG_LAYER_III", 44100, 2),
    "low.mp3": ("MP3", "MPEG_LAYER_III", 22050, 1),
}


def music(seconds: float = 3.0) -> np.ndarray:
    """Return drums and a piano one after the other, 44.1 kHz stereo float32."""
    parts = []
    for name in ("loop_amen", "ambi_piano", "tabla_ghe3", "elec_chime"):
        samples, _ = sf.read(CORPUS_DIR / f"{name}.ogg", dtype="float32", always_2d=True)
        parts.append(samples[: int(1.2 * RATE), :1])
    joined = np.concatenate(parts)[: int(seconds * RATE)]
    return np.concatenate([joined, np.roll(joined, 999) * 0.7], axis=1)


def encode(
    samples: np.ndarray, container: str, encoding: str, rate: int, channels: int, **options: object
) -> bytes:
    """Return audio as the bytes of a file; it is sampled at `rate` without a filter."""
    positions = np.arange(0, len(samples), RATE / rate).astype(int)
    buffer = BytesIO()
    sf.write(
        buffer,
        samples[positions, :channels],
        rate,
        format=container,
        subtype=encoding,
        **options,
    )
    return buffer.getvalue()


def mp3(samples: np.ndarray, mode: str) -> bytes:
    options = {"bitrate_mode": mode, "compression_level": 0.5}
    return encode(samples, "MP3", "MPEG_LAYER_III", RATE, 2, **options)


def without_xing(data: bytes) -> bytes:
    """Return an MP3 without its first frame, as an encoder leaves it that wrote to a pipe."""
    frames = [found.start() for found in re.finditer(rb"\xff[\xfa\xfb]", data)]
    return data[frames[1] :]


def tagged(data: bytes, artist: bytes) -> bytes:
    """Return an MP3 with an ID3v2 tag before it."""
    frame = b"TPE1" + struct.pack(">I", len(artist) + 1) + b"\0\0\0" + artist
    return b"ID3\x03\0\0\0\0\0" + bytes([len(frame)]) + frame + data


def of_unknown_length(flac: bytes) -> bytes:
    """Return a FLAC without number of samples and MD5, as an encoder leaves it at a pipe."""
    data = bytearray(flac)
    data[21] &= 0xF0
    data[22:42] = bytes(20)
    return bytes(data)


def piped(wav: bytes) -> bytes:
    """Return a WAV whose sizes are those that sox writes to a pipe."""
    at = wav.index(b"data") + 4
    sizes = struct.pack("<I", 0x7FFFF024), struct.pack("<I", 0x7FFFF000)
    return wav[:4] + sizes[0] + wav[8:at] + sizes[1] + wav[at + 4 :]


def peculiar(samples: np.ndarray) -> dict[str, Callable[[], bytes]]:
    """Return what makes healthy files of the less usual sorts, by file name."""
    half = len(samples) // 2
    vorbis = ("OGG", "VORBIS", RATE, 2)
    return {
        "variable.mp3": lambda: mp3(samples, "VARIABLE"),
        "variable_pipe.mp3": lambda: without_xing(mp3(samples, "VARIABLE")),
        "constant_pipe.mp3": lambda: without_xing(mp3(samples, "CONSTANT")),
        "tagged.mp3": lambda: tagged(mp3(samples, "CONSTANT"), b"Information Society"),
        "two_takes.mp3": lambda: mp3(samples[:half], "CONSTANT") + mp3(samples, "CONSTANT"),
        "chained.ogg": lambda: encode(samples[:half], *vorbis) + encode(samples, *vorbis),
        "unknown_length.flac": lambda: of_unknown_length(
            encode(samples, "FLAC", "PCM_16", RATE, 1)
        ),
        "pipe.wav": lambda: piped(encode(samples, "WAV", "PCM_16", RATE, 1)),
    }


def make_audio(folder: Path) -> None:
    """Write a file of every sort to a folder."""
    folder.mkdir(parents=True)
    samples = music()
    for name, (container, encoding, rate, channels) in PLAIN.items():
        data = encode(samples, container, encoding, rate, channels)
        (folder / name).write_bytes(data)
    for name, make in peculiar(samples).items():
        (folder / name).write_bytes(make())
