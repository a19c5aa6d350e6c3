"""Jobs that make continuations or mosaics of a seed; one runs at a time, the others wait.

    FOLDER/jobs/ID/job.json     the job's record: request and state
                   variation-1.plan.json, variation-1.wav, …

A record is written whenever its job's state changes, so that jobs survive a restart.
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

from demiurge.results import plan_path
from demiurge.web.answers import UNEXPECTED
from demiurge.web.make.messages import (
    Failed,
    Finished,
    Message,
    Progressed,
    RenderTask,
    VariationFinished,
    variation_path,
)
from demiurge.web.make.records import read_record
from demiurge.web.make.worker import END_SECONDS, Worker
from demiurge.web.plans import Plans
from files.atomic import make_folder, write_text
from files.errors import DemiurgeError, ParameterError
from files.system import SYSTEM_ERRORS, error_message

MOST_WAITING = 64
MOST_VARIATIONS = 8
MOST_SECONDS = 1 << 33  # since 1970, of a record: until 2242
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
    """A request and its state; times are seconds since 1970.

    Attributes
    ----------
    seed : dict
        Its "id" and "name".
    model : dict, optional
        Its "id" and "name"; None for a mosaic.
    made : int
        Variations that are finished.
    """

    id: str
    seed: dict[str, str]
    model: dict[str, str] | None
    options: dict[str, Any]
    created: float
    state: str = QUEUED
    started: float | None = None
    finished: float | None = None
    made: int = 0
    error: str | None = None
    progress: dict[str, Any] = field(default_factory=NO_PROGRESS.copy)


class Jobs:
    """The jobs in a folder, which need not exist yet. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        plans: Plans,
        publish: Callable[[str, dict[str, Any]], None],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Load earlier jobs; unfinished ones become "interrupted"."""
        self.folder = folder
        self._plans = plans
        self._publish = publish
        self._most_waiting = most_waiting
        self._lock = threading.RLock()
        self._queue = SimpleQueue[str]()
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, RenderTask] = {}  # of waiting and running jobs
        self._worker = Worker()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._closing = False
        for record in sorted(folder.glob("*/job.json")):
            self._load(record)

    def submit(self, job: Job, task: RenderTask) -> Job:
        """Queue a job.

        Raises
        ------
        ParameterError
            If too many jobs wait, or its folder cannot be made.
        """
        with self._lock:
            if len(self._tasks) >= self._most_waiting:
                raise ParameterError(
                    f"{self._most_waiting} jobs are waiting; cancel some, or wait until they are"
                    " done"
                )
            make_folder(task.folder)
            self._jobs[job.id] = job
            self._tasks[job.id] = task
            self._update(job)
            if not self._thread.is_alive():
                self._thread.start()
            self._queue.put(job.id)
        return job

    def cancel(self, job_id: str) -> Job:
        """Cancel a waiting or running job; its finished variations are kept."""
        with self._lock:
            job = self._jobs[job_id]
            if job.state not in (QUEUED, RUNNING):
                return job
            cancelled = self._end(job, CANCELLED)
            if job.state == RUNNING:
                self._worker.kill()
            return cancelled

    def get(self, job_id: str) -> Job | None:
        """Return the job of that id, if there is one."""
        return self._jobs.get(job_id)

    def documents(self) -> list[dict[str, Any]]:
        """Describe each job for JSON, newest first."""
        with self._lock:
            newest = sorted(self._jobs.values(), key=lambda job: job.created, reverse=True)
            return [self.document(job) for job in newest]

    def document(self, job: Job) -> dict[str, Any]:
        """Describe a job for JSON, with the ids of its plans."""
        facts = asdict(job)
        del facts["made"]
        plans = [self._register_plan(job, number, path) for number, path in self._made_plans(job)]
        return facts | {"plans": plans}

    def close(self) -> None:
        """End the running job; after a restart it is "interrupted"."""
        self._closing = True
        with self._lock:
            self._worker.kill()
        self._queue.put("")
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        """Carry out one job after another, in the jobs' thread."""
        while not self._closing and (job_id := self._queue.get()):
            with self._lock:
                task = self._tasks.get(job_id)
                if task is None:  # cancelled while it waited
                    continue
                job = self._jobs[job_id]
                self._update(replace(job, state=RUNNING, started=time.time(), progress=STARTING))
            try:
                for message in self._worker.work(task):
                    self._receive(job_id, message)
            except (DemiurgeError, *SYSTEM_ERRORS) as error:
                self._fail(job_id, error_message(error))
            except Exception:
                log.exception("job %s", job_id)
                self._fail(job_id, UNEXPECTED)

    def _receive(self, job_id: str, message: Message) -> None:
        """Update a running job from a message of the worker."""
        with self._lock:
            job = self._jobs[job_id]
            if job.state != RUNNING or self._closing:
                self._worker.kill()  # the job was cancelled just as it began
                return
            match message:
                case Progressed():
                    self._show_progress(job, message)
                case VariationFinished():
                    self._update(replace(job, made=message.number))
                case Failed():
                    self._end(job, FAILED, message.message)
                case Finished():
                    self._end(job, DONE)

    def _show_progress(self, job: Job, message: Progressed) -> None:
        """Publish progress, but do not write it to the record."""
        progress = {
            "what": message.label,
            "done": message.done,
            "total": message.total,
            "variation": message.variation,
        }
        job = replace(job, progress=progress)
        self._jobs[job.id] = job
        self._publish("job", self.document(job))

    def _fail(self, job_id: str, message: str) -> None:
        with self._lock:
            job = self._jobs[job_id]
            if job.state == RUNNING and not self._closing:
                self._end(job, FAILED, message)

    def _end(self, job: Job, state: str, error: str | None = None) -> Job:
        self._tasks.pop(job.id, None)
        ended = replace(job, state=state, finished=time.time(), error=error, progress=NO_PROGRESS)
        return self._update(ended)

    def _update(self, job: Job) -> Job:
        """Write a job's record and publish the job."""
        self._jobs[job.id] = job
        try:
            write_text(self.folder / job.id / "job.json", json.dumps(asdict(job)))
        except ParameterError as error:
            log.warning("the record of job %s cannot be written: %s", job.id, error)
        self._publish("job", self.document(job))
        return job

    def _made_plans(self, job: Job) -> Iterator[tuple[int, Path]]:
        """Yield number and plan file of each finished variation that still exists."""
        for number in range(1, job.made + 1):
            path = plan_path(variation_path(self.folder / job.id, number))
            if path.is_file():
                yield number, path

    def _register_plan(self, job: Job, number: int, path: Path) -> str:
        """Add a variation's plan to the plans of the page, and return its id."""
        stem = re.sub(r"\.\w{1,5}$", "", job.seed["name"])
        created = time.strftime("%H:%M", time.localtime(job.created))
        name = f"{stem} {number} ({created})"
        return self._plans.add(path, kind="made", name=name, job=job.id).id

    def _load(self, record: Path) -> None:
        """Load an earlier job; log a warning if its record is damaged."""
        try:
            job = read_record(Job, record)
            _check(job, record)
        except ValueError as error:
            log.warning("%s cannot be used (%s)", record, error)
            return
        self._jobs[job.id] = job
        self.document(job)  # registers its plans
        if job.state in (QUEUED, RUNNING):
            self._end(job, INTERRUPTED)


def _check(job: Job, record: Path) -> None:
    """Raise a ValueError if a record cannot be that of a job in this folder."""
    if job.id != record.parent.name:
        raise ValueError(f"it is of job {job.id}")
    if "name" not in job.seed:
        raise ValueError("its seed has no name")
    if not 0 <= job.created <= MOST_SECONDS:
        raise ValueError(f"created={job.created:g} is not 0 to {MOST_SECONDS}")
    if not 0 <= job.made <= MOST_VARIATIONS:
        raise ValueError(f"made={job.made} is not 0 to {MOST_VARIATIONS}")


def new_id() -> str:
    """Return a new id that begins with the time: folders of jobs are sorted by it."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
