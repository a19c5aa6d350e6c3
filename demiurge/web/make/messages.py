"""Messages between the server and the rendering process: tasks, progress and results."""

from dataclasses import dataclass
from pathlib import Path

from demiurge.reopen import DatabaseFiles


@dataclass(frozen=True)
class RenderTask:
    """The task of a job: render variation-1.wav, … into `folder`, each with its plan.

    `model` is None for a mosaic of the seed. A mosaic is as long as the seed and ignores `seconds`;
    `temperature` is then that of its path. Only a mosaic has several `voices`, or is transposed, by
    at most `transpose` semitones. Plans name the seed by `seed_name`.
    """

    seed: Path
    seed_name: str
    model: Path | None
    databases: DatabaseFiles
    folder: Path
    seconds: float
    continuity: float
    novelty: float
    temperature: float
    variations: int
    voices: int
    transpose: int
    random_seed: int


def variation_path(folder: Path, number: int) -> Path:
    """Return the WAV file of a variation, counted from 1."""
    return folder / f"variation-{number}.wav"


@dataclass(frozen=True)
class Progressed:
    """Progress on a variation; `total` is 0 if it cannot be measured."""

    variation: int
    label: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class VariationFinished:
    """A variation's audio and plan are written."""

    number: int
    plan: Path


@dataclass(frozen=True)
class Failed:
    """The task failed; finished variations are kept."""

    message: str


@dataclass(frozen=True)
class Finished:
    """All variations are finished."""


Message = Progressed | VariationFinished | Failed | Finished
