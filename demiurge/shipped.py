"""The weights that come with Demiurge (demiurge/data/weights/MODEL_CARD.md)."""

from pathlib import Path

from demiurge.bundled import DATA

WEIGHTS = DATA / "weights"
SHIPPED = "shipped"


def shipped_model(kind: str) -> Path:
    """Return the folder of the shipped "vocoder" or "unagan"."""
    return WEIGHTS / kind


def model_path(name: str | Path, kind: str) -> Path:
    """Return the folder of a model.

    "shipped" means the model that comes with Demiurge, unless there is a folder of that name.
    """
    path = Path(name)
    if str(path) == SHIPPED and not path.is_dir():
        return shipped_model(kind)
    return path
