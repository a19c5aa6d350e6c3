"""How many units the filters leave, and the errors if there are too few."""

from pathlib import Path

from files.errors import ParameterError


def check_some_left(path: str | Path, counts: dict[str, int]) -> None:
    """Raise a `ParameterError` if the filters leave no unit of the database at `path`."""
    if not min(counts.values()):
        raise ParameterError(
            f"{path}: the filters leave no unit ({counts_text(counts)}); relax the one that leaves"
            " too few"
        )


def none_long_enough(
    path: str | Path, counts: dict[str, int], min_samples: int, most: int
) -> ParameterError:
    """Return the error that no unit lasts for `min_samples`, and that most of them have `most`."""
    remedy = "relax the filters, or add" if len(counts) > 1 else "add"
    return ParameterError(
        f"{path}: of the units that may be played ({counts_text(counts)}) none has {min_samples}"
        f" samples from its start to the end of its source (the most: {most}); {remedy} longer"
        " audio"
    )


def counts_text(counts: dict[str, int]) -> str:
    """Return the counts of `filter_units` as text."""
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
