"""Spans of sources, exact to the sample, at the plan's sample rate and channel count.

PCM files at the plan's rate are read in place through open handles. Lossy files seek wrongly, FLAC
files seek slowly, and other rates need the whole file resampled: those are decoded once, whole,
into the cache (see decoded.py), and read from there.
"""

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, Protocol, Self

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.decoded import DecodedCache
from audio.read import AudioInfo, probe
from files.errors import AudioError, PlanError
from files.hashing import hash_file
from playback.plan import Plan
from playback.spans import Raw, Spans, check_end, open_pcm

OPEN_FILES = 64  # handles kept open at a time
FLAC_SEEK_SECONDS = 0.4  # of FLAC are decoded in the time of one seek

Progress = Callable[[int, int, str], None]


class Sound(Protocol):
    """Where rendering takes samples from."""

    def length(self, source: str) -> int: ...

    def read_into(self, out: np.ndarray, source: str, start_sample: int) -> None: ...


class SourceReader:
    """Reads spans of the files under `root`. A context manager: leaving it closes the files."""

    def __init__(
        self,
        root: str | Path,
        *,
        sample_rate: int,
        channels: int,
        cache: DecodedCache | None = None,
    ) -> None:
        self.root = Path(root)
        self._sample_rate = sample_rate
        self._channels = channels
        self._cache = cache or DecodedCache()
        self._open: OrderedDict[str, Spans] = OrderedDict()
        self._lengths: dict[str, int] = {}
        self._in_place: set[str] = (
            set()
        )  # FLAC files of which so little is played that they are not decoded

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def prepare(self, plan: Plan, progress: Progress | None = None) -> dict[str, str]:
        """Look at every source of a plan, and decode, all processors at once, those that cannot be
        read in place.

        Returns
        -------
        dict
            What is wrong with a source, for each that is missing, unreadable or changed.
        """
        counts = Counter(step.source for step in plan.steps)
        problems = {}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            work = {
                pool.submit(self._prepare, source, count, plan.sources.get(source)): source
                for source, count in counts.items()
            }
            try:
                for done, future in enumerate(as_completed(work), start=1):
                    if problem := future.result():
                        problems[work[future]] = problem
                    if progress:
                        progress(done, len(work), f"reading {work[future]}")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        self._cache.prune()
        return {source: problems[source] for source in counts if source in problems}

    def length(self, source: str) -> int:
        """Samples in the source at the plan's rate.

        Raises
        ------
        PlanError
            If the file is not there.
        AudioError
            If it cannot be read.
        """
        if source not in self._lengths:
            self._lengths[source] = self._get(source).n_samples
        return self._lengths[source]

    def read_into(self, out: np.ndarray, source: str, start_sample: int) -> None:
        """Fill `out`, float32, C-order, shape (n_samples, channels), with the source's samples from
        there on.

        Raises
        ------
        PlanError
            If the source is missing, ends before the span does, or holds NaN or infinite samples.
        AudioError
            If it cannot be read.
        """
        file = self._get(source)
        end = start_sample + len(out)
        if end > file.n_samples:
            raise PlanError(
                f"{source}: the plan plays samples {start_sample} to {end}, but the file has"
                f" {file.n_samples}; it has changed since the plan was made: restore it, or make"
                " the plan again"
            )
        samples = (
            out
            if file.channels == self._channels
            else np.empty((len(out), file.channels), np.float32)
        )
        try:
            file.read(samples, start_sample)
        except (EOFError, sf.LibsndfileError) as error:
            raise AudioError(
                f"{source}: samples {start_sample} to {end} cannot be read, though its header"
                f" promises {file.n_samples}; it is damaged, or was being written: copy or export"
                " the file again"
            ) from error
        if samples is not out:
            out[:] = fit_channels(samples, self._channels)
        if not np.isfinite(out).all():
            raise PlanError(
                f"{source}: samples {start_sample} to {end} are not all finite; repair the file"
            )

    def _prepare(self, source: str, n_reads: int, stamp: dict[str, Any] | None) -> str | None:
        """Decode what must be, and say what is wrong with it."""
        path = self.root / source
        try:
            if not path.is_file():
                return f"missing{_resembling(path)}"
            info = probe(path)
            if stamp and (changed := _what_changed(path, stamp)):
                return changed
            if (
                info.format == "FLAC"
                and n_reads * FLAC_SEEK_SECONDS < info.n_samples / info.sample_rate
            ):
                self._in_place.add(source)
            n_samples = info.n_samples
            if not self._reads_in_place(source, info):
                n_samples = self._cache.entry(path, info.channels, self._sample_rate).n_samples
            elif info.format == "FLAC":
                check_end(path, info)
        except AudioError as error:
            return str(error).removeprefix(f"{path.name}: ")
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        except UnicodeEncodeError:
            return "its name is no text that can be opened; rename it"
        self._lengths[source] = n_samples
        return None

    def _reads_in_place(self, source: str, info: AudioInfo) -> bool:
        return (
            info.seekable
            and info.sample_rate == self._sample_rate
            and (info.format != "FLAC" or source in self._in_place)
        )

    def _get(self, source: str) -> Spans:
        if source in self._open:
            self._open.move_to_end(source)
            return self._open[source]
        path = self.root / source
        if not path.is_file():
            raise PlanError(
                f"{source}: not in the corpus folder {self.root}; put it back, or name the folder"
                " with --root"
            )
        info = probe(path)
        if self._reads_in_place(source, info):
            file = open_pcm(path, info)
        else:
            entry = self._cache.entry(path, info.channels, self._sample_rate)
            file = Raw(entry.path, info.channels, entry.n_samples)
        while len(self._open) >= OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        self._open[source] = file
        return file


def _resembling(path: Path) -> str:
    names = (
        [other.name for other in path.parent.iterdir() if other.is_file()]
        if path.parent.is_dir()
        else []
    )
    found = get_close_matches(path.name, names, 1, 0.8)
    return f"; did you mean {found[0]}?" if found else ""


def refuse(problems: dict[str, str], root: str | Path, *, none_left: bool = False) -> NoReturn:
    """Raise a PlanError that names the sources that cannot be played."""
    named = "".join(f"\n  {what}: {problem}" for what, problem in problems.items())
    remedy = "restore them, or name the corpus folder with --root"
    if none_left:
        raise PlanError(f"nothing of the plan can be played from {root}; {remedy}:{named}")
    raise PlanError(
        f"not all of the plan can be played from {root}; {remedy}, or leave silence with"
        f" --skip-missing:{named}"
    )


def _what_changed(path: Path, stamp: dict[str, Any]) -> str | None:
    """Whether a file is another than the one the plan was made of; it is read through only if its
    date says so.
    """
    now = path.stat()
    if now.st_size == stamp["bytes"] and now.st_mtime_ns == stamp["modified_ns"]:
        return None
    if now.st_size != stamp["bytes"] or hash_file(path) != stamp["hash"]:
        return "another file than the plan was made of"
    return None


def sources_of(plan: Plan) -> Iterable[str]:
    """The sources a plan plays, in the order of their first use."""
    return dict.fromkeys(step.source for step in plan.steps)
