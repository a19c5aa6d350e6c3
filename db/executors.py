"""Where the work of a build is done: one interface, four places.

    serial      here, one after another
    threads     here, side by side: decoding, FFT and matrix products let go of Python's lock
    processes   in new processes, for many cores; spawned, as a fork of threads may hang
    ray         on a Ray cluster; a task whose node dies is run again on another

Each maps a function over tasks and gives the results in the tasks' order, so that the database does
not depend on the choice. At most `QUEUED_PER_WORKER` tasks per worker are under way or waiting:
memory does not depend on how many there are.
"""

import multiprocessing
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor as FutureExecutor
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
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
    """Return "processes" where their start, about a second, is soon earned back, else "threads".

    Threads wait for Python's lock: for small files, where little is done between two waits, two are
    slower than one.
    """
    is_much = n_tasks > MANY_TASKS or n_bytes > MANY_BYTES
    return "processes" if jobs > 1 and is_much else "threads"


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
            f"address={address!r} of a Ray cluster needs executor ray, not {executor}"
        )


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    executor: str,
    jobs: int,
    address: str | None = None,
) -> Generator[Result, None, None]:
    """Yield the results of a function for each task, in order. Close it if not all are wanted.

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
        pool = ProcessPoolExecutor(jobs, context, initializer=ignore_interrupts)
        return _in_pool(pool, function, tasks, jobs)
    return _on_ray(function, tasks, jobs, address)


def _in_pool(
    pool: FutureExecutor, function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int
) -> Generator[Result, None, None]:
    def submit(task: Task) -> Any:
        return pool.submit(function, task)

    def wait(future: Any) -> Result:
        return future.result()

    with pool:
        try:
            yield from _in_order(submit, wait, tasks, jobs)
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
    with _ray(jobs, address) as ray:
        # a dead node's tasks go to another; they can be run twice
        remote = ray.remote(max_retries=-1)(function)
        yield from _in_order(remote.remote, ray.get, tasks, jobs)


@contextmanager
def _ray(jobs: int, address: str | None) -> Iterator[ModuleType]:
    """Connect to a Ray cluster, or start one here, unless that is done already."""
    try:
        import ray
    except ImportError:
        raise ParameterError(
            f"executor ray needs Ray; install it with: {install_command('cluster')}"
        ) from None
    if ray.is_initialized():
        yield ray
        return
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
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise an `OSError` for a dead address: Ray would try for a minute, then end the process."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()


def _in_order(
    submit: Callable[[Task], Any], wait: Callable[[Any], Result], tasks: Iterable[Task], jobs: int
) -> Generator[Result, None, None]:
    """Yield results in the order of the tasks, with a bounded number of them under way."""
    queue: deque[Any] = deque()
    for task in tasks:
        queue.append(submit(task))
        if len(queue) >= jobs * QUEUED_PER_WORKER:
            yield wait(queue.popleft())
    while queue:
        yield wait(queue.popleft())
