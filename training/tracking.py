"""The training log: JSON lines always, Weights & Biases (W&B) when asked for.

An error of W&B never stops training.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from files.atomic import make_folder, writing_errors
from files.errors import ParameterError, install_command
from files.regular import check_regular, is_missing

LOG = "log.jsonl"


class Tracker:
    """Appends JSON lines to `folder/log.jsonl`, and sends them to W&B if `wandb` is true."""

    def __init__(
        self,
        folder: str | Path,
        *,
        wandb: bool = False,
        config: dict[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        """Start a new log, or continue the old one if `resume`.

        Raises
        ------
        ParameterError
            If W&B is asked for and not installed, the folder cannot be written, or the log is not
            a regular file.
        """
        folder = Path(folder)
        make_folder(folder)
        path = folder / LOG
        mode = "a" if resume else "w"
        if not is_missing(folder / LOG):
            check_regular(folder / LOG, error=ParameterError, remedy="remove it")
        with writing_errors(folder):
            self._file = open(path, mode, encoding="utf-8")  # noqa: SIM115, for __exit__
        self._run: Any = None
        if wandb:
            try:
                self._run = _start_wandb(folder, config or {})
            except ParameterError:
                self._file.close()
                raise

    def log(self, values: dict[str, Any], *, shown: Iterable[Path] = ()) -> None:
        """Write `values` as a line; W&B also gets the pictures and sounds at `shown`."""
        with writing_errors(self._file.name, "free some space, then continue with --resume"):
            self._file.write(json.dumps(values) + "\n")
            self._file.flush()
        if self._run is not None:
            try:
                media = {path.stem: _media(path) for path in shown}
                self._run.log({**values, **media})
            except Exception as error:  # an error of the service must not stop training
                print(f"warning: W&B stopped ({error}); {LOG} goes on", file=sys.stderr)
                self._run = None

    def show(self, paths: Iterable[Path], step: int) -> None:
        """Send pictures and sounds to W&B."""
        if self._run is not None:
            self.log({"step": step}, shown=paths)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._run is not None:
            self._run.finish(exit_code=0 if kind is None else 1)


def _media(path: Path) -> Any:
    import wandb

    kinds: dict[str, Any] = {".png": wandb.Image, ".wav": wandb.Audio}
    return kinds[path.suffix](str(path))


def find_wandb() -> Any:
    """Import and return the package wandb; raise ParameterError if it is not installed."""
    try:
        import wandb
    except ImportError as error:
        raise ParameterError(
            f"W&B is not installed; {install_command('wandb')}, or train without --track"
        ) from error
    return wandb


def _start_wandb(folder: Path, config: dict[str, Any]) -> Any:
    wandb = find_wandb()
    if not os.environ.get("WANDB_API_KEY") and "WANDB_MODE" not in os.environ:
        os.environ["WANDB_MODE"] = "offline"
    try:
        return wandb.init(project="demiurge", dir=str(folder), config=config)
    except Exception as error:  # an error of the service must not stop training
        print(f"warning: W&B could not start ({error}); {LOG} is written", file=sys.stderr)
        return None
