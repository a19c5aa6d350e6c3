"""Draw the picture of training: the losses of the demo's forecaster by epoch."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from scripts.make.pictures.style import BLUE, GREY, ORANGE, new_figure


def draw_losses(log: Path) -> Figure:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines = [line for line in lines if {"train/loss", "validation/loss"} <= line.keys()]
    epochs = [line["epoch"] for line in lines]
    train = [line["train/loss"] for line in lines]
    validation = [line["validation/loss"] for line in lines]
    best = int(np.argmin(validation))
    figure = new_figure("training the demo's forecaster on the bundled loops", 4)
    axes = figure.subplots()
    axes.plot(epochs, train, color=GREY, label="training loss")
    axes.plot(epochs, validation, color=BLUE, label="validation loss, on another loop")
    kept = f"kept: epoch {epochs[best]}"
    axes.plot(epochs[best], validation[best], "o", color=ORANGE, ms=9, label=kept)
    axes.set(xlabel="epoch", ylabel="nats per step: lower is better")
    axes.legend(frameon=False)
    return figure
