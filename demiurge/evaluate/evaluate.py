"""Evaluate models and baselines on pieces that are not in the corpus.

pieces ──► seeds ──► each method continues each seed ──► measures ──► a report of each method
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from db.database import Database
from demiurge.evaluate.continuation import Method
from demiurge.evaluate.continuation_folder import (
    ContinuationFolder,
    MeasuredContinuation,
    without_nan,
)
from demiurge.evaluate.listening import Sound, Trial
from demiurge.evaluate.methods import Baselines, make_rendered
from demiurge.evaluate.report import MethodReport, report_method
from demiurge.evaluate.runs import measure_runs
from demiurge.evaluate.seeds import Seed, check_unheard, cut_seeds
from files.atomic import write_text
from files.errors import AudioError, ParameterError, PlanError
from files.progress import Progress, no_progress
from synth.audio_distance import Embedding

ORACLE_JOINS = (0.3, 2.0)  # per second; within these it makes as many as the first model
SEEDS_FOLDER = "seeds"
DATABASES_FOLDER = "databases"
REPORT_FILE = "evaluation.json"


@dataclass
class Evaluation:
    """The reports of all methods, the true continuations first, and what could not be used.

    `continuations` are by method, in the order of the seeds. `left_out` holds reasons by piece, by
    method, or by method and seed.
    """

    seconds: float
    reports: list[MethodReport] = field(default_factory=list)
    continuations: dict[str, list[MeasuredContinuation]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, with the measures of each seed."""
        seeds = {
            name: {one.seed.name: without_nan(one.measures) for one in continuations}
            for name, continuations in self.continuations.items()
        }
        return {
            "seconds": self.seconds,
            "methods": [report.to_dict() for report in self.reports],
            "seeds": seeds,
            "left_out": self.left_out,
        }

    def trials(self) -> list[Trial]:
        """Return what a listening page compares: each seed with its continuations."""
        sounds: dict[Seed, list[Sound]] = {}
        for name, continuations in self.continuations.items():
            for one in continuations:
                sounds.setdefault(one.seed, []).append(Sound(name, one.path))
        return [Trial(seed.path, tuple(of_seed)) for seed, of_seed in sounds.items()]


def evaluate_continuations(
    database: Database,
    models: Sequence[Path],
    pieces: Path,
    out: Path,
    *,
    seconds: float,
    embedding: Embedding,
    random_seed: int = 0,
    again: bool = False,
    progress: Progress = no_progress,
) -> Evaluation:
    """Continue seeds of all pieces by all methods, measure them, and write a report to `out`.

    The methods are the piece itself, a random passage, the oracle over beats and over frames, the
    default of version 0.1.0, and the program's default with each of `models`. What an earlier,
    perhaps interrupted call has left in `out` is used, unless `again`.

    Parameters
    ----------
    pieces : Path
        A folder of pieces, none of which is a source of the database.
    seconds : float > 0
        Length of the continuations.

    Raises
    ------
    ParameterError
        If the pieces cannot be used, or `out` lies in the corpus or holds something else.
    CheckpointError, DatabaseError
        If a model or the database cannot be used, or they do not fit each other.
    """
    rendered = make_rendered(database, models)
    _check_folder(out, database)
    check_unheard(pieces, database)
    found = cut_seeds(pieces, out / SEEDS_FOLDER, seconds, progress=progress)
    work = _Work(
        found.seeds,
        ContinuationFolder(out, seconds, embedding, random_seed, again),
        Evaluation(seconds, left_out=found.left_out),
        progress,
    )
    work.render(rendered)
    baselines = Baselines(database, out / DATABASES_FOLDER, progress)
    methods = baselines.make(found.seeds, work.joins_per_second(rendered[0]))
    try:
        methods.append(baselines.make_open_loop())
    except ParameterError as error:  # the corpus is too short to train on
        work.evaluation.left_out["0.1.0"] = str(error)
    work.render(methods)
    work.measure([*methods, *rendered])
    text = json.dumps(work.evaluation.to_dict(), indent=1, allow_nan=False)
    write_text(out / REPORT_FILE, text + "\n")
    return work.evaluation


@dataclass
class _Work:
    """Renders all seeds by all methods, and measures what could be rendered."""

    seeds: list[Seed]
    folder: ContinuationFolder
    evaluation: Evaluation
    progress: Progress
    joins: dict[tuple[str, str], float] = field(default_factory=dict)  # by method and seed

    def render(self, methods: Sequence[Method]) -> None:
        """Render all seeds; note those that a method cannot continue."""
        tasks = [(method, seed) for method in methods for seed in self.seeds]
        for number, (method, seed) in enumerate(tasks):
            self.progress(number, len(tasks), f"{method.name}: {seed.name}")
            try:
                runs = self.folder.render(method, seed)
            except (AudioError, ParameterError, PlanError) as error:
                self.evaluation.left_out[f"{method.name}: {seed.name}"] = str(error)
            else:
                measures = measure_runs(runs, self.folder.seconds)
                self.joins[method.name, seed.name] = measures.joins_per_second

    def joins_per_second(self, method: Method) -> float:
        """Return the mean over the seeds, to 0.1, within `ORACLE_JOINS`."""
        joins = [value for (name, _), value in self.joins.items() if name == method.name]
        mean = round(float(np.mean(joins)), 1) if joins else ORACLE_JOINS[0]
        return min(max(mean, ORACLE_JOINS[0]), ORACLE_JOINS[1])

    def measure(self, methods: Sequence[Method]) -> None:
        """Measure the continuations of all methods, and compare them with those of the first."""
        measured: dict[str, dict[str, MeasuredContinuation]] = {
            method.name: {} for method in methods
        }
        for number, seed in enumerate(self.seeds):
            self.progress(number, len(self.seeds), f"measuring what follows {seed.name}")
            profile = self.folder.profile(seed)
            for method in methods:
                if (method.name, seed.name) in self.joins:
                    one = self.folder.measure(method, seed, profile)
                    measured[method.name][seed.name] = one
        following = measured[methods[0].name]
        for name, continuations in measured.items():
            if continuations:
                kept = list(continuations.values())
                true = [following[seed] for seed in continuations]
                self.evaluation.reports.append(report_method(name, kept, true))
                self.evaluation.continuations[name] = kept


def _check_folder(out: Path, database: Database) -> None:
    """Refuse a folder in the corpus, and one that holds something else.

    Raises
    ------
    ParameterError
    """
    root = database.root
    if isinstance(root, Path) and out.resolve().is_relative_to(root.resolve()):
        raise ParameterError(
            f"{out} lies in the corpus {root}, and its audio would become part of it; give"
            " another folder"
        )
    if out.is_dir() and any(out.iterdir()) and not (out / SEEDS_FOLDER).is_dir():
        raise ParameterError(f"{out} holds something else; give a new or an empty folder")
