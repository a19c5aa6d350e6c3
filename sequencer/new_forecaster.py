"""A forecaster with random weights, fitted to the sequences that it will be trained on."""

import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from sequencer.condition import CoarseCondition, TrackCondition
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.split import NamedSequences


def scores_of(
    sequences: NamedSequences, settings: DescriptorSettings, normaliser: Normaliser
) -> list[Tensor]:
    """Return the z-scored independent columns of each sequence."""
    columns = static_columns(settings)
    return [torch.from_numpy(normaliser.apply(rows)[:, columns]) for _, rows in sequences]


def fit_window(train: list[Tensor], window: int) -> int:
    """Return the length of training excerpts, at most half of a corpus that is too short for it."""
    n_steps = sum(map(len, train))
    return window if n_steps >= window else max(n_steps // 2, 1)


def new_forecaster(
    train: list[Tensor],
    settings: DescriptorSettings,
    normaliser: Normaliser,
    *,
    architecture: str,
    head: str,
    random_seed: int,
    condition: CoarseCondition | TrackCondition | None,
) -> Forecaster:
    """Make a forecaster for z-scored training sequences, each (steps, n_static)."""
    everything = torch.cat(train)
    config = ForecasterConfig(
        architecture,
        settings,
        head,
        architecture_sizes=ARCHITECTURES[architecture].default_sizes,
        head_sizes=HEADS[head].network.sizes_for(len(everything)),
        condition=condition,
    )
    torch.manual_seed(random_seed)
    model = Forecaster(config)
    model.set_statistics(normaliser, low=everything.amin(0), high=everything.amax(0))
    model.head.fit(train)
    return model
