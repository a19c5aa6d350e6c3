"""Options of demiurge db build: how sounds are described."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from db.columns import DESCRIPTOR_NAMES
from db.names import BANDS, MODEL_KINDS, UNIT_KINDS, WINDOW_CENTRES
from demiurge.cli.options.command import option, option_group
from files.errors import ParameterError

if TYPE_CHECKING:
    from db.settings import DescriptorSettings

analysis_option = partial(option, heading="The analysis")


@dataclass(frozen=True)
class AskedSettings:
    """The options as given; None means as in the database, or the default."""

    descriptors: str | None = None
    units: str | None = None
    min_unit_ms: float | None = None
    max_unit_ms: float | None = None
    sample_rate: int | None = None
    hop_length: int | None = None
    window_centre: str | None = None

    @property
    def names(self) -> list[str]:
        """The names given as --descriptors, of models with their paths."""
        names = self.descriptors.split(",") if self.descriptors is not None else []
        return [name.strip() for name in names]

    @property
    def bands(self) -> bool:
        """True if bands are among the descriptors."""
        return BANDS in self.names

    def settings(self, database: Path) -> DescriptorSettings | None:
        """Return the settings for a build; None for those of an existing database.

        Bands are no part of them, and named alone, they leave the descriptors as they are.

        Raises
        ------
        ParameterError
            If the options do not fit together.
        CheckpointError
            If a model cannot be opened.
        """
        from db.configure import settings_of_database
        from db.settings import FOR_CONTINUATIONS

        asked: dict[str, Any] = {
            name: value for name, value in asdict(self).items() if value is not None
        }
        existing = settings_of_database(database)
        if self.descriptors is not None:
            asked |= self._descriptors(existing)
            if self.names == [BANDS]:
                del asked["descriptors"], asked["models"]
        if existing and not asked:
            return None
        settings = replace(
            existing or FOR_CONTINUATIONS, **{**self._frames_of_model(asked), **asked}
        )
        limits = (self.min_unit_ms, self.max_unit_ms)
        if not settings.units_vary and limits != (None, None):
            raise ParameterError(
                "--min-unit and --max-unit go with --units onset, beat or beat/N, not"
                f" {settings.units}"
            )
        return settings

    def _descriptors(self, existing: DescriptorSettings | None) -> dict[str, Any]:
        """Return the settings of the names; a kind without a path is the existing model."""
        from demiurge.model_descriptors import describe_model

        kept = {model.kind: model for model in existing.models} if existing else {}
        descriptors = []
        models = []
        for name in self.names:
            kind, colon, path = name.partition(":")
            if kind in MODEL_KINDS and path:
                models.append(describe_model(kind, path))
            elif kind in kept and not colon:
                models.append(kept[kind])
            if name != BANDS:
                descriptors.append(kind if kind in MODEL_KINDS else name)
        return {"descriptors": tuple(descriptors), "models": tuple(models)}

    def _frames_of_model(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return rate and hop of a model's own frames, where a row can be one of them.

        They are the default if units are frames and the latents of one codec are all that is
        measured.
        """
        models = asked.get("models", ())
        if len(models) != 1 or len(asked["descriptors"]) != 1 or self.units != "frame":
            return {}
        if not models[0].hop_length:
            return {}
        own = {"sample_rate": models[0].sample_rate, "hop_length": models[0].hop_length}
        return {name: value for name, value in own.items() if name not in asked}


analysis_options = option_group(
    analysis_option(
        "--descriptors",
        metavar="NAMES",
        help=f"Descriptors, joined by commas: {', '.join(DESCRIPTOR_NAMES)}; codec:PATH, rave:FILE"
        f" or clap:DIR, what a model makes of the sound; and {BANDS}, for voices, which otherwise"
        " are measured when first needed. [default: mfcc,chroma,loudness]",
    ),
    analysis_option(
        "--units",
        metavar="KIND",
        help=f"Kind of units: {', '.join(UNIT_KINDS)}. [default: beat/4]",
    ),
    analysis_option(
        "--min-unit",
        "min_unit_ms",
        type=float,
        help="Shortest onset or beat unit, in ms. [default: 60]",
    ),
    analysis_option(
        "--max-unit",
        "max_unit_ms",
        type=float,
        help="Longest onset or beat unit, in ms. [default: 2000]",
    ),
    analysis_option(
        "--sample-rate",
        type=click.IntRange(1000, 768000),
        help="Sample rate of the analysis, in Hz. [default: 44100]",
    ),
    analysis_option(
        "--hop-length", type=click.IntRange(1), help="Samples between frames. [default: 1024]"
    ),
    analysis_option(
        "--window-centre",
        type=click.Choice(WINDOW_CENTRES),
        help="Centre of a frame's window: the middle of the samples that are played (span), or"
        " their start, as in the original Demiurge. [default: span]",
    ),
    into="asked",
    make=AskedSettings,
)
