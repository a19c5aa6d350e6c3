"""From a folder to its audio files, and from a file to its descriptors."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.audio import AUDIO_SUFFIXES, AudioInfo, read_mono, resample
from db.errors import AudioError, DemiurgeError
from db.mfcc import mfcc_descriptors
from db.settings import DescriptorSettings


@dataclass(frozen=True)
class Analysis:
    """One file's analysis; `rows` is None if its content is what the manifest knows already."""

    content_hash: str
    info: AudioInfo | None = None
    n_samples: int = 0
    rows: np.ndarray | None = None
    error: str | None = None


def find_audio(root: Path, *, exclude: Path | None = None) -> list[str]:
    """Paths of the audio files (by suffix) under `root`, relative, with /, sorted; hidden ones and `exclude` left out."""
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not name.startswith(".") and (exclude is None or Path(folder, name).resolve() != exclude)
        )
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES:
                found.append(Path(folder, name).relative_to(root).as_posix())
    return sorted(found)


def analyse(path: Path, settings: DescriptorSettings, known_hash: str | None = None) -> Analysis:
    """Descriptors of one file; its failure, or that its content is already known, is a result too."""
    try:
        with open(path, "rb") as file:
            content_hash = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        return Analysis("", error=f"cannot be read ({error.strerror}); check the file and its permissions")
    if content_hash == known_hash:
        return Analysis(content_hash)
    try:
        _check_name(path.name)
        mono, info = read_mono(path)
        mono = resample(mono, info.sample_rate, settings.sample_rate)
        n_units = -(-len(mono) // settings.hop_length)
        rows = mfcc_descriptors(mono, settings)[:n_units]  # librosa's frame at the very end, if any, has no span to play
    except DemiurgeError as error:
        return Analysis(content_hash, error=str(error).removeprefix(f"{path.name}: "))
    except MemoryError:
        return Analysis(content_hash, error="too long to fit in memory; split the file")
    return Analysis(content_hash, info, len(mono), rows)


def printable(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 become \\udcNN escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _check_name(name: str) -> None:
    if printable(name) != name:
        raise AudioError(f"{printable(name)}: its name is not valid UTF-8; rename the file")
