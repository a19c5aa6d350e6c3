"""Values of options that may have a weight: NAME or NAME=WEIGHT."""

from pathlib import Path


def split_weight(text: str) -> tuple[str, float]:
    """Return the name and the weight, by default 1; the name of a file is never split."""
    name, equals, weight = text.rpartition("=")
    if not equals or Path(text).exists():
        return text, 1.0
    try:
        return name, float(weight)
    except ValueError:
        return text, 1.0
