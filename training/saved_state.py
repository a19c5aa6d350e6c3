"""Read the saved state of a training, and check all that is no tensor."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from files.errors import CheckpointError, ParameterError
from files.ranges import check_flag, shown
from training.checkpoint import STATE, TRAIN_ANEW, load_training_state
from training.options import SESSION, TrainingOptions
from training.training_position import TrainingPosition

VERSION = 3  # states of 0.1.0 have no version number
KEYS = {"version", "options", "starts_trained", "identity", "files", "position", "ema", "trainable"}
MOST_LETTERS = 10_000  # of a text
MOST_BITS = 64  # of an integer
OTHER_MEANING = {"architecture", "mel"}  # options that may be named otherwise in the identity


@dataclass(frozen=True)
class SavedState:
    """What `training.state.StateFile` saved; `ema` and `trainable` are unchecked."""

    options: dict[str, Any]
    starts_trained: bool
    identity: dict[str, Any]
    files: dict[str, list[int]]
    position: TrainingPosition
    ema: Any
    trainable: Any

    def check_options(self, kind: type[TrainingOptions], folder: Path) -> None:
        """Raise CheckpointError unless the options are those of a training of this kind."""
        names = {field.name for field in fields(kind)} - SESSION
        try:
            if self.options.keys() != names:
                raise ParameterError(f"options must be {', '.join(sorted(names))}")
            kind(**self.options)
        except ParameterError as error:
            raise CheckpointError(f"{folder / STATE}: damaged ({error}); {TRAIN_ANEW}") from error


def load_state(folder: Path) -> SavedState:
    """Read a state.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or of another version.
    """
    state = load_training_state(folder)
    path = folder / STATE
    if not isinstance(state, dict) or "version" not in state:
        raise CheckpointError(
            f"{path}: of version 0.1.0, which cannot be resumed; {TRAIN_ANEW}, or of a vocoder or"
            f" generator another --from {folder}"
        )
    if type(state["version"]) is not int or state["version"] != VERSION:
        raise CheckpointError(
            f"{path}: of another version of Demiurge, or damaged; update, or {TRAIN_ANEW}"
        )
    try:
        return _checked(state)
    except ParameterError as error:
        raise CheckpointError(f"{path}: damaged ({error}); {TRAIN_ANEW}") from error


def _checked(state: dict[str, Any]) -> SavedState:
    if state.keys() != KEYS:
        raise ParameterError(f"it must hold {', '.join(sorted(KEYS))}")
    options = state["options"]
    identity = state["identity"]
    for name in ("options", "identity"):
        if not isinstance(state[name], dict):
            raise ParameterError(f"{name}={shown(state[name])} must be values by name")
        _check_plain(name, state[name])
    for name in options.keys() & identity.keys() - OTHER_MEANING:
        if options[name] is not None and options[name] != identity[name]:
            raise ParameterError(
                f"options.{name}={shown(options[name])} must be that of the identity"
            )
    check_flag("starts_trained", state["starts_trained"])
    _check_files(state["files"])
    position = TrainingPosition.from_saved(state["position"])
    return SavedState(
        options,
        state["starts_trained"],
        identity,
        state["files"],
        position,
        state["ema"],
        state["trainable"],
    )


def _check_plain(name: str, value: Any, depth: int = 2) -> None:
    """Raise ParameterError unless a value is plain: a number, a text, or such values by name."""
    if isinstance(value, dict) and depth:
        for key, inner in value.items():
            if type(key) is not str or len(key) > MOST_LETTERS:
                raise ParameterError(f"{name} has the name {shown(key)}")
            _check_plain(f"{name}.{key}", inner, depth - 1)
        return
    is_plain = value is None or type(value) in (bool, int, float, str)
    is_long = type(value) is str and len(value) > MOST_LETTERS
    is_huge = type(value) is int and value.bit_length() > MOST_BITS
    if not is_plain or is_long or is_huge:
        raise ParameterError(f"{name}={shown(value)} must be a number or a text")


def _check_files(files: Any) -> None:
    if not isinstance(files, dict):
        raise ParameterError(f"files={shown(files)} must be numbers by the name of a file")
    for name, numbers in files.items():
        is_list = type(numbers) is list and all(type(number) is int for number in numbers)
        if type(name) is not str or not is_list:
            raise ParameterError(f"files: {shown(name)}={shown(numbers)} must be integers by name")
