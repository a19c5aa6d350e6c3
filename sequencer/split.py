"""The training and validation split: by source, or by time if there is only one source."""

from dataclasses import dataclass

import numpy as np

from files.errors import ParameterError

VALIDATION_SHARE = 0.1  # of the steps

NamedSequences = list[tuple[str, np.ndarray]]
"""Sources by name, each (steps, n_descriptors)."""


@dataclass(frozen=True)
class Split:
    """The sequences on either side; `by` is "source" or "time"."""

    train: NamedSequences
    validation: NamedSequences
    by: str


def split_sequences(sequences: NamedSequences, *, random_seed: int) -> Split:
    """Choose about a tenth of the steps for validation.

    Whole sources are chosen at random, at least one for each part; of a single source the last
    tenth is taken. Sequences of one step have no transition, so they are in neither part.

    Raises
    ------
    ParameterError
        If there are fewer than 2 transitions in all.
    """
    usable = [item for item in sequences if len(item[1]) > 1]
    n_steps = sum(len(rows) for _, rows in usable)
    if n_steps - len(usable) < 2:
        raise ParameterError(
            f"{n_steps} steps in {len(usable)} sources are too few to train on; add longer audio"
        )
    if len(usable) == 1:
        return _split_by_time(*usable[0])
    chosen = _choose_sources([len(rows) for _, rows in usable], random_seed)
    train = [item for i, item in enumerate(usable) if i not in chosen]
    return Split(train, [usable[i] for i in sorted(chosen)], by="source")


def _split_by_time(name: str, rows: np.ndarray) -> Split:
    cut = min(len(rows) - 2, round(len(rows) * (1 - VALIDATION_SHARE)))
    if cut < 2:
        raise ParameterError(
            f"{name}: {len(rows)} steps are too few to train on and to validate; add longer audio"
        )
    return Split([(name, rows[:cut])], [(name, rows[cut:])], by="time")


def _choose_sources(lengths: list[int], random_seed: int) -> set[int]:
    """Choose the validation sources by their position, at least one and not all."""
    order = np.random.default_rng(random_seed).permutation(len(lengths))
    wanted = VALIDATION_SHARE * sum(lengths)
    chosen: set[int] = set()
    chosen_steps = 0
    for i in order[:-1]:
        # Another source is taken only if that brings the share nearer to a tenth.
        if not chosen or chosen_steps + lengths[i] / 2 < wanted:
            chosen.add(int(i))
            chosen_steps += lengths[i]
    return chosen


def count_steps(sequences: NamedSequences) -> int:
    """Return the number of steps of all sequences."""
    return sum(len(rows) for _, rows in sequences)
