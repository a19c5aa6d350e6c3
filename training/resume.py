"""What a training that is gone on with must have in common with what was saved of it."""

from pathlib import Path
from typing import Any

from files.errors import CheckpointError, ParameterError
from training.checkpoint import STATE, load_training_state

PARTS = {"options", "started", "identity", "files", "progress", "trainee"}


def load_state(folder: Path) -> dict[str, Any]:
    """The `PARTS` that `training.loop.Loop` saved.

    Raises CheckpointError if there are none, or of another kind of model.
    """
    state = load_training_state(folder)
    if not isinstance(state, dict) or set(state) != PARTS:
        raise CheckpointError(
            f"{folder / STATE}: of another kind of model; choose another folder, or --force a new"
            " start"
        )
    return state


def check_same(
    folder: Path, state: dict[str, Any], identity: dict[str, Any], files: dict[str, list[int]]
) -> None:
    """Refuse to go on with other options or recordings.

    Parameters
    ----------
    state : dict
        As loaded.
    identity, files : dict
        What they are now.

    Raises
    ------
    ParameterError
        Naming all that differs.
    """
    before = state["identity"]
    if before.get("recordings") != identity["recordings"] and (
        changes := _changes(state["files"], files)
    ):
        raise ParameterError(
            f"{folder}: was trained with other recordings than these ({changes}); put those back,"
            f" or train another model on these, --from {folder}"
        )
    if differ := [
        name for name in identity if name != "recordings" and before.get(name) != identity[name]
    ]:
        values = ", ".join(f"{name} {before.get(name)} (not {identity[name]})" for name in differ)
        raise ParameterError(
            f"{folder}: was trained with {values}; to go on, give the same, or leave these"
            " options out"
        )


def _changes(before: dict[str, list[int]], now: dict[str, list[int]]) -> str:
    """How the files of a folder differ from those before, in words."""
    found = {
        "added": now.keys() - before.keys(),
        "removed": before.keys() - now.keys(),
        "changed": {name for name in now.keys() & before.keys() if now[name] != before[name]},
    }
    return ", ".join(
        f"{len(names)} {what}: {', '.join(sorted(names)[:2])}{', …' if len(names) > 2 else ''}"
        for what, names in found.items()
        if names
    )
