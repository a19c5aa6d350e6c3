"""Tell the user what was repaired, or is unusual, in files that are read."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from files.names import printable

MOST_REMEMBERED = 10_000  # lines; after as many others, a line may be logged again

log = logging.getLogger(__name__)


def log_warnings(path: str | Path, warnings: Iterable[str], *, name: str | None = None) -> None:
    """Log the warnings of a file on one line, once however often the file is read.

    Without a handler, Python prints it on standard error. `name` is shown, by default that of the
    file without its folder.
    """
    if text := "; ".join(warnings):
        _log_once(Path(path).absolute(), f"warning: {name or Path(path).name}: {text}")


@lru_cache(MOST_REMEMBERED)
def _log_once(path: Path, line: str) -> None:
    log.warning("%s", printable(line))
