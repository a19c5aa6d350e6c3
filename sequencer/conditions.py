"""The condition of sequences that are gone on with, of either kind."""

import torch
from torch import Tensor

from files.errors import ParameterError
from sequencer.coarse import CoarseConditions
from sequencer.condition import Conditions, TrackCondition
from sequencer.forecaster import Forecaster
from sequencer.sampling import SamplingOptions
from sequencer.track import Track, TrackConditions


def conditions_for(
    forecaster: Forecaster,
    seeds: Tensor,
    *,
    track: Track | None,
    generator: torch.Generator,
    sampling: SamplingOptions,
) -> Conditions | None:
    """Return the condition of z-scored seeds (batch, steps, n) and what follows them.

    A coarse one is sampled on the way. None if there is none, or the forecaster goes without.

    Raises
    ------
    ParameterError
        If there is a track and the forecaster was not trained to go with one.
    """
    if track is not None:
        check_accompanies(forecaster)
        return TrackConditions(forecaster, seeds, track)
    if forecaster.coarse is not None:
        return CoarseConditions(forecaster, seeds, generator=generator, sampling=sampling)
    return None


def check_accompanies(forecaster: Forecaster) -> None:
    """Raise ParameterError if a forecaster was not trained to go with another track."""
    if not isinstance(forecaster.config.condition, TrackCondition):
        raise ParameterError(
            "the model was not trained to go with another track; train one with: demiurge"
            " sequencer train DB MODEL --with NAME, or leave --with out"
        )
