"""Read from sources, exact to the sample, at the plan's sample rate and channel count.

PCM files at the plan's rate are read in place through open handles. Lossy files do not seek
exactly, FLAC files seek slowly, and files at other rates must be resampled as a whole. These are
decoded once, completely, into the cache (see audio/decoded.py), and read from there. Objects in
object storage are fetched first, or read in ranges (see remote_sources.py).
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from audio.channels import fit_channels
from audio.decoded import DecodedCache
from audio.read import AudioInfo, probe
from files.errors import AudioError, PlanError
from files.names import without_name
from files.progress import Progress, no_progress
from files.remote_errors import FetchError
from files.roots import Roots
from playback.open_files import OpenFile, RawFile, check_end, open_in_place
from playback.plan import Plan
from playback.remote_sources import RemoteSources, Span
from playback.source_checks import find_problem
from playback.steps import lies_outside

OPEN_FILES = 64  # handles kept open at a time
REMOTE_THREADS = 16  # most of the time they wait for answers
FLAC_SEEK_SECONDS = 0.4  # seconds of FLAC that can be decoded in the time of one seek


class SampleReader(Protocol):
    """The interface through which rendering reads sources."""

    def length(self, source: str) -> int: ...

    def read_into(self, out: np.ndarray, source: str, start_sample: int) -> None: ...


class SourceReader:
    """Reads from the files under `roots`. As a context manager, it closes them at the end."""

    def __init__(
        self,
        roots: str | Path | Roots,
        *,
        sample_rate: int,
        channels: int,
        cache: DecodedCache | None = None,
        outside: bool = False,
    ) -> None:
        """Take the corpus folders; sources that lie `outside` of them are not read by default."""
        self.roots = Roots.of(roots)
        self._outside = outside
        self._sample_rate = sample_rate
        self._channels = channels
        self._cache = cache or DecodedCache()
        self._remote = RemoteSources(sample_rate)
        self._open: OrderedDict[str, OpenFile] = OrderedDict()
        self._lengths: dict[str, int] = {}
        # headers, and the size and date of the files they were read from
        self._headers: dict[str, tuple[tuple[int, int], AudioInfo]] = {}
        # FLAC files that are not decoded, because little of them is played
        self._in_place: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._remote.close()

    def prepare(self, plan: Plan, progress: Progress = no_progress) -> dict[str, str]:
        """Check every source of a plan, and decode those that cannot be read in place.

        All processors are used.

        Returns
        -------
        dict
            The problem with each source that is missing, unreadable or changed.
        """
        spans: dict[str, list[Span]] = {}
        for step in plan.steps:
            spans.setdefault(step.source, []).append((step.start_sample, step.end_sample))
        return self._prepare_all(spans, plan.sources, progress)

    def prepare_sources(
        self,
        sources: Iterable[str],
        progress: Progress = no_progress,
        *,
        stamps: Mapping[str, dict[str, Any]] | None = None,
    ) -> dict[str, str]:
        """Check sources any part of which may be played soon, and decode as `prepare` does.

        FLAC files are always decoded, since to seek in them takes long.

        Parameters
        ----------
        stamps : mapping, optional
            What identifies the file of each source, as a plan's `sources`.

        Returns
        -------
        dict
            The problem with each source that is missing, unreadable or changed.
        """
        return self._prepare_all(dict.fromkeys(sources), stamps or {}, progress)

    def _prepare_all(
        self,
        spans: Mapping[str, Sequence[Span] | None],
        stamps: Mapping[str, dict[str, Any]],
        progress: Progress,
    ) -> dict[str, str]:
        """Prepare sources, each given with the samples that are played; None if it may be any."""
        self.roots.look_up(spans)
        problems = {}
        is_remote = any(map(self.roots.is_remote, spans))
        with ThreadPoolExecutor(REMOTE_THREADS if is_remote else os.cpu_count()) as pool:
            tasks = {
                pool.submit(self._prepare, source, played, stamps.get(source)): source
                for source, played in spans.items()
            }
            try:
                for done, task in enumerate(as_completed(tasks), start=1):
                    source = tasks[task]
                    if problem := task.result():
                        problems[source] = problem
                    progress(done, len(tasks), f"reading {source}")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        self._cache.prune()
        return {source: problems[source] for source in spans if source in problems}

    def length(self, source: str) -> int:
        """Return the number of samples in the source at the plan's rate.

        Raises
        ------
        PlanError
            If the file is missing.
        AudioError
            If it cannot be read.
        """
        if source not in self._lengths:
            self._lengths[source] = self._opened(source).n_samples
        return self._lengths[source]

    def read_into(self, out: np.ndarray, source: str, start_sample: int) -> None:
        """Fill `out`, float32, C-order, shape (n_samples, channels), from a sample of the source.

        Raises
        ------
        PlanError
            If the source is missing, ends too early, or holds NaN or infinite samples.
        AudioError
            If it cannot be read.
        """
        file = self._opened(source)
        end = start_sample + len(out)
        if end > file.n_samples:
            raise PlanError(
                f"{source}: the plan plays samples {start_sample} to {end}, but the file has"
                f" {file.n_samples}; it has changed since the plan was made: restore it, or make"
                " the plan again"
            )
        is_fitting = file.channels == self._channels
        samples = out if is_fitting else np.empty((len(out), file.channels), np.float32)
        try:
            file.read(samples, start_sample)
        except (EOFError, AudioError) as error:
            raise AudioError(
                f"{source}: samples {start_sample} to {end} cannot be read, though its header"
                f" promises {file.n_samples}; it is damaged, or was being written: copy or export"
                " the file again"
            ) from error
        if not is_fitting:
            out[:] = fit_channels(samples, self._channels)
        if not (file.is_finite or np.isfinite(out).all()):
            raise PlanError(
                f"{source}: samples {start_sample} to {end} are not all finite; repair the file"
            )

    def _prepare(
        self, source: str, played: Sequence[Span] | None, stamp: dict[str, Any] | None
    ) -> str | None:
        """Prepare a source, of which some samples are played; return its problem, if any."""
        try:
            problem = find_problem(self.roots, source, stamp, outside=self._outside)
            if not problem:
                self._lengths[source] = self._find_length(source, played)
        except FetchError as error:
            problem = error.reason
        except AudioError as error:
            problem = without_name(str(error), self.roots.file_of(source))
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        except UnicodeEncodeError:
            problem = "its name is not valid; rename it"
        return problem

    def _find_length(self, source: str, played: Sequence[Span] | None) -> int:
        """Return the length of a source in samples, after fetching or decoding it if necessary."""
        found = self.roots.object_of(source)
        if found and self._remote.prepare(source, found, played or ()):
            return self._header(source).n_samples
        info = self._header(source)
        seconds = info.n_samples / info.sample_rate
        is_little = played is not None and len(played) * FLAC_SEEK_SECONDS < seconds
        if info.format == "FLAC" and is_little:
            self._in_place.add(source)
        return self._load(source, info)

    def _load(self, source: str, info: AudioInfo) -> int:
        """Decode a source if necessary; return its length in samples."""
        path = self.roots.file_of(source)
        if not self._reads_in_place(source, info):
            return self._cache.entry(path, info.channels, self._sample_rate).n_samples
        if info.format == "FLAC":
            check_end(path, info)
        return info.n_samples

    def _reads_in_place(self, source: str, info: AudioInfo) -> bool:
        return (
            info.seekable
            and info.sample_rate == self._sample_rate
            and (info.format != "FLAC" or source in self._in_place)
        )

    def _header(self, source: str) -> AudioInfo:
        """Return a source's header, which is only read again if the file changes."""
        if partial := self._remote.info(source):
            return partial
        path = self.roots.file_of(source)
        status = path.stat()
        version = status.st_size, status.st_mtime_ns
        if source in self._headers and self._headers[source][0] == version:
            return self._headers[source][1]
        info = probe(path)
        self._headers[source] = version, info
        return info

    def _opened(self, source: str) -> OpenFile:
        """Return a source's open file; if too many are open, close the least recently used one."""
        if source in self._open:
            self._open.move_to_end(source)
            return self._open[source]
        is_refused = lies_outside(source) and not self._outside
        if is_refused or self.roots.stamp_of(source) is None:
            raise PlanError(
                f"{source}: not in the corpus folder {self.roots}; put it back, or name the folder"
                " with --root"
            )
        file = self._remote.open(source) or self._open_whole(source)
        while len(self._open) >= OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        self._open[source] = file
        return file

    def _open_whole(self, source: str) -> OpenFile:
        path = self.roots.file_of(source)
        info = self._header(source)
        if self._reads_in_place(source, info):
            return open_in_place(path, info)
        entry = self._cache.entry(path, info.channels, self._sample_rate)
        # what is not finite is not decoded
        return RawFile(entry.path, info.channels, entry.n_samples, is_finite=True)


def sources_of(plan: Plan) -> Iterable[str]:
    """Return the sources that a plan plays, in the order of their first use."""
    return dict.fromkeys(step.source for step in plan.steps)
