"""Shards on a real Ray cluster of two nodes: the right answer or a clear error, whatever dies.

One cluster is started for all, and the tests go on from what the ones before have served.
"""

import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from db.database import Database
from db.maintain import remove_sources
from files.errors import DemiurgeError, ParameterError
from query.cluster import shards_call
from query.cluster.calls import catalogue_of
from query.cluster.client import connect_corpus
from query.cluster.corpus import Asked
from query.cluster.paged import PagedDatabase
from query.cluster.serve import plan_service, start_service, stop_service
from query.cluster.status import cluster_status
from query.options import PathOptions
from query.path import find_path
from query.settings import SearchSettings

ray = pytest.importorskip("ray")
STORE_BYTES = 80 << 20
STEPS = 60


class Served:
    """A cluster, and what it serves at the moment."""

    def __init__(self, cluster, database):
        self.cluster = cluster
        self.database = database
        self.generation = None

    def serve(self, **how):
        service = plan_service(ray, [("frame", self.database)], **how)
        self.generation = start_service(ray, service)

    def connect(self, timeout=60.0):
        return connect_corpus(self.cluster.address, [("frame", self.database)], timeout=timeout)

    def replica(self, shard, number=0):
        replicas = self.generation.replicas
        return next(one for one in replicas if (one.shard, one.number) == (shard, number))

    def status(self, shard, number=0):
        facts = next(one for one in cluster_status(ray) if one["newest"])
        rows = facts["actors"]
        return next(one for one in rows if (one["shard"], one["replica"]) == (shard, number))

    def pid(self, shard, number=0):
        return self.status(shard, number)["pid"]


def prefer(shards, replica):
    """Let one replica of a shard be asked first: the others seem to be busy."""
    shards.choose(replica.shard, {replica.name})


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory):
    """Two nodes, and a database of frames that tests may change."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 0, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    path = tmp_path_factory.mktemp("served") / "frame"
    shutil.copytree(folder / "frame", path)
    yield Served(cluster, path)
    ray.shutdown()
    cluster.shutdown()


@contextmanager
def stopped(pid):
    """Let a process hang, as if its node could not be reached."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def in_a_call(monkeypatch, act):
    """Do something once, when the next call is on its way to a shard."""
    send = shards_call.ShardsCall._send

    def send_and_act(*arguments):
        send(*arguments)
        monkeypatch.setattr(shards_call.ShardsCall, "_send", send)
        act()

    monkeypatch.setattr(shards_call.ShardsCall, "_send", send_and_act)


def assert_answers(shards):
    versions = shards.call("version", everywhere(shards))
    assert set(versions.values()) == {shards.corpus.version}


def everywhere(shards, *arguments):
    """The arguments of a call of all shards."""
    return {one.number: arguments for one in shards.corpus.shards}


def assert_as_one_index(shards, database, described):
    """A path over the cluster is that over one index in this process."""
    target = described(database)
    paths = []
    for searched in (PagedDatabase(shards, shards.corpus), database):
        index = SearchSettings().index(searched, target.step_samples)
        options = PathOptions(k=8)
        sequence = target.descriptors[:STEPS]
        step_samples = target.step_samples[:STEPS]
        paths.append(find_path(index, sequence, options, step_samples=step_samples))
    for name in ("positions", "distances", "joins", "n_samples"):
        assert np.array_equal(getattr(paths[0], name), getattr(paths[1], name)), name


@pytest.mark.slow
def test_right_answers_or_clear_errors_whatever_happens(served, described, monkeypatch, caplog):
    nothing_is_served_at_first(served)
    bad_numbers_and_databases_are_refused(served)
    four_shards_find_what_one_index_finds(served, described)
    errors_of_a_shard_are_ours(served)
    a_shard_that_hangs_alone_is_named_in_time(served)
    a_process_that_dies_alone_is_started_again(served, monkeypatch)
    two_shards_take_over_while_a_query_goes_on(served, described)
    a_shard_that_hangs_is_asked_elsewhere(served, monkeypatch)
    an_actor_that_ends_in_a_call_is_asked_elsewhere(served, monkeypatch)
    arguments_that_are_lost_are_sent_again(served, monkeypatch)
    a_catalogue_that_dies_asks_the_shards(served)
    a_database_that_changes_is_warned_of(served, caplog)
    a_node_that_is_lost_in_a_call_is_told(served, monkeypatch)


def nothing_is_served_at_first(served):
    with pytest.raises(DemiurgeError, match="is not served.*demiurge query serve.*nothing is$"):
        served.connect().__enter__()
    assert cluster_status(ray) == []
    assert stop_service(ray) == []


def bad_numbers_and_databases_are_refused(served):
    with pytest.raises(ParameterError, match="replicas=0 must be at least 1"):
        served.serve(n_replicas=0)
    with pytest.raises(ParameterError, match="shards=0 must be at least 1"):
        served.serve(n_shards=0)
    with pytest.raises(DemiurgeError, match="nothing"):
        plan_service(ray, [("frame", served.database / "nothing")])


def four_shards_find_what_one_index_finds(served, described):
    served.serve(n_shards=4)
    with served.connect() as (shards, corpus):
        assert len(corpus.shards) == 4
        assert_as_one_index(shards, Database(served.database), described)
    facts = served.status(0)
    assert facts["answers"]
    assert facts["stated_bytes"] > facts["memory_bytes"] > 0
    assert facts["calls"]["search"]["count"] > 0


def errors_of_a_shard_are_ours(served):
    with served.connect() as (shards, _):
        message = r"^shard [0-3] on node .*: metric='l7' must be one of"
        with pytest.raises(ParameterError, match=message):
            shards.call("facts", everywhere(shards, Asked(metric="l7")))


def a_shard_that_hangs_is_asked_elsewhere(served, monkeypatch):
    with monkeypatch.context() as patch, served.connect() as (shards, _):
        patch.setattr(shards_call, "PATIENCE_SECONDS", 0.2)
        prefer(shards, served.replica(0))
        with stopped(served.pid(0)):
            assert_answers(shards)


def an_actor_that_ends_in_a_call_is_asked_elsewhere(served, monkeypatch):
    with served.connect() as (shards, _), stopped(served.pid(0)):
        first = served.replica(0)
        prefer(shards, first)
        in_a_call(monkeypatch, lambda: ray.kill(first.actor))
        assert_answers(shards)


def arguments_that_are_lost_are_sent_again(served, monkeypatch):
    get = ray.get
    lost = [ray.exceptions.OwnerDiedError("00" * 28, None, "")]

    def get_or_lose(*arguments, **options):
        if lost:
            raise lost.pop()
        return get(*arguments, **options)

    with served.connect() as (shards, _), monkeypatch.context() as patch:
        patch.setattr(ray, "get", get_or_lose)
        assert_answers(shards)
    assert not lost


def a_catalogue_that_dies_asks_the_shards(served):
    ray.kill(catalogue_of(ray), no_restart=False)
    with served.connect() as (shards, _):
        assert_answers(shards)
    assert [one["generation"] for one in cluster_status(ray)] == [2]


def two_shards_take_over_while_a_query_goes_on(served, described):
    database = Database(served.database)
    with served.connect() as (former, _):
        served.serve(n_replicas=2)
        places = {(one.shard, one.node_id) for one in served.generation.replicas}
        assert len(places) == 4  # a shard for each node by default, and each on both
        with served.connect() as (shards, corpus):
            assert len(corpus.shards) == 2
            assert_as_one_index(shards, database, described)
        assert len(former.corpus.shards) == 4
        assert_as_one_index(former, database, described)
        assert [one["newest"] for one in cluster_status(ray)] == [True, False]
    while len(cluster_status(ray)) > 1:  # the former shards end now
        time.sleep(0.1)


def a_process_that_dies_alone_is_started_again(served, monkeypatch):
    pid = served.pid(0)
    with served.connect() as (shards, _), stopped(pid):
        in_a_call(monkeypatch, lambda: os.kill(pid, signal.SIGKILL))
        assert_answers(shards)
    assert served.pid(0) != pid


def a_shard_that_hangs_alone_is_named_in_time(served):
    message = r"frame: shard 3 on node .*: no answer within 0.3 s.*query serve"
    with (
        served.connect(timeout=0.3) as (shards, _),
        stopped(served.pid(3)),
        pytest.raises(DemiurgeError, match=message),
    ):
        shards.call("version", everywhere(shards))


def a_database_that_changes_is_warned_of(served, caplog):
    with served.connect() as (shards, _):
        before = shards.call("facts", {1: (Asked(),)})
        assert "has changed" not in caplog.text
        remove_sources(served.database, ["loop*"])
        assert shards.call("facts", {1: (Asked(),)}) == before
        shards.call("facts", {1: (Asked(),)})
        assert caplog.text.count("frame has changed since it was served") == 1
    assert served.status(1)["changed"]


def a_node_that_is_lost_in_a_call_is_told(served, monkeypatch):
    second = served.cluster.second
    replicas = [one for one in served.generation.replicas if one.shard == 1]
    lost, kept = sorted(replicas, key=lambda one: one.node_id != second.node_id)
    with served.connect() as (shards, _), stopped(served.pid(1, lost.number)):
        prefer(shards, lost)
        in_a_call(monkeypatch, lambda: served.cluster.remove_node(second, allow_graceful=False))
        facts = shards.call("facts", {1: (Asked(),)})[1]
        assert facts.n_found == shards.corpus.shards[1].n_units
        ray.kill(kept.actor)
        message = r"frame: shard 1 on node .* died .*no other node has this shard.*query serve"
        with pytest.raises(DemiurgeError, match=message):
            shards.call("version", {1: ()})
    stop_service(ray)
    assert ray.util.list_named_actors(all_namespaces=True) == []
