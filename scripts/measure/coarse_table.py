"""Measure what a coarse level adds: forecasters of one database with and without, as long trained.

    python scripts/measure/coarse_table.py music.db --coarse bars --minutes 4

Small LSTMs with a mixture head. The columns, all of the validation sources:

loss       nats per step of all groups but the first, told nothing; a coarse level is sampled
Fréchet    of windows of 1, 8 and 32 steps of free rollouts, as in `sequencer evaluate`
autocorr.  mean error of the autocorrelations up to 64 steps, as there
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from db.database import Database
from db.descriptors.derived import static_columns
from demiurge.cli.options.conditions import GroupStepsType
from sequencer.coarse_likelihood import loss_with_coarse
from sequencer.condition import GroupSteps
from sequencer.evaluate import evaluate
from sequencer.forecaster import Forecaster
from sequencer.registry import ARCHITECTURES
from sequencer.train import ForecasterOptions, train_forecaster

WINDOW = 64  # steps
N_SAMPLES = 8  # of the coarse level


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--coarse", required=True, type=parse)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--width", type=int, default=96, help="of the LSTM")
    arguments = parser.parse_args()
    entry = ARCHITECTURES["lstm"]
    sizes = replace(entry.sizes, hidden_size=arguments.width, n_layers=1)
    ARCHITECTURES["lstm"] = replace(entry, sizes=sizes)
    database = Database(arguments.database)
    models: dict[str, Forecaster] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, coarse in (("flat", None), (f"coarse {arguments.coarse}", arguments.coarse)):
            models[name] = train(database, Path(folder) / "m" / name, coarse, arguments.minutes)
    figures, floors = evaluate(models, list(database.sequences()))
    print("| | loss | Fréchet 1 | 8 | 32 | autocorr. |\n|---|---|---|---|---|---|")
    for found in figures:
        loss = ""
        if found.name in models:
            model = models[found.name]
            scores = validation_scores(model, database)
            mean = loss_with_coarse(model, scores, steps=arguments.coarse, n_samples=N_SAMPLES)
            loss = f"{mean:.2f}"
        frechet = " | ".join(f"{value:.1f}" for value in found.frechet.values())
        error = f"{found.autocorrelation_error:.3f}"
        print(f"| {found.name} | {loss} | {frechet} | {error} |")
    for name, values in floors.items():
        print(f"| {name} | | {' | '.join(f'{value:.1f}' for value in values.values())} | |")


def parse(text: str) -> GroupSteps:
    return GroupStepsType().convert(text, None, None)


def train(
    database: Database, folder: Path, coarse: GroupSteps | None, minutes: float
) -> Forecaster:
    """Train a forecaster; print how far it got."""
    options = ForecasterOptions(
        minutes=minutes, epochs=1000, patience=12, window=WINDOW, batch_size=8
    )
    summary = train_forecaster(
        list(database.sequences()),
        folder,
        settings=database.settings,
        normaliser=database.normaliser,
        options=options,
        coarse=coarse,
    )
    at = f"epoch {summary.best_epoch} of {summary.epochs}, {summary.stopped_by}"
    print(f"{folder.name}: {at}, coarse loss {summary.coarse_loss}", flush=True)
    return Forecaster.load(folder)


def validation_scores(model: Forecaster, database: Database) -> list[torch.Tensor]:
    """Return the z-scored sequences of the validation sources."""
    names: Any = model.config.training["sources"]["validation"]
    columns = static_columns(database.settings)
    rows_of = dict(database.sequences())
    return [model.normalise(torch.from_numpy(rows_of[name][:, columns].copy())) for name in names]


if __name__ == "__main__":
    main()
