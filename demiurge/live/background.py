"""Work that takes longer than a unit: done beside, or at once where a session must repeat."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Background:
    """Runs one job at a time; of jobs of one name only the newest waits.

    Parameters
    ----------
    threaded : bool
        False does each job at once, so that a session from files gives the same bytes every time.
    """

    def __init__(self, *, threaded: bool) -> None:
        self._pool = ThreadPoolExecutor(1, "live") if threaded else None
        self._jobs: dict[str, Future[Any]] = {}

    def start(self, name: str, job: Callable[[], Any]) -> None:
        """Do a job; what an unfinished one of this name gives is not waited for any more."""
        if before := self._jobs.pop(name, None):
            before.cancel()
        if self._pool:
            self._jobs[name] = self._pool.submit(job)
            return
        done: Future[Any] = Future()
        self._jobs[name] = done
        try:
            done.set_result(job())
        except Exception as error:  # raised by `take`
            done.set_exception(error)

    def is_busy(self, name: str) -> bool:
        """Return whether a job of this name was started and not taken."""
        return name in self._jobs

    def take(self, name: str) -> Any:
        """Return what a finished job gave, once; None if there is none. Raises what it raised."""
        job = self._jobs.get(name)
        if job is None or not job.done():
            return None
        del self._jobs[name]
        return job.result()

    def close(self) -> None:
        """Wait for the job that runs, and forget the rest."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
