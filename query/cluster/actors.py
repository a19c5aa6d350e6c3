"""A shard of a corpus as an actor of Ray, which answers drivers on other machines."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.manifest import FILE_NAME
from files.errors import DemiurgeError
from files.system import SYSTEM_ERRORS
from query.cluster.corpus import Asked, ServedCorpus
from query.cluster.metrics import CallMetrics, memory_bytes

NAMESPACE = "demiurge"  # of the names of actors
STATUS = "status"  # calls of this group are answered while the shard searches
# memory of an actor besides its shard: Python, Ray, NumPy and FAISS; 88 MB measured
ACTOR_BYTES = 128 << 20


@dataclass(frozen=True)
class Answer:
    """What a shard answers.

    Attributes
    ----------
    value : object
        What the method returned.
    changed : bool
        Whether a database has changed since it was served.
    error : Exception, optional
        What it raised, if input, files or the system are the cause.
    """

    value: Any = None
    changed: bool = False
    error: Exception | None = None


class ShardActor:
    """Opens a shard, and calls its methods one at a time."""

    def __init__(self, corpus: ServedCorpus, replica: Any, n_threads: int) -> None:
        """Remember what to open: `start` opens it, since an actor that fails here cannot say why.

        Parameters
        ----------
        replica : query.cluster.catalogue.Replica
            What this is, for `describe`.
        n_threads : int
            Threads of a search.
        """
        self._corpus = corpus
        self._replica = replica
        self._n_threads = n_threads
        self._shard: Any = None
        tags = {"databases": str(corpus), "shard": str(replica.shard), "node": replica.node}
        self._metrics = CallMetrics(tags)
        self._stamps: dict[str, tuple[int, int]] = {}
        self._changed = False

    def start(self) -> Answer:
        """Open the databases and make the index of all units, if that has not been done."""
        return self._answer(self._open)

    def call(self, method: str, arguments: tuple) -> Answer:
        """Call a method of the `ShardSearch`."""
        return self._answer(lambda: self._call(method, arguments))

    def _answer(self, work: Callable[[], Any]) -> Answer:
        try:
            return Answer(work(), self._has_changed())
        except (DemiurgeError, *SYSTEM_ERRORS) as error:
            return Answer(error=error)

    def _call(self, method: str, arguments: tuple) -> Any:
        self._open()
        began = time.perf_counter()
        value = getattr(self._shard, method)(*arguments)
        self._metrics.add(method, time.perf_counter() - began)
        return value

    def _open(self) -> None:
        import faiss

        from query.cluster.shard import ShardSearch

        if self._shard is not None:
            return
        faiss.omp_set_num_threads(self._n_threads)  # of this thread, which makes all calls
        self._stamps = manifest_stamps(self._corpus)
        self._shard = ShardSearch(self._corpus, self._replica.shard)
        self._shard.facts(Asked(kind=self._corpus.kind))

    def status(self) -> dict[str, Any]:
        """Return the process, its memory and its calls, for `demiurge query status`."""
        return {
            "pid": os.getpid(),
            "is_open": self._shard is not None,
            "changed": self._has_changed(),
            "memory_bytes": memory_bytes(),
            "calls": self._metrics.summary(),
        }

    def describe(self) -> tuple[ServedCorpus, Any]:
        """Return what the actor was made with, for a catalogue that has lost its memory."""
        return self._corpus, self._replica

    def _has_changed(self) -> bool:
        """Return whether a database has changed since it was served."""
        if self._shard is None or self._changed:
            return self._changed
        stamps = manifest_stamps(self._corpus)
        if stamps != self._stamps:
            self._stamps = stamps
            self._changed = self._is_another_version()
        return self._changed

    def _is_another_version(self) -> bool:
        try:
            return self._shard.version() != self._corpus.version
        except DemiurgeError:  # it is gone, or being made anew
            return True


def manifest_stamps(corpus: ServedCorpus) -> dict[str, tuple[int, int]]:
    """Return date and size of the manifests, which change whenever something is committed."""
    paths = [Path(path) / f"{FILE_NAME}{end}" for _, path in corpus.specs for end in ("", "-wal")]
    found = {str(path): path.stat() for path in paths if path.exists()}
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}
