"""What can be wrong with an audio file though it opens: absurd or untrue headers, missing ends, samples that are no numbers."""

import re
from pathlib import Path

import numpy as np
import soundfile as sf

from db.errors import AudioError

MAX_SAMPLES = 1 << 32  # 27 h at 44.1 kHz; a header that promises more is not believed
MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz
# A recorder that could not seek back leaves 0, about 2^32 or about 2^64 as size.
STREAMED_SIZES = (range(1), range(0xFFFFFF00, 1 << 32), range(0xFFFFFF00 << 32, 1 << 64))


def check_header(path: Path, file: sf.SoundFile) -> None:
    """Raise an `AudioError` for a file that is cut short or empty, or whose rate or length is absurd."""
    if (shortfall := _truncation(file)) is not None:
        raise AudioError(f"{path.name}: truncated, {shortfall}; copy or export the file again, or remove it")
    if file.frames <= 0:
        raise AudioError(f"{path.name}: 0 samples; re-export the file or remove it")
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise AudioError(
            f"{path.name}: sample rate {file.samplerate} Hz is not within {MIN_RATE} to {MAX_RATE}; re-export the file"
        )
    if file.frames > MAX_SAMPLES:
        raise AudioError(
            f"{path.name}: the header promises {file.frames} samples, the limit is {MAX_SAMPLES}; split or re-export the file"
        )


def _truncation(file: sf.SoundFile) -> str | None:
    """What the header promises against what is there, from libsndfile's own reading log; None if all is there."""
    log = file.extra_info
    found = re.search(r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if found:
        promised, there = map(int, found.groups())
        if there < promised and not any(promised in sizes for sizes in STREAMED_SIZES):
            return f"its header promises {promised} bytes and {there} are there"
    found = re.search(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)", log)
    if found and int(found[1]) < int(found[2]):
        return f"its header promises {found[2]} samples and {found[1]} are there"
    if "without an End-Of-Stream flag" in log or "lacks an end-of-stream bit" in log:
        return "its last page is missing"
    return None


def check_complete(path: str | Path, file: sf.SoundFile, n_read: int) -> None:
    """Raise an `AudioError` if fewer samples could be read than the header promises."""
    if file.format == "OGG" or (file.format == "MP3" and not _has_mp3_length(path)):
        return  # the length is an estimate; a cut OGG is known by its missing last page
    if n_read < file.frames:
        raise AudioError(
            f"{Path(path).name}: truncated, its header promises {file.frames} samples and {n_read} can be read; "
            "copy or export the file again, or remove it"
        )


def _has_mp3_length(path: str | Path) -> bool:
    """Whether a Xing or Info header states the length; without one it is libsndfile's guess from the bit rate."""
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    return b"Xing" in head or b"Info" in head


def check_finite(path: str | Path, samples: np.ndarray) -> None:
    """Raise `non_finite_error` if need be; (n_samples, channels)."""
    if not np.isfinite(samples).all():
        bad = np.flatnonzero(~np.isfinite(samples).all(axis=1))
        raise non_finite_error(path, len(bad), int(bad[0]))


def non_finite_error(path: str | Path, count: int, first: int) -> AudioError:
    """What is said of so many samples that are NaN or infinite in one channel at least."""
    return AudioError(
        f"{Path(path).name}: {count} samples are NaN or infinite, the first at sample {first}; "
        "repair or re-export the file, or remove it"
    )
