"""The condition that a forecaster is trained with: its config, and the rows of every sequence."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from db.settings import DescriptorSettings
from db.units import step_lengths
from files.errors import ParameterError
from sequencer.coarse import coarse_rows, coarse_sequence, steps_in_group
from sequencer.condition import CoarseCondition, GroupSteps, TrackCondition
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.split import NamedSequences, Split
from sequencer.track import Track
from sequencer.tracks import Tracks


@dataclass(frozen=True)
class Coarse:
    """Groups of steps, and the forecaster that was trained on them."""

    steps: GroupSteps
    forecaster: Forecaster


def config_of(
    condition: Coarse | Tracks | None, train: NamedSequences, settings: DescriptorSettings
) -> CoarseCondition | TrackCondition | None:
    """Return the config of a condition for a forecaster of raw training sequences."""
    match condition:
        case Coarse(steps, forecaster):
            return CoarseCondition(steps, forecaster.config)
        case Tracks(pattern):
            lengths = np.concatenate([step_lengths(rows, settings) for _, rows in train])
            return TrackCondition(pattern, int(np.median(lengths)))
    return None


def identity_of(config: ForecasterConfig) -> dict[str, Any]:
    """Return what a training must have in common with the one that it resumes."""
    match config.condition:
        case CoarseCondition(steps):
            return {"coarse": steps}
        case TrackCondition(pattern):
            return {"with": pattern}
    return {}


class ConditionRows:
    """Makes the rows that enter with the steps of sequences.

    Parameters
    ----------
    model : Forecaster
        Its coarse level, if it has one, gets the weights of that of the condition.
    whole : dict of str to ndarray, raw (steps, n_descriptors)
        The sources that the sequences are from.
    """

    def __init__(
        self, model: Forecaster, condition: Coarse | Tracks | None, whole: dict[str, np.ndarray]
    ) -> None:
        self._model = model
        self._condition = condition
        self._whole = whole
        if isinstance(condition, Coarse):
            assert model.coarse is not None
            model.coarse.load_state_dict(condition.forecaster.state_dict())

    def of_split(
        self, split: Split, train: list[Tensor], validation: list[Tensor]
    ) -> tuple[list[Tensor] | None, list[Tensor] | None]:
        """Return the rows of both parts, each (steps, width), of their z-scored sequences."""
        match self._condition:
            case Coarse():
                return self._coarse_rows(train), self._coarse_rows(validation)
            case Tracks() as tracks:
                of_train = [
                    self._track_rows(tracks, name, slice(len(rows))) for name, rows in split.train
                ]
                ends = split.by == "time"  # the end of a source, rather than all of it
                of_validation = [
                    self._track_rows(tracks, name, slice(-len(rows) if ends else None, None))
                    for name, rows in split.validation
                ]
                return of_train, of_validation
        return None, None

    def _coarse_rows(self, sequences: list[Tensor]) -> list[Tensor]:
        return [coarse_rows(self._model, scores) for scores in sequences]

    def _track_rows(self, tracks: Tracks, name: str, part: slice) -> Tensor:
        whole = self._whole[name]
        moments = step_lengths(whole, self._model.config.settings).cumsum()[part]
        if name in tracks.frames:
            return torch.from_numpy(Track(self._model, tracks.frames[name]).rows(moments))
        assert self._model.condition is not None
        return torch.full((len(moments), self._model.condition.width), torch.nan)


def coarse_split(split: Split, steps: GroupSteps, settings: DescriptorSettings) -> Split:
    """Return the groups of a split's sequences, as raw means.

    Raises
    ------
    ParameterError
        If either part has too few groups; and as `steps_in_group`.
    """
    steps_in_group(steps, settings)
    train, validation = (
        [(name, coarse_sequence(rows, steps, settings)) for name, rows in part]
        for part in (split.train, split.validation)
    )
    parts = {"train on": train, "validate with": validation}
    for purpose, part in parts.items():
        n_groups = sum(len(rows) for _, rows in part)
        if sum(max(len(rows) - 1, 0) for _, rows in part) < 2:
            raise ParameterError(
                f"coarse={steps}: {n_groups} groups are too few to {purpose}; give fewer steps to a"
                " group, or add longer audio"
            )
    usable, other = ([item for item in part if len(item[1]) > 1] for part in (train, validation))
    return Split(usable, other, by=split.by)
