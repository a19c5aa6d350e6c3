"""A folder of audio, decoded once to mono, with its mel spectrograms: what vocoders and generators
are trained on.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xxhash

from audio.read import read_mono, resample
from audio.scan import find_audio
from files.atomic import replacing
from files.cache import cache_folder, keeping_decoded, prune
from files.errors import AudioError, ParameterError
from synth.mel import MelSettings, log_mel

VERSION = 1
CACHE_BYTES = 8 << 30  # of decoded folders are kept: twenty hours at 22.05 kHz, or the one in use
KEPT = ("audio.f32", "mels.f32", "index.json")  # the last is written last
SILENT = 1e-4  # a recording whose peak is below, -80 dB, has nothing to teach
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Recording:
    """One file: its frames within the whole."""

    name: str
    start_frame: int
    n_frames: int


@dataclass(frozen=True)
class Recordings:
    """All files of a folder.

    `audio` is (n_frames * hop_length,) and `mels` (n_frames, n_mels), read from disk as needed.
    """

    settings: MelSettings
    entries: tuple[Recording, ...]
    left_out: dict[str, str]  # name to reason
    identity: str
    files: dict[str, list[int]]  # name to size and date
    audio: np.ndarray
    mels: np.ndarray

    @property
    def n_frames(self) -> int:
        return len(self.mels)

    @property
    def seconds(self) -> float:
        return self.n_frames / self.settings.frame_rate

    def audio_of(self, entry: Recording, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples of the frames `start` to `stop` of one file."""
        hop = self.settings.hop_length
        stop = entry.n_frames if stop is None else stop
        return self.audio[(entry.start_frame + start) * hop : (entry.start_frame + stop) * hop]

    def mel_of(self, entry: Recording, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Log-mel (n_mels, frames) of the frames `start` to `stop` of one file."""
        stop = entry.n_frames if stop is None else stop
        return self.mels[entry.start_frame + start : entry.start_frame + stop].T


def open_recordings(
    folder: str | Path, settings: MelSettings, *, progress: Tell | None = None
) -> Recordings:
    """Decode every audio file below a folder, or find what was decoded before.

    Files are known by name, size and date. What cannot be read, and what is silent, is left out by
    name. Of folders decoded before, those not used for longest are removed when there are too many.

    Raises
    ------
    ParameterError
        If there is no such folder, nothing in it can be used, or the disk is full.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise ParameterError(f"{folder}: {what}; give a folder of audio files")
    names = find_audio(folder)
    if not names:
        raise ParameterError(
            f"{folder}: no audio files in it; give a folder of WAV, FLAC, OGG or MP3 files"
        )
    files = {name: list(_stamp(folder / name)) for name in names}
    what = json.dumps(
        [VERSION, settings.to_dict(), [[name, *stamp] for name, stamp in files.items()]]
    )
    identity = xxhash.xxh3_128_hexdigest(what.encode())
    kept = cache_folder("recordings") / identity
    if not all((kept / name).is_file() for name in KEPT):
        _decode(folder, names, settings, kept, progress)
        prune(kept.parent.iterdir(), CACHE_BYTES, in_use={kept})
    with suppress(PermissionError):  # another user's
        os.utime(kept)  # it was used now
    return _open(kept, settings, identity, folder, files)


def _stamp(path: Path) -> tuple[int, ...]:
    """Size and date; nothing for a link that leads nowhere."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_size, stat.st_mtime_ns


def _decode(
    folder: Path, names: Sequence[str], settings: MelSettings, kept: Path, progress: Tell | None
) -> None:
    with keeping_decoded(str(folder), kept.parent):
        kept.mkdir(parents=True, exist_ok=True)
        with replacing(kept / "audio.f32") as audio, replacing(kept / "mels.f32") as mels:
            entries, left_out = _write(folder, names, settings, audio, mels, progress)
        with replacing(kept / "index.json") as index_path:
            index_path.write_text(
                json.dumps({"entries": [asdict(e) for e in entries], "left_out": left_out})
            )


def _write(
    folder: Path,
    names: Sequence[str],
    settings: MelSettings,
    audio_path: Path,
    mels_path: Path,
    progress: Tell | None,
) -> tuple[list[Recording], dict[str, str]]:
    entries: list[Recording] = []
    left_out = {}
    n_frames = 0
    with open(audio_path, "wb") as audio_file, open(mels_path, "wb") as mels_file:
        for number, name in enumerate(names):
            if progress:
                progress(number, len(names), f"decoding {number + 1} of {len(names)}: {name}")
            try:
                audio = _read(folder / name, settings)
            except AudioError as error:
                left_out[name] = str(error)
                continue
            mel = log_mel(audio, settings)
            audio_file.write(
                np.pad(audio, (0, mel.shape[1] * settings.hop_length - len(audio))).tobytes()
            )
            mels_file.write(np.ascontiguousarray(mel.T).tobytes())
            entries.append(Recording(name, n_frames, mel.shape[1]))
            n_frames += mel.shape[1]
    return entries, left_out


def _read(path: Path, settings: MelSettings) -> np.ndarray:
    audio, info = read_mono(path)
    audio = resample(audio, info.sample_rate, settings.sample_rate)
    if np.abs(audio).max(initial=0) < SILENT:
        raise AudioError(f"{path.name}: silent; nothing can be learnt from it")
    return audio


def _open(
    kept: Path, settings: MelSettings, identity: str, folder: Path, files: dict[str, list[int]]
) -> Recordings:
    index = json.loads((kept / "index.json").read_text())
    entries = tuple(Recording(**values) for values in index["entries"])
    if not entries:
        reasons = "; ".join(list(index["left_out"].values())[:3])
        raise ParameterError(
            f"{folder}: none of its {len(index['left_out'])} audio files can be used ({reasons})"
        )
    audio = np.memmap(kept / "audio.f32", np.float32, "r")
    mels = np.memmap(kept / "mels.f32", np.float32, "r").reshape(-1, settings.n_mels)
    return Recordings(settings, entries, index["left_out"], identity, files, audio, mels)
