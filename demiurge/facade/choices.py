"""What may be asked of a search, named as the options of the commands."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from demiurge.domains import Domains
from query.filters import Filters, parse_condition
from query.names import AUTO, OWN_NOVELTY
from query.options import CONTINUATION_PATH, PathOptions
from query.settings import SearchSettings
from query.voices.options import VoiceOptions
from sequencer.sampling import SamplingOptions


class UnitChoice(TypedDict, total=False):
    """Which units may be played, and what counts in their distances."""

    sources: Sequence[str]
    tags: Sequence[str]
    where: Sequence[str]
    weights: Mapping[str, float]
    metric: str


class MosaicChoice(UnitChoice, total=False):
    """Options of `demiurge mosaic`; `temperature` is its --path-temperature."""

    k: int
    continuity: float
    novelty: float
    min_reuse: float
    max_run: float
    rest_threshold: float
    temperature: float
    random_seed: int
    voices: int
    transpose: int | str
    follow: str
    stretch: str
    range: str
    level: str


class ContinuationChoice(UnitChoice, total=False):
    """Options of `demiurge render`."""

    continuity: float
    novelty: float
    min_reuse: float
    max_run: float
    temperature: float
    random_seed: int
    voices: int


PATH = ("k", "continuity", "novelty", "min_reuse", "max_run", "rest_threshold")


def check_known(given: Mapping[str, Any], known: type) -> None:
    """Raise TypeError, as Python does, if a name is not known."""
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(f"unexpected argument {name!r}; known are {', '.join(names(known))}")


def names(known: type) -> list[str]:
    """Return the names of what may be asked, in alphabetical order."""
    return sorted(known.__annotations__)


def mosaic_search(given: Mapping[str, Any]) -> tuple[SearchSettings, Domains]:
    """Return what `demiurge mosaic` makes of its options."""
    check_known(given, MosaicChoice)
    path = PathOptions(**_chosen(given, (*PATH, "temperature", "random_seed")))
    voices = VoiceOptions(
        given.get("voices", 1), given.get("transpose", 0), given.get("follow", "both")
    )
    search = SearchSettings(
        path=path, voices=voices, stretch=given.get("stretch", "off"), **_units(given)
    )
    novelty = None if "novelty" in given else OWN_NOVELTY
    return search, Domains(given.get("range", AUTO), given.get("level", AUTO), novelty)


def continuation_search(given: Mapping[str, Any]) -> tuple[SearchSettings, SamplingOptions]:
    """Return what `demiurge render` makes of its options."""
    check_known(given, ContinuationChoice)
    search = SearchSettings(
        path=replace(CONTINUATION_PATH, **_chosen(given, PATH)),
        voices=VoiceOptions(given.get("voices", 1)),
        **_units(given),
    )
    return search, SamplingOptions(given.get("temperature", 1.0), 1.0, given.get("random_seed", 0))


def unit_search(given: Mapping[str, Any]) -> SearchSettings:
    """Return a search for the nearest units."""
    check_known(given, UnitChoice)
    return SearchSettings(**_units(given))


def _chosen(given: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    return {name: given[name] for name in known if name in given}


def _units(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `SearchSettings` that say which units, and how they compare."""
    filters = Filters(
        sources=_texts(given.get("sources", ())),
        tags=_texts(given.get("tags", ())),
        where=tuple(parse_condition(text) for text in _texts(given.get("where", ()))),
    )
    weights = dict(given.get("weights", {}))
    return {"filters": filters, "weights": weights, "metric": given.get("metric", "l2")}


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return several texts; one alone is one, not its letters."""
    return (given,) if isinstance(given, str) else tuple(given)
