"""demiurge sequencer: train forecasters and forecast."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from demiurge.cli.options.output import (
    STOPPED,
    Bar,
    check_output,
    echo_json,
    echo_table,
    force_option,
    json_option,
    progress_bar,
)
from demiurge.cli.options.sampling import drawing_options

FEW_STEPS = 10_000  # four minutes of frames


@click.group()
def sequencer() -> None:
    """Train forecasters and forecast how a file goes on."""


@sequencer.command(
    epilog=(
        "\b\nExamples:\n  demiurge sequencer train my.db my.model\n"
        "  demiurge sequencer train my.db my.model --epochs 100 --seed 3"
    )
)
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.argument("model_dir", metavar="MODEL", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "architecture",
    default="lstm",
    show_default=True,
    help="Architecture; demiurge sequencer models lists them.",
)
@click.option(
    "--head", default="mixture", show_default=True, help="What it predicts; listed there, too."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="At most; stops when nothing improves.",
)
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="At most, of this run.")
@click.option(
    "--resume", is_flag=True, help="Go on where training with the same options was stopped."
)
@click.option(
    "--window",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help="Steps of a training excerpt.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="[default: the architecture's own]",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="bfloat16 is less exact, and faster on processors that know it.",
)
@click.option(
    "--seed",
    "random_seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Same seed, same model.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Processor threads."
)
@click.option(
    "--track",
    type=click.Choice(["wandb"]),
    help="Mirror the training log, MODEL/log.jsonl, to a service.",
)
@force_option
@json_option
def train(
    database: Path,
    model_dir: Path,
    force: bool,
    resume: bool,
    as_json: bool,
    track: str | None,
    **options,
) -> None:
    """Train a forecaster on the database DB and leave the best checkpoint, by held-out likelihood,
    in MODEL.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on as if nothing
    had happened. Several processes share the work when started by torchrun: torchrun
    --nproc-per-node 2 --no-python demiurge sequencer train …
    """
    from db.database import Database
    from sequencer.train import ForecasterOptions, train_forecaster
    from training.distributed import Distributed

    first = Distributed().is_main
    check_output(model_dir, force=force or resume or not first)
    opened = Database(database)
    with progress_bar("training", quiet=as_json or not first, counted=False) as progress:
        summary = train_forecaster(
            list(opened.sequences()),
            model_dir,
            settings=opened.settings,
            normaliser=opened.normaliser,
            options=ForecasterOptions(**options),
            resume=resume,
            wandb=track == "wandb",
            progress=progress,
        )
    if as_json and first:
        echo_json({"model": str(model_dir), **asdict(summary)})
    elif first:
        echo_summary(model_dir, summary)
    if first and summary.stopped_by == "interrupt":  # torchrun would stop the others
        raise SystemExit(1)


def echo_summary(model_dir: Path, summary) -> None:
    """How training went, in words."""
    from sequencer.registry import HEADS
    from training.sparkline import sparkline

    best = f"epoch {summary.best_epoch} of {summary.epochs} is the best"
    if summary.stopped_by == "interrupt":
        best = f"stopped within epoch {summary.epochs}, best in epoch {summary.best_epoch}"
    click.echo(
        f"{model_dir}: {summary.architecture} with {summary.head} head, {best}, {summary.seconds:.0f}"
        f" s{STOPPED.get(summary.stopped_by, '')}\n  trained on {summary.train_steps} steps of"
        f" {summary.train_sources} sources; judged on {summary.validation_steps} steps of"
        f" {summary.validation_sources} others, split by {summary.split_by}:"
        f" {summary.best:.3f} {HEADS[summary.head].loss_unit} "
        f" {sparkline(summary.validations)}"
    )
    if summary.train_steps < FEW_STEPS:
        click.echo(
            "  that is little to learn from, so expect little of forecasts: take loops, music or"
            " playing that goes on, half an hour or more; demiurge mosaic needs no forecast"
        )


@sequencer.command(
    epilog=(
        "\b\nExamples:\n  demiurge sequencer forecast my.model seed.wav --seconds 10 -o next.json\n"
        "  demiurge sequencer forecast my.model a.wav b.wav --steps 430 --variations 3"
        " --temperature 0.8 -o next.json"
    )
)
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument(
    "seed_files", metavar="SEED…", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--steps", type=click.IntRange(1), help="Steps to forecast; one is one unit.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="How long to forecast, instead of --steps.",
)
@click.option(
    "--variations",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Different forecasts of each seed.",
)
@drawing_options
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The forecast file (JSON) to write.",
)
@force_option
@json_option
def forecast(
    model: Path, seed_files: tuple[Path, ...], out: Path, force: bool, as_json: bool, **options
) -> None:
    """Forecast how each SEED, an audio or descriptor file, goes on.

    Several forecasts are written as OUT-SEED-1.json, OUT-SEED-2.json, … beside each other.
    """
    from db.sequence_file import save_sequence
    from db.units import step_lengths
    from demiurge import pipeline

    paths = forecast_paths(out, seed_files, options["variations"])
    for path in paths:
        check_output(path, force=force)
    forecasts, settings = pipeline.forecast(list(seed_files), model, **options)
    written = []
    pairs = [
        (seed, number, s)
        for seed, of_seed in zip(seed_files, forecasts, strict=True)
        for number, s in enumerate(of_seed)
    ]
    for path, (seed, number, sequence) in zip(paths, pairs, strict=True):
        origin = {"model": model.name, "seed": seed.name, "variation": number + 1, **options}
        save_sequence(path, sequence, settings, origin=origin)
        lasting = float(step_lengths(sequence, settings).sum() / settings.sample_rate)
        written.append({"forecast": str(path), "steps": len(sequence), "seconds": lasting})
    if as_json:
        echo_json(written[0] if len(written) == 1 else written)
        return
    for one in written:
        click.echo(f"{one['forecast']}: {one['steps']} steps ({one['seconds']:.2f} s)")
    click.echo(f"find them with: demiurge query {paths[0]} DB")


def forecast_paths(out: Path, seeds: tuple[Path, ...], variations: int) -> list[Path]:
    """One path for each variation of each seed; `out` itself if there is one."""
    from files.errors import ParameterError

    paths = []
    for seed in seeds:
        for number in range(1, variations + 1):
            name = f"-{seed.stem}" * (len(seeds) > 1) + f"-{number}" * (variations > 1)
            paths.append(out.with_name(f"{out.stem}{name}{out.suffix}"))
    if len(set(paths)) < len(paths):
        raise ParameterError("two seeds have the same name; forecast them one by one")
    return paths


@sequencer.command(
    epilog=(
        "\b\nExamples:\n  demiurge sequencer evaluate my.model my.db\n"
        "  demiurge sequencer evaluate lstm.model transformer.model my.db --json\n"
        "  demiurge sequencer evaluate my.model my.db --picture forecasts.png"
    )
)
@click.argument(
    "model_dirs", metavar="MODEL…", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same figures."
)
@click.option(
    "--picture", type=click.Path(path_type=Path), help="Also draw fans and rollouts into this PNG."
)
@force_option
@json_option
def evaluate(
    model_dirs: tuple[Path, ...],
    database: Path,
    seed: int,
    picture: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Judge MODELs, all trained on DB with one split, and the baselines on the sources that they
    have not heard.
    """
    if picture:
        check_output(picture, force=force)
    _validate(list(model_dirs), database, seed=seed, picture=picture, as_json=as_json)


@sequencer.command(
    epilog=(
        "\b\nExamples:\n  demiurge sequencer compare my.db comparison\n"
        "  demiurge sequencer compare my.db comparison --minutes 8 --json"
    )
)
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT_DIR", type=click.Path(path_type=Path))
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="For each model.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Same seed, same split and start.",
)
@json_option
def compare(database: Path, out: Path, minutes: float, seed: int, as_json: bool) -> None:
    """Train every architecture with every head on DB, one for each processor at a time, and
    evaluate them all.

    The models are left in OUT_DIR, with a picture. Stopped and started again with the same options,
    those that are there are not trained anew.
    """
    from sequencer.compare import train_all

    with _models_told("training", quiet=as_json) as progress:
        folders = train_all(database, out, minutes=minutes, random_seed=seed, progress=progress)
    _validate(folders, database, seed=seed, picture=out / "forecasts.png", as_json=as_json)


@contextmanager
def _models_told(label: str, *, quiet: bool) -> Iterator[Bar]:
    """A progress bar; not on a terminal, a line on standard error for each model."""

    def tell(done: int, total: int, what: str = "", /) -> None:
        click.echo(f"{label} {what}: {done} of {total} done", err=True)

    with progress_bar(label, quiet=quiet) as bar:
        yield bar if quiet or sys.stderr.isatty() else tell


def _validate(
    model_dirs: list[Path], database: Path, *, seed: int, picture: Path | None, as_json: bool
) -> None:
    from db.database import Database
    from sequencer.evaluate import evaluate as evaluate_models
    from sequencer.evaluate import to_document
    from sequencer.evaluation_data import added_sources
    from sequencer.forecaster import Forecaster

    opened = Database(database)
    models = {}
    names = [folder.absolute().name for folder in model_dirs]
    for folder, name in zip(model_dirs, names, strict=True):
        model = models[name if names.count(name) == 1 else str(folder)] = Forecaster.load(folder)
        mine = f"the database {database}"
        theirs = f"the model {folder}"
        opened.settings.check_matches(model.config.settings, mine=mine, theirs=theirs)
    sequences = list(opened.sequences())
    with _models_told("evaluating", quiet=as_json) as progress:
        found, floors = evaluate_models(models, sequences, random_seed=seed, progress=progress)
    if picture:
        from sequencer.picture import save_evaluation_picture

        with _models_told("drawing", quiet=as_json) as progress:
            save_evaluation_picture(models, sequences, picture, random_seed=seed, progress=progress)
    if added := added_sources(next(iter(models.values())), sequences):
        click.echo(
            f"{len(added)} sources that came into {database} after the training are left out",
            err=True,
        )
    if as_json:
        echo_json(to_document(found, floors))
        return
    columns = [
        "forecaster",
        *(f"error +{h}" for h in found[0].errors),
        "loss",
        "std",
        "step",
        *(f"Fréchet {w}" for w in found[0].frechet),
    ]
    rows = [
        [
            e.name,
            *(f"{error:.3f}" for error in e.errors.values()),
            "" if e.loss is None else f"{e.loss:.2f}",
            f"{e.std_ratio:.2f}",
            f"{e.step_ratio:.2f}",
            *(f"{value:.1f}" for value in e.frechet.values()),
            f"{e.autocorrelation_error:.3f}",
            f"{e.distinct:.2f}",
        ]
        for e in found
    ]
    blank = [""] * len(found[0].errors)
    rows += [
        [name, *blank, "", "1", "1", *(f"{v:.1f}" for v in floor.values()), "", ""]
        for name, floor in floors.items()
    ]
    echo_table(f"{database}, held-out sources", [*columns, "autocorr. error", "distinct"], rows)


@sequencer.command(
    epilog="\b\nExamples:\n  demiurge sequencer models\n  demiurge sequencer models --json"
)
@json_option
def models(as_json: bool) -> None:
    """List the architectures and their sizes, and the heads."""
    from sequencer.registry import ARCHITECTURES, HEADS

    defaults = {name: entry.default_sizes for name, entry in ARCHITECTURES.items()}
    if as_json:
        echo_json({"architectures": defaults, "heads": list(HEADS)})
        return
    for name, values in defaults.items():
        click.echo(f"{name}: {', '.join(f'{key} {value}' for key, value in values.items())}")
    click.echo(f"heads: {', '.join(HEADS)}")
