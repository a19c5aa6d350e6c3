"""Values that do harm where they are not expected, and every way to put them into a document."""

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from files.errors import CheckpointError, DemiurgeError
from training.checkpoint import STATE, load_training_state, save_training_state

VALUES = (
    None,
    True,
    -1,
    0,
    1 << 40,
    10**18,
    1 << 80,
    1e308,
    math.nan,
    math.inf,
    "",
    "x",
    [],
    {},
    [[]],
)
TENSORS = (
    torch.zeros(3),
    torch.full((), math.nan),
    torch.zeros(1).expand(1 << 20, 1 << 20),  # takes four bytes
    torch.zeros(0, 1 << 40),
)

Place = tuple[Any, ...]


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Yield the place of every value in a document of dicts and lists."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def copied(value: Any) -> Any:
    """Return a copy of the dicts and lists of a document; its tensors are shared."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def put(document: Any, path: Place, value: Any) -> Any:
    """Return a copy with another value at a place."""
    changed = copied(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def without(document: Any, path: Place) -> Any:
    """Return a copy without what is at a place."""
    changed = copied(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return changed


def altered(
    document: Any, n: int, *, tensors: bool = False, random_seed: int = 0
) -> Iterator[tuple[str, Any]]:
    """Yield `n` copies with a value replaced, removed or added, each with a text of what was done.

    Every place is tried before one is tried again.
    """
    rng = random.Random(random_seed)
    values = VALUES + (TENSORS if tensors else ())
    found: list[Place] = []
    for number in range(n):
        if not found:
            found = list(places(document))
            rng.shuffle(found)
        path = found.pop()
        if number % 8 == 0:
            yield f"{path} removed", without(document, path)
        elif number % 8 == 1:
            names = next((p for p in found if isinstance(p[-1], str)), path)
            extra = (*names[:-1], "extra")
            yield f"{extra} added", put(document, extra, 1)
        else:
            value = rng.choice(values)
            yield (
                f"{path} = {value if not isinstance(value, torch.Tensor) else 'tensor'}",
                put(document, path, value),
            )


def refusal(action: Callable[[], object]) -> DemiurgeError | None:
    """Return the error in which an action ends, if it is one that a user may meet."""
    try:
        action()
    except DemiurgeError as error:
        return error
    return None


def check_altered_states(folder: Path, load: Callable[[], object], *, n: int) -> list[str]:
    """Load `n` altered states of the training in a folder; return those that were accepted."""
    good = load_training_state(folder)
    accepted = []
    for what, state in altered(good, n, tensors=True):
        save_training_state(folder, state)
        error = refusal(load)
        if error is None:
            accepted.append(what)
        elif isinstance(error, CheckpointError):
            assert f"{STATE}: " in str(error), what
            assert "train anew with --force" in str(error), what
        else:
            assert "was trained " in str(error), what  # with other options, on other files
    save_training_state(folder, good)
    return accepted
