"""Answers with samples as a WAV file."""

import struct

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from demiurge.web.answers import bytes_answer, bytes_of

PCM = 1
FLOAT = 3


def wav_answer(
    request: Request, samples: np.ndarray, sample_rate: int, headers: dict[str, str] | None = None
) -> Response:
    """Answer with samples as a WAV file, or with the requested range of its bytes.

    Parameters
    ----------
    samples : ndarray, int16 or float32, shape (n_samples, channels)
        They are written as they are.
    """
    parts: list[bytes | memoryview] = [wav_header(samples, sample_rate), bytes_of(samples)]
    return bytes_answer(request, parts, "audio/wav", headers)


def wav_header(samples: np.ndarray, sample_rate: int) -> bytes:
    """Return the 44 bytes before int16 samples, or the 58 before float32 samples."""
    n_samples, channels = samples.shape
    is_float = samples.dtype.kind == "f"
    frame_bytes = channels * samples.itemsize
    header = b"WAVE" + _chunk(b"fmt ", _format(samples, sample_rate))
    if is_float:
        header += _chunk(b"fact", struct.pack("<I", n_samples))
    n_bytes = n_samples * frame_bytes
    riff = struct.pack("<4sI", b"RIFF", len(header) + 8 + n_bytes)
    return riff + header + struct.pack("<4sI", b"data", n_bytes)


def _format(samples: np.ndarray, sample_rate: int) -> bytes:
    is_float = samples.dtype.kind == "f"
    channels = samples.shape[1]
    frame_bytes = channels * samples.itemsize
    code = FLOAT if is_float else PCM
    bytes_per_second = sample_rate * frame_bytes
    bits = 8 * samples.itemsize
    facts = struct.pack("<HHIIHH", code, channels, sample_rate, bytes_per_second, frame_bytes, bits)
    return facts + struct.pack("<H", 0) if is_float else facts


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content
