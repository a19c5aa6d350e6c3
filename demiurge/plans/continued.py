"""Make a plan of how a seed goes on, in one voice or in several."""

from dataclasses import replace

import numpy as np

from audio.decibels import to_decibels
from demiurge.continuation import Continuation
from demiurge.plans.levels import levels_of, match_levels
from demiurge.plans.make import assemble, make_steps
from demiurge.plans.settings import PlanSettings
from playback.plan import Plan
from playback.steps import Step
from query.explain import explain


def plan_of_continuation(
    continuation: Continuation, settings: PlanSettings, target_db: float
) -> Plan:
    """Return the plan of a continuation, whose voices together have a level.

    Voices are not alike, so their powers add up: each of n is lowered by 10 log10(n) dB.

    Parameters
    ----------
    target_db : float
        The level of the whole, as `match_levels`.
    """
    database = continuation.database
    each_db = target_db - to_decibels(len(continuation.voices) ** 0.5)
    steps: list[Step] = []
    heard: list[np.ndarray] = []
    for number, path in enumerate(continuation.voices):
        before = sum(map(len, heard))
        heard.append(database.rows_at(path.positions))
        levels = levels_of(heard[-1], database.settings)
        steps += [
            replace(step, voice=number, target=step.target + before)
            for step in make_steps(
                path,
                explain(continuation.space, path),
                database,
                placement=continuation.place(path),
                gain_db=match_levels(path.positions, database.units, levels, each_db),
            )
        ]
    n_samples = int(continuation.path.n_samples.sum())
    return assemble(steps, n_samples, database, np.concatenate(heard), settings)
