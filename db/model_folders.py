"""Tell the folder of a model from others, without reading the model."""

from pathlib import Path

CONFIG = "config.json"
CONTENTS = ("model.safetensors", "training.pt")


def is_model_folder(folder: Path) -> bool:
    """Return whether a folder holds a model, finished or in training."""
    return (folder / CONFIG).is_file() and any((folder / name).is_file() for name in CONTENTS)
