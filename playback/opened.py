"""A plan with its sources at hand: they are looked at once, whatever is then made of it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from files.errors import ParameterError
from playback.plan import Plan
from playback.playable import keep_steps, playable_numbers
from playback.sources import Progress, SourceReader, refuse, sources_of


@dataclass(frozen=True)
class OpenPlan:
    """A plan that can be played. A context manager: leaving it closes the sources' files.

    Attributes
    ----------
    whole : Plan
        As it was given.
    plan : Plan
        Without the steps that cannot be played; as long as the whole.
    numbers : list of int
        Of its steps in the whole.
    skipped : dict
        What is wrong with each source, or single step ("step 3"), that is left out.
    sound : SourceReader
    """

    whole: Plan
    plan: Plan
    numbers: list[int]
    skipped: dict[str, str]
    sound: SourceReader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.sound.__exit__(*exception)


def open_plan(
    plan: Plan,
    root: str | Path | None = None,
    *,
    outputs: Iterable[str | Path] = (),
    skip_missing: bool = False,
    progress: Progress | None = None,
) -> OpenPlan:
    """Look at all that a plan plays, and decode what cannot be read in place.

    Parameters
    ----------
    root : path, optional
        The corpus folder; the plan's own by default.
    outputs : iterable of path
        What will be written: none of it may be a recording that the plan plays.
    skip_missing : bool
        Leave silence where a source is missing, unreadable or changed, or ends before a step does,
        instead of refusing.
    progress : callable (sources done, in all, what)

    Raises
    ------
    PlanError
        If some sources or steps cannot be played, or none can.
    ParameterError
        If there is no such folder, a recording would be written over, or there is no room to decode
        one.
    """
    folder = Path(root or plan.database["root"])
    _check_outputs(plan, folder, outputs)
    if not folder.is_dir():
        raise ParameterError(
            f"{folder}: no such folder; the corpus was there: say where it is now with --root"
        )
    sound = SourceReader(folder, sample_rate=plan.sample_rate, channels=plan.channels)
    problems = sound.prepare(plan, progress)
    lengths = {
        source: sound.length(source) for source in sources_of(plan) if source not in problems
    }
    numbers = playable_numbers(plan, lengths)
    for number in sorted(set(range(len(plan.steps))) - set(numbers)):
        step = plan.steps[number]
        if step.source in lengths:
            problems[f"step {number}"] = (
                f"plays samples {step.start_sample} to {step.end_sample} of {step.source}, which"
                f" has {lengths[step.source]}"
            )
    if problems and not (skip_missing and numbers):
        refuse(problems, folder, none_left=skip_missing)
    return OpenPlan(plan, keep_steps(plan, numbers), numbers, problems, sound)


def _check_outputs(plan: Plan, folder: Path, outputs: Iterable[str | Path]) -> None:
    recordings = {os.path.realpath(folder / source): source for source in sources_of(plan)}
    for path in outputs:
        if source := recordings.get(os.path.realpath(path)):
            raise ParameterError(
                f"{path} is the recording {source}, which the plan plays; give another name"
            )
