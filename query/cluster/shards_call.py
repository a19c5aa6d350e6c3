"""One call of several shards of a cluster, which are asked at once, and again if they are lost."""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from files.errors import DemiurgeError
from query.cluster.actors import Answer
from query.cluster.calls import first_line, value_of
from query.cluster.catalogue import Replica

if TYPE_CHECKING:
    from query.cluster.client import RayShards

PATIENCE_SECONDS = 20.0  # after which another replica is asked as well
RETRY_SECONDS = 0.2  # before an actor that starts again is asked again

log = logging.getLogger(__name__)


class ShardsCall:
    """One call of several shards.

    Attributes
    ----------
    asked : dict
        Calls without an answer: reference of Ray, replica.
    """

    def __init__(self, shards: "RayShards", method: str, arguments: Mapping[int, tuple]) -> None:
        self._shards = shards
        self._ray = shards.ray
        self._method = method
        self._arguments = arguments
        self._deadline = time.monotonic() + shards.timeout
        self._results: dict[int, Any] = {}
        self.asked: dict[Any, Replica] = {}
        self._gone: dict[str, str] = {}  # actors that have ended: why
        self._away: dict[str, str] = {}  # actors that may come back: why

    def run(self) -> dict[int, Any]:
        """Return the results by shard."""
        for shard in self._arguments:
            self._ask(shard)
        while missing := self._arguments.keys() - self._results.keys():
            ready, _ = self._ray.wait(
                list(self.asked), timeout=min(self._left(missing), PATIENCE_SECONDS)
            )
            for answer in ready:
                self._take(answer)
            if not ready:
                self._ask_others(missing)
        return {shard: self._results[shard] for shard in self._arguments}

    def _left(self, missing: Iterable[int]) -> float:
        """Return the seconds that are left; raise an error if none are."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            names = ", ".join(f"shard {shard}{self._where(shard)}" for shard in sorted(missing))
            raise DemiurgeError(
                f"{self._shards.corpus}: {names}: no answer within {self._shards.timeout:g} s; if"
                f" demiurge query status --cluster {self._shards.address} says that it serves, it"
                f" makes an index: search again; if not: {self._shards.serve_command()}"
            )
        return left

    def _where(self, shard: int) -> str:
        nodes = {one.node for one in self.asked.values() if one.shard == shard}
        return f" on node {', '.join(sorted(nodes))}" if nodes else ""

    def _ask(self, shard: int) -> None:
        """Ask a replica that answers as far as is known, else one that may have come back."""
        while (replica := self._shards.choose(shard, self._gone | self._away)) is None:
            left = self._left([shard])
            if self._away:
                time.sleep(min(RETRY_SECONDS, left))
            self._shards.refresh(left)
            self._away.clear()
            if not self._shards.has_other(shard, self._gone):
                raise DemiurgeError(self._nobody_left(shard))
        self._send(shard, replica)

    def _send(self, shard: int, replica: Replica) -> None:
        answer = replica.actor.call.remote(self._method, self._arguments[shard])
        self.asked[answer] = replica

    def _ask_others(self, missing: Iterable[int]) -> None:
        """Ask another replica of shards that are slow to answer; the first answer counts."""
        for shard in missing:
            asked = {one.name for one in self.asked.values() if one.shard == shard}
            replica = self._shards.choose(shard, asked | self._gone.keys())
            if replica is not None:
                self._send(shard, replica)

    def _take(self, reference: Any) -> None:
        """Keep an answer, or ask again elsewhere if the actor has gone."""
        replica = self.asked.pop(reference)
        self._shards.answered(replica)
        errors = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(reference)
        # arguments are lost if Ray takes this program for dead, as on a machine that is too busy
        except (errors.ActorUnavailableError, errors.ObjectLostError) as error:
            self._lose(replica, error, for_good=not self._is_alive(replica))
        except (errors.RayActorError, errors.ActorUnschedulableError) as error:
            self._lose(replica, error, for_good=True)
        else:
            self._results.setdefault(replica.shard, value_of(answer, replica))
            if answer.changed:
                self._shards.warn_of_change(replica)

    def _lose(self, replica: Replica, error: Exception, *, for_good: bool) -> None:
        """Remember that an actor does not answer, and ask another unless one is asked already."""
        lost = self._gone if for_good else self._away
        lost[replica.name] = f"{replica}: {first_line(error)}"
        log.info("%s does not answer (%s); another is asked", replica, first_line(error))
        is_asked = any(one.shard == replica.shard for one in self.asked.values())
        if replica.shard not in self._results and not is_asked:
            self._ask(replica.shard)

    def _is_alive(self, replica: Replica) -> bool:
        """Return whether the node of an actor is in the cluster."""
        return any(one["NodeID"] == replica.node_id and one["Alive"] for one in self._ray.nodes())

    def _nobody_left(self, shard: int) -> str:
        """Return what to tell if a shard has no actor any more."""
        lost = [reason for reason in self._gone.values() if reason.startswith(f"shard {shard} ")]
        reasons = "; ".join(lost) or f"shard {shard} is not served any more"
        return (
            f"{self._shards.corpus}: {reasons}; no other node has this shard: serve it again with:"
            f" {self._shards.serve_command()} (with --replicas 2, another node takes over)"
        )
