"""The generated clips of a workspace, and the request that is being carried out.

FOLDER/generated/RUN/.like/UNIT.wav           the sounds of the units
                     generated-000001.flac, … as `demiurge synth generate` makes them
                     manifest.jsonl
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from demiurge.web.answers import UNEXPECTED
from demiurge.web.generated.generating import CLIPS, GenerateTask, generate_clips
from demiurge.web.make.messages import Failed, Finished, Progressed
from demiurge.web.make.worker import END_SECONDS, Worker
from files.errors import DemiurgeError, ParameterError
from files.system import SYSTEM_ERRORS, error_message

IDLE = "idle"
RUNNING = "running"
DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"
SHOWN = 24  # of the newest clips
CLIP = "generated-??????.flac"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What becomes of the last request; `done` of `total` clips are made."""

    state: str = IDLE
    what: str = ""
    done: int = 0
    total: int = CLIPS
    error: str | None = None


class GeneratedClips:
    """Clips in a folder, which need not exist yet. One request at a time; safe for threads."""

    def __init__(self, folder: Path, publish: Callable[[str, dict[str, Any]], None]) -> None:
        self.folder = folder
        self._publish = publish
        self._worker = Worker(generate_clips)
        self._lock = threading.RLock()
        self._state = State()
        self._thread: threading.Thread | None = None

    def start(self, task: GenerateTask) -> None:
        """Begin to make clips.

        Raises
        ------
        ParameterError
            If others are being made.
        """
        if self._thread is not None and self._state.state != RUNNING:
            self._thread.join(END_SECONDS)  # it may not have noticed that it was cancelled
        with self._lock:
            self.check_free()
            self._set(State(RUNNING, "starting"))
            self._thread = threading.Thread(
                target=self._run, args=(task,), name="generated", daemon=True
            )
            self._thread.start()

    def check_free(self) -> None:
        """Raise a ParameterError if clips are being made."""
        if self._state.state == RUNNING:
            raise ParameterError("clips are being made; wait for them, or cancel them")

    def cancel(self) -> None:
        """Stop; clips that are finished are kept."""
        with self._lock:
            if self._state.state == RUNNING:
                self._set(replace(self._state, state=CANCELLED))
                self._worker.kill()

    def close(self) -> None:
        """End the process."""
        self.cancel()
        self._worker.kill()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def path(self, run: str, name: str) -> Path | None:
        """Return the file of a clip, if there is one."""
        wanted = (run, name)
        return next((path for path in self._paths() if path.parts[-2:] == wanted), None)

    def document(self) -> dict[str, Any]:
        """Describe the request and the newest clips for JSON."""
        clips = []
        for path in self._paths()[:SHOWN]:
            clips.append({"run": path.parent.name, "name": path.name})
        return {**asdict(self._state), "clips": clips, "folder": str(self.folder.absolute())}

    def _paths(self) -> list[Path]:
        """Return the files of all clips: newest run first, in order within a run."""
        paths = sorted(self.folder.glob(f"*/{CLIP}"))
        return sorted(paths, key=lambda path: path.parent.name, reverse=True)

    def _run(self, task: GenerateTask) -> None:
        """Carry out a task, in a thread."""
        try:
            for message in self._worker.work(task):
                if self._state.state != RUNNING:
                    return  # cancelled before there was a process to end
                match message:
                    case Progressed():
                        self._go_on(what=message.label, done=message.done)
                    case Failed():
                        self._go_on(state=FAILED, error=message.message)
                    case Finished():
                        self._go_on(state=DONE)
        except (DemiurgeError, *SYSTEM_ERRORS) as error:
            self._go_on(state=FAILED, error=error_message(error))
        except Exception:
            log.exception("generating clips")
            self._go_on(state=FAILED, error=UNEXPECTED)
        finally:
            self._worker.kill()  # its models take memory, and load in seconds

    def _go_on(self, **changes: Any) -> None:
        """Change the state, unless the request was cancelled."""
        with self._lock:
            if self._state.state == RUNNING:
                self._set(replace(self._state, **changes))

    def _set(self, state: State) -> None:
        self._state = state
        self._publish("generated", self.document())
