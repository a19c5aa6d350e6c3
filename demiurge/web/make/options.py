"""Options of a job, with their defaults and limits."""

from dataclasses import dataclass, fields
from typing import Any, Self

from demiurge.web.make.jobs import MOST_VARIATIONS
from demiurge.web.values import check_keys, take_integer, take_number, take_text
from query.names import CONTINUITY, MOST_TRANSPOSE, MOST_VOICES, NOVELTY

MOSAIC_TEMPERATURE = 0.0  # of the path; variations of a mosaic still have different paths
BOUNDS = {
    "seconds": (0.5, 600),
    "continuity": (0, 1000),
    "novelty": (0, 1000),
    "temperature": (0, 10),
}
MOST_RANDOM_SEED = (1 << 32) - 1
INTEGERS = {
    "variations": (1, MOST_VARIATIONS),
    "voices": (1, MOST_VOICES),
    "transpose": (0, MOST_TRANSPOSE),
    "random_seed": (0, MOST_RANDOM_SEED),
}


@dataclass(frozen=True)
class JobOptions:
    """Options of a job, as `RenderTask` has them."""

    seconds: float = 10.0
    continuity: float = 0.25
    novelty: float = 0.0
    temperature: float = 1.0
    variations: int = 3
    voices: int = 1
    transpose: int = 0
    random_seed: int = 0


NAMES = tuple(field.name for field in fields(JobOptions))
DEFAULTS = JobOptions(continuity=CONTINUITY, novelty=NOVELTY)
MOSAIC_DEFAULTS = JobOptions(temperature=MOSAIC_TEMPERATURE)


@dataclass(frozen=True)
class JobRequest:
    """A request for a job: id of the seed, id of the model (None for a mosaic), and options."""

    seed: str
    model: str | None
    options: JobOptions

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Check a request; raise a ParameterError if a value is wrong."""
        check_keys("a job", document, ("seed", "model", *NAMES))
        seed = take_text(document, "seed")
        model = None if document.get("model") is None else take_text(document, "model")
        defaults = DEFAULTS if model else MOSAIC_DEFAULTS
        numbers: dict[str, Any] = {
            name: take_number(document, name, *bounds, getattr(defaults, name))
            for name, bounds in BOUNDS.items()
        }
        integers: dict[str, Any] = {
            name: take_integer(document, name, *limits, getattr(defaults, name))
            for name, limits in INTEGERS.items()
        }
        return cls(seed, model, JobOptions(**numbers, **integers))
