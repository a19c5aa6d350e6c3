"""Prompts: what is kept when the rest is filled in again, by name.

    periodic:4/2      ▇▇··▇▇··▇▇··▇▇       every fourth step, two wide
    prefix:1          ▇▇▇▇··········       the first second
    onsets:1          ·▇▇▇···▇▇▇····       one step on either side of each onset
    codebooks:2       levels 0 and 1 of every step; the others are filled in again
    codebooks:2 and periodic:4      levels 0 and 1 of every fourth step

They are those of VampNet (García et al. 2023, arXiv 2307.04686). As there, what any prompt keeps is
kept, and what `codebooks` leaves out is not.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from files.errors import ParameterError
from files.ranges import shown
from sequencer.names import PROMPT_FORMS

MOST_STEP = 1 << 40


@dataclass(frozen=True)
class StepTimes:
    """The steps that prompts choose among.

    Attributes
    ----------
    begins, ends : ndarray, float64, shape (steps,)
        Seconds.
    onsets : callable
        Returns the times of onsets, ndarray, seconds; only called if a prompt asks for them.
    locked : ndarray, bool, shape (steps,), optional
    """

    begins: np.ndarray
    ends: np.ndarray
    onsets: Callable[[], np.ndarray]
    locked: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def numbers(self) -> np.ndarray:
        return np.arange(len(self))


Keeps = Callable[[StepTimes, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Attributes
    ----------
    text : str
        As it was given.
    keeps : callable, optional
        Takes `StepTimes` and a random generator; returns which steps are kept, bool, (steps,).
    levels : int, optional
        The lowest levels, which alone are kept.
    """

    text: str
    keeps: Keeps | None = None
    levels: int | None = None


@dataclass(frozen=True)
class PromptKind:
    """What a prompt keeps, and how its value is read; `read` raises ValueError if it is wrong."""

    about: str
    read: Callable[[str], dict[str, Any]]


def parse_prompts(texts: Iterable[str]) -> list[Prompt]:
    """Read prompts as users write them.

    Raises
    ------
    ParameterError
        If one is not known, or its value is wrong.
    """
    prompts = []
    for text in texts:
        name, _, value = text.partition(":")
        kind = PROMPTS.get(name)
        if kind is None:
            forms = ", ".join(PROMPT_FORMS.values())
            raise ParameterError(f"unknown prompt {shown(text)}; known are {forms}")
        try:
            prompts.append(Prompt(text, **kind.read(value)))
        except ValueError as error:
            raise ParameterError(
                f"prompt {shown(text)} must be {PROMPT_FORMS[name]}, {kind.about}"
            ) from error
    return prompts


def kept_steps(text: str, numbers: Iterable[int]) -> Prompt:
    """Return a prompt that keeps steps by number; `text` names it in messages."""
    wanted = list(numbers)
    return Prompt(text, keeps=lambda times, rng: np.isin(times.numbers, wanted))


def keep_mask(
    prompts: Iterable[Prompt], times: StepTimes, n_levels: int, rng: np.random.Generator
) -> np.ndarray:
    """Return which tokens are kept, bool, (steps, n_levels).

    Raises
    ------
    ParameterError
        If a prompt names a step that there is not, or asks for what there is not.
    """
    prompts = list(prompts)
    of_steps = [prompt.keeps(times, rng) for prompt in prompts if prompt.keeps]
    kept = np.any(of_steps, axis=0) if of_steps else np.ones(len(times), bool)
    levels = min([n_levels, *(p.levels for p in prompts if p.levels is not None)])
    return kept[:, None] & (np.arange(n_levels) < levels)


def _read_steps(value: str) -> dict[str, Any]:
    spans = [_span(part, _count) for part in value.split(",")]

    def keeps(times: StepTimes, rng: np.random.Generator) -> np.ndarray:
        last = len(times) - 1
        if beyond := [number for span in spans for number in span if number > last]:
            raise ParameterError(f"there is no step {beyond[0]}: there are steps 0 to {last}")
        return _within(times.numbers, times.numbers, spans)

    return {"keeps": keeps}


def _read_seconds(value: str) -> dict[str, Any]:
    spans = [_span(part, _seconds) for part in value.split(",")]

    def keeps(times: StepTimes, rng: np.random.Generator) -> np.ndarray:
        kept = _within(times.begins, times.ends, spans)
        if not kept.any():
            raise ParameterError(
                f"seconds:{value} holds no whole step; give a longer span within the"
                f" {times.ends.max():.2f} s"
            )
        return kept

    return {"keeps": keeps}


def _read_locked(value: str) -> dict[str, Any]:
    _refuse(value)

    def keeps(times: StepTimes, rng: np.random.Generator) -> np.ndarray:
        if times.locked is None or not times.locked.any():
            raise ParameterError(
                "locked: no step is locked; lock some in demiurge browse, or keep others"
            )
        return times.locked

    return {"keeps": keeps}


def _read_periodic(value: str) -> dict[str, Any]:
    period_text, has_width, width_text = value.partition("/")
    period = _at_least_one(period_text)
    width = _at_least_one(width_text) if has_width else 1
    return {"keeps": lambda times, rng: times.numbers % period < width}


def _read_onsets(value: str) -> dict[str, Any]:
    width = _count(value) if value else 0

    def keeps(times: StepTimes, rng: np.random.Generator) -> np.ndarray:
        at = np.searchsorted(times.begins, times.onsets(), "right") - 1
        kept = np.zeros(len(times), bool)
        for step in at[at >= 0]:
            kept[max(step - width, 0) : step + width + 1] = True
        return kept

    return {"keeps": keeps}


def _read_prefix(value: str) -> dict[str, Any]:
    seconds = _seconds(value)
    return {"keeps": lambda times, rng: times.ends <= seconds}


def _read_suffix(value: str) -> dict[str, Any]:
    seconds = _seconds(value)
    return {"keeps": lambda times, rng: times.begins >= times.ends.max() - seconds}


def _read_random(value: str) -> dict[str, Any]:
    share = _seconds(value)
    if share > 1:
        raise ValueError

    def keeps(times: StepTimes, rng: np.random.Generator) -> np.ndarray:
        kept = np.zeros(len(times), bool)
        kept[rng.permutation(len(times))[: round(share * len(times))]] = True
        return kept

    return {"keeps": keeps}


def _read_codebooks(value: str) -> dict[str, Any]:
    return {"levels": _at_least_one(value)}


PROMPTS = {
    "steps": PromptKind("steps by number, counted from 0", _read_steps),
    "seconds": PromptKind("the steps within a time", _read_seconds),
    "locked": PromptKind("the locked steps alone", _read_locked),
    "periodic": PromptKind("every P-th step, W wide (1 if /W is left out)", _read_periodic),
    "onsets": PromptKind("W steps on either side of onsets", _read_onsets),
    "prefix": PromptKind("the first S seconds", _read_prefix),
    "suffix": PromptKind("the last S seconds", _read_suffix),
    "random": PromptKind("a share of the steps, 0 to 1, at random", _read_random),
    "codebooks": PromptKind("of what is kept only N levels", _read_codebooks),
}


def _within(
    begins: np.ndarray, ends: np.ndarray, spans: Iterable[tuple[float, float]]
) -> np.ndarray:
    """Return which steps lie within one of the spans, ends included."""
    return np.any([(begins >= first) & (ends <= last) for first, last in spans], axis=0)


def _span(text: str, number: Callable[[str], float]) -> tuple[float, float]:
    """Read "A" or "A-B"; raise ValueError if it is neither."""
    first, has_last, last = text.partition("-")
    span = (number(first), number(last if has_last else first))
    if span[0] > span[1]:
        raise ValueError
    return span


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_STEP:
        raise ValueError
    return number


def _at_least_one(text: str) -> int:
    number = _count(text)
    if not number:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not (isfinite(number) and number >= 0):
        raise ValueError
    return number


def _refuse(value: str) -> None:
    if value:
        raise ValueError
