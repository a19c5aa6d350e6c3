"""Search in shards on a Ray cluster of this machine, against one index in this process."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from audio.scan import find_audio
from db.database import Database
from demiurge.bench import Result, medians
from demiurge.bench.query import describe_varied, make_database, recall
from files.ray_cluster import connect
from query.cluster.actors import ACTOR_BYTES
from query.cluster.client import connect_corpus
from query.cluster.corpus import Asked
from query.cluster.paged import PagedDatabase
from query.cluster.serve import plan_service, start_service, stop_service
from query.cluster.status import cluster_status
from query.settings import SearchSettings

UNITS = 200_000
UNITS_FULL = 2_000_000
STEPS = 1000
K = 32
ACTORS = (2, 4)
CALLS = 50  # that find nothing
LOCAL = "auto"  # address of the cluster that is started here
FLAT = SearchSettings(kind="flat")


def bench_cluster(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Find the nearest units of 1 000 steps in 2 and in 4 shards, and in one index."""
    names = find_audio(audio)
    target = describe_varied(audio / names[0], 1.0, 0).units
    sequence = np.resize(target, (STEPS, target.shape[1]))
    with tempfile.TemporaryDirectory() as folder, connect(None, purpose="bench cluster") as ray:
        path = Path(folder) / "db"
        make_database(path, audio, names, UNITS_FULL if full else UNITS)
        return [_measure(ray, path, n_actors, sequence, repeats) for n_actors in ACTORS]


def _measure(ray: Any, path: Path, n_actors: int, sequence: np.ndarray, repeats: int) -> Result:
    """Search in shards and in one index in turn."""
    database = Database(path)
    one_index = FLAT.index_of(database)
    specs = [("db", path)]
    start_service(ray, plan_service(ray, specs, n_shards=n_actors, kind=FLAT.kind))
    with connect_corpus(LOCAL, specs) as (shards, corpus):
        sharded = FLAT.index_of(PagedDatabase(shards, corpus))
        found = sharded.search(sequence, k=K).positions  # makes the indexes, once
        exact = one_index.search(sequence, k=K).positions
        times = medians(
            lambda: sharded.search(sequence, k=K),
            lambda: one_index.search(sequence, k=K),
            repeats,
        )
        nothing = {one.number: (Asked(),) for one in corpus.shards}
        actors = cluster_status(ray)[0]["actors"]
        call_seconds, _ = medians(lambda: shards.call("facts", nothing), lambda: None, CALLS)
        facts = {
            "same units, %": 100 * recall(found, exact, K),
            "overhead, % of the time of one index": 100 * (times[0] / times[1] - 1),
            "a call that finds nothing, ms": 1000 * call_seconds,
            "memory of an actor, MB": max(one["memory_bytes"] or 0 for one in actors) / 1e6,
            "memory stated for it, MB": max(one["stated_bytes"] for one in actors) / 1e6,
            "of it for the process, MB": ACTOR_BYTES / 1e6,
        }
    stop_service(ray, specs)
    what = f"{STEPS} steps, k = {K}, {len(one_index)} units in {n_actors} actors"
    name = f"cluster {n_actors} actors"
    return Result(name, what, "one index in this process", *times, repeats=repeats, facts=facts)
