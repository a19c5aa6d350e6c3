"""What a Ray cluster serves: corpora, and the actors of their shards.

    serve ──► Catalogue ──► generation 1 of my.db   shard 0: replicas on nodes a and b
                       │                             shard 1: replicas on nodes b and c
                       └──► generation 2 of my.db   as above; served since `db build`

The catalogue is an actor with a name, found by everyone. A corpus that is served again is another
generation. Drivers that began with the one before keep it until they are done: each borrows a
generation, and renews that while it lives. A generation that is neither the newest nor borrowed
ends.
"""

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from query.cluster.actors import NAMESPACE, STATUS
from query.cluster.corpus import ServedCorpus, Spec

CATALOGUE = "catalogue"  # name of its actor
LEASE_SECONDS = 30.0  # after which a driver that was not heard of is gone
LOOK_SECONDS = 0.5  # between two looks for generations that can end
RECOVERY_SECONDS = 10.0  # timeout for shards to say what they are

Databases = tuple[tuple[str, str], ...]  # names and paths
Key = tuple[Databases, str | None]  # with the normaliser


@dataclass(frozen=True)
class Replica:
    """An actor of a shard.

    Attributes
    ----------
    generation, shard, number : int
        Of the generation, of the shard, and of the replica among those of its shard.
    node_id, node : str
        Ray's id of the node, and its name for people.
    n_bytes : int
        Memory stated, with that of the process.
    n_gpus : int
    actor : ActorHandle
        Of a `ShardActor`.
    """

    generation: int
    shard: int
    number: int
    node_id: str
    node: str
    n_bytes: int
    n_gpus: int
    actor: Any = None

    @property
    def name(self) -> str:
        """Of the actor."""
        return f"{self.generation}/{self.shard}/{self.number}"

    def __str__(self) -> str:
        return f"shard {self.shard} on node {self.node}"


@dataclass(frozen=True)
class Generation:
    """A corpus as it was served once."""

    number: int
    corpus: ServedCorpus
    replicas: tuple[Replica, ...]

    @property
    def key(self) -> Key:
        return key_of(self.corpus.specs, self.corpus.normaliser_name)

    @property
    def is_whole(self) -> bool:
        """Whether every shard has an actor."""
        return {one.shard for one in self.replicas} == {one.number for one in self.corpus.shards}


def absolute_specs(specs: Iterable[tuple[str, str | Path]]) -> tuple[Spec, ...]:
    """Return names and folders of databases, with the paths that all nodes know them by."""
    return tuple((name, Path(os.path.abspath(path))) for name, path in specs)


def key_of(specs: tuple[Spec, ...], normaliser_name: str | None) -> Key:
    """Return what a served corpus is found by.

    The order of its databases makes no difference, nor does the name of a single one.
    """
    named = [(name if len(specs) > 1 else "", str(path)) for name, path in specs]
    return tuple(sorted(named)), normaliser_name


def is_same(one: ServedCorpus, other: ServedCorpus) -> bool:
    """Return whether the shards of both have the same units."""
    return (one.specs, one.version, one.shards) == (other.specs, other.version, other.shards)


class Catalogue:
    """Knows the generations that are served; an asyncio actor, whose methods run in turn."""

    def __init__(self) -> None:
        self._current: dict[Key, Generation] = {}
        self._former: list[Generation] = []
        self._leases: dict[int, dict[str, float]] = {}  # by generation: driver, when it ends
        self._last_number = 0
        self._recovering = asyncio.Lock()
        self._recovered = False
        self._ending: asyncio.Task | None = None

    async def next_number(self) -> int:
        """Return the number of a generation that is about to be started."""
        await self._recover()
        self._last_number += 1
        return self._last_number

    async def publish(self, generation: Generation) -> None:
        """Serve a generation from now on; the one before ends when nobody uses it."""
        await self._recover()
        self._switch(generation)

    async def served(self) -> list[Generation]:
        """Return all generations that have actors, the newest of each corpus first."""
        await self._recover()
        return [*self._current.values(), *self._former]

    async def borrow(self, key: Key, driver: str) -> Generation | None:
        """Return the newest generation, which stays while the driver renews; None if none is."""
        await self._recover()
        generation = self._current.get(key)
        if generation is not None:
            await self.renew(generation.number, driver)
        return generation

    async def renew(self, number: int, driver: str) -> None:
        """Keep a generation for a driver for another `LEASE_SECONDS`."""
        self._leases.setdefault(number, {})[driver] = time.monotonic() + LEASE_SECONDS

    async def give_back(self, number: int, driver: str) -> None:
        """A driver is done with a generation."""
        self._leases.get(number, {}).pop(driver, None)

    async def replicas(self, number: int) -> tuple[Replica, ...]:
        """Return the actors that can answer for a generation, those of the newest first.

        They include those of a newer generation whose shards have the same units.
        """
        await self._recover()
        all_ = [*self._current.values(), *self._former]
        wanted = next((one for one in all_ if one.number == number), None)
        if wanted is None:
            return ()
        same = [one for one in all_ if is_same(one.corpus, wanted.corpus)]
        same.sort(key=lambda one: -one.number)
        return tuple(replica for one in same for replica in one.replicas)

    async def stop(self, databases: Databases | None) -> list[str]:
        """End the actors of these databases, of all if None, and return the names of corpora."""
        await self._recover()
        served = [*self._current.values(), *self._former]
        ended = [one for one in served if databases in (None, one.key[0])]
        numbers = {one.number for one in ended}
        self._current = {k: one for k, one in self._current.items() if one.number not in numbers}
        self._former = [one for one in self._former if one.number not in numbers]
        for generation in ended:
            end_actors(generation.replicas)
        return list(dict.fromkeys(str(one.corpus) for one in ended))

    async def _recover(self) -> None:
        """Ask the shards what they are, after this actor's process has died."""
        async with self._recovering:
            if self._recovered:
                return
            found = await find_generations()
            for generation in sorted(found, key=lambda one: one.number):
                self._keep(generation)
            self._recovered = True

    def _keep(self, generation: Generation) -> None:
        """Take back a generation; who has borrowed it is not known, but will renew that."""
        self._last_number = max(self._last_number, generation.number)
        self._leases[generation.number] = {"": time.monotonic() + LEASE_SECONDS}
        if generation.is_whole:
            self._switch(generation)
        else:
            self._end_later(generation)

    def _switch(self, generation: Generation) -> None:
        """Let the newest generation of a corpus be the current one."""
        known = [generation]
        if generation.key in self._current:
            known.append(self._current[generation.key])
        newest = max(known, key=lambda one: one.number)  # the given one, if it has only grown
        self._current[generation.key] = newest
        for one in known:
            if one.number < newest.number:
                self._end_later(one)

    def _end_later(self, generation: Generation) -> None:
        """End a generation as soon as no driver has borrowed it."""
        self._former.append(generation)
        if self._ending is None or self._ending.done():
            self._ending = asyncio.get_running_loop().create_task(self._end_unused())

    async def _end_unused(self) -> None:
        while self._former:
            now = time.monotonic()
            for generation in list(self._former):
                leases = self._leases.get(generation.number, {})
                if all(end < now for end in leases.values()):
                    self._former.remove(generation)
                    self._leases.pop(generation.number, None)
                    end_actors(generation.replicas)
            await asyncio.sleep(LOOK_SECONDS)


def end_actors(replicas: tuple[Replica, ...]) -> None:
    """End actors for good."""
    import ray

    for replica in replicas:
        ray.kill(replica.actor, no_restart=True)


async def find_generations() -> list[Generation]:
    """Return the generations that actors of the cluster are of, as these say."""
    import ray

    named = ray.util.list_named_actors(all_namespaces=True)
    names = [one["name"] for one in named if one["namespace"] == NAMESPACE]
    actors = [ray.get_actor(name, namespace=NAMESPACE) for name in names if name != CATALOGUE]
    asked: list[Any] = [
        actor.describe.options(concurrency_group=STATUS).remote() for actor in actors
    ]
    answers = await asyncio.gather(
        *(asyncio.wait_for(one, RECOVERY_SECONDS) for one in asked), return_exceptions=True
    )
    parts: dict[int, Generation] = {}
    for actor, answer in zip(actors, answers, strict=True):
        if isinstance(answer, BaseException):  # it does not answer drivers either
            continue
        corpus, replica = answer
        before = parts.get(replica.generation, Generation(replica.generation, corpus, ()))
        replicas = (*before.replicas, replace(replica, actor=actor))
        parts[replica.generation] = replace(before, replicas=replicas)
    return list(parts.values())
