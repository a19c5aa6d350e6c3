"""A forecaster with random weights, fitted to the sequences that it will be trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from files.regular import is_missing
from sequencer.condition import CoarseCondition, TrackCondition
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.quantiser import Level, sizes_of
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.split import NamedSequences
from sequencer.tokens import TokensHead
from training.checkpoint import rebuilding
from training.checkpoint_config import CONFIG


class Described(Protocol):
    """The config of a checkpoint."""

    descriptors: dict[str, Any]


def check_settings(
    folder: Path, settings: DescriptorSettings, read: Callable[[Path], Described]
) -> None:
    """Refuse other descriptor settings than those of the model in a folder, if it has one."""
    if is_missing(folder / CONFIG):
        return
    document = read(folder)
    with rebuilding(folder):
        before = DescriptorSettings.from_dict(document.descriptors)
    settings.check_matches(before, mine="the database", theirs=f"the model {folder}")


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
    pattern: str | None = None,
    levels: Sequence[Level] | None = None,
) -> Forecaster:
    """Make a forecaster for z-scored training sequences, each (steps, n_static).

    Of the tokens head, `pattern` says in which order levels are forecast, and `levels` are those
    of the codec whose codes are learnt; by default codebooks are fitted.
    """
    everything = torch.cat(train)
    head_sizes = HEADS[head].network.sizes_for(len(everything))
    if pattern:
        head_sizes["pattern"] = pattern
    if levels:
        head_sizes |= sizes_of(levels)
    config = ForecasterConfig(
        architecture,
        settings,
        head,
        architecture_sizes=ARCHITECTURES[architecture].default_sizes,
        head_sizes=head_sizes,
        condition=condition,
    )
    torch.manual_seed(random_seed)
    model = Forecaster(config)
    model.set_statistics(normaliser, low=everything.amin(0), high=everything.amax(0))
    if levels:
        assert isinstance(model.head, TokensHead)
        model.head.quantiser.take(levels, mean=model.mean, std=model.std)
    model.head.fit(train)
    return model
