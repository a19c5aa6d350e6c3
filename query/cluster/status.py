"""What a Ray cluster serves: corpora, the actors of their shards, and how fast these answer."""

from typing import Any

from query.cluster.actors import STATUS
from query.cluster.calls import catalogue_answer, catalogue_of
from query.cluster.catalogue import Generation, Replica

STATUS_SECONDS = 5.0  # timeout for an actor to tell how it is
SILENT: dict[str, Any] = {
    "pid": None,
    "is_open": False,
    "changed": False,
    "memory_bytes": None,
    "calls": {},
}


def cluster_status(ray: Any) -> list[dict[str, Any]]:
    """Return the facts of each generation that has actors, former ones last, for JSON.

    The facts of an actor are those of `ShardActor.status`; "answers" is false if it is silent.
    """
    catalogue = catalogue_of(ray)
    if catalogue is None:
        return []
    served: list[Generation] = catalogue_answer(ray, catalogue.served.remote())
    asked = {
        one.name: one.actor.status.options(concurrency_group=STATUS).remote()
        for generation in served
        for one in generation.replicas
    }
    if not asked:
        return []
    ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=STATUS_SECONDS)
    told = {name: _told(ray, one) for name, one in asked.items() if one in ready}
    newest = {one.key: one.number for one in reversed(served)}
    return [
        {**_corpus_facts(one, is_newest=newest[one.key] == one.number, told=told)} for one in served
    ]


def _told(ray: Any, answer: Any) -> dict[str, Any] | None:
    """Return what an actor tells of itself; None if it has gone."""
    try:
        return ray.get(answer)
    except ray.exceptions.RayError:
        return None


def _corpus_facts(
    generation: Generation, *, is_newest: bool, told: dict[str, dict[str, Any] | None]
) -> dict[str, Any]:
    corpus = generation.corpus
    return {
        "databases": {name: str(path) for name, path in corpus.specs},
        "normaliser": corpus.normaliser_name,
        "generation": generation.number,
        "newest": is_newest,
        "units": corpus.n_units,
        "shards": len(corpus.shards),
        "index": corpus.kind,
        "actors": [
            _actor_facts(generation, one, told.get(one.name)) for one in generation.replicas
        ],
    }


def _actor_facts(
    generation: Generation, replica: Replica, told: dict[str, Any] | None
) -> dict[str, Any]:
    shard = generation.corpus.shards[replica.shard]
    return {
        "shard": replica.shard,
        "replica": replica.number,
        "node": replica.node,
        "node_id": replica.node_id,
        "units": shard.n_units,
        "stated_bytes": replica.n_bytes,
        "gpus": replica.n_gpus,
        "answers": told is not None,
        **(told or SILENT),
    }
