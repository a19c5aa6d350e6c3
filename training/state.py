"""The saved state of a training, and the checks before resuming it."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from torch import nn

from files.errors import CheckpointError, ParameterError
from training.checkpoint import STATE, load_training_state, save_training_state
from training.options import TrainingOptions
from training.trainable import Trainable
from training.training_position import TrainingPosition

VERSION = 2  # states of 0.1.0 have no version number
KEYS = {"version", "options", "starts_trained", "identity", "files", "position", "ema", "trainable"}
MAX_NAMES = 2  # of changed files that a message lists


@dataclass(frozen=True)
class StateFile:
    """The state of a training in its folder.

    `identity` holds all that affects the weights: options, model, number of processes.
    """

    folder: Path
    trainable: Trainable
    options: TrainingOptions
    identity: dict[str, Any]

    def save(self, ema: nn.Module, at: TrainingPosition) -> None:
        state = {
            "version": VERSION,
            "options": self.options.lasting(),
            "starts_trained": self.trainable.starts_trained,
            "identity": self.identity,
            "files": self.trainable.files,
            "position": asdict(at),
            "ema": ema.state_dict(),
            "trainable": self.trainable.state(),
        }
        save_training_state(self.folder, state)

    def load(self, ema: nn.Module) -> TrainingPosition:
        """Load the state, and return the position.

        Raises
        ------
        CheckpointError, ParameterError
            If it is missing, or belongs to another training.
        """
        state = load_state(self.folder)
        self._check_same(state)
        try:
            self.trainable.load_state(state["trainable"])
            ema.load_state_dict(state["ema"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.folder / STATE}: does not fit the model ({str(error).splitlines()[0]});"
                " resume with the model that training started from (--from), or --force a new start"
            ) from error
        position = state["position"]
        names = [field.name for field in fields(TrainingPosition)]
        return TrainingPosition(**{name: position[name] for name in names})

    def _check_same(self, state: dict[str, Any]) -> None:
        """Raise ParameterError if options or data differ; name all that do."""
        before = state["identity"]
        if before.get("kind") == self.identity.get("kind"):
            changes = describe_changes(state["files"], self.trainable.files)
            if changes:
                raise ParameterError(
                    f"{self.folder}: was trained on other files than these ({changes}); put those"
                    f" back, or start another training with {self.trainable.restart_option}"
                )
        different = [name for name in self.identity if before.get(name) != self.identity[name]]
        if different:
            values = [
                f"{name} {before.get(name)} (not {self.identity[name]})" for name in different
            ]
            raise ParameterError(
                f"{self.folder}: was trained with {', '.join(values)}; to resume, give the same, or"
                " leave these options out"
            )


def load_state(folder: Path) -> dict[str, Any]:
    """Read what `StateFile.save` wrote.

    Raises
    ------
    CheckpointError
        If it is missing, or of another version.
    """
    state = load_training_state(folder)
    path = folder / STATE
    if not isinstance(state, dict) or "version" not in state:
        raise CheckpointError(
            f"{path}: of version 0.1.0, which cannot be resumed; start a new training with --force,"
            f" or of a vocoder or generator another --from {folder}"
        )
    if state["version"] != VERSION or set(state) != KEYS:
        raise CheckpointError(
            f"{path}: of another version of Demiurge; update, or start anew with --force"
        )
    return state


def describe_changes(before: dict[str, list[int]], now: dict[str, list[int]]) -> str:
    """Describe how files differ; return an empty text if they do not."""
    changes = {
        "added": now.keys() - before.keys(),
        "removed": before.keys() - now.keys(),
        "changed": {name for name in now.keys() & before.keys() if now[name] != before[name]},
    }
    parts = []
    for change, names in changes.items():
        if names:
            listed = sorted(names)[:MAX_NAMES] + ["…"] * (len(names) > MAX_NAMES)
            parts.append(f"{len(names)} {change}: {', '.join(listed)}")
    return ", ".join(parts)
