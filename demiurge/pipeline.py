"""The chain: seed file → descriptors → forecast → path → plan → WAV. Each arrow is one call into a room."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from db.analyse import describe_file
from db.audio import probe
from db.database import Database
from db.errors import DatabaseError, ParameterError
from db.sequence_file import load_sequence
from db.settings import DescriptorSettings
from db.units import step_lengths
from playback.plan import MAX_CHANNELS, Plan, Step
from playback.render import CROSSFADE_MS, RenderSummary, render
from query.filters import Filters
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, select_path

ALTERNATIVES = 8  # other matches kept per step in a plan

Progress = Callable[[int, int], None]  # samples done, samples in all


@dataclass(frozen=True)
class Described:
    """A file as a sequence: raw descriptors (steps, n_descriptors), and how many samples each step lasts, (steps,)."""

    sequence: np.ndarray
    step_samples: np.ndarray


@dataclass(frozen=True)
class Rendering:
    """What was made: `target` is the sequence that was looked for, raw, (steps, n_descriptors)."""

    wav: Path
    plan_file: Path
    plan: Plan
    target: np.ndarray
    path: UnitPath
    summary: RenderSummary

    @property
    def n_sources(self) -> int:
        return len({step.source for step in self.plan.steps})

    @property
    def n_distinct_units(self) -> int:
        return len({step.unit for step in self.plan.steps})

    @property
    def n_joins(self) -> int:
        """Boundaries where sound does not simply go on in its source."""
        steps = self.plan.steps
        pairs = pairwise(steps)
        return sum(a.source != b.source or a.end_sample != b.start_sample for a, b in pairs)

    @property
    def mean_distance(self) -> float:
        return float(self.path.distances.mean())


def plan_path(wav: Path) -> Path:
    """OUT.wav -> OUT.plan.json."""
    return wav.with_suffix(".plan.json")


def describe(path: str | Path, settings: DescriptorSettings) -> Described:
    """Read an audio file, a forecast or an original Demiurge descriptor file (.json) as a sequence.

    Raises
    ------
    AudioError, ParameterError
        If it cannot be read.
    DatabaseError
        If a forecast was made with other settings.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        sequence, theirs = load_sequence(path)
        if theirs is not None:
            settings.check_matches(theirs, mine="the database", theirs=str(path))
        return Described(sequence, step_lengths(sequence, settings))
    _, description = describe_file(path, settings)
    return Described(description.units, description.lengths)


def forecast(
    seeds: list[str | Path], model: str | Path, *, steps: int | None = None, seconds: float | None = None,
    variations: int = 1, temperature: float = 1.0, top_p: float = 1.0, random_seed: int = 0, database: Database | None = None,
) -> tuple[list[list[np.ndarray]], DescriptorSettings]:  # fmt: skip
    """How seeds go on: for each a list of variations, raw descriptors (steps, n_descriptors); and the settings they are in.

    As long as `steps` or, at least, `seconds` say.

    Raises
    ------
    CheckpointError, AudioError, ParameterError
        If the model or a seed cannot be used, or not exactly one of steps and seconds is given.
    DatabaseError
        If model and database have other descriptor settings.
    """
    import torch

    from sequencer.forecaster import Forecaster
    from sequencer.rollout import rollout
    from training.threads import torch_threads

    forecaster = Forecaster.load(model)
    settings = forecaster.config.settings
    if database is not None:
        database.settings.check_matches(settings, mine=f"the database {database.path}", theirs=f"the model {model}")
    most = _most_steps(settings, steps, seconds)
    sequences = [describe(seed, settings).sequence for seed in seeds]
    generator = torch.Generator().manual_seed(random_seed)
    with torch_threads(1):
        drawn = rollout(
            forecaster, sequences, steps=most, variations=variations, temperature=temperature, top_p=top_p, generator=generator
        )
    return [[_cut(sequence, settings, seconds) for sequence in of_seed] for of_seed in drawn], settings


def _most_steps(settings: DescriptorSettings, steps: int | None, seconds: float | None) -> int:
    """Steps that are certainly enough."""
    if (steps is None) == (seconds is None):
        raise ParameterError("give either a number of steps or of seconds")
    if steps is not None:
        return steps
    assert seconds is not None
    if not (np.isfinite(seconds) and seconds > 0):
        raise ParameterError(f"seconds={seconds} must be a positive number")
    shortest = settings.fixed_samples or settings.hop_length
    if settings.units in ("onset", "beat"):
        shortest = int(settings.min_unit_ms * settings.sample_rate / 1000)
    return max(1, int(np.ceil(seconds * settings.sample_rate / shortest)))


def _cut(sequence: np.ndarray, settings: DescriptorSettings, seconds: float | None) -> np.ndarray:
    """As many of the steps as it takes to last so long."""
    if seconds is None:
        return sequence
    ends = np.cumsum(step_lengths(sequence, settings))
    return sequence[: int(np.searchsorted(ends, seconds * settings.sample_rate)) + 1]


def render_continuation(
    seed: str | Path, database: str | Path, model: str | Path, out: Path, *, steps: int | None = None,
    seconds: float | None = None, temperature: float = 1.0, top_p: float = 1.0, random_seed: int = 0,
    path_options: PathOptions, filters: Filters | None = None, weights: dict[str, float] | None = None,
    crossfade_ms: float = CROSSFADE_MS, root: Path | None = None, progress: Progress | None = None,
) -> Rendering:  # fmt: skip
    """Forecast how the seed goes on and write it to `out` as `steps` of the database's units, each played whole.

    Units of one length make `steps` times that many samples; onset and beat units last as long as they last.
    """
    opened = Database(database, root=root)
    (of_seed,), _ = forecast(
        [seed], model, steps=steps, seconds=seconds, temperature=temperature, top_p=top_p, random_seed=random_seed,
        database=opened,
    )  # fmt: skip
    target = of_seed[0]
    settings = {"seed": str(seed), "model": str(model), "temperature": temperature, "top_p": top_p, "random_seed": random_seed}
    described = Described(target, step_lengths(target, opened.settings))
    return _render(
        described, opened, out, settings, path_options, filters, weights, crossfade_ms=crossfade_ms,
        whole_units=opened.settings.units in ("onset", "beat"), progress=progress,
    )  # fmt: skip


def render_mosaic(
    target: str | Path, database: str | Path, out: Path, *, path_options: PathOptions, filters: Filters | None = None,
    weights: dict[str, float] | None = None, crossfade_ms: float = CROSSFADE_MS, root: Path | None = None,
    progress: Progress | None = None,
) -> Rendering:  # fmt: skip
    """Rebuild the target out of the database's units and write it to `out`, as long as the target."""
    opened = Database(database, root=root)
    described = describe(target, opened.settings)
    return _render(
        described,
        opened,
        out,
        {"target": str(target)},
        path_options,
        filters,
        weights,
        crossfade_ms=crossfade_ms,
        progress=progress,
    )


def render_plan(
    plan: Plan, out: Path, *, root: Path | None = None, crossfade_ms: float | None = None, progress: Progress | None = None
) -> RenderSummary:
    """Write a plan, with its own crossfade unless another is given."""
    if crossfade_ms is None:
        crossfade_ms = plan.settings.get("crossfade_ms", CROSSFADE_MS)
    return render(plan, out, root=root, crossfade_ms=crossfade_ms, progress=progress)


def _render(
    described: Described, database: Database, out: Path, settings: dict, path_options: PathOptions,
    filters: Filters | None, weights: dict[str, float] | None, *, crossfade_ms: float, progress: Progress | None,
    whole_units: bool = False,
) -> Rendering:  # fmt: skip
    """Select, plan and play. `whole_units`: a step lasts as long as the unit found for it, not as long as it asks for."""
    lasting = described.step_samples
    shortest = 1
    if database.settings.units not in ("onset", "beat"):
        shortest = int(min(lasting.max(), database.units.room.max(initial=0)))  # less sound would leave a hole
    index = UnitIndex(database, min_samples=shortest, filters=filters, weights=weights)
    path_options = replace(path_options, k=min(path_options.k, len(index)))
    path = select_path(index, described.sequence, path_options, step_samples=lasting, whole_units=whole_units)
    selection = {name: value for name, value in asdict(path_options).items() if value != np.inf}
    settings |= {"crossfade_ms": crossfade_ms, "selection": selection, "filters": filters.to_dict() if filters else {}}
    settings |= {"weights": weights or {}}
    plan = make_plan(path, database, settings)
    summary = render(plan, out, root=database.root, crossfade_ms=crossfade_ms, progress=progress)
    plan.save(plan_path(out))
    return Rendering(out, plan_path(out), plan, described.sequence, path, summary)


def make_plan(path: UnitPath, database: Database, settings: dict) -> Plan:
    """A plan that plays one unit per step, each from where its step begins and for as long as it lasts.

    Where a step lasts longer than its unit, the source plays on behind the unit.
    """
    units, steps, at = database.units, [], 0
    positions = np.searchsorted(units.ids, path.units)
    for i, (position, lasts) in enumerate(zip(positions, path.n_samples, strict=True)):
        of_step = path.steps[i]
        alternatives = [
            {"unit": int(unit), "distance": round(float(distance), 6)}
            for unit, distance in zip(path.matches.units[of_step], path.matches.distances[of_step], strict=True)
            if unit != path.units[i]
        ][:ALTERNATIVES]
        steps.append(
            Step(
                unit=int(path.units[i]), source=database.sources[units.source[position]].path,
                start_sample=int(units.start_sample[position]), n_samples=int(min(units.room[position], lasts)),
                at_sample=at, distance=round(float(path.distances[i]), 6), alternatives=tuple(alternatives),
            )
        )  # fmt: skip
        at += int(lasts)
    used = {database.sources[i] for i in units.source[positions]}
    _check_sources(database, used)
    channels = min(max(source.channels for source in used), MAX_CHANNELS)
    return Plan(database.sample_rate, channels, {"id": database.id, "root": str(database.root)}, tuple(steps), settings)


def _check_sources(database: Database, used: set) -> None:
    """Name every source that is missing or has another length than when it was analysed, before anything is written."""
    missing = sorted(source.path for source in used if not (database.root / source.path).is_file())
    if missing:
        raise DatabaseError(
            f"{len(missing)} sources are not in {database.root}: {', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}; "
            "put them back, name the folder with --root, or build the database again with --prune"
        )
    for source in used:
        info = probe(database.root / source.path)
        if info.sample_rate != source.sample_rate or info.channels != source.channels:
            raise DatabaseError(f"{source.path} has changed since it was analysed; run demiurge db build again")
