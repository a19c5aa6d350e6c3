"""Sources in object storage of which only a part is played.

Of a WAV with plain samples, the header and what is played are read, where that is less than the
whole object. A partial copy is a file as long as the object, with holes for the rest; it lasts as
long as the reader.
"""

import itertools
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.read import AudioInfo, probe
from files.cache import cache_errors
from files.errors import AudioError
from files.fetch import read_spans
from files.remote import RemoteObject
from files.remote_cache import copies_folder, has_copy
from files.temporary import temporary_folder
from playback.open_files import RawFile, plain_samples

BLOCK_BYTES = 64 << 10  # read at a time
HEAD_BLOCKS = 1  # at each end of an object: the header, and chunks after the samples
SMALL_BLOCKS = 8  # a smaller object is always fetched whole
MOST_OF_OBJECT = 0.5  # of which more is played is fetched whole, and kept
MARGIN_SECONDS = 0.1  # on both sides of what is played, for crossfades

Span = tuple[int, int]


class PartialCopy:
    """A file as long as an object, in which blocks are filled in when they are needed."""

    def __init__(self, found: RemoteObject, path: Path) -> None:
        self.found = found
        self.path = path
        self._lock = threading.Lock()
        n_blocks = -(-found.n_bytes // BLOCK_BYTES)
        self._is_there = np.zeros(n_blocks, bool)
        with open(path, "wb") as file:
            file.truncate(found.n_bytes)

    def require(self, *spans: Span) -> None:
        """Fetch the blocks of ranges of bytes (first, stop) that are not there yet.

        Raises
        ------
        FetchError
            If they cannot be fetched.
        """
        with self._lock:
            missing = self.blocks(spans) & ~self._is_there
            if not missing.any():
                return
            with open(self.path, "r+b") as file:

                def write(first: int, data: bytes) -> None:
                    file.seek(first)
                    file.write(data)

                read_spans(self.found, self._spans(missing), write)
            self._is_there |= missing

    def blocks(self, spans: Sequence[Span]) -> np.ndarray:
        """Return which blocks hold some of these ranges, bool, shape (blocks,)."""
        held = np.zeros(len(self._is_there), bool)
        for first, stop in spans:
            held[first // BLOCK_BYTES : -(-stop // BLOCK_BYTES)] = True
        return held

    def _spans(self, blocks: np.ndarray) -> list[Span]:
        """Return the ranges of bytes of runs of blocks."""
        edges = np.flatnonzero(np.diff(blocks, prepend=False, append=False)) * BLOCK_BYTES
        stops = np.minimum(edges[1::2], self.found.n_bytes)
        return list(zip(edges[::2].tolist(), stops.tolist(), strict=True))


class PartialFile(RawFile):
    """An open partial copy, which fetches what is read."""

    def __init__(self, ranged: "Ranged") -> None:
        info = ranged.info
        super().__init__(
            ranged.copy.path,
            info.channels,
            info.n_samples,
            offset=ranged.offset,
            integers=ranged.integers,
        )
        self._ranged = ranged

    def read(self, out: np.ndarray, start_sample: int) -> None:
        self._ranged.copy.require(self._ranged.span(start_sample, start_sample + len(out)))
        super().read(out, start_sample)


@dataclass(frozen=True)
class Ranged:
    """A source that is read in ranges."""

    copy: PartialCopy
    info: AudioInfo
    offset: int  # of its first sample, in bytes
    integers: bool

    def span(self, start_sample: int, stop_sample: int) -> Span:
        """Return the bytes of a range of samples."""
        n_bytes = self.info.channels * (2 if self.integers else 4)
        return self.offset + start_sample * n_bytes, self.offset + stop_sample * n_bytes


class RemoteSources:
    """The sources of a reader that it reads in ranges."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._ranged: dict[str, Ranged] = {}
        self._folder: Path | None = None
        self._numbers = itertools.count()
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def prepare(self, source: str, found: RemoteObject, played: Sequence[Span]) -> bool:
        """Fetch ranges of samples of a source; return False if it must be fetched as a whole.

        Raises
        ------
        FetchError
            If they cannot be fetched.
        ParameterError
            If the cache cannot be written.
        """
        if not played or found.n_bytes < SMALL_BLOCKS * BLOCK_BYTES or has_copy(found):
            return False
        with cache_errors(copies_folder()):
            ranged = self._ranged.pop(source, None)
            if ranged is None or ranged.copy.found != found:
                ranged = self._open(found)
            if ranged is None:
                return False
            spans = [self._with_margin(ranged, span) for span in played]
            if ranged.copy.blocks(spans).mean() > MOST_OF_OBJECT:
                return False
            ranged.copy.require(*spans)
        self._ranged[source] = ranged
        return True

    def _with_margin(self, ranged: Ranged, span: Span) -> Span:
        margin = round(MARGIN_SECONDS * self._sample_rate)
        first, stop = span
        return ranged.span(max(first - margin, 0), min(stop + margin, ranged.info.n_samples))

    def info(self, source: str) -> AudioInfo | None:
        """Return the header of a source that is read in ranges; None of another."""
        return self._ranged[source].info if source in self._ranged else None

    def open(self, source: str) -> PartialFile | None:
        """Open a source that is read in ranges; None of another."""
        return PartialFile(self._ranged[source]) if source in self._ranged else None

    def close(self) -> None:
        """Remove the partial copies."""
        self._ranged.clear()
        self._folder = None
        self._stack.close()

    def _open(self, found: RemoteObject) -> Ranged | None:
        """Read the header of an object; None if it does not have plain samples at the rate."""
        path = self._new_path()
        copy = PartialCopy(found, path)
        ends = HEAD_BLOCKS * BLOCK_BYTES
        copy.require((0, ends), (found.n_bytes - ends, found.n_bytes))
        try:
            info = probe(path)
            plain = plain_samples(path, info)
        except AudioError:  # fetched whole, it is what it is
            plain = None
        if plain is None or info.sample_rate != self._sample_rate:
            path.unlink()
            return None
        ranged = Ranged(copy, info, *plain)
        _, stop = ranged.span(0, info.n_samples)
        if ranged.offset > ends or stop < found.n_bytes - ends:
            path.unlink()
            return None
        return ranged

    def _new_path(self) -> Path:
        with self._lock:
            if self._folder is None:
                copies_folder().mkdir(parents=True, exist_ok=True)
                self._folder = self._stack.enter_context(temporary_folder(copies_folder()))
            return self._folder / f"{next(self._numbers)}.wav"
