"""From a file to its descriptors and units, in one pass over its samples and in memory that does
not grow with its length.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile

import numpy as np

from audio.read import AudioInfo, Resampler, open_mono
from db.aggregate import unit_descriptors
from db.descriptors import DESCRIPTORS
from db.descriptors.frames import frames_of
from db.settings import DescriptorSettings
from db.units import UnitFinder, frame_lengths
from files.errors import AudioError, DemiurgeError
from files.hashing import hash_file
from files.names import check_name, printable

SPOOL_BYTES = (
    48 << 20
)  # mel bands of longer files (half an hour) wait on disk for the file's peak to be known


@dataclass(frozen=True)
class Description:
    """A signal described.

    Attributes
    ----------
    n_samples : int
        At the settings' sample rate.
    frames : ndarray, float32, shape (frames, len(settings.frame_names))
    lengths : ndarray, int64, shape (units,)
        Samples of each unit; they tile the signal.
    units : ndarray, float32, shape (units, len(settings.names))
        The frames themselves if they are the units.
    """

    n_samples: int
    frames: np.ndarray
    lengths: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Analysis:
    """One file's analysis.

    `description` is None where it failed, or its content is one of those known already.

    `content_hash` is empty for a file that could not be read at all, and whose content is therefore
    not known.
    """

    content_hash: str
    n_bytes: int = 0
    mtime_ns: int = 0
    info: AudioInfo | None = None
    description: Description | None = None
    error: str | None = None


def analyse(path: str, settings: DescriptorSettings, known_hashes: frozenset[str]) -> Analysis:
    """Describe one file; its failure, or that its content is already known, is a result too."""
    name = os.path.basename(path)
    try:
        before = os.stat(path)
        content_hash = hash_file(path)
        stamp = (content_hash, before.st_size, before.st_mtime_ns)
        check_name(path)
        if content_hash in known_hashes:
            return Analysis(*stamp)
        info, description = describe_file(path, settings)
        after = os.stat(path)
    except OSError as error:
        return Analysis(
            "", error=f"cannot be read ({error.strerror}); check the file and its permissions"
        )
    except DemiurgeError as error:
        return Analysis(
            *stamp, error=str(error).removeprefix(f"{printable(path)}: ").removeprefix(f"{name}: ")
        )
    except MemoryError:
        return Analysis(*stamp, error="too long to fit in memory; split the file")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return Analysis(
            "", error="changed while it was being read; build again when it is complete"
        )
    return Analysis(*stamp, info, description)


def describe_file(path: str | Path, settings: DescriptorSettings) -> tuple[AudioInfo, Description]:
    """Describe an audio file of any rate and number of channels.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    with open_mono(path) as (info, blocks):
        same = info.sample_rate == settings.sample_rate
        resampled = (
            blocks if same else Resampler(info.sample_rate, settings.sample_rate).resample(blocks)
        )
        description = describe_signal(resampled, settings)
    if description is None:
        raise AudioError(f"{Path(path).name}: 0 samples; re-export the file or remove it")
    return info, description


def describe_signal(
    blocks: Iterable[np.ndarray], settings: DescriptorSettings
) -> Description | None:
    """Describe a mono signal at the settings' rate, given in blocks of any length; None if it has
    no samples.
    """
    finder = UnitFinder(settings) if settings.units in ("onset", "beat") else None
    signal = _Watched(blocks, finder)
    with ExitStack() as stack:
        measured = [
            (DESCRIPTORS[name], stack.enter_context(closing(_Spool())))
            for name in settings.descriptors
        ]
        for frames in frames_of(signal, settings):
            if finder:
                finder.watch_frames(frames)
            for descriptor, spool in measured:
                spool.append(descriptor.measure(frames))
        n_samples = signal.n_samples
        if n_samples == 0:
            return None
        rows = [descriptor.finish(spool, settings) for descriptor, spool in measured]
    n_frames = -(-n_samples // settings.hop_length)
    table = np.concatenate(rows, axis=1, dtype=np.float32)[
        :n_frames
    ]  # librosa's frame at the very end has no span to play
    if settings.units == "frame":
        return Description(n_samples, table, frame_lengths(n_samples, settings.hop_length), table)
    lengths = (
        finder.lengths(n_samples) if finder else frame_lengths(n_samples, settings.fixed_samples)
    )
    return Description(n_samples, table, lengths, unit_descriptors(table, lengths, settings))


class _Watched:
    """Passes blocks on, counts their samples, and shows them to the unit finder."""

    def __init__(self, blocks: Iterable[np.ndarray], finder: UnitFinder | None) -> None:
        self._blocks = blocks
        self._finder = finder
        self.n_samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.n_samples += len(block)
            if self._finder:
                self._finder.watch_signal(block)
            yield block


class _Spool:
    """float32 arrays put aside in order, to be read as often as needed; on disk once they exceed
    `SPOOL_BYTES`.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115  closed by close()
        self._shapes: list[tuple[int, ...]] = []

    def append(self, block: np.ndarray) -> None:
        block = np.ascontiguousarray(block, np.float32)
        self._shapes.append(block.shape)
        self._file.write(block.data)

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        for shape in self._shapes:
            yield np.frombuffer(self._file.read(4 * shape[0] * shape[1]), np.float32).reshape(shape)
