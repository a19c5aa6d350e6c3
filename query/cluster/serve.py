"""Serve a corpus on a Ray cluster: plan what goes where, start it, and switch to it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from files.errors import DemiurgeError, ParameterError
from files.progress import Progress, no_progress
from query.cluster.actors import NAMESPACE, STATUS, ShardActor
from query.cluster.calls import catalogue_answer, catalogue_of, first_line, value_of
from query.cluster.catalogue import (
    CATALOGUE,
    Catalogue,
    Generation,
    Replica,
    absolute_specs,
    key_of,
)
from query.cluster.corpus import ServedCorpus, plan_shards
from query.cluster.nodes import Node, Placement, find_nodes, place
from query.names import AUTO

START_SECONDS = 3600.0  # timeout for the shards of a corpus to be opened and indexed
LOOK_SECONDS = 1.0  # between two reports of progress
MOST_DOUBLINGS = 4  # of the number of shards, until they fit


@dataclass(frozen=True)
class Service:
    """What will be served where.

    Attributes
    ----------
    corpus : ServedCorpus
    placements : list of Placement
        The first replicas of all shards, then the second ones, and so on.
    nodes : list of Node
        All of the cluster.
    """

    corpus: ServedCorpus
    placements: list[Placement]
    nodes: list[Node]

    def n_threads(self, node: Node) -> int:
        """Return the number of threads of each actor on a node."""
        return max(node.n_cpus // sum(one.node == node for one in self.placements), 1)


def plan_service(
    ray: Any,
    specs: Iterable[tuple[str, str | Path]],
    *,
    normaliser_name: str | None = None,
    n_shards: int | None = None,
    n_replicas: int = 1,
    kind: str = AUTO,
) -> Service:
    """Divide databases into shards and choose nodes for them; nothing is started.

    Parameters
    ----------
    specs : iterable of (str, path)
        Name and folder of each database.
    n_shards : int, optional
        By default one for each node that has the databases, more if they would not fit.

    Raises
    ------
    ParameterError
        If a number is below 1, or a node has not enough memory.
    DatabaseError
        As `plan_shards`.
    DemiurgeError
        If no node has the databases.
    """
    if n_replicas < 1:
        raise ParameterError(f"replicas={n_replicas} must be at least 1")
    if n_shards is not None and n_shards < 1:
        raise ParameterError(f"shards={n_shards} must be at least 1")
    absolute = absolute_specs(specs)
    nodes = find_nodes(ray, absolute, serving_replicas(ray))
    n_able = sum(not node.problem for node in nodes)
    wanted = max(n_able, 1) if n_shards is None else n_shards
    n_doublings = MOST_DOUBLINGS if n_shards is None else 0
    while True:
        corpus = plan_shards(absolute, wanted, normaliser_name=normaliser_name, kind=kind)
        try:
            return Service(corpus, place(corpus.shards, n_replicas, nodes), nodes)
        except ParameterError:
            if n_doublings == 0 or len(corpus.shards) < wanted:
                raise
        wanted *= 2
        n_doublings -= 1


def serving_replicas(ray: Any) -> list[Replica]:
    """Return the actors that the cluster has already."""
    catalogue = catalogue_of(ray)
    if catalogue is None:
        return []
    served: list[Generation] = catalogue_answer(ray, catalogue.served.remote())
    return [replica for generation in served for replica in generation.replicas]


def start_service(
    ray: Any,
    service: Service,
    *,
    timeout: float = START_SECONDS,
    progress: Progress = no_progress,
) -> Generation:
    """Start a service and return it once all shards answer.

    If the corpus is served already, drivers that begin later use the new actors as soon as one of
    each shard answers. The former ones end when their drivers are done; then the other replicas
    start.

    Raises
    ------
    DemiurgeError
        If a shard cannot be opened, or does not answer within `timeout` seconds; then what has
        been started is ended again, and what was served before goes on.
    """
    deadline = time.monotonic() + timeout
    catalogue = ray.remote(Catalogue).options(
        name=CATALOGUE,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=-1,
    )
    catalogue = catalogue.remote()
    number = catalogue_answer(ray, catalogue.next_number.remote())
    generation = Generation(number, service.corpus, ())
    n_first = len(service.corpus.shards)
    total = len(service.placements)
    for placements in (service.placements[:n_first], service.placements[n_first:]):
        if not placements:
            continue
        replicas = [
            start_actor(ray, generation, one, n_threads=service.n_threads(one.node))
            for one in placements
        ]
        try:
            wait_for(ray, replicas, deadline, (len(generation.replicas), total), progress)
            generation = Generation(number, service.corpus, (*generation.replicas, *replicas))
            catalogue_answer(ray, catalogue.publish.remote(generation))
        except BaseException:  # Ctrl-C as well
            for replica in replicas:
                ray.kill(replica.actor, no_restart=True)
            raise
    return generation


def start_actor(
    ray: Any, generation: Generation, placement: Placement, *, n_threads: int
) -> Replica:
    """Start the actor of a replica, which opens its shard when it is first called."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    replica = Replica(
        generation=generation.number,
        shard=placement.shard.number,
        number=placement.number,
        node_id=placement.node.id,
        node=placement.node.name,
        n_bytes=placement.n_bytes,
        n_gpus=placement.n_gpus,
    )
    actor = (
        ray.remote(concurrency_groups={STATUS: 1})(ShardActor)
        .options(
            name=replica.name,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            num_gpus=replica.n_gpus,
            memory=replica.n_bytes,
            max_restarts=-1,
            scheduling_strategy=NodeAffinitySchedulingStrategy(replica.node_id, soft=False),
        )
        .remote(generation.corpus, replica, n_threads)
    )
    return replace(replica, actor=actor)


def wait_for(
    ray: Any,
    replicas: list[Replica],
    deadline: float,
    counts: tuple[int, int],
    progress: Progress,
) -> None:
    """Wait until all of these actors have opened their shards.

    Parameters
    ----------
    counts : (int, int)
        Number of actors that answer already, and of all.

    Raises
    ------
    DemiurgeError
        What an actor raises, or that it does not answer.
    """
    done, total = counts
    starting = {replica.actor.start.remote(): replica for replica in replicas}
    progress(done, total, "")
    while starting:
        left = deadline - time.monotonic()
        if left <= 0:
            names = ", ".join(map(str, starting.values()))
            raise DemiurgeError(
                f"{names}: not open in time; look at the nodes with: ray status, and serve again"
            )
        ready, _ = ray.wait(list(starting), timeout=min(left, LOOK_SECONDS))
        for answer in ready:
            replica = starting.pop(answer)
            try:
                value_of(ray.get(answer), replica)
            except (
                ray.exceptions.RayActorError,
                ray.exceptions.ActorUnschedulableError,
            ) as error:
                raise DemiurgeError(
                    f"{replica}: its process has ended ({first_line(error)}); look at the node's"
                    " memory and logs, and serve again"
                ) from error
            done += 1
            progress(done, total, str(replica))


def stop_service(ray: Any, specs: Iterable[tuple[str, str | Path]] | None = None) -> list[str]:
    """End the actors of databases, of all if none are given; return what was served."""
    catalogue = catalogue_of(ray)
    if catalogue is None:
        return []
    databases = None
    if specs is not None:
        absolute = absolute_specs(specs)
        databases, _ = key_of(absolute, None)
    ended: list[str] = catalogue_answer(ray, catalogue.stop.remote(databases))
    if not catalogue_answer(ray, catalogue.served.remote()):
        ray.kill(catalogue, no_restart=True)
    return ended
