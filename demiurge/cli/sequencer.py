"""demiurge sequencer: train forecasters and forecast."""

from dataclasses import asdict
from pathlib import Path

import click

from demiurge.cli.output import check_output, echo_json, force_option, json_option, progress_bar


@click.group()
def sequencer() -> None:
    """Train forecasters and forecast how a file goes on."""


@sequencer.command(
    epilog="\b\nExamples:\n  demiurge sequencer train my.db my.model\n"
    "  demiurge sequencer train my.db my.model --epochs 100 --seed 3"
)
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.argument("model_dir", metavar="MODEL", type=click.Path(path_type=Path))
@click.option("--model", default="lstm", show_default=True, help="Architecture; demiurge sequencer models lists them.")
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True, help="At most; stops when nothing improves.")
@click.option(
    "--window", type=click.IntRange(1), default=64, show_default=True, help="Steps of context; seeds must be as long."
)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=2e-3, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same model.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Processor threads.")
@click.option("--track", type=click.Choice(["wandb"]), help="Mirror the training log, MODEL/log.jsonl, to a service.")
@force_option
@json_option
def train(database: Path, model_dir: Path, force: bool, as_json: bool, track: str | None, **options) -> None:
    """Train a forecaster on the database DB and leave the best checkpoint, by held-out likelihood, in MODEL.

    Interrupted with Ctrl-C, the best so far is kept.
    """
    from db.database import Database
    from sequencer.train import TrainingOptions, train_forecaster

    check_output(model_dir, force=force)
    opened = Database(database)
    with progress_bar("training", quiet=as_json) as progress:
        summary = train_forecaster(
            list(opened.sequences()), model_dir, settings=opened.settings, normaliser=opened.normaliser,
            options=TrainingOptions(**options), wandb=track == "wandb", progress=progress,
        )  # fmt: skip
    if as_json:
        echo_json({"model": str(model_dir), **asdict(summary)})
    else:
        echo_summary(model_dir, summary)


def echo_summary(model_dir: Path, summary) -> None:
    """How training went, in words."""
    click.echo(
        f"{model_dir}: {summary.model}, epoch {summary.best_epoch} of {summary.epochs} is the best, {summary.seconds:.0f} s"
        f"{' (interrupted; the best so far is kept)' if summary.interrupted else ''}\n"
        f"  trained on {summary.train_steps} steps of {summary.train_sources} sources; judged on "
        f"{summary.held_out_steps} steps of {summary.held_out_sources} others, split by {summary.split_by}\n"
        f"  squared error one step ahead, held out: {summary.error:.3f} (nothing changes: {summary.error_persistence:.3f}, "
        f"always the mean: {summary.error_mean:.3f}); {summary.held_out_nll:.2f} nats per step"
    )


@sequencer.command(
    epilog="\b\nExamples:\n  demiurge sequencer forecast my.model seed.wav --steps 430 -o next.json\n"
    "  demiurge sequencer forecast my.model seed.wav --steps 430 --temperature 0 -o calm.json"
)
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("seed_file", metavar="SEED", type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(1), required=True, help="Steps to forecast; one is one unit.")
@click.option("--temperature", type=click.FloatRange(0), default=1.0, show_default=True, help="0: always the likeliest.")
@click.option("--seed", "random_seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same bytes.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The forecast file (JSON) to write.")
@force_option
@json_option
def forecast(
    model: Path, seed_file: Path, steps: int, temperature: float, random_seed: int, out: Path, force: bool, as_json: bool
) -> None:
    """Forecast how SEED, an audio or descriptor file, goes on."""
    from db.sequence_file import save_sequence
    from db.units import step_lengths
    from demiurge import pipeline

    check_output(out, force=force)
    sequence, settings = pipeline.forecast(seed_file, model, steps=steps, temperature=temperature, random_seed=random_seed)
    origin = {"model": model.name, "random_seed": random_seed, "temperature": temperature, "seed": seed_file.name}
    save_sequence(out, sequence, settings, origin=origin)
    seconds = step_lengths(sequence, settings).sum() / settings.sample_rate
    if as_json:
        echo_json({"forecast": str(out), "steps": len(sequence), "seconds": seconds})
    else:
        click.echo(f"{out}: {len(sequence)} steps ({seconds:.2f} s); find them with: demiurge query {out} DB")


@sequencer.command(epilog="\b\nExamples:\n  demiurge sequencer models\n  demiurge sequencer models --json")
@json_option
def models(as_json: bool) -> None:
    """List the architectures and their sizes."""
    from sequencer.models import BODIES

    defaults = {name: values for name, (_, values) in BODIES.items()}
    if as_json:
        echo_json(defaults)
        return
    for name, values in defaults.items():
        click.echo(f"{name}: {', '.join(f'{key} {value}' for key, value in values.items())}")
