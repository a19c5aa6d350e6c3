"""Work that takes longer than a unit: done beside, or at once where a session must repeat."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from files.errors import DemiurgeError

log = logging.getLogger(__name__)


class Background:
    """Runs one job at a time; of jobs of one name only the newest counts.

    Parameters
    ----------
    threaded : bool
        False does each job at once, so that a session from files gives the same bytes every time.
    """

    def __init__(self, *, threaded: bool) -> None:
        self._problems: dict[str, str] = {}  # of jobs whose last try failed
        self._pool = ThreadPoolExecutor(1, "live") if threaded else None
        self._jobs: dict[str, Future[Any]] = {}
        self._failed: set[str] = set()

    def start(self, name: str, job: Callable[[], Any]) -> None:
        """Do a job; what an unfinished one of this name gives does not count any more."""
        self.forget(name)
        self._problems.pop(name, None)
        if self._pool:
            self._jobs[name] = self._pool.submit(job)
            return
        done: Future[Any] = Future()
        self._jobs[name] = done
        try:
            done.set_result(job())
        except Exception as error:  # told by `take`
            done.set_exception(error)

    def forget(self, name: str) -> None:
        """Let what a job of this name gives not count any more."""
        if before := self._jobs.pop(name, None):
            before.cancel()

    def is_busy(self, name: str) -> bool:
        """Return whether a job of this name was started and not taken."""
        return name in self._jobs

    def take(self, name: str) -> Any:
        """Return what a finished job gave, once; None if there is none, or it failed.

        A failure is kept as `problem`: a session goes on with what it has.
        """
        job = self._jobs.get(name)
        if job is None or not job.done():
            return None
        del self._jobs[name]
        error = job.exception()
        if error is None:
            return job.result()
        self._problems[name] = str(error) or type(error).__name__
        self._failed.add(name)
        if not isinstance(error, DemiurgeError):
            log.error("%s", name, exc_info=error)
        return None

    @property
    def problem(self) -> str:
        """Why a job gave nothing when it was last tried; "" if none failed."""
        return next(iter(self._problems.values()), "")

    def has_failed(self, name: str) -> bool:
        """Return, once, whether the last job of this name that was taken failed."""
        failed = name in self._failed
        self._failed.discard(name)
        return failed

    def close(self) -> None:
        """Wait for the job that runs, and forget the rest."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
