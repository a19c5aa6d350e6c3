"""Analyse an audio file: its descriptors and units.

It takes one pass over the samples, and the samples in memory do not grow with the file's length.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from audio.read import AudioInfo, measure_mono, probe
from audio.renders import is_render
from audio.resample import resample_blocks, resampled_length
from db.aggregate import unit_descriptors
from db.beat_grid import BeatGrid
from db.descriptors import DESCRIPTORS
from db.descriptors.frames import frames_of
from db.model_descriptor import ModelMeasure, OpenModel, no_model
from db.settings import DescriptorSettings
from db.spool import Spool
from db.units import UnitFinder, equal_unit_lengths
from files.errors import AudioError, DemiurgeError, ParameterError
from files.hashing import hash_file
from files.names import check_name, without_name
from files.regular import why_unreadable
from files.remote import RemoteObject
from files.remote_cache import fetched
from files.remote_errors import FetchError


@dataclass(frozen=True)
class Description:
    """The descriptors and units of a signal.

    Attributes
    ----------
    n_samples : int
        Length at the settings' sample rate.
    frames : ndarray, float32, shape (frames, len(settings.frame_names))
    lengths : ndarray, int64, shape (units,)
        Samples of each unit; they tile the signal.
    units : ndarray, float32, shape (units, len(settings.names))
        The same as `frames` if units are frames.
    grid : BeatGrid, optional
        The beats, if units are beats or parts of them.
    """

    n_samples: int
    frames: np.ndarray
    lengths: np.ndarray
    units: np.ndarray
    grid: BeatGrid | None = None


@dataclass(frozen=True)
class Task:
    """One file to analyse, unless it is known.

    Attributes
    ----------
    path : str or RemoteObject
        An object is fetched where it is analysed.
    settings : DescriptorSettings
    known : dict of str to int or None
        The content hashes of files whose rows the database has. If a number, they were made by an
        earlier version, and stay only if the file still gives that many samples.
    content_hash : str, optional
        If the size and date of the file say that it has not changed.
    is_source : bool
        False for a file that the database has not taken yet: a render is then left out.
    open_model : OpenModel
        Opens the settings' models where the file is analysed.
    """

    path: str | RemoteObject
    settings: DescriptorSettings
    known: Mapping[str, int | None] = field(default_factory=dict)
    content_hash: str | None = None
    is_source: bool = False
    open_model: OpenModel = no_model


@dataclass(frozen=True)
class Analysis:
    """The result for one file: a description, an error, or neither if its content is known.

    Attributes
    ----------
    content_hash : str
        Empty if the file could not be read at all.
    n_bytes, mtime_ns : int
        Size and date of the file.
    info : AudioInfo, optional
    description : Description, optional
    error : str, optional
    is_render : bool
        True if it is left out, since Demiurge rendered it.
    is_unanswered : bool
        True if it is an object whose store does not answer.
    """

    content_hash: str
    n_bytes: int = 0
    mtime_ns: int = 0
    info: AudioInfo | None = None
    description: Description | None = None
    error: str | None = None
    is_render: bool = False
    is_unanswered: bool = False

    @property
    def stamp(self) -> tuple[str, int, int]:
        """Content hash, size and date."""
        return self.content_hash, self.n_bytes, self.mtime_ns

    @property
    def is_known(self) -> bool:
        """True if the content is one of the task's known hashes."""
        return self.description is None and self.error is None and not self.is_render


def analyse(task: Task) -> Analysis:
    """Describe one file or object; a failure is returned, not raised."""
    if isinstance(task.path, str):
        return _analyse_file(task.path, task)
    try:
        with fetched(task.path) as (copy, found):
            is_same = found == task.path
            content_hash = task.content_hash if is_same else None
            analysis = _analyse_file(str(copy), replace(task, content_hash=content_hash))
    except FetchError as error:
        return Analysis("", error=error.reason, is_unanswered=not error.is_final)
    except DemiurgeError as error:
        return Analysis("", error=str(error))
    if not analysis.content_hash:
        return analysis
    return replace(analysis, n_bytes=found.n_bytes, mtime_ns=found.modified_ns)


def _analyse_file(path: str, task: Task) -> Analysis:
    try:
        before = os.stat(path)
        content_hash = task.content_hash or hash_file(path)
        stamp = (content_hash, before.st_size, before.st_mtime_ns)
        check_name(path)
        analysis = _analyse_content(path, task, stamp)
        after = os.stat(path)
    except OSError as error:
        return Analysis("", error=why_unreadable(path, error))
    except DemiurgeError as error:
        if isinstance(error, ParameterError):  # about the computer, not the file
            stamp = ("", 0, 0)
        return Analysis(*stamp, error=without_name(str(error), path))
    except MemoryError:
        return Analysis(*stamp, error="too long to fit in memory; split the file")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return Analysis(
            "", error="changed while it was being read; build again when it is complete"
        )
    return analysis


def _analyse_content(path: str, task: Task, stamp: tuple[str, int, int]) -> Analysis:
    content_hash = stamp[0]
    if content_hash in task.known and _still_reads(path, task.known[content_hash], task):
        return Analysis(*stamp)
    if not task.is_source and is_render(path):
        return Analysis(*stamp, is_render=True)
    return Analysis(*stamp, *describe_file(path, task.settings, task.open_model))


def _still_reads(path: str, n_samples: int | None, task: Task) -> bool:
    """Return whether this version reads `n_samples` of a file, at the settings' rate."""
    if n_samples is None:
        return True
    info = probe(path)
    rate = task.settings.sample_rate
    found = resampled_length(info.n_samples, info.sample_rate, rate)
    return found == n_samples and not info.warnings


def describe_file(
    path: str | Path, settings: DescriptorSettings, open_model: OpenModel = no_model
) -> tuple[AudioInfo, Description]:
    """Describe an audio file of any rate and number of channels.

    Raises
    ------
    AudioError
        If it cannot be read, or a model makes nothing of it.
    DatabaseError
        If a model of the settings cannot be opened.
    """

    def describe(info: AudioInfo, blocks: Iterator[np.ndarray]) -> Description | None:
        resampled = resample_blocks(blocks, info.sample_rate, settings.sample_rate)
        return describe_signal(resampled, settings, open_model)

    description, info = measure_mono(path, describe)
    if description is None:
        raise AudioError(f"{Path(path).name}: 0 samples; re-export the file or remove it")
    return info, description


def describe_signal(
    blocks: Iterable[np.ndarray],
    settings: DescriptorSettings,
    open_model: OpenModel = no_model,
) -> Description | None:
    """Describe a mono signal at the settings' rate, given in blocks of any length.

    Returns None if it has no samples; raises as `describe_file`.
    """
    finder = UnitFinder(settings) if settings.units_vary else None
    measures = {
        model.kind: open_model(model, settings.sample_rate, settings.hop_length)
        for model in settings.models
    }
    signal = _Watched(blocks, finder, list(measures.values()))
    frames = _measure(signal, finder, settings, measures)
    n_samples = signal.n_samples
    if frames is None:
        return None
    if settings.units == "frame":
        lengths = equal_unit_lengths(n_samples, settings.hop_length)
        return Description(n_samples, frames, lengths, frames)
    grid = None
    if finder:
        lengths, grid = finder.find(n_samples)
    else:
        lengths = equal_unit_lengths(n_samples, settings.fixed_samples)
    units = unit_descriptors(frames, lengths, settings, grid)
    return Description(n_samples, frames, lengths, units, grid)


def _measure(
    signal: "_Watched",
    finder: UnitFinder | None,
    settings: DescriptorSettings,
    measures: dict[str, ModelMeasure],
) -> np.ndarray | None:
    """Measure all descriptors in one pass; None if the signal has no samples."""
    own = [name for name in settings.descriptors if name not in measures]
    with ExitStack() as stack:
        spools = {name: stack.enter_context(closing(Spool())) for name in own}
        for frames in frames_of(signal, settings):
            if finder:
                finder.watch_frames(frames)
            for name, spool in spools.items():
                spool.append(DESCRIPTORS[name].measure(frames))
        if signal.n_samples == 0:
            return None
        rows = {name: DESCRIPTORS[name].finish(spool, settings) for name, spool in spools.items()}
    rows |= {name: measure.finish() for name, measure in measures.items()}
    # librosa may add a frame at the very end, with no samples left to play
    n_frames = -(-signal.n_samples // settings.hop_length)
    columns = [rows[name][:n_frames] for name in settings.descriptors]
    return np.concatenate(columns, axis=1, dtype=np.float32)


class _Watched:
    """Passes blocks on while it counts their samples, and feeds the unit finder and the models."""

    def __init__(
        self, blocks: Iterable[np.ndarray], finder: UnitFinder | None, measures: list[ModelMeasure]
    ) -> None:
        self._blocks = blocks
        self._finder = finder
        self._measures = measures
        self.n_samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.n_samples += len(block)
            if self._finder:
                self._finder.watch_signal(block)
            for measure in self._measures:
                measure.add(block)
            yield block
