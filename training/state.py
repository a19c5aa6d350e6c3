"""The saved state of a training, and the checks before resuming it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from files.errors import CheckpointError, ParameterError
from training.check_tensors import check_shapes, check_values
from training.checkpoint import STATE, TRAIN_ANEW, save_training_state
from training.options import TrainingOptions
from training.saved_state import VERSION, SavedState, load_state
from training.trainable import Trainable, naming
from training.training_position import TrainingPosition

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
            If it is missing, damaged, or belongs to another training.
        """
        state = load_state(self.folder)
        self._check_same(state)
        state.check_options(type(self.options), self.folder)
        with self._explaining(
            "does not fit the model", "give the one it started from (--from), or "
        ):
            with naming("ema"):
                check_shapes(state.ema, ema.state_dict())
            self.trainable.check_fits(state.trainable)
        with self._explaining("damaged"):
            with naming("ema"):
                check_values(state.ema)
            self.trainable.check_state(state.trainable, state.position.step)
            self.trainable.load_state(state.trainable)
        ema.load_state_dict(state.ema)
        return state.position

    @contextmanager
    def _explaining(self, fault: str, remedy: str = "") -> Iterator[None]:
        """Turn a ParameterError of a block into a CheckpointError about the file."""
        try:
            yield
        except ParameterError as error:
            raise CheckpointError(
                f"{self.folder / STATE}: {fault} ({error}); {remedy}{TRAIN_ANEW}"
            ) from error

    def _check_same(self, state: SavedState) -> None:
        """Raise ParameterError if options or data differ; name all that do."""
        before = state.identity
        if before.get("kind") == self.identity.get("kind"):
            changes = describe_changes(state.files, self.trainable.files)
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
        with self._explaining("damaged"):
            if unknown := before.keys() - self.identity.keys():
                raise ParameterError(f"identity.{min(unknown)} is not known")


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
