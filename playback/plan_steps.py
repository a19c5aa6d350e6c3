"""Make the steps and spectra of a plan file, and check them against each other and the rest."""

from collections.abc import Container
from pathlib import PurePosixPath
from typing import Any

from msgspec import UNSET

from files.documents import shown_text
from files.errors import ParameterError, PlanError
from files.roots import Roots
from playback.plan_document import (
    FOLLOWS,
    VERSION,
    VERSION_OF_VOICES,
    PlanDocument,
    StepDocument,
)
from playback.runs import is_contiguous
from playback.spectra import Spectra
from playback.steps import NO_TARGET, VOICE_KEYS, Step, lies_outside
from playback.targets import Targets


def make_steps(document: PlanDocument, roots: Roots) -> tuple[Step, ...]:
    """Check the steps of a plan against each other and the rest; the document's list is emptied.

    The sources of several databases begin with the name of one in `roots`. A step without
    `at_sample` begins where the one before it in its voice ends.
    """
    n_targets = 0
    if document.targets is not UNSET:
        n_targets = len(document.targets.float32) // (4 * document.targets.n_descriptors)
    names = _Names(document.sources, roots)
    steps: list[Step] = []
    before: Step | None = None
    waiting = document.steps[::-1]
    document.steps.clear()
    while waiting:  # each is freed as its step is made
        read = waiting.pop()
        step = _make_step(read, before)
        problem = (
            _unknown_key(read, document.version)
            or _misplaced(step, before, len(steps))
            or _problem_of(step, n_targets, names)
            or names.problem_of_alternatives(step)
        )
        if problem:
            raise PlanError(f"step {len(steps)}: {problem}")
        steps.append(step)
        before = step
    return tuple(steps)


def _make_step(document: StepDocument, before: Step | None) -> Step:
    alternatives: Any = document.alternatives
    voice = document.voice or 0
    free = before.until_sample if before and before.voice == voice else 0
    return Step(
        document.unit,
        document.source,
        document.start_sample,
        document.n_samples,
        free if document.at_sample == FOLLOWS else document.at_sample,
        document.gain_db,
        document.reverse,
        document.transpose,
        document.stretch,
        voice,
        document.ramp or False,
        document.distance,
        document.join,
        document.target,
        document.locked,
        alternatives,
    )


def read_spectra(document: PlanDocument, targets: Targets | None) -> Spectra | None:
    """Return the spectra of a plan, after checking that they go with its targets."""
    read = document.spectra
    if read is UNSET:
        return None
    if document.version == VERSION:
        raise PlanError(
            f'"spectra" is not known in "version": {VERSION}; write "version":'
            f" {VERSION_OF_VOICES}, or leave spectra out"
        )
    spectra = Spectra(read.n_bands, read.exponent, read.float16, read.n_samples)
    n_targets = len(targets.rows) if targets else 0
    if spectra.n_rows != n_targets:
        raise PlanError(
            f'"spectra" have {spectra.n_rows} rows, but "targets" {n_targets}; make the plan'
            " again, or leave spectra out"
        )
    return spectra


def _unknown_key(document: StepDocument, version: int) -> str | None:
    """Return the problem with a key that came with a later version."""
    for key in VOICE_KEYS:
        if version == VERSION and getattr(document, key) is not UNSET:
            return (
                f'{key} is not known in "version": {VERSION}; write "version":'
                f" {VERSION_OF_VOICES}, or leave {key} out"
            )
    return None


def _misplaced(step: Step, before: Step | None, number: int) -> str | None:
    """Return the problem with a step's place behind the one before it."""
    if before and step.voice < before.voice:
        return (
            f"voice={step.voice} comes after voice {before.voice} of step {number - 1}; list all"
            " steps of a voice before those of the next"
        )
    if before and step.voice == before.voice and step.at_sample < before.until_sample:
        return (
            f"at_sample={step.at_sample} lies before step {number - 1} ends, at"
            f" {before.until_sample}; steps of a voice must be in order and not overlap: move it,"
            " or leave at_sample out of it and of those that follow at once"
        )
    if step.ramp and not (before and is_contiguous(before, step)):
        return (
            "ramp=true, but it does not go on from the step before in the same voice, source and"
            " manner; make it false"
        )
    return None


def _problem_of(step: Step, n_targets: int, names: "_Names") -> str | None:
    if step.target >= n_targets and step.target != NO_TARGET:
        rule = "-1: the plan holds no targets"
        if n_targets:
            rule = f"a row of the targets, 0 to {n_targets - 1}, or -1 for none"
        return f"target={step.target} must be {rule}"
    return names.problem_of(step.source)


class _Names:
    """The names of sources, each checked once."""

    def __init__(self, known: Container[str], roots: Roots) -> None:
        """Only `known` ones, whose content the plan identifies, may lie outside the corpus."""
        self._known = known
        self._roots = roots
        self._problems: dict[str, str | None] = {}

    def problem_of(self, source: str) -> str | None:
        if source not in self._problems:
            self._problems[source] = self._check(source)
        return self._problems[source]

    def problem_of_alternatives(self, step: Step) -> str | None:
        """Return the problem with an alternative whose database cannot be told."""
        if not self._roots.several:
            return None
        for number, other in enumerate(step.alternatives):
            source = other.get("source", "")
            if not lies_outside(source) and (problem := self.problem_of(source)):
                return f"alternative {number}: {problem}"
        return None

    def _check(self, source: str) -> str | None:
        path = PurePosixPath(source)
        if self._roots.several and not path.is_absolute():
            try:
                path = PurePosixPath(self._roots.split(source)[1])
            except ParameterError:
                known = shown_text(", ".join(f"{name}:" for name in self._roots.folders))
                return (
                    f"source={shown_text(repr(source))} must begin with the name of its database,"
                    f" one of {known}"
                )
        if "\0" in source or not path.name:
            return f"source={shown_text(repr(source))} is not a valid file name"
        is_known = lies_outside(source) and source in self._known
        if not is_known and (path.is_absolute() or ".." in path.parts):
            return (
                f"source={shown_text(repr(source))} must be a path within the corpus folder,"
                ' relative to it, or an absolute path that "sources" has the hash of'
            )
        return None
