"""A plan whose sources have been checked, once for all outputs."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from files.errors import ParameterError, PlanError
from files.progress import Progress, no_progress
from files.roots import Folder, Roots
from playback.plan import Plan
from playback.playable import keep_steps, playable_numbers
from playback.sources import SourceReader, sources_of


@dataclass(frozen=True)
class OpenPlan:
    """A plan that can be played. As a context manager, it closes the sources' files at the end.

    Attributes
    ----------
    whole : Plan
        The plan as given.
    plan : Plan
        The plan without the steps that cannot be played; it has the same length.
    numbers : list of int
        For each step of `plan`, its number in `whole`.
    skipped : dict
        The problem with each source, or single step ("step 3"), that is left out.
    reader : SourceReader
    """

    whole: Plan
    plan: Plan
    numbers: list[int]
    skipped: dict[str, str]
    reader: SourceReader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.reader.__exit__(*exception)


def open_plan(
    plan: Plan,
    root: str | Folder | Roots | Mapping[str, str | Folder] | None = None,
    *,
    outputs: Iterable[str | Path] = (),
    skip_missing: bool = False,
    outside: bool = False,
    progress: Progress = no_progress,
) -> OpenPlan:
    """Check all sources that a plan plays, and decode those that cannot be read in place.

    Parameters
    ----------
    root : path, Roots or mapping of str to Path, optional
        The corpus folder, or those of some of several databases; the plan's own by default.
    outputs : iterable of path
        The files that will be written. None of them may be a source that the plan plays.
    skip_missing : bool
        If a source is missing, unreadable, changed or too short, leave silence instead of raising
        an error.
    outside : bool
        Play sources outside of the corpus folder, too, whose content the plan knows.
    progress : callable (sources done, total, label)

    Raises
    ------
    PlanError
        If some sources or steps cannot be played; with `skip_missing`, if none can.
    ParameterError
        If the folder does not exist, a source would be overwritten, or there is no space to decode
        one.
    """
    roots = plan.roots.moved(root)
    _check_outputs(plan, roots, outputs)
    if missing := roots.missing():
        raise ParameterError(
            f"{missing[0]}: no such folder, but the corpus was there; say where it is now with"
            f" --root{' NAME=FOLDER' if roots.several else ''}"
        )
    reader = SourceReader(
        roots, sample_rate=plan.sample_rate, channels=plan.channels, outside=outside
    )
    problems = reader.prepare(plan, progress)
    playable = [source for source in sources_of(plan) if source not in problems]
    lengths = {source: reader.length(source) for source in playable}
    numbers = playable_numbers(plan, lengths)
    problems |= _too_short(plan, lengths)
    if problems and not (skip_missing and numbers):
        _refuse(problems, roots, skip_missing=skip_missing)
    return OpenPlan(plan, keep_steps(plan, numbers), numbers, problems, reader)


def _check_outputs(plan: Plan, roots: Roots, outputs: Iterable[str | Path]) -> None:
    sources = (source for source in sources_of(plan) if not roots.is_remote(source))
    played = {os.path.realpath(roots.file_of(source)): source for source in sources}
    for path in outputs:
        if source := played.get(os.path.realpath(path)):
            raise ParameterError(
                f"{path} is the source {source}, which the plan plays; give another name"
            )


def _too_short(plan: Plan, lengths: dict[str, int]) -> dict[str, str]:
    """Return a message for each step whose source ends before it does."""
    return {
        f"step {number}": (
            f"plays samples {step.start_sample} to {step.end_sample} of {step.source}, which"
            f" has {lengths[step.source]}"
        )
        for number, step in enumerate(plan.steps)
        if step.source in lengths and not step.fits_in(lengths[step.source])
    }


def _refuse(problems: dict[str, str], roots: Roots, *, skip_missing: bool) -> NoReturn:
    """Raise a `PlanError` that lists what cannot be played."""
    details = "".join(f"\n  {what}: {problem}" for what, problem in problems.items())
    remedy = "restore them, or name the corpus folder with --root"
    if skip_missing:  # no step is left
        raise PlanError(f"no step of the plan can be played from {roots}; {remedy}:{details}")
    raise PlanError(
        f"not all of the plan can be played from {roots}; {remedy}, or leave silence with"
        f" --skip-missing:{details}"
    )
