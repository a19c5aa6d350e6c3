"""Stretch the steps of a mosaic so that each unit lasts as long as its step.

plays on    |▇▇▇▇▇▇▇▒▒▒|▇▇▇▇|      a short unit is followed by what comes next in its source, a long
stretched   |▇▇▇▇▇▇▇▇▇▇|▇▇▇▇|      one is cut; stretched, both are heard as they are, and no more

Every step keeps its place and its length. Units that follow each other in their source are
stretched together if that leaves their attacks where they should be, to 10 ms; otherwise in parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from db.database import Database
from demiurge.plans.locate import positions_of
from demiurge.plans.placing import (
    HIGHEST_FACTOR,
    LOWEST_FACTOR,
    STRETCH_DECIMALS,
    TOLERANCE_MS,
)
from files.errors import ParameterError, install_command
from files.names import quoted
from playback.steps import Step
from playback.transform import can_transform
from query.rules import REST

SAME_LENGTH = 0.03  # steps are not stretched by less


def check_can_stretch(database: Database) -> None:
    """Check that the units of a database can be stretched to their steps.

    Raises
    ------
    ParameterError
        If they are all equally long, or python-stretch is not installed.
    """
    settings = database.settings
    if not settings.units_vary:
        raise ParameterError(
            f"stretch=auto is for units of different lengths, and those of {database.path} are"
            f" {settings.units}; leave it out, or build a database of onsets or beats: demiurge db"
            f" build {quoted(database.root)} NEW.db --units onset"
        )
    if not can_transform():
        raise ParameterError(
            f"stretch=auto needs the package python-stretch; {install_command('stretch')}"
        )


def stretched(steps: Sequence[Step], database: Database) -> tuple[Step, ...]:
    """Return steps of one voice, as `stretch_steps`, with the lengths of the database's units."""
    positions = positions_of(steps, database)
    lengths = np.where(positions == REST, 0, database.units.n_samples[positions])
    return tuple(stretch_steps(steps, lengths, database.sample_rate))


def stretch_steps(steps: Sequence[Step], lengths: np.ndarray, sample_rate: int) -> list[Step]:
    """Return steps of one voice, stretched to their lengths from those of their units.

    A factor that is within 3 % of 1, or not within 0.5 to 2, leaves a step as it is.

    Parameters
    ----------
    steps : sequence of Step
        Not stretched, each from the start of its unit.
    lengths : ndarray, int64, shape (steps,)
        Of the units, in samples; 0 for a step that is not to be stretched.
    """
    tolerance = round(TOLERANCE_MS * sample_rate / 1000)
    made = list(steps)
    for first, stop in pairwise([*_run_starts(steps, lengths), len(steps)]):
        for begin, end, factor in _parts(steps, lengths, first, stop, tolerance):
            made[begin:end] = _stretch_part(steps[begin:end], factor)
    return made


def _run_starts(steps: Sequence[Step], lengths: np.ndarray) -> list[int]:
    """Return the steps whose unit does not follow that of the step before in its source."""
    return [
        number
        for number, step in enumerate(steps)
        if number == 0 or not _follows(steps[number - 1], step, int(lengths[number - 1]))
    ]


def _follows(before: Step, step: Step, n_samples: int) -> bool:
    return (
        step.source == before.source
        and step.transpose == before.transpose
        and step.at_sample == before.until_sample
        and step.start_sample == before.start_sample + n_samples
    )


def _parts(
    steps: Sequence[Step], lengths: np.ndarray, first: int, stop: int, tolerance: int
) -> Iterator[tuple[int, int, float]]:
    """Part a run where one factor would not do; yield the parts that are stretched."""
    waiting = [(first, stop)]
    while waiting:
        first, stop = waiting.pop()
        begin = steps[first].at_sample
        played = np.cumsum(lengths[first:stop])
        grid = np.array([step.until_sample - begin for step in steps[first:stop]])
        factor = float(grid[-1] / played[-1]) if played[-1] else 0.0
        off = np.abs(grid - played * factor)
        if stop - first > 1 and off.max() > tolerance:
            middle = first + 1 + int(off[:-1].argmax())
            waiting += [(first, middle), (middle, stop)]
        elif LOWEST_FACTOR <= factor <= HIGHEST_FACTOR and abs(factor - 1) > SAME_LENGTH:
            yield first, stop, factor


def _stretch_part(steps: Sequence[Step], factor: float) -> list[Step]:
    """Return successive steps by one factor, as one sound."""
    first = steps[0]
    return [
        replace(
            step,
            start_sample=first.start_sample + round((step.at_sample - first.at_sample) / factor),
            stretch=round(factor, STRETCH_DECIMALS),
        )
        for step in steps
    ]
