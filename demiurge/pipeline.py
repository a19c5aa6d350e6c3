"""The chain: seed file → descriptors → forecast → path → plan → WAV. Each arrow is one call into a
room.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from audio.read import MAX_SAMPLES
from db.analyse import describe_file
from db.database import Database
from db.sequence_file import load_sequence
from db.settings import DescriptorSettings
from db.units import step_lengths
from demiurge.plans.make import make_plan, total_cost
from files.errors import ParameterError
from files.progress import no_progress
from playback.options import DEFAULT_RENDER, RenderOptions
from playback.plan import Plan
from playback.render import RenderSummary, render
from playback.runs import join_runs
from query.explain import explain
from query.path import REST, UnitPath, find_paths
from query.settings import SearchSettings, selection_facts

SPARE_FORECAST = 2  # times as long as asked for: units may be shorter than what they stand for

Progress = Callable[..., None]  # done, in all, of what (samples written if it is not said)
OnResult = Callable[["RenderResult"], None]  # called with each variation when it is complete


@dataclass(frozen=True)
class Described:
    """A file as a sequence: raw descriptors (steps, n_descriptors), and how many samples each step
    lasts, (steps,).
    """

    sequence: np.ndarray
    step_samples: np.ndarray


@dataclass(frozen=True)
class RenderResult:
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
        return len(join_runs(self.plan.steps)) - 1

    @property
    def rest_seconds(self) -> float:
        """How long nothing is played."""
        return (
            self.plan.n_samples - sum(step.n_samples for step in self.plan.steps)
        ) / self.plan.sample_rate

    @property
    def mean_distance(self) -> float:
        return float(self.path.distances[self.path.units != REST].mean())


def plan_path(wav: Path) -> Path:
    """OUT.wav, .flac or .ogg -> OUT.plan.json."""
    return wav.with_suffix(".plan.json")


def variation_paths(out: Path, variations: int) -> list[Path]:
    """OUT.wav, or OUT-1.wav, OUT-2.wav, … if there are several."""
    return (
        [out]
        if variations == 1
        else [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, variations + 1)]
    )


def describe(
    path: str | Path, settings: DescriptorSettings, *, whose: str = "the database"
) -> Described:
    """Read an audio file, a forecast or an original Demiurge descriptor file (.json) as a sequence.

    Raises
    ------
    AudioError, ParameterError
        If it cannot be read.
    DatabaseError
        If a forecast was made with other settings; the message says `whose` these are.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        sequence, theirs = load_sequence(path)
        if theirs is not None:
            settings.check_matches(theirs, mine=whose, theirs=str(path))
        return Described(sequence, step_lengths(sequence, settings))
    _, description = describe_file(path, settings)
    return Described(description.units, description.lengths)


def forecast(
    seeds: list[str | Path],
    model: str | Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    variations: int = 1,
    temperature: float = 1.0,
    top_p: float = 1.0,
    random_seed: int = 0,
    database: Database | None = None,
    progress: Progress | None = None,
) -> tuple[list[list[np.ndarray]], DescriptorSettings]:
    """How seeds go on: for each a list of variations, raw descriptors (steps, n_descriptors); and
    the settings they are in.

    As long as `steps` or, at least, `seconds` say.

    Raises
    ------
    CheckpointError, AudioError, ParameterError
        If the model or a seed cannot be used, or not exactly one of steps and seconds is given.
    DatabaseError
        If model and database, or a seed that is a forecast, have other descriptor settings.
    """
    from sequencer.forecaster import Forecaster
    from sequencer.rollout import rollout
    from sequencer.sampling import SamplingOptions
    from training.threads import torch_threads

    forecaster = Forecaster.load(model)
    settings = forecaster.config.settings
    if database is not None:
        database.settings.check_matches(
            settings, mine=f"the database {database.path}", theirs=f"the model {model}"
        )
    most = _most_steps(settings, steps, seconds)
    sequences = [describe(seed, settings, whose=f"the model {model}").sequence for seed in seeds]
    with torch_threads(1):
        drawn = rollout(
            forecaster,
            sequences,
            n_steps=most,
            variations=variations,
            sampling=SamplingOptions(temperature, top_p, random_seed),
            progress=progress or no_progress,
        )
    return [
        [_cut(sequence, settings, seconds) for sequence in of_seed] for of_seed in drawn
    ], settings


def _most_steps(settings: DescriptorSettings, steps: int | None, seconds: float | None) -> int:
    """Steps that are certainly enough."""
    if (steps is None) == (seconds is None):
        raise ParameterError("give either a number of steps or of seconds")
    shortest = settings.fixed_samples or settings.hop_length
    if settings.units in ("onset", "beat"):
        shortest = max(1, round(settings.min_unit_ms * settings.sample_rate / 1000))
    most = MAX_SAMPLES // shortest
    if steps is not None:
        if steps > most:
            raise ParameterError(
                f"steps={steps} must be at most {most}: no audio may be longer than {MAX_SAMPLES}"
                " samples"
            )
        return steps
    assert seconds is not None
    if not 0 < seconds * settings.sample_rate <= MAX_SAMPLES:
        raise ParameterError(
            f"seconds={seconds} must be a positive number, {MAX_SAMPLES // settings.sample_rate} at"
            " most"
        )
    return max(1, int(np.ceil(seconds * settings.sample_rate / shortest)))


def _cut(sequence: np.ndarray, settings: DescriptorSettings, seconds: float | None) -> np.ndarray:
    """As many of the steps as it takes to last so long."""
    if seconds is None:
        return sequence
    ends = np.cumsum(step_lengths(sequence, settings))
    return sequence[: int(np.searchsorted(ends, seconds * settings.sample_rate)) + 1]


def render_continuation(
    seed: str | Path,
    database: str | Path,
    model: str | Path,
    out: Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    random_seed: int = 0,
    search: SearchSettings,
    render_options: RenderOptions | None = None,
    root: Path | None = None,
    seed_name: str | None = None,
    progress: Progress | None = None,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Forecast how the seed goes on and write it to `out` as `steps` of the database's units, each
    played whole.

    Units of one length make `steps` times that many samples; onset and beat units last as long as
    they last, and as many are played as begin within `seconds`. Several variations are other paths
    for the same forecast, named by `variation_paths`. Plans name the seed by `seed_name`, by default
    its path.
    """
    opened = Database(database, root=root)
    whole_units = opened.settings.units in ("onset", "beat")
    enough = seconds and seconds * (SPARE_FORECAST if whole_units else 1)
    (of_seed,), _ = forecast(
        [seed],
        model,
        steps=steps,
        seconds=enough,
        temperature=temperature,
        top_p=top_p,
        random_seed=random_seed,
        database=opened,
        progress=progress,
    )
    target = of_seed[0]
    settings = {
        "seed": seed_name or str(seed),
        "model": str(model),
        "temperature": temperature,
        "top_p": top_p,
        "random_seed": random_seed,
    }
    described = Described(target, step_lengths(target, opened.settings))
    return _render(
        described,
        opened,
        out,
        settings,
        search,
        render_options,
        whole_units=whole_units,
        seconds=seconds if whole_units else None,
        progress=progress,
        on_result=on_result,
    )


def render_mosaic(
    target: str | Path,
    database: str | Path,
    out: Path,
    *,
    search: SearchSettings,
    render_options: RenderOptions | None = None,
    root: Path | None = None,
    target_name: str | None = None,
    progress: Progress | None = None,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Rebuild the target out of the database's units and write it to `out`, as long as the target.

    Several variations are written as `variation_paths` says. Plans name the target by
    `target_name`, by default its path.
    """
    opened = Database(database, root=root)
    described = describe(target, opened.settings)
    settings = {"target": target_name or str(target)}
    return _render(
        described,
        opened,
        out,
        settings,
        search,
        render_options,
        progress=progress,
        on_result=on_result,
    )


def _render(
    described: Described,
    database: Database,
    out: Path,
    settings: dict,
    search: SearchSettings,
    render_options: RenderOptions | None,
    *,
    progress: Progress | None,
    on_result: OnResult | None,
    whole_units: bool = False,
    seconds: float | None = None,
) -> list[RenderResult]:
    """Select, plan and play.

    `whole_units`: a step lasts as long as the unit found for it, not as long as it asks for; and
    only what begins within `seconds` is played."""
    index = search.index(database, described.step_samples, progress)
    paths = find_paths(
        index,
        described.sequence,
        search.path,
        step_samples=described.step_samples,
        whole_units=whole_units,
        variations=search.variations,
    )
    render_options = render_options or DEFAULT_RENDER
    settings = {
        **settings,
        "crossfade": asdict(render_options.crossfade),
        "whole_units": whole_units,
        **selection_facts(search, index),
    }
    renderings = []
    for number, (path, wav) in enumerate(
        zip(paths, variation_paths(out, search.variations), strict=True), start=1
    ):
        if seconds is not None:
            path = _beginning(path, seconds * database.sample_rate)  # noqa: PLW2901
        explanation = explain(index, path, search.path, whole_units=whole_units)
        plan = make_plan(path, explanation, database, described.sequence, settings)
        cost = total_cost(plan.steps, search.path.continuity)
        plan = replace(plan, settings={**settings, "variation": number, "cost": cost})
        summary = render(
            plan,
            wav,
            root=database.root,
            render_options=render_options,
            progress=progress or no_progress,
        )
        plan.save(plan_path(wav))
        result = RenderResult(wav, plan_path(wav), plan, described.sequence, path, summary)
        renderings.append(result)
        if on_result:
            on_result(result)
    return renderings


def _beginning(path: UnitPath, n_samples: float) -> UnitPath:
    """As much of a path as begins within so many samples."""
    n = int(np.searchsorted(np.cumsum(path.n_samples) - path.n_samples, n_samples))
    columns = ("units", "steps", "n_samples", "distances", "joins")
    return replace(path, **{name: getattr(path, name)[:n] for name in columns})
