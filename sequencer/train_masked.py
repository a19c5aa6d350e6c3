"""Train a masked model on the sequences of a database; validate it on unseen sources."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
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
from sequencer.split import NamedSequences, count_steps, split_sequences
from sequencer.token_windows import TokenBatch, TokenWindows
from sequencer.tokens import TokensHead
from sequencer.train import GRADIENT_CLIP, ForecasterSummary
from sequencer.warm_up import warm_up
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.options import TrainingOptions
from training.trainable import Trainable
from training.training_position import TrainingPosition


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
        summary = loop.run(resume=resume, wandb=wandb)
    split = training.split
    return ForecasterSummary(
        **asdict(summary),
        architecture=MASKED,
        head="tokens",
        split_by=split.by,
        train_sources=len(split.train),
        train_steps=count_steps(split.train),
        validation_sources=len(split.validation),
        validation_steps=count_steps(split.validation),
    )


class MaskedTraining(Trainable):
    """A masked model, its windows of tokens, and its optimiser."""

    model: MaskedModel

    def __init__(
        self,
        sequences: NamedSequences,
        settings: DescriptorSettings,
        normaliser: Normaliser,
        options: MaskedOptions,
        distributed: Distributed,
        levels: Sequence[Level] | None = None,
    ) -> None:
        self.options = options
        self.distributed = distributed
        self.split = split_sequences(sequences, random_seed=options.random_seed)
        train = scores_of(self.split.train, settings, normaliser)
        validation = scores_of(self.split.validation, settings, normaliser)
        model = _new_model(train, settings, normaliser, options.random_seed, levels)
        quantise = model.head.quantiser.quantise
        codes = [model.fit(train), [quantise(rows) for rows in validation]]
        window = fit_window(train, options.window)
        self.train_windows, self.validation_windows = (
            TokenWindows(part, window=window, batch_size=options.batch_size) for part in codes
        )
        self.model = model.to(distributed.device(options.device))
        self.rate = options.learning_rate or self.model.learning_rate
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=self.rate)
        self.parts = {"model": self.model, "optimiser": self.optimiser}
        self.identity = {"kind": KIND, "window": options.window}
        self.files = {name: [len(rows)] for name, rows in sequences if len(rows) > 1}

    def batches(self, epoch: int, skip: int) -> Iterator[TokenBatch]:
        self.model.train()
        rng = np.random.default_rng([self.options.random_seed, epoch + 1])
        share = (self.distributed.rank, self.distributed.world_size)
        return self.train_windows.epoch(rng, skip=skip, share=share)

    def seed_numbers(self, at: TrainingPosition) -> tuple[int, ...]:
        return at.epoch + 1, at.batch

    def step(self, batch: TokenBatch, n_steps: int) -> dict[str, float]:
        number = n_steps * self.distributed.world_size + self.distributed.rank
        r = spread(number * self.options.batch_size, len(batch.codes))
        masks = draw_masks(batch.codes, r)
        loss, n_masked = masked_loss(self.model, batch, masks, self.options.precision)
        total, n_masked = self.distributed.sum(loss.detach(), n_masked.float())
        n_masked = n_masked.clamp(min=1)  # r near 1 may mask nothing
        self.optimiser.zero_grad()
        (loss / n_masked).backward()
        self.distributed.sum_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_CLIP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * warm_up(n_steps)
        self.optimiser.step()
        return {"loss": float(total / n_masked)}

    def validate(self, ema: nn.Module) -> dict[str, float]:
        assert isinstance(ema, MaskedModel)
        return {"loss": validation_loss(ema, self.validation_windows)}

    def save(self, ema: nn.Module, folder: Path, summary: dict[str, Any]) -> None:
        assert isinstance(ema, MaskedModel)
        parts = {"train": self.split.train, "validation": self.split.validation}
        sources = {part: [name for name, _ in named] for part, named in parts.items()}
        steps = {part: count_steps(named) for part, named in parts.items()}
        training = {**summary, "sources": sources, "steps": steps}
        ema.config = replace(ema.config, training=training)
        ema.save(folder)


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
