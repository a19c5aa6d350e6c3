"""The common style of all pictures of the rooms' pages."""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

BLUE = "tab:blue"
ORANGE = "tab:orange"
GREEN = "tab:green"
GREY = "0.7"
DARK = "0.2"


def new_figure(title: str, height: float) -> Figure:
    figure = Figure(figsize=(11, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def label(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours, which is a third of the size with no visible difference."""
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, dpi=110)
    image = Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
