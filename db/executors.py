"""Run the tasks of a build: four executors behind one function.

    serial      in this thread, one after another
    threads     in threads: decoding, FFT and matrix products release Python's lock
    processes   in new processes, for many cores; spawned, since forking a threaded program may hang
    ray         on a Ray cluster; a task whose node dies is run again on another

Each maps a function over tasks and yields the results in the tasks' order, so the database does not
depend on the choice. At most `QUEUED_PER_WORKER` tasks per worker are running or waiting, so memory
does not depend on the number of tasks.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor as FutureExecutor
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from db.names import EXECUTORS
from files.errors import DemiurgeError, ParameterError
from files.interrupts import ignore_interrupts
from files.ray_cluster import connect

QUEUED_PER_WORKER = 4
# beyond these, starting processes pays off
MANY_TASKS = 2000
MANY_BYTES = 4 << 30
MANY_BYTES_OF_MODELS = 64 << 20  # models take far longer than the other descriptors

Task = TypeVar("Task")
Result = TypeVar("Result")


def best_executor(n_tasks: int, n_bytes: int, jobs: int, *, with_models: bool = False) -> str:
    """Return "processes" if there is enough work to make up for their start, else "threads".

    Processes take about a second to start. Threads wait for Python's lock: for small files, with
    little to do between two waits, two threads are slower than one; and they take turns at a model.
    """
    is_much = n_tasks > MANY_TASKS or n_bytes > (
        MANY_BYTES_OF_MODELS if with_models else MANY_BYTES
    )
    return "processes" if jobs > 1 and is_much else "threads"


def check_executor(executor: str, jobs: int, address: str | None) -> None:
    """Raise a `ParameterError` if these arguments of `run_tasks` are invalid."""
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
    """Yield the results of a function for each task, in order.

    Close the generator if not all results are wanted.

    Parameters
    ----------
    function : callable
        Must be picklable and must not raise: it returns failures as results.
    executor : str
        One of `EXECUTORS`.
    jobs : int >= 1
        Number of workers; on a Ray cluster, of tasks that run at a time.
    address : str, optional
        Address of a running Ray cluster ("auto" finds one on this machine). Without it, "ray"
        starts a cluster here.

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
    with connect(address, n_cpus=jobs, purpose="executor ray") as ray:
        # tasks of a dead node run again on another; running a task twice does no harm
        remote = ray.remote(max_retries=-1)(function)
        yield from _in_order(remote.remote, ray.get, tasks, jobs)


def _in_order(
    submit: Callable[[Task], Any], wait: Callable[[Any], Result], tasks: Iterable[Task], jobs: int
) -> Generator[Result, None, None]:
    """Yield results in the order of the tasks, with a bounded number of tasks in flight."""
    queue: deque[Any] = deque()
    for task in tasks:
        queue.append(submit(task))
        if len(queue) >= jobs * QUEUED_PER_WORKER:
            yield wait(queue.popleft())
    while queue:
        yield wait(queue.popleft())
