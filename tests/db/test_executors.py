import os
import signal
import time

import pytest

from db.build import build_database
from db.executors import QUEUED_PER_WORKER, best_executor, run_tasks
from files.errors import DemiurgeError, ParameterError


def double(task):
    return 2 * task


def die_at_seven(task):
    if task == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def double_slowly_at_first(task):
    time.sleep(0.2 if task == 0 else 0)
    return 2 * task


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_results_come_in_the_order_of_the_tasks(executor):
    assert list(run_tasks(double_slowly_at_first, range(30), executor=executor, jobs=2)) == list(
        range(0, 60, 2)
    )


def test_processes_are_started_for_much_work_only():
    assert best_executor(3, 10 << 20, 2) == "threads"
    assert best_executor(20_000, 10 << 20, 2) == "processes"
    assert best_executor(3, 40 << 30, 2) == "processes"
    assert best_executor(20_000, 40 << 30, 1) == "threads"


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_no_more_tasks_are_taken_than_the_workers_can_hold(executor):
    taken = []

    def tasks():
        for i in range(1000):
            taken.append(i)
            yield i

    results = run_tasks(double, tasks(), executor=executor, jobs=2)
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + 2 * QUEUED_PER_WORKER
    results.close()


def test_a_worker_that_dies_is_reported():
    with pytest.raises(DemiurgeError, match="a worker process died.*fewer --jobs"):
        list(run_tasks(die_at_seven, range(30), executor="processes", jobs=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"executor": "dask", "jobs": 1},
            "executor='dask' is not known; choose among serial, threads, processes, ray",
        ),
        ({"executor": "threads", "jobs": 0}, "jobs=0 must be at least 1"),
        (
            {"executor": "threads", "jobs": 1, "address": "auto"},
            "address='auto' of a Ray cluster needs executor ray",
        ),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        run_tasks(double, [], **options)


@pytest.fixture
def cluster():
    """Two nodes of one processor each in this process's children; the second can be killed."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20}
    )
    cluster.second = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def nodes_used(task):
    import ray

    time.sleep(0.05)
    return ray.get_runtime_context().get_node_id()


@pytest.mark.slow
def test_build_on_a_cluster_that_loses_a_node_gives_the_same_database(
    corpus, tmp_path, cluster, tabla
):
    import ray
    import soundfile as sf

    for i in range(60):
        sf.write(corpus / f"{i:02d}.wav", tabla[: 20000 + 100 * i], 44100)
    build_database(corpus, tmp_path / "here", executor="serial")
    ray.init(address=cluster.address, log_to_driver=False)
    assert (
        len(set(run_tasks(nodes_used, range(24), executor="ray", jobs=2))) == 2
    )  # both nodes work
    killed = []

    def kill_the_second(done, total, label):
        if done == 10:
            cluster.remove_node(cluster.second, allow_graceful=False)
            killed.append(done)

    report = build_database(
        corpus, tmp_path / "there", executor="ray", jobs=2, progress=kill_the_second
    )
    assert killed == [10]
    assert (len(report.added), report.failed) == (64, [])
    for shard in sorted((tmp_path / "here" / "shards").iterdir()):
        assert shard.read_bytes() == (tmp_path / "there" / "shards" / shard.name).read_bytes()
    assert len(set(run_tasks(nodes_used, range(8), executor="ray", jobs=2))) == 1


@pytest.mark.slow
def test_ray_is_started_here_when_no_address_is_given(corpus, tmp_path):
    ray = pytest.importorskip("ray")
    build_database(corpus, tmp_path / "here", executor="serial")
    build_database(corpus, tmp_path / "ray", executor="ray", jobs=1)
    one, other = (tmp_path / name / "shards" / "00000.f32" for name in ("here", "ray"))
    assert one.read_bytes() == other.read_bytes()
    assert not ray.is_initialized()  # what was started was stopped


def test_no_cluster_at_the_address_is_said():
    pytest.importorskip("ray")
    with pytest.raises(ParameterError, match="127.0.0.1:1.*no Ray cluster answers there"):
        list(run_tasks(double, [1], executor="ray", jobs=1, address="127.0.0.1:1"))
