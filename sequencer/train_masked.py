"""Train a masked model on the sequences of a database; validate it on unseen sources."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from files.errors import ParameterError
from files.progress import Progress, no_progress
from sequencer.mask_schedule import draw_masks, spread
from sequencer.masked import MaskedConfig, MaskedModel, MaskedSizes
from sequencer.masked_document import KIND, read_masked_document
from sequencer.masked_loss import masked_loss, validation_loss
from sequencer.names import MASKED
from sequencer.new_forecaster import check_settings, fit_window, scores_of
from sequencer.quantiser import Level, sizes_of
from sequencer.sequence_training import ForecasterSummary, SequenceTraining
from sequencer.split import NamedSequences, split_sequences
from sequencer.token_windows import TokenBatch, TokenWindows
from sequencer.tokens import TokensHead
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.options import TrainingOptions


@dataclass(frozen=True)
class MaskedOptions(TrainingOptions):
    """Options for training, with the defaults of forecasters."""

    epochs: int = 60
    patience: int = 6
    validate_epochs: bool = True
    window: int = 128
    threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise ParameterError(f"window={self.window} must be at least 1")


def train_masked(
    sequences: NamedSequences,
    folder: str | Path,
    *,
    settings: DescriptorSettings,
    normaliser: Normaliser,
    options: MaskedOptions,
    levels: Sequence[Level] | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> ForecasterSummary:
    """Train a masked model, and save the weights with the lowest validation loss in a folder.

    Parameters and errors are those of `sequencer.train.train_forecaster`; validation losses are in
    nats per masked token.
    """
    if resume:
        check_settings(Path(folder), settings, read_masked_document)
    with Distributed() as distributed:
        training = MaskedTraining(sequences, settings, normaliser, options, distributed, levels)
        loop = TrainingLoop(training, Path(folder), options, distributed, progress=progress)
        return training.summarise(loop.run(resume=resume, wandb=wandb))


class MaskedTraining(SequenceTraining):
    """A masked model and its windows of tokens."""

    model: MaskedModel
    options: MaskedOptions

    def __init__(
        self,
        sequences: NamedSequences,
        settings: DescriptorSettings,
        normaliser: Normaliser,
        options: MaskedOptions,
        distributed: Distributed,
        levels: Sequence[Level] | None = None,
    ) -> None:
        split = split_sequences(sequences, random_seed=options.random_seed)
        train = scores_of(split.train, settings, normaliser)
        validation = scores_of(split.validation, settings, normaliser)
        model = _new_model(train, settings, normaliser, options.random_seed, levels)
        quantise = model.head.quantiser.quantise
        codes = [model.fit(train), [quantise(rows) for rows in validation]]
        window = fit_window(train, options.window)
        self.train_windows, self.validation_windows = (
            TokenWindows(part, window=window, batch_size=options.batch_size) for part in codes
        )
        rate = model.learning_rate
        super().__init__(model, sequences, split, options, distributed, rate=rate)
        self.identity = {"kind": KIND, "window": options.window}
        self.facts = {"architecture": MASKED, "head": "tokens"}

    def step(self, batch: TokenBatch, n_steps: int) -> dict[str, float]:
        number = n_steps * self.distributed.world_size + self.distributed.rank
        r = spread(number * self.options.batch_size, len(batch.codes))
        masks = draw_masks(batch.codes, r)
        loss, n_masked = masked_loss(self.model, batch, masks, self.options.precision)
        return self.descend(loss, n_masked.float(), n_steps)

    def validate(self, ema: nn.Module) -> dict[str, float]:
        assert isinstance(ema, MaskedModel)
        return {"loss": validation_loss(ema, self.validation_windows)}


def _new_model(
    train: list[Tensor],
    settings: DescriptorSettings,
    normaliser: Normaliser,
    random_seed: int,
    levels: Sequence[Level] | None,
) -> MaskedModel:
    """Make a model with random weights and the statistics of `train`, and with a codec's levels."""
    everything = torch.cat(train)
    # tokens of a step are filled in any order, so that none is told those below it
    head_sizes = {**TokensHead.sizes_for(len(everything)), "depth": 0, "innovations": False}
    if levels:
        head_sizes |= sizes_of(levels)
    torch.manual_seed(random_seed)
    model = MaskedModel(MaskedConfig(settings, sizes=asdict(MaskedSizes()), head_sizes=head_sizes))
    model.set_statistics(normaliser, low=everything.amin(0), high=everything.amax(0))
    if levels:
        model.head.quantiser.take(levels, mean=model.mean, std=model.std)
    return model
