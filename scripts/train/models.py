"""The models that go on learning: what `models.toml` says of them, and where they are kept."""

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from files.errors import ParameterError
from training.checkpoint import STATE
from training.checkpoint_config import CONFIG
from training.tracking import LOG

TABLE = Path(__file__).with_name("models.toml")
COMMANDS = ("train-generator", "train-vocoder", "train-codec")


@dataclass(frozen=True)
class Model:
    """A table of `models.toml`."""

    name: str
    command: str
    audio: tuple[str, ...]
    share: float
    options: tuple[str, ...] = ()
    start: str | None = None

    def __post_init__(self) -> None:
        if self.command not in COMMANDS:
            raise ParameterError(
                f"{self.name}: command={self.command!r} must be one of {', '.join(COMMANDS)}"
            )
        if not self.audio:
            raise ParameterError(f"{self.name}: audio=[] must name at least one folder")
        if not self.share > 0:
            raise ParameterError(f"{self.name}: share={self.share} must be positive")


def read_models(table: Path = TABLE) -> list[Model]:
    """Read the table; raise ParameterError if a line of it is unknown, missing or wrong."""
    models = []
    for name, values in tomllib.loads(table.read_text()).items():
        given = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        try:
            models.append(Model(name, **given))
        except TypeError as error:
            raise ParameterError(f"{table}: {name}: {error}; correct the table") from error
    return models


@dataclass(frozen=True)
class Place:
    """Where training keeps everything: the folder `.train` of a checkout."""

    root: Path

    @property
    def hours_log(self) -> Path:
        return self.root / "hours.jsonl"

    def folder(self, model: Model) -> Path:
        """Return the folder of a model: weights, state, and its own log."""
        return self.root / "models" / model.name

    def has_begun(self, model: Model) -> bool:
        return (self.folder(model) / STATE).is_file()

    def audio(self, model: Model) -> Path:
        """Return a folder with the model's audio: of several folders, one with links to them.

        Raises
        ------
        ParameterError
            If a folder is missing.
        """
        sources = [self.root / "music" / name for name in model.audio]
        for source in sources:
            if not source.is_dir():
                raise ParameterError(
                    f"{source}: no such folder; make it with scripts/make/training_music.py"
                )
        if len(sources) == 1:
            return sources[0]
        together = self.root / "audio" / model.name
        together.mkdir(parents=True, exist_ok=True)
        for old in together.iterdir():
            old.unlink()
        for name, source in zip(model.audio, sources, strict=True):
            os.symlink(source.resolve(), together / name.replace("/", "-"))
        return together

    def hours(self) -> dict[str, float]:
        """Return the processor hours of each model that has any, from the log."""
        if not self.hours_log.is_file():
            return {}
        hours: dict[str, float] = {}
        for line in self.hours_log.read_text().splitlines():
            turn = json.loads(line)
            hours[turn["model"]] = hours.get(turn["model"], 0.0) + turn["cpu_minutes"] / 60
        return hours

    def log_turn(self, turn: dict[str, Any]) -> None:
        with self.hours_log.open("a") as file:
            file.write(json.dumps(turn) + "\n")

    def last_validation(self, model: Model) -> dict[str, float]:
        """Return step and measures of the last validation in the model's log, or nothing."""
        log = self.folder(model) / LOG
        if not log.is_file():
            return {}
        for line in reversed(log.read_text().splitlines()):
            values = json.loads(line)
            measures = {
                name.removeprefix("validation/"): value
                for name, value in values.items()
                if name.startswith("validation/")
            }
            if measures:
                return {"step": values["step"], **measures}
        return {}

    def kept(self, model: Model) -> dict[str, Any]:
        """Return what the kept weights' config says of their training, or nothing."""
        config = self.folder(model) / CONFIG
        return json.loads(config.read_text())["training"] if config.is_file() else {}


def next_model(models: list[Model], hours: dict[str, float]) -> Model:
    """Return the model that has had least time for its share."""
    return min(models, key=lambda model: hours.get(model.name, 0.0) / model.share)
