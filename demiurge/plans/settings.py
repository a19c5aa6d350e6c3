"""The settings of a plan, which record how it was made, as a dataclass."""

from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from typing import Any, Self

from db.database import Database
from files.errors import ParameterError, PlanError
from files.ranges import shown
from playback.options import CrossfadeOptions
from playback.plan import Plan
from query.names import LEVELS, RANGES
from query.settings import SearchSettings
from sequencer.sampling import SamplingOptions

MOST_VARIATIONS = 1000  # the last variation whose path can be found again
ALL_DATABASES = "all databases"  # no database can be called so
OLD_NAMES = ("selection", "seams", "crossfade_ms")  # of 0.1.0, and of even older plans


@dataclass(frozen=True)
class PlanSettings:
    """The settings of a plan.

    Attributes
    ----------
    search : SearchSettings
        Its `variations` is large enough to find the plan's own path again.
    crossfade : CrossfadeOptions
    whole_units : bool
        True if each step lasts as long as its unit.
    seed, target : str, optional
        The file that is continued, or the file that is rebuilt.
    model : str, optional
        The forecaster's folder.
    sampling : SamplingOptions, optional
        How the forecast was sampled.
    accompanied : str, optional
        The file that the continuation goes with.
    include_seed : bool, optional
        True if the seed itself could be played.
    transpose : int, optional
        How far sources could be transposed, in semitones.
    range : "own", optional
        If the target was brought to the range of the corpus.
    level : "follow", optional
        If units follow the target's level.
    levels : list of float, optional
        The level of each target that they follow, in LUFS.
    units : dict, optional
        Units left after each filter.
    index : str, optional
        Kind of the index.
    normaliser : str, optional
        The database whose units distances are normalised by, or `ALL_DATABASES`, if there are
        several.
    decode : dict, optional
        The codec that sounded it in place of crossfades: `codec`, `hash` and `licence`.
    cost : float, optional
        Target costs plus weighted join costs.
    other : dict
        Other keys in the file, which are kept.
    """

    search: SearchSettings = field(default_factory=SearchSettings)
    crossfade: CrossfadeOptions = field(default_factory=CrossfadeOptions)
    whole_units: bool = False
    seed: str | None = None
    target: str | None = None
    model: str | None = None
    sampling: SamplingOptions | None = None
    accompanied: str | None = None
    include_seed: bool | None = None
    transpose: int | None = None
    range: str | None = None
    level: str | None = None
    levels: list[float] | None = None
    units: dict[str, int] | None = None
    index: str | None = None
    normaliser: str | None = None
    cost: float | None = None
    decode: dict[str, str] | None = None
    other: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return the settings of a plan, defaults where it says nothing.

        Raises
        ------
        PlanError
            If they are invalid.
        """
        return cls.from_dict(plan.settings)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return settings as a plan file holds them; raises as `of`."""
        try:
            search = SearchSettings.from_dict(settings)
            sampling = _parse_sampling(settings)
            _check_domains(settings)
        except ParameterError as error:
            raise PlanError(f"the plan's settings: {error}") from error
        crossfade = CrossfadeOptions.of(settings)
        variation = settings.get("variation", 1)
        if type(variation) is not int or not 1 <= variation <= MOST_VARIATIONS:
            raise PlanError(
                f"the plan's settings: variation={shown(variation)} must be an integer from 1 to"
                f" {MOST_VARIATIONS}"
            )
        plain: dict[str, Any] = {name: settings.get(name) for name in PLAIN_NAMES}
        settings_of_plan = cls(
            search=replace(search, variations=variation),
            crossfade=crossfade,
            whole_units=settings.get("whole_units") is True,
            sampling=sampling,
            **plain,
        )
        known = {*settings_of_plan.to_dict(), *OLD_NAMES, *SAMPLING_NAMES, "variation"}
        other = {name: value for name, value in settings.items() if name not in known}
        return replace(settings_of_plan, other=other)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plan file holds them; None is left out."""
        plain = {name: getattr(self, name) for name in PLAIN_NAMES}
        return {
            **self.other,
            **{name: value for name, value in plain.items() if value is not None},
            **(asdict(self.sampling) if self.sampling else {}),
            "crossfade": asdict(self.crossfade),
            "whole_units": self.whole_units,
            **self.search.to_dict(),
            "variation": self.search.variations,
        }


def normaliser_of(database: Database) -> str | None:
    """Return what the settings of a plan say about its normaliser; None of a single database."""
    if not database.names:
        return None
    return database.normaliser_name or ALL_DATABASES


def fits_spectra(plan: Plan) -> bool:
    """Return whether the units of a plan were chosen by their spectra; False if nobody can tell.

    Those of a continuation, which has a seed, never are.
    """
    try:
        settings = PlanSettings.of(plan)
    except PlanError:
        return False
    return settings.seed is None and settings.search.voices.fit_spectra


PLAIN_NAMES = (
    "seed",
    "target",
    "model",
    "accompanied",
    "include_seed",
    "transpose",
    "range",
    "level",
    "levels",
    "units",
    "index",
    "normaliser",
    "cost",
    "decode",
)
SAMPLING_NAMES = tuple(option.name for option in fields(SamplingOptions))


def _parse_sampling(settings: dict[str, Any]) -> SamplingOptions | None:
    given = {name: settings[name] for name in SAMPLING_NAMES if name in settings}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ParameterError(f"{name}={shown(value)} must be a number")
    return SamplingOptions(**given) if given else None


def _check_domains(settings: dict[str, Any]) -> None:
    """Raise a ParameterError if range, level or levels are wrong."""
    for name, choices in (("range", RANGES), ("level", LEVELS)):
        if name in settings and settings[name] not in choices:
            raise ParameterError(f"{name}={shown(settings[name])} must be {' or '.join(choices)}")
    levels = settings.get("levels", [])
    numbers = isinstance(levels, list) and all(
        type(level) in (int, float) and isfinite(level) for level in levels
    )
    if not numbers:
        raise ParameterError(f"levels={shown(levels)} must be a list of numbers, in LUFS")
