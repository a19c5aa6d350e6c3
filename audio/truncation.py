"""Find truncated audio files, which hold less than their header promises.

libsndfile alone would load a truncated WAV with fewer samples and no error.
"""

import re
from pathlib import Path

import soundfile as sf

from files.errors import AudioError

# A recorder that could not seek back leaves a size of 0 or about 2^32. A size of about 2^64 shows
# as a negative number in libsndfile's log, which SIZE does not match.
STREAMED_SIZES = (range(1), range(0xFFFFFF00, 1 << 32))

# messages in libsndfile's log
SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE
)
RF64_LENGTH = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")


def truncation(file: sf.SoundFile) -> str | None:
    """Describe what is missing from an open file, as libsndfile's log has it; None if complete."""
    log = file.extra_info
    if found := SIZE.search(log):
        promised, there = map(int, found.groups())
        if there < promised and not any(promised in sizes for sizes in STREAMED_SIZES):
            return f"its header promises {promised} bytes but {there} are there"
    found = RF64_LENGTH.search(log)
    if found and int(found[1]) < int(found[2]):
        return f"its header promises {found[2]} samples but {found[1]} are there"
    if "without an End-Of-Stream flag" in log or "lacks an end-of-stream bit" in log:
        return "its last page is missing"
    return None


def check_complete(path: str | Path, file: sf.SoundFile, n_read: int) -> None:
    """Raise an `AudioError` if fewer samples could be read than the header promises."""
    if file.format == "OGG" or (file.format == "MP3" and not _has_mp3_length(path)):
        return  # the length is an estimate; a cut OGG is known by its missing last page
    if n_read < file.frames:
        raise AudioError(
            f"{Path(path).name}: truncated, its header promises {file.frames} samples but {n_read}"
            " can be read; copy or export the file again, or remove it"
        )


def _has_mp3_length(path: str | Path) -> bool:
    """Return whether a Xing or Info header states the length of an MP3.

    Without one, libsndfile estimates the length from the bit rate.
    """
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    return b"Xing" in head or b"Info" in head
