"""Where the work of a build is done: one interface, four places.

    serial      here, one after another
    threads     here, side by side: decoding, FFT and matrix products let go of Python's lock
    processes   in fresh processes (spawned: forking a process that runs threads can hang), for many cores
    ray         on a Ray cluster; a task whose node dies is run again on another

Each maps a function over tasks and gives the results in the tasks' order, so that the database does
not depend on the choice. At most `QUEUED_PER_WORKER` tasks per worker are under way or waiting:
memory does not depend on how many there are.
"""

import multiprocessing
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor as FutureExecutor
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from db.names import EXECUTORS
from files.errors import DemiurgeError, ParameterError, install_command
from files.interrupts import ignore_interrupts

QUEUED_PER_WORKER = 4
# more is worth starting processes for
MANY_TASKS = 2000
MANY_BYTES = 4 << 30
ANSWER_SECONDS = 10.0  # for a cluster to answer

Task = TypeVar("Task")
Result = TypeVar("Result")


def best_executor(n_tasks: int, n_bytes: int, jobs: int) -> str:
    """Distributed where their start, about a second, is soon earned back; threads otherwise.

    Threads wait for Python's lock: for small files, where little is done between two waits, two are
    slower than one.
    """
    much = n_tasks > MANY_TASKS or n_bytes > MANY_BYTES
    return "processes" if jobs > 1 and much else "threads"


def check_executor(executor: str, jobs: int, address: str | None) -> None:
    """Raise the `ParameterError` that `run_tasks` would."""
    if executor not in EXECUTORS:
        raise ParameterError(
            f"executor={executor!r} is not known; choose among {', '.join(EXECUTORS)}"
        )
    if jobs < 1:
        raise ParameterError(f"jobs={jobs} must be at least 1")
    if address is not None and executor != "ray":
        raise ParameterError(
            f"address={address!r} is of a Ray cluster and goes with executor ray, not {executor}"
        )


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    executor: str,
    jobs: int,
    address: str | None = None,
) -> Generator[Result, None, None]:
    """Results of `function` for each task, in order. Close it if not all are wanted.

    Parameters
    ----------
    function : callable
        Can be pickled, and does not raise: a failure is a result.
    executor : str
        One of `EXECUTORS`.
    jobs : int >= 1
        Workers; tasks under way at a time on a Ray cluster.
    address : str, optional
        Of a running Ray cluster ("auto" finds the one of this machine); without it "ray" starts one
        here.

    Raises
    ------
    ParameterError
        If the executor is unknown, `address` is given without "ray", or Ray cannot be used.
    DemiurgeError
        If a worker dies.
    """
    check_executor(executor, jobs, address)
    if executor == "serial":
        return (function(task) for task in tasks)
    if executor == "threads":
        return _in_pool(ThreadPoolExecutor(jobs), function, tasks, jobs)
    if executor == "processes":
        context = multiprocessing.get_context("spawn")
        return _in_pool(
            ProcessPoolExecutor(jobs, context, initializer=ignore_interrupts),
            function,
            tasks,
            jobs,
        )
    return _on_ray(function, tasks, jobs, address)


def _in_pool(
    pool: FutureExecutor, function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int
) -> Generator[Result, None, None]:
    with pool:
        try:
            yield from _in_order(
                lambda task: pool.submit(function, task),
                lambda future: future.result(),
                tasks,
                jobs,
            )
        except BrokenProcessPool as error:
            raise DemiurgeError(
                "a worker process died, most likely for lack of memory; what was done is kept: run"
                " the same command with fewer --jobs to go on"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_ray(
    function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int, address: str | None
) -> Generator[Result, None, None]:
    try:
        import ray
    except ImportError:
        raise ParameterError(
            f"executor ray needs Ray; install it with: {install_command('cluster')}"
        ) from None
    started = not ray.is_initialized()
    if started:
        try:
            if address is None:
                ray.init(num_cpus=jobs, log_to_driver=False, include_dashboard=False)
            else:
                _check_answers(address)
                ray.init(address=address, log_to_driver=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise ParameterError(
                f"address={address!r}: no Ray cluster answers there ({error}); check it"
            ) from error
    try:
        remote = ray.remote(max_retries=-1)(
            function
        )  # a dead node's tasks go to another; they can be run twice
        yield from _in_order(remote.remote, ray.get, tasks, jobs)
    finally:
        if started:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Ray would try a dead address for over a minute, then end the process."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()


def _in_order(
    submit: Callable[[Task], Any], wait: Callable[[Any], Any], tasks: Iterable[Task], jobs: int
) -> Generator[Any, None, None]:
    queue: deque[Any] = deque()
    for task in tasks:
        queue.append(submit(task))
        if len(queue) >= jobs * QUEUED_PER_WORKER:
            yield wait(queue.popleft())
    while queue:
        yield wait(queue.popleft())
