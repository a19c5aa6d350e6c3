"""Recognise audio files that Demiurge itself has made of a plan."""

import re
from pathlib import Path

import soundfile as sf

SOFTWARE = "Demiurge"  # the tag "software" of what `audio.write` writes
TAG = re.compile(rf"{SOFTWARE}( \(libsndfile-[^)]*\))?")  # libsndfile adds its own name
HEAD_BYTES = 1 << 14  # the tag is at the beginning


def is_render(path: str | Path) -> bool:
    """Return whether a file has the tag of a render, a mosaic or a continuation.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        if SOFTWARE.encode() not in file.read(HEAD_BYTES):  # nearly always
            return False
    try:
        with sf.SoundFile(path) as sound:
            return TAG.fullmatch(sound.software) is not None
    except (sf.LibsndfileError, TypeError):  # not audio; reading it will say so
        return False
