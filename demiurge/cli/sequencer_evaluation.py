"""demiurge sequencer evaluate: measure forecasters beside the baselines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.output import (
    check_output,
    database_argument,
    force_option,
    json_option,
    random_seed_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.terminal import counted, echo_json, echo_line, echo_table, progress_bar
from files.progress import Progress

if TYPE_CHECKING:
    from db.database import Database
    from sequencer.evaluate import Evaluation
    from sequencer.forecaster import Forecaster


@command(
    examples=(
        "demiurge sequencer evaluate my.model my.db",
        "demiurge sequencer evaluate lstm.model transformer.model my.db --json",
        "demiurge sequencer evaluate my.model my.db --picture forecasts.png",
    )
)
@click.argument("model_dirs", metavar="MODEL…", nargs=-1, required=True, type=ANY_PATH)
@database_argument
@click.option(
    "--picture",
    type=FILE_PATH,
    help="Write a picture of the forecasts' spread and of rollouts to this PNG.",
)
@random_seed_option()
@force_option
@json_option
def evaluate(
    model_dirs: tuple[Path, ...],
    database: Path,
    picture: Path | None,
    random_seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Measure MODELs beside the baselines.

    They are measured on the validation sources of DB, which no MODEL was trained on. All MODELs
    must have been trained on DB with one split.
    """
    if picture:
        check_output(picture, force=force)
    evaluate_models(
        list(model_dirs), database, random_seed=random_seed, picture=picture, as_json=as_json
    )


@contextmanager
def lines_of_progress(label: str, *, quiet: bool) -> Iterator[Progress]:
    """Show a progress bar; where there is no terminal, a line on standard error for each model."""

    def echo_model(done: int, total: int, model: str) -> None:
        echo_line(f"{label} {model}: {done} of {total} done", err=True)

    with progress_bar(label, quiet=quiet) as progress:
        yield progress if quiet or sys.stderr.isatty() else echo_model


def evaluate_models(
    model_dirs: list[Path],
    database: Path,
    *,
    random_seed: int,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Evaluate models, print the results, and plot them into `picture`."""
    from db.database import Database
    from sequencer.evaluate import evaluate, to_document
    from sequencer.evaluation_data import added_sources

    opened = Database(database)
    models = load_models(model_dirs, opened)
    sequences = list(opened.sequences())
    with lines_of_progress("evaluating", quiet=as_json) as progress:
        found, floors = evaluate(models, sequences, random_seed=random_seed, progress=progress)
    if picture:
        from sequencer.picture import save_evaluation_picture

        with lines_of_progress("drawing", quiet=as_json) as progress:
            save_evaluation_picture(
                models, sequences, picture, random_seed=random_seed, progress=progress
            )
    if added := added_sources(next(iter(models.values())), sequences):
        came = f"{counted(len(added), 'source')} added to {database} since the training"
        echo_line(f"left out: {came}", err=True)
    if as_json:
        echo_json(to_document(found, floors))
    else:
        echo_evaluations(f"{database}, validation sources", found, floors)


def load_models(folders: list[Path], database: Database) -> dict[str, Forecaster]:
    """Return forecasters by name, or by the whole path if two have the same name.

    Raises
    ------
    CheckpointError, DatabaseError
        If one cannot be used, or not with this database.
    """
    from sequencer.forecaster import Forecaster

    models = {}
    names = [folder.absolute().name for folder in folders]
    for folder, name in zip(folders, names, strict=True):
        model = Forecaster.load(folder)
        database.settings.check_matches(
            model.config.settings,
            mine=f"the database {database.path}",
            theirs=f"the model {folder}",
        )
        models[name if names.count(name) == 1 else str(folder)] = model
    return models


def echo_evaluations(
    title: str, found: list[Evaluation], floors: dict[str, dict[int, float]]
) -> None:
    """Print a row for each forecaster, and for real data."""
    horizons = list(found[0].errors)
    columns = [
        "forecaster",
        *(f"error +{horizon}" for horizon in horizons),
        "loss",
        "std",
        "step",
        *(f"Fréchet {window}" for window in found[0].frechet),
        "autocorr. error",
        "distinct",
    ]
    rows = [evaluation_cells(evaluation) for evaluation in found]
    for name, frechet in floors.items():
        errors = [""] * len(horizons)
        distances = [f"{value:.1f}" for value in frechet.values()]
        rows.append([name, *errors, "", "1", "1", *distances, "", ""])
    echo_table(title, columns, rows)


def evaluation_cells(evaluation: Evaluation) -> list[str]:
    return [
        evaluation.name,
        *(f"{error:.3f}" for error in evaluation.errors.values()),
        "" if evaluation.loss is None else f"{evaluation.loss:.2f}",
        f"{evaluation.std_ratio:.2f}",
        f"{evaluation.step_ratio:.2f}",
        *(f"{distance:.1f}" for distance in evaluation.frechet.values()),
        f"{evaluation.autocorrelation_error:.3f}",
        f"{evaluation.distinct:.2f}",
    ]
