"""Where shards are placed, given what the nodes have."""

import pytest

from files.errors import DemiurgeError, ParameterError
from query.cluster.actors import ACTOR_BYTES
from query.cluster.corpus import Shard
from query.cluster.nodes import Node, place

GB = 10**9


def shard(number, *, gigabytes=1, n_units=100):
    n_bytes = gigabytes * GB - ACTOR_BYTES
    return Shard(number, number, number + 1, number * n_units, n_units, n_bytes)


def node(name, *, gigabytes=10, **facts):
    return Node(id=name, name=name, n_cpus=4, n_bytes=gigabytes * GB, **{"n_gpus": 0, **facts})


def names(placements):
    return [(one.shard.number, one.number, one.node.name) for one in placements]


def test_replicas_of_a_shard_are_on_different_nodes():
    placed = place([shard(0), shard(1)], 2, [node("a"), node("b")])
    assert names(placed) == [(0, 0, "a"), (1, 0, "b"), (0, 1, "b"), (1, 1, "a")]


def test_replicas_share_a_node_if_there_is_no_other():
    assert names(place([shard(0)], 2, [node("a")])) == [(0, 0, "a"), (0, 1, "a")]


def test_nodes_without_the_databases_get_nothing():
    placed = place([shard(0), shard(1)], 1, [node("a", problem="no such folder"), node("b")])
    assert {one.node.name for one in placed} == {"b"}
    with pytest.raises(DemiurgeError, match="no node .* has the databases:\n  a: no such folder"):
        place([shard(0)], 1, [node("a", problem="no such folder")])


def test_shards_go_where_there_is_room():
    nodes = [node("small", gigabytes=2), node("large", gigabytes=20)]
    placed = place([shard(0, gigabytes=5), shard(1, gigabytes=5), shard(2, gigabytes=2)], 1, nodes)
    assert names(placed) == [(0, 0, "large"), (1, 0, "large"), (2, 0, "small")]


def test_too_little_memory_is_told_with_the_numbers():
    message = (
        r"shard 1 of 100 units needs 3.00 GB of memory, and no node has that beside the other"
        r" shards \(left: a 1.00 GB, b 2.00 GB\); give more --shards"
    )
    with pytest.raises(ParameterError, match=message):
        place(
            [shard(0, gigabytes=3), shard(1, gigabytes=3)],
            1,
            [node("a", gigabytes=4), node("b", gigabytes=2)],
        )


def test_each_gpu_is_given_to_one_shard():
    placed = place([shard(0), shard(1), shard(2)], 1, [node("a", n_gpus=2)])
    assert [one.n_gpus for one in placed] == [1, 1, 0]
