"""The driver's side of a served corpus: calls its shards at once, and gets over lost nodes."""

import logging
import random
import threading
import uuid
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from files.errors import DemiurgeError
from files.ray_cluster import connect
from query.cluster.calls import (
    CALL_SECONDS,
    catalogue_answer,
    catalogue_of,
)
from query.cluster.catalogue import LEASE_SECONDS, Generation, Replica, absolute_specs, key_of
from query.cluster.corpus import ServedCorpus, Spec, words_of
from query.cluster.shards_call import ShardsCall

TIMEOUT_SECONDS = 300.0  # of a call; the first with other filters or weights makes an index
GIVE_BACK_SECONDS = 2.0  # timeout of the catalogue at the end

log = logging.getLogger(__name__)


@contextmanager
def connect_corpus(
    address: str,
    specs: Iterable[tuple[str, str | Path]],
    *,
    normaliser_name: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[tuple["RayShards", ServedCorpus]]:
    """Yield the shards of a corpus that a Ray cluster serves, and what a driver knows of it.

    They stay as they are until the block ends, even if the corpus is served anew.

    Parameters
    ----------
    address : str
        As `files.ray_cluster.connect`.
    specs : iterable of (str, path)
        Name and folder of each database, as they were served.
    timeout : float
        Seconds within which each call is answered, or raises an error.

    Raises
    ------
    ParameterError, DemiurgeError
        As `connect`; or if these databases are not served there.
    """
    absolute = absolute_specs(specs)
    with connect(address, purpose="--cluster") as ray:
        shards = RayShards(ray, address, absolute, normaliser_name, timeout)
        try:
            yield shards, shards.corpus
        finally:
            shards.close()


class RayShards:
    """Calls the shards of a served corpus; a `query.cluster.corpus.Shards`.

    Attributes
    ----------
    corpus : ServedCorpus
    timeout : float
        Seconds within which each call is answered, or raises an error.
    """

    def __init__(
        self,
        ray: Any,
        address: str,
        specs: tuple[Spec, ...],
        normaliser_name: str | None,
        timeout: float,
    ) -> None:
        """Borrow the newest generation of a corpus from the cluster's catalogue."""
        self.ray = ray
        self.address = address
        self.timeout = timeout
        self._driver = uuid.uuid4().hex
        self._catalogue = catalogue_of(ray)
        generation = None
        if self._catalogue is not None:
            borrow = self._catalogue.borrow.remote(key_of(specs, normaliser_name), self._driver)
            generation = catalogue_answer(ray, borrow)
        if generation is None:
            raise DemiurgeError(self._not_served(specs))
        self._generation: Generation = generation
        self.corpus: ServedCorpus = generation.corpus
        self._replicas = list(generation.replicas)
        self._lock = threading.Lock()
        self._outstanding: Counter[str] = Counter()  # calls by actor
        self._left_over: dict[Any, str] = {}  # calls that another replica has answered
        self._warned = False
        self._closed = threading.Event()
        threading.Thread(target=self._renew, daemon=True).start()

    def close(self) -> None:
        """Give the generation back, so that it can end."""
        self._closed.set()
        given_back = self._catalogue.give_back.remote(self._generation.number, self._driver)
        self.ray.wait([given_back], timeout=GIVE_BACK_SECONDS)  # else its lease ends by itself

    def call(self, method: str, arguments: Mapping[int, tuple]) -> dict[int, Any]:
        """Call a method of several shards; see `query.cluster.corpus.Shards`.

        A shard whose actor has gone is asked again elsewhere, or once it has been started again.

        Raises
        ------
        DemiurgeError
            What the method raises, naming shard and node; or if a shard does not answer in time,
            or has no actor left.
        """
        call = ShardsCall(self, method, arguments)
        try:
            return call.run()
        finally:
            with self._lock:
                self._left_over.update({ref: one.name for ref, one in call.asked.items()})

    def choose(self, shard: int, avoided: Container[str]) -> Replica | None:
        """Return a replica with the fewest outstanding calls of this driver, and count one more.

        None if there is none whose name is not to be avoided.
        """
        with self._lock:
            self._sweep()
            left = [one for one in self._replicas if one.shard == shard and one.name not in avoided]
            if not left:
                return None
            random.shuffle(left)  # other drivers choose as well
            chosen = min(left, key=lambda one: self._outstanding[one.name])
            self._outstanding[chosen.name] += 1
            return chosen

    def has_other(self, shard: int, avoided: Container[str]) -> bool:
        """Return whether a shard has a replica whose name is not to be avoided."""
        return any(one.shard == shard and one.name not in avoided for one in self._replicas)

    def answered(self, replica: Replica) -> None:
        """Count a call as done."""
        with self._lock:
            self._outstanding[replica.name] -= 1

    def refresh(self, seconds: float) -> None:
        """Ask the catalogue which actors there are now; if it is lost as well, nothing changes."""
        known = self._catalogue.replicas.remote(self._generation.number)
        try:
            replicas = catalogue_answer(self.ray, known, min(seconds, CALL_SECONDS))
        except DemiurgeError as error:
            log.info("%s", error)
            return
        with self._lock:
            self._replicas = list(replicas)

    def warn_of_change(self, replica: Replica) -> None:
        """Log, once, that a database has changed under its shards."""
        if not self._warned:
            self._warned = True
            log.warning(
                "%s has changed since it was served (%s); what is found is from before: serve it"
                " again with: %s",
                self.corpus,
                replica,
                self.serve_command(),
            )

    def serve_command(self) -> str:
        """Return the command that serves the corpus again."""
        databases = words_of(self.corpus.specs)
        return f"demiurge query serve {databases} --cluster {self.address}"

    def _sweep(self) -> None:
        """Forget those of the left-over calls that have been answered by now."""
        if self._left_over:
            refs = list(self._left_over)
            for ref in self.ray.wait(refs, num_returns=len(refs), timeout=0)[0]:
                self._outstanding[self._left_over.pop(ref)] -= 1

    def _renew(self) -> None:
        while not self._closed.wait(LEASE_SECONDS / 3):
            self._catalogue.renew.remote(self._generation.number, self._driver)

    def _not_served(self, specs: tuple[Spec, ...]) -> str:
        """Return what to tell if these databases are not served; it lists what is."""
        served: list[Generation] = []
        if self._catalogue is not None:
            served = catalogue_answer(self.ray, self._catalogue.served.remote())
        lines = "".join(f"\n  {text}" for text in dict.fromkeys(str(one.corpus) for one in served))
        what = f"served are:{lines}" if lines else "nothing is"
        return (
            f"{', '.join(str(path) for _, path in specs)} is not served on the cluster at"
            f" {self.address}; serve with: demiurge query serve {words_of(specs)} --cluster"
            f" {self.address};"
            f" {what}"
        )
