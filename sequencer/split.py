"""Training and held-out sequences: disjoint, by source where there are several, by time where there
is one.
"""

from dataclasses import dataclass

import numpy as np

from files.errors import ParameterError

HELD_OUT = 0.1  # share of the steps

Named = list[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Split:
    """Named sequences on either side; `by` is "source" or "time"."""

    train: Named
    validation: Named
    by: str


def split_sequences(sequences: Named, *, seed: int) -> Split:
    """Hold out about a tenth of the steps.

    Several sources: whole ones, drawn at random with `seed`, at least one on each side. One source:
    its last tenth. A sequence of one step has no transition to learn from or be judged by; such
    ones stay in training and teach nothing.

    Raises
    ------
    ParameterError
        If there are fewer than 2 transitions in all: nothing to learn from and be judged by.
    """
    usable = [item for item in sequences if len(item[1]) > 1]
    n_steps = sum(len(rows) for _, rows in usable)
    if n_steps - len(usable) < 2:
        raise ParameterError(
            f"{n_steps} steps in {len(usable)} sources are too few to train on; add longer audio"
        )
    if len(usable) == 1:
        name, rows = usable[0]
        cut = min(len(rows) - 2, round(len(rows) * (1 - HELD_OUT)))
        if cut < 2:
            raise ParameterError(
                f"{name}: {len(rows)} steps are too few to train on and hold out; add longer audio"
            )
        return Split([(name, rows[:cut])], [(name, rows[cut:])], by="time")
    order = np.random.default_rng(seed).permutation(len(usable))
    held: set[int] = set()
    held_steps = 0
    for i in order[:-1]:
        # take a source only if that brings the held-out share nearer to a tenth
        if not held or held_steps + len(usable[i][1]) / 2 < HELD_OUT * n_steps:
            held.add(int(i))
            held_steps += len(usable[i][1])
    train = [item for i, item in enumerate(usable) if i not in held]
    return Split(train, [usable[i] for i in sorted(held)], by="source")
