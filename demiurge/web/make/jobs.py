"""Jobs: what should be made of a seed.

One is worked on at a time, the others wait; each has a folder for what it makes.

    FOLDER/jobs/ID/job.json     what was asked for, and what became of it
                   variation-1.plan.json, variation-1.wav, …

A record is written whenever its job's state changes, so that all are there again after a restart.
"""

import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from demiurge.pipeline import plan_path
from demiurge.web.answers import UNEXPECTED
from demiurge.web.make.records import read_record
from demiurge.web.make.worker import END_SECONDS, RenderTask, Worker, variation_path
from demiurge.web.plans import Plans
from files.atomic import make_folder, write_text
from files.errors import DemiurgeError, ParameterError

MOST_WAITING = 64
MOST_VARIATIONS = 8
QUEUED = "queued"
RUNNING = "running"
DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"
INTERRUPTED = "interrupted"
NO_PROGRESS: dict[str, Any] = {"what": "", "done": 0, "total": 0, "variation": 0}
STARTING = NO_PROGRESS | {"what": "starting"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What is asked for and what has become of it; `made` variations are complete. Times are
    seconds since 1970.
    """

    id: str
    seed: dict[str, str]  # id and name
    model: dict[str, str] | None  # id and name; None: a mosaic
    options: dict[str, Any]
    created: float
    state: str = QUEUED
    started: float | None = None
    finished: float | None = None
    made: int = 0
    error: str | None = None
    progress: dict[str, Any] = field(default_factory=NO_PROGRESS.copy)


class Jobs:
    """The jobs in a folder, which need not be there yet. Safe to be used from several threads."""

    def __init__(
        self, folder: Path, plans: Plans, publish: Callable[[str, dict[str, Any]], None]
    ) -> None:
        """Know the jobs of other days: what they made becomes plans, and what they did not come to
        stays undone.
        """
        self.folder = folder
        self._plans = plans
        self._publish = publish
        self._lock = threading.RLock()
        self._queue = SimpleQueue[str]()
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, RenderTask] = {}  # of jobs that are waiting or running
        self._worker = Worker()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._closing = False
        for record in sorted(folder.glob("*/job.json")):
            self._remember(record)

    def submit(self, job: Job, task: RenderTask) -> Job:
        """Put a job in the queue.

        Raises
        ------
        ParameterError
            If too many wait, or its folder cannot be made.
        """
        with self._lock:
            if len(self._tasks) >= MOST_WAITING:
                raise ParameterError(
                    f"{MOST_WAITING} jobs are waiting; cancel some, or wait until they are done"
                )
            make_folder(task.folder)
            self._jobs[job.id] = job
            self._tasks[job.id] = task
            self._change(job)
            if not self._thread.is_alive():
                self._thread.start()
            self._queue.put(job.id)
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job that waits or runs; what it has made stays. One that has ended stays as it is."""
        with self._lock:
            job = self._jobs[job_id]
            if job.state not in (QUEUED, RUNNING):
                return job
            cancelled = self._end(job, CANCELLED)
            if job.state == RUNNING:
                self._worker.kill()
            return cancelled

    def get(self, job_id: str) -> Job | None:
        """The job of that id, if there is one."""
        return self._jobs.get(job_id)

    def documents(self) -> list[dict[str, Any]]:
        """What pages are told of each, the newest first."""
        with self._lock:
            return [
                self.document(job)
                for job in sorted(self._jobs.values(), key=lambda job: job.created, reverse=True)
            ]

    def document(self, job: Job) -> dict[str, Any]:
        """As a page is told of it: with the ids of its plans."""
        facts = {name: value for name, value in asdict(job).items() if name != "made"}
        return facts | {
            "plans": [self._plan(job, number, path) for number, path in self._made(job)]
        }

    def close(self) -> None:
        """End what runs, for good: after a restart it is interrupted."""
        self._closing = True
        with self._lock:
            self._worker.kill()
        self._queue.put("")
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        """Work on one job after another, in a thread of its own."""
        while not self._closing and (job_id := self._queue.get()):
            with self._lock:
                job = self._jobs[job_id]
                task = self._tasks.get(job_id)
                if task is None:  # cancelled while it waited
                    continue
                self._change(replace(job, state=RUNNING, started=time.time(), progress=STARTING))
            try:
                for kind, what in self._worker.work(task):
                    self._hear(job_id, kind, what)
            except DemiurgeError as error:
                self._fail(job_id, str(error))
            except Exception:
                log.exception("job %s", job_id)
                self._fail(job_id, UNEXPECTED)

    def _hear(self, job_id: str, kind: str, what: Any) -> None:
        """Take in what the worker says of a running job."""
        with self._lock:
            job = self._jobs[job_id]
            if job.state != RUNNING or self._closing:
                self._worker.kill()  # it had not begun when the job was cancelled
            elif kind == "progress":
                self._jobs[job_id] = job = replace(job, progress=what)
                self._publish("job", self.document(job))
            elif kind == "made":
                self._change(replace(job, made=what))
            elif kind == "failed":
                self._end(job, FAILED, what)
            else:
                self._end(job, DONE)

    def _fail(self, job_id: str, message: str) -> None:
        with self._lock:
            if self._jobs[job_id].state == RUNNING and not self._closing:
                self._end(self._jobs[job_id], FAILED, message)

    def _end(self, job: Job, state: str, error: str | None = None) -> Job:
        self._tasks.pop(job.id, None)
        return self._change(
            replace(job, state=state, finished=time.time(), error=error, progress=NO_PROGRESS)
        )

    def _change(self, job: Job) -> Job:
        """Keep what has become of a job, and tell of it."""
        self._jobs[job.id] = job
        try:
            write_text(self.folder / job.id / "job.json", json.dumps(asdict(job)))
        except ParameterError as error:
            log.warning("what becomes of job %s is not kept: %s", job.id, error)
        self._publish("job", self.document(job))
        return job

    def _made(self, job: Job) -> Iterator[tuple[int, Path]]:
        """The variations that are complete, and were not removed by somebody: number and plan file."""
        paths = (
            (number, plan_path(variation_path(self.folder / job.id, number)))
            for number in range(1, job.made + 1)
        )
        return ((number, path) for number, path in paths if path.is_file())

    def _plan(self, job: Job, number: int, path: Path) -> str:
        """Id of a variation's plan, which is among all plans from now on."""
        stem = re.sub(r"\.\w{1,5}$", "", job.seed["name"])
        name = f"{stem} {number} ({time.strftime('%H:%M', time.localtime(job.created))})"
        return self._plans.add(path, kind="made", name=name, job=job.id).id

    def _remember(self, record: Path) -> None:
        """A job of another day."""
        try:
            job = read_record(Job, record)
            if (
                job.id != record.parent.name
                or "name" not in job.seed
                or not 0 <= job.made <= MOST_VARIATIONS
            ):
                raise ValueError(f"it is of job {job.id}")
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used (%s); remove it", record, error)
            return
        self._jobs[job.id] = job
        self.document(job)
        if job.state in (QUEUED, RUNNING):
            self._end(job, INTERRUPTED)


def new_id() -> str:
    """An id that is new, and tells when: the folders of jobs are found by it."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
