"""Audio to train on: a folder of files, decoded once to mono, with mel spectrograms."""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import xxhash
from msgspec import Meta

from audio.read import READER_VERSION, AudioInfo, read_mono
from audio.resample import resample
from audio.scan import find_audio, why_unreadable
from audio.warn import log_warnings
from files.atomic import replacing
from files.cache import cache_errors, cache_folder, prune
from files.documents import read_document
from files.errors import AudioError, ParameterError
from files.progress import Progress, no_progress
from files.regular import check_regular, is_missing
from synth.mel import MelSettings, log_mel

VERSION = 1
CACHE_KIND = "recordings"  # the name since 0.1.0; another would decode everything again
CACHE_BYTES = 8 << 30  # of decoded folders, at most: twenty hours at 22.05 kHz
AUDIO = "audio.f32"
MELS = "mels.f32"
INDEX = "index.json"  # written last: a folder that has it is complete
MAX_INDEX = 1 << 28  # bytes
MOST_FRAMES = 1 << 40
SILENT = 1e-4  # a file is silent if its peak is below -80 dB


class AudioFile(msgspec.Struct, frozen=True):
    """A file, or a part of one: its frames within the dataset."""

    name: str
    start_frame: Annotated[int, Meta(ge=0, le=MOST_FRAMES)]
    n_frames: Annotated[int, Meta(ge=1, le=MOST_FRAMES)]


class Index(msgspec.Struct, forbid_unknown_fields=True):
    """What a folder of the cache holds.

    `left_out` gives a reason by name, `warnings` what was repaired on reading.
    """

    entries: list[AudioFile]
    left_out: dict[str, str]
    warnings: dict[str, list[str]] = {}


@dataclass(frozen=True)
class AudioDataset:
    """All audio files of a folder, one after another.

    `audio` is (n_frames * hop_length,) and `mels` (n_frames, n_mels), read from disk as needed.
    """

    settings: MelSettings
    files: tuple[AudioFile, ...]
    left_out: dict[str, str]  # name to reason
    identity: str  # hash of names, sizes, dates and mel settings
    stamps: dict[str, list[int]]  # name to size and date
    audio: np.ndarray
    mels: np.ndarray

    @property
    def n_frames(self) -> int:
        return len(self.mels)

    @property
    def seconds(self) -> float:
        return self.n_frames / self.settings.frame_rate

    def audio_of(self, file: AudioFile, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the samples of a file's frames `start` to `stop`."""
        hop = self.settings.hop_length
        stop = file.n_frames if stop is None else stop
        return self.audio[(file.start_frame + start) * hop : (file.start_frame + stop) * hop]

    def mel_of(self, file: AudioFile, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the log-mel (n_mels, frames) of a file's frames `start` to `stop`."""
        stop = file.n_frames if stop is None else stop
        return self.mels[file.start_frame + start : file.start_frame + stop].T


def open_dataset(
    folder: str | Path,
    settings: MelSettings,
    *,
    progress: Progress = no_progress,
    max_cache_bytes: int = CACHE_BYTES,
) -> AudioDataset:
    """Decode every audio file below a folder, or open it from the cache.

    Files are recognised by name, size and date. Unreadable and silent files are listed in
    `left_out`; what was repaired in others is logged. When the cache is full, the least recently
    used folders are removed from it.

    Raises
    ------
    ParameterError
        If there is no such folder, nothing in it can be used, or the disk is full.
    """
    folder = Path(folder)
    names, unreadable = _audio_names(folder)
    stamps = {name: _stamp(folder / name) for name in names}
    identity = _identity(settings, stamps)
    cached = cache_folder(CACHE_KIND) / identity
    index = _read_index(cached, settings, stamps)
    if index is None:
        _decode(folder, names, settings, cached, progress)
        prune(cached.parent.iterdir(), max_cache_bytes, in_use={cached})
        index = _read_index(cached, settings, stamps)
    if index is None:
        raise ParameterError(f"{cached}: cannot be kept; remove this folder and try again")
    with suppress(PermissionError):  # the file may be another user's
        os.utime(cached)  # marks it as used now
    for name, warnings in index.warnings.items():
        log_warnings(folder / name, warnings, name=name)
    left_out = unreadable | index.left_out
    if not index.entries:
        reasons = "; ".join(list(left_out.values())[:3])
        raise ParameterError(
            f"{folder}: none of its {len(index.left_out)} audio files can be used ({reasons})"
        )
    audio = np.memmap(cached / AUDIO, np.float32, "r")
    mels = np.memmap(cached / MELS, np.float32, "r").reshape(-1, settings.n_mels)
    files = tuple(index.entries)
    return AudioDataset(settings, files, left_out, identity, stamps, audio, mels)


def _audio_names(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the audio files of a folder, and the reason for each folder that cannot be read."""
    if is_missing(folder):
        raise ParameterError(f"{folder}: no such folder; give a folder of audio files")
    if folder.is_file():
        raise ParameterError(f"{folder}: is a file; give a folder of audio files")
    unreadable: dict[str, str] = {}

    def note(name: str, error: OSError) -> None:
        unreadable[name] = why_unreadable(error)

    names = find_audio(folder, unreadable=note)
    if not names and unreadable:
        name, reason = next(iter(unreadable.items()))
        raise ParameterError(f"{folder if name == '.' else folder / name}: {reason}")
    if not names:
        raise ParameterError(
            f"{folder}: no audio files in it; give a folder of WAV, FLAC, OGG or MP3 files"
        )
    return names, unreadable


def _stamp(path: Path) -> list[int]:
    """Return size and date, and 0 if it may not be read; nothing for a broken link."""
    try:
        stat = path.stat()
    except OSError:
        return []
    may_read = [] if os.access(path, os.R_OK) else [0]
    return [stat.st_size, stat.st_mtime_ns, *may_read]


def _identity(settings: MelSettings, stamps: dict[str, list[int]]) -> str:
    files = [[name, *stamp] for name, stamp in stamps.items()]
    text = json.dumps([VERSION, READER_VERSION, settings.to_dict(), files])
    return xxhash.xxh3_128_hexdigest(text.encode())


def _decode(
    folder: Path, names: Sequence[str], settings: MelSettings, cached: Path, progress: Progress
) -> None:
    """Decode the files into a folder of the cache."""
    with cache_errors(cached.parent):
        cached.mkdir(parents=True, exist_ok=True)
        for name in (AUDIO, MELS, INDEX):
            path = cached / name
            if path.is_dir():  # of somebody else, as a pipe is
                shutil.rmtree(path)
            elif not path.is_file():
                path.unlink(missing_ok=True)
        with replacing(cached / AUDIO) as audio, replacing(cached / MELS) as mels:
            index = _write(folder, names, settings, audio, mels, progress)
        with replacing(cached / INDEX) as index_path:
            index_path.write_bytes(msgspec.json.encode(index))


def _write(
    folder: Path,
    names: Sequence[str],
    settings: MelSettings,
    audio_path: Path,
    mels_path: Path,
    progress: Progress,
) -> Index:
    """Write the samples and mels of all files; return what is to be known about them."""
    index = Index([], {}, {})
    n_frames = 0
    with open(audio_path, "wb") as audio_file, open(mels_path, "wb") as mels_file:
        for number, name in enumerate(names):
            progress(number, len(names), f"decoding {number + 1} of {len(names)}: {name}")
            try:
                audio, info = _read(folder / name, settings)
            except AudioError as error:
                index.left_out[name] = str(error)
                continue
            if info.warnings:
                index.warnings[name] = [*info.warnings]
            mel = log_mel(audio, settings)
            n_missing = mel.shape[1] * settings.hop_length - len(audio)
            audio_file.write(np.pad(audio, (0, n_missing)).tobytes())
            mels_file.write(np.ascontiguousarray(mel.T).tobytes())
            index.entries.append(AudioFile(name, n_frames, mel.shape[1]))
            n_frames += mel.shape[1]
    return index


def _read(path: Path, settings: MelSettings) -> tuple[np.ndarray, AudioInfo]:
    audio, info = read_mono(path)
    audio = resample(audio, info.sample_rate, settings.sample_rate)
    if np.abs(audio).max(initial=0) < SILENT:
        raise AudioError(f"{path.name}: silent; nothing can be learnt from it")
    return audio, info


def _read_index(cached: Path, settings: MelSettings, stamps: dict[str, list[int]]) -> Index | None:
    """Return the index of a folder of the cache; None if the folder is missing or damaged."""
    try:
        index = read_document(
            cached / INDEX, Index, error=ParameterError, remedy="", max_bytes=MAX_INDEX
        )
        for name in (AUDIO, MELS):
            check_regular(cached / name, error=ParameterError, remedy="")
    except ParameterError:
        return None
    n_frames = 0
    for file in index.entries:
        if file.start_frame != n_frames or file.name not in stamps:
            return None
        n_frames += file.n_frames
    n_values = {AUDIO: n_frames * settings.hop_length, MELS: n_frames * settings.n_mels}
    sizes = {name: (cached / name).stat().st_size for name in n_values}
    return index if sizes == {name: 4 * n for name, n in n_values.items()} else None
