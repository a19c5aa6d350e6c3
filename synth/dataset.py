"""Audio to train on: a folder of files, decoded once to mono, with mel spectrograms."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xxhash

from audio.read import read_mono
from audio.resample import resample
from audio.scan import find_audio
from files.atomic import replacing
from files.cache import cache_errors, cache_folder, prune
from files.errors import AudioError, ParameterError
from files.progress import Progress, no_progress
from synth.mel import MelSettings, log_mel

VERSION = 1
CACHE_KIND = "recordings"  # the name since 0.1.0; another would decode everything again
CACHE_BYTES = 8 << 30  # of decoded folders, at most: twenty hours at 22.05 kHz
AUDIO = "audio.f32"
MELS = "mels.f32"
INDEX = "index.json"  # written last: a folder that has it is complete
SILENT = 1e-4  # a file is silent if its peak is below -80 dB


@dataclass(frozen=True)
class AudioFile:
    """A file, or a part of one: its frames within the dataset."""

    name: str
    start_frame: int
    n_frames: int


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
    `left_out`. When the cache is full, the least recently used folders are removed from it.

    Raises
    ------
    ParameterError
        If there is no such folder, nothing in it can be used, or the disk is full.
    """
    folder = Path(folder)
    names = _audio_names(folder)
    stamps = {name: _stamp(folder / name) for name in names}
    identity = _identity(settings, stamps)
    cached = cache_folder(CACHE_KIND) / identity
    if not all((cached / name).is_file() for name in (AUDIO, MELS, INDEX)):
        _decode(folder, names, settings, cached, progress)
        prune(cached.parent.iterdir(), max_cache_bytes, in_use={cached})
    with suppress(PermissionError):  # the file may be another user's
        os.utime(cached)  # marks it as used now
    return _open(cached, settings, identity, folder, stamps)


def _audio_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise ParameterError(f"{folder}: {what}; give a folder of audio files")
    names = find_audio(folder)
    if not names:
        raise ParameterError(
            f"{folder}: no audio files in it; give a folder of WAV, FLAC, OGG or MP3 files"
        )
    return names


def _stamp(path: Path) -> list[int]:
    """Return size and date; nothing for a broken link."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns]


def _identity(settings: MelSettings, stamps: dict[str, list[int]]) -> str:
    files = [[name, *stamp] for name, stamp in stamps.items()]
    text = json.dumps([VERSION, settings.to_dict(), files])
    return xxhash.xxh3_128_hexdigest(text.encode())


def _decode(
    folder: Path, names: Sequence[str], settings: MelSettings, cached: Path, progress: Progress
) -> None:
    """Decode the files into a folder of the cache."""
    with cache_errors(cached.parent):
        cached.mkdir(parents=True, exist_ok=True)
        with replacing(cached / AUDIO) as audio, replacing(cached / MELS) as mels:
            files, left_out = _write(folder, names, settings, audio, mels, progress)
        index = {"entries": [asdict(file) for file in files], "left_out": left_out}
        with replacing(cached / INDEX) as index_path:
            index_path.write_text(json.dumps(index))


def _write(
    folder: Path,
    names: Sequence[str],
    settings: MelSettings,
    audio_path: Path,
    mels_path: Path,
    progress: Progress,
) -> tuple[list[AudioFile], dict[str, str]]:
    """Write the samples and mels of all files; return the files and those left out."""
    files: list[AudioFile] = []
    left_out = {}
    n_frames = 0
    with open(audio_path, "wb") as audio_file, open(mels_path, "wb") as mels_file:
        for number, name in enumerate(names):
            progress(number, len(names), f"decoding {number + 1} of {len(names)}: {name}")
            try:
                audio = _read(folder / name, settings)
            except AudioError as error:
                left_out[name] = str(error)
                continue
            mel = log_mel(audio, settings)
            n_missing = mel.shape[1] * settings.hop_length - len(audio)
            audio_file.write(np.pad(audio, (0, n_missing)).tobytes())
            mels_file.write(np.ascontiguousarray(mel.T).tobytes())
            files.append(AudioFile(name, n_frames, mel.shape[1]))
            n_frames += mel.shape[1]
    return files, left_out


def _read(path: Path, settings: MelSettings) -> np.ndarray:
    audio, info = read_mono(path)
    audio = resample(audio, info.sample_rate, settings.sample_rate)
    if np.abs(audio).max(initial=0) < SILENT:
        raise AudioError(f"{path.name}: silent; nothing can be learnt from it")
    return audio


def _open(
    cached: Path,
    settings: MelSettings,
    identity: str,
    folder: Path,
    stamps: dict[str, list[int]],
) -> AudioDataset:
    index = json.loads((cached / INDEX).read_text())
    files = tuple(AudioFile(**values) for values in index["entries"])
    if not files:
        reasons = "; ".join(list(index["left_out"].values())[:3])
        raise ParameterError(
            f"{folder}: none of its {len(index['left_out'])} audio files can be used ({reasons})"
        )
    audio = np.memmap(cached / AUDIO, np.float32, "r")
    mels = np.memmap(cached / MELS, np.float32, "r").reshape(-1, settings.n_mels)
    return AudioDataset(settings, files, index["left_out"], identity, stamps, audio, mels)
