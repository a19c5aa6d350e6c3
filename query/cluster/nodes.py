"""The nodes of a Ray cluster: which have the databases, and which shards they get."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.manifest import open_manifest
from db.manifest_reading import read_config
from files.errors import DatabaseError, DemiurgeError, ParameterError
from query.cluster.actors import ACTOR_BYTES
from query.cluster.catalogue import Replica
from query.cluster.corpus import Shard, Spec

PROBE_SECONDS = 30.0  # timeout for a node to say what it has


@dataclass(frozen=True)
class Node:
    """A node that is alive.

    Attributes
    ----------
    id, name : str
        Ray's id, and a name for people.
    n_cpus, n_gpus : int
        GPUs without those that serve shards already; 0 if FAISS cannot use them there.
    n_bytes : int
        Memory that Ray may give away, without that of the shards served already.
    problem : str
        Why it cannot open the databases; "" if it can.
    """

    id: str
    name: str
    n_cpus: int
    n_gpus: int
    n_bytes: int
    problem: str = ""


@dataclass(frozen=True)
class Placement:
    """Where a replica of a shard will be."""

    shard: Shard
    number: int
    node: Node
    n_gpus: int

    @property
    def n_bytes(self) -> int:
        return self.shard.n_bytes + ACTOR_BYTES


def find_nodes(ray: Any, specs: Sequence[Spec], serving: Iterable[Replica]) -> list[Node]:
    """Return the nodes, each asked whether it has these databases.

    Parameters
    ----------
    serving : iterable of Replica
        Whose memory and GPUs are taken.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ids = database_ids(specs)
    alive = [facts for facts in ray.nodes() if facts["Alive"]]
    probe = ray.remote(num_cpus=0, max_retries=0)(probe_node)
    asked = [
        probe.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(facts["NodeID"], soft=False)
        ).remote(specs, ids)
        for facts in alive
    ]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=PROBE_SECONDS)
    taken = list(serving)
    silent = f"does not answer within {PROBE_SECONDS:.0f} s", False
    return [
        _node(facts, taken, *(_probed(ray, answer) if answer in ready else silent))
        for facts, answer in zip(alive, asked, strict=True)
    ]


def _probed(ray: Any, answer: Any) -> tuple[str, bool]:
    try:
        return ray.get(answer)
    except ray.exceptions.RayError as error:  # Demiurge is not installed there, for example
        return str(error).strip().splitlines()[-1], False


def _node(facts: dict[str, Any], serving: list[Replica], problem: str, has_gpu_index: bool) -> Node:
    """Return a node as Ray tells of it."""
    node_id = facts["NodeID"]
    here = [replica for replica in serving if replica.node_id == node_id]
    resources = facts["Resources"]
    n_gpus = int(resources.get("GPU", 0)) - sum(replica.n_gpus for replica in here)
    return Node(
        id=node_id,
        name=f"{facts['NodeManagerHostname']} ({node_id[:6]})",
        n_cpus=max(int(resources.get("CPU", 1)), 1),
        n_gpus=n_gpus if has_gpu_index else 0,
        n_bytes=int(resources.get("memory", 0)) - sum(replica.n_bytes for replica in here),
        problem=problem,
    )


def database_ids(specs: Iterable[Spec]) -> dict[str, str]:
    """Return the ids of databases by path.

    Raises
    ------
    DatabaseError
        If one cannot be read.
    """
    return {str(path): read_id(path) for _, path in specs}


def read_id(path: Path) -> str:
    """Return the id of a database, which copies of it share.

    Raises
    ------
    DatabaseError
        If it cannot be read.
    """
    connection = open_manifest(path, write=False)
    try:
        return str(read_config(connection).get("id"))
    finally:
        connection.close()


def probe_node(specs: Sequence[Spec], ids: dict[str, str]) -> tuple[str, bool]:
    """Return what is wrong with the databases on this node, "" if nothing is.

    Also return whether FAISS can use GPUs here; Ray hides these from this task.
    """
    import faiss

    for _, path in specs:
        try:
            found = read_id(path)
        except DatabaseError as error:
            return str(error), False
        if found != ids[str(path)]:
            return f"{path} is another database there; copy it, or use a shared disk", False
    return "", hasattr(faiss, "StandardGpuResources")


def place(shards: Sequence[Shard], n_replicas: int, nodes: Sequence[Node]) -> list[Placement]:
    """Choose a node for each replica of each shard, those of one shard on different nodes.

    Only where there are fewer nodes than replicas, or there is no room, do two share a node.

    Raises
    ------
    ParameterError
        If a shard does not fit, with the numbers.
    DemiurgeError
        If no node has the databases.
    """
    able = [node for node in nodes if not node.problem]
    if not able:
        reasons = "\n  ".join(f"{node.name}: {node.problem}" for node in nodes)
        raise DemiurgeError(f"no node of the cluster has the databases:\n  {reasons}")
    room = {node.id: node.n_bytes for node in able}
    gpus = {node.id: node.n_gpus for node in able}
    placed: list[Placement] = []
    for number in range(n_replicas):
        for shard in sorted(shards, key=lambda one: -one.n_bytes):
            node = _best_node(shard, able, room, placed)
            n_gpus = min(gpus[node.id], 1)
            placement = Placement(shard, number, node, n_gpus)
            placed.append(placement)
            room[node.id] -= placement.n_bytes
            gpus[node.id] -= n_gpus
    return placed


def _best_node(
    shard: Shard, nodes: list[Node], room: dict[str, int], placed: list[Placement]
) -> Node:
    """Return the node without this shard that holds the fewest units, if there is one."""
    needed = shard.n_bytes + ACTOR_BYTES
    fitting = [node for node in nodes if room[node.id] >= needed]
    if not fitting:
        free = ", ".join(f"{node.name} {gigabytes(room[node.id])}" for node in nodes)
        raise ParameterError(
            f"shard {shard.number} of {shard.n_units} units needs {gigabytes(needed)} of memory,"
            f" and no node has that beside the other shards (left: {free}); give more --shards,"
            " fewer --replicas or --index pq, end what is served with demiurge query stop, or add"
            " nodes"
        )

    def load(node: Node) -> tuple[bool, int, int]:
        here = [one for one in placed if one.node == node]
        has_shard = any(one.shard == shard for one in here)
        return has_shard, sum(one.shard.n_units for one in here), -room[node.id]

    return min(fitting, key=load)


def gigabytes(n_bytes: float) -> str:
    """Return an amount of memory for people."""
    return f"{n_bytes / 1e9:.2f} GB"
