"""Find truncated audio files: what the header promises against what is there.

libsndfile alone would load a truncated WAV with fewer samples and no error.
"""

import re
from pathlib import Path

import soundfile as sf

from files.errors import AudioError

# A recorder that could not seek back leaves 0 or about 2^32 as size; of about 2^64 libsndfile's log
# makes a negative number.
STREAMED_SIZES = (range(1), range(0xFFFFFF00, 1 << 32))

# what libsndfile writes in its log
SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE
)
RF64_LENGTH = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")


def truncation(file: sf.SoundFile) -> str | None:
    """Return what is missing of an open file, None if it is all there.

    It stands in libsndfile's log of how it read the header.
    """
    log = file.extra_info
    if found := SIZE.search(log):
        promised, there = map(int, found.groups())
        if there < promised and not any(promised in sizes for sizes in STREAMED_SIZES):
            return f"its header promises {promised} bytes and {there} are there"
    found = RF64_LENGTH.search(log)
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
            f"{Path(path).name}: truncated, its header promises {file.frames} samples and {n_read}"
            " can be read; copy or export the file again, or remove it"
        )


def _has_mp3_length(path: str | Path) -> bool:
    """Whether a Xing or Info header states the length of an MP3.

    Without one it is libsndfile's guess from the bit rate.
    """
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    return b"Xing" in head or b"Info" in head
