"""Targets that are unlike the corpus: their range, and whether units follow their level.

target ──► how far from the corpus? ──► in its own range, if far ──► path ──► gains of its level
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from demiurge.plans.audible import is_audible
from demiurge.plans.levels import levels_of
from demiurge.sequences import DescriptorSequence
from files.errors import ParameterError
from files.ranges import shown
from query.index import UnitIndex
from query.names import AUTO, LEVELS, OWN_NOVELTY, RANGES
from query.options import PathOptions
from query.range import CorpusSample, bring_to_range, farness

# measured on drums, voices, piano and orchestra: up to 1.15 where target and corpus are alike, from
# 1.2 on where they are not
FAR = 1.2


@dataclass(frozen=True)
class Domains:
    """How a target is compared with a corpus that may be unlike it.

    Attributes
    ----------
    range : "own", "shared" or "auto"
        Whether the target is brought to the range of the corpus (`query.range`); "auto" is "own"
        if it lies `FAR` from the units.
    level : "follow", "own" or "auto"
        Whether units get the level of the target's steps; "auto" is "follow" if the range is own.
    novelty : float, optional
        That of the path if the range is own; by default the path's.
    """

    range: str = AUTO
    level: str = AUTO
    novelty: float | None = OWN_NOVELTY

    def __post_init__(self) -> None:
        for name, choices in (("range", RANGES), ("level", LEVELS)):
            value = getattr(self, name)
            if value not in (*choices, AUTO):
                raise ParameterError(
                    f"{name}={shown(value)} must be {', '.join(choices)} or {AUTO}"
                )


ALIKE = Domains("shared", "own")


def check_domains_of_voices(domains: Domains) -> None:
    """Refuse a range and levels that voices cannot have, as they are fitted to spectra.

    Raises
    ------
    ParameterError
    """
    for what, value, why in (
        ("range", domains.range, "voices are fitted to the spectra of the target as they are"),
        ("level", domains.level, "the gains of voices make them as loud as the target"),
    ):
        if value == "own":
            raise ParameterError(
                f"{what}=own: {why}; leave it out, or ask for one voice without transpose and"
                " follow"
            )


@dataclass(frozen=True)
class Settled:
    """What was chosen for a target.

    Attributes
    ----------
    sequence : DescriptorSequence
        The target as it is searched for.
    path : PathOptions
    range, level : str
    farness : float, optional
        As `query.range.farness`, if it was needed.
    """

    sequence: DescriptorSequence
    path: PathOptions
    range: str
    level: str
    farness: float | None = None

    @property
    def recorded(self) -> dict[str, Any]:
        """What a plan's settings say of it: nothing of what has always been so."""
        return {
            "range": None if self.range == "shared" else self.range,
            "level": None if self.level == "own" else self.level,
        }

    @property
    def note(self) -> str:
        """One sentence about what was chosen and why."""
        why = ""
        if self.farness is not None:
            why = (
                f", since the target lies {self.farness:.1f} times as far from the units as they"
                " from one another"
            )
        levels = "the target's" if self.level == "follow" else "their own"
        return f"range {self.range}{why}; units at {levels} level"


def settle(
    domains: Domains, index: UnitIndex, sequence: DescriptorSequence, path: PathOptions
) -> Settled:
    """Choose range and level, and bring the target to its range.

    Raises
    ------
    ParameterError
        As `query.space.Space.check_sequence`.
    """
    chosen = domains.range
    if chosen == "shared":
        return Settled(sequence, path, chosen, _level(domains, chosen))
    sample = CorpusSample.of(index)
    sample = sample.only(_audible(sample.rows, index, sample.source))
    rows = index.space.check_sequence(sequence.descriptors)
    audible = _audible(rows, index)
    far = None
    if chosen == AUTO:
        far = farness(index, rows[audible], sample)
        chosen = "own" if far >= FAR else "shared"
    if chosen == "own":
        rows = bring_to_range(index, rows, audible, sample)
        sequence = replace(sequence, descriptors=rows)
        path = path if domains.novelty is None else replace(path, novelty=domains.novelty)
    return Settled(sequence, path, chosen, _level(domains, chosen), far)


def _level(domains: Domains, chosen: str) -> str:
    if domains.level != AUTO:
        return domains.level
    return "follow" if chosen == "own" else "own"


def _audible(rows: np.ndarray, index: UnitIndex, source: np.ndarray | None = None) -> np.ndarray:
    """Return which rows can be heard; all, if their descriptors do not say how loud they are."""
    settings = index.database.settings
    if not {"loudness", "mfcc"} & set(settings.descriptors):
        return np.ones(len(rows), bool)
    return is_audible(levels_of(rows, settings), source)
