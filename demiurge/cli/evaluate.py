"""demiurge evaluate: measure continuations as they are heard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.models import echo_left_out, musicnn_option
from demiurge.cli.options.output import (
    check_output_folder,
    database_argument,
    json_option,
    random_seed_option,
    root_option,
)
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.terminal import counted, echo_json, echo_line, echo_table, progress_bar

if TYPE_CHECKING:
    from demiurge.evaluate.evaluate import Evaluation
    from files.roots import Folder


@command(
    examples=(
        "demiurge evaluate my.db my.model --seeds other_music -o evaluation",
        "demiurge evaluate my.db lstm.model transformer.model --seeds other_music -o evaluation"
        " --seconds 20 --json",
    )
)
@database_argument
@click.argument("models", metavar="MODEL…", nargs=-1, required=True, type=ANY_PATH)
@click.option(
    "--seeds",
    "pieces",
    metavar="FOLDER",
    type=ANY_PATH,
    required=True,
    help="Pieces that are not in DB. Three seeds of 20 s are cut from each.",
)
@click.option(
    "-o",
    "--out",
    metavar="FOLDER",
    type=ANY_PATH,
    required=True,
    help="Folder for the continuations and the report. What it holds of an earlier run is used.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(6, 600),
    default=30.0,
    show_default=True,
    help="Length of each continuation, in seconds.",
)
@musicnn_option
@random_seed_option()
@root_option
@click.option("--force", is_flag=True, help="Make all continuations again.")
@json_option
def evaluate(
    database: Path,
    models: tuple[Path, ...],
    pieces: Path,
    out: Path,
    seconds: float,
    musicnn: Path | None,
    random_seed: int,
    root: Folder | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure how render continues music that is not in DB, with each MODEL.

    Beside it are measured what really follows, a random passage of the corpus, navigation by
    context without a network (oracle), and the default of version 0.1.0. All continuations, a
    table, a picture and a page for listening are written to the folder. Needs the package musicnn.
    """
    from db.database import Database
    from demiurge.evaluate.evaluate import evaluate_continuations
    from demiurge.evaluate.listening import write_listening_page
    from demiurge.evaluate.picture import save_evaluation_picture
    from synth.musicnn import Musicnn

    check_output_folder(out)
    embedding = Musicnn.find(musicnn)
    with progress_bar("evaluating", quiet=as_json) as progress:
        evaluation = evaluate_continuations(
            Database(database, root=root),
            models,
            pieces,
            out,
            seconds=seconds,
            embedding=embedding,
            random_seed=random_seed,
            again=force,
            progress=progress,
        )
    save_evaluation_picture(evaluation.reports, out / "evaluation.png")
    write_listening_page(out, evaluation.trials(), random_seed=random_seed)
    if as_json:
        echo_json(evaluation.to_dict())
    else:
        echo_evaluation(evaluation, out)
    if evaluation.left_out:
        echo_left_out(evaluation.left_out)
        raise click.exceptions.Exit(1)


def echo_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Print a row for each method."""
    from demiurge.evaluate.columns import COLUMNS

    true = evaluation.continuations[evaluation.reports[0].name]
    n_tracks = len({one.seed.track for one in true})
    title = (
        f"{counted(len(true), 'seed')} of {counted(n_tracks, 'piece')}, each continued for"
        f" {evaluation.seconds:g} s"
    )
    rows = [
        [report.name, *(column.text(report.estimates[column.measure]) for column in COLUMNS)]
        for report in evaluation.reports
    ]
    echo_table(title, ["what continues", *(column.label for column in COLUMNS)], rows)
    seeds = evaluation.reports[0].estimates
    echo_line(
        f"  on grid by chance: {100 * seeds['grid_chance'].value:.0f} %; silence in the seeds:"
        f" {seeds['seed_silence'].value:.2f} s"
    )
    echo_line(f"  in {out}/: evaluation.json and evaluation.png, with all 95 % intervals")
    echo_line("    listening/index.html, to compare the continuations blindly, by ear")
