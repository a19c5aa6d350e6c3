"""Train a forecaster on the sequences of a database; validate it on unseen sources."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from db.normaliser import Normaliser, fit_normaliser
from db.settings import DescriptorSettings
from files.errors import ParameterError
from files.progress import Progress, no_progress
from sequencer.augmentation import Augmentation
from sequencer.condition import GroupSteps
from sequencer.condition_rows import (
    Coarse,
    ConditionRows,
    coarse_split,
    config_of,
    identity_of,
)
from sequencer.forecaster import KIND, Forecaster
from sequencer.forecaster_document import read_forecaster_document
from sequencer.loss import batch_loss, validation_loss
from sequencer.names import COARSE
from sequencer.new_forecaster import check_settings, fit_window, new_forecaster, scores_of
from sequencer.patterns import make_pattern
from sequencer.quantiser import Level
from sequencer.registry import HEADS, check_known
from sequencer.sequence_training import ForecasterSummary, SequenceTraining
from sequencer.split import NamedSequences, Split, split_sequences
from sequencer.tracks import Tracks
from sequencer.windows import Batch, windows_for
from training.checkpoint import holds_model
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.options import TrainingOptions

COARSE_SHARE = 0.25  # of the minutes of a training


@dataclass(frozen=True)
class ForecasterOptions(TrainingOptions):
    """Options for training. The defaults suit ten minutes to a hundred hours of audio."""

    architecture: str = "lstm"
    head: str = "mixture"
    epochs: int = 60
    patience: int = 6
    validate_epochs: bool = True
    pattern: str | None = None  # of the tokens head: one of `sequencer.names.PATTERNS`
    # Steps of an excerpt, 3 s of frames; the slow averages sum up what came before.
    window: int = 128
    threads: int = 1  # two are only a third faster at these sizes, and only on an idle machine

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise ParameterError(f"window={self.window} must be at least 1")
        check_known(self.architecture, self.head)
        if self.pattern is not None:
            make_pattern(self.pattern, levels=1)
            if self.head != "tokens":
                raise ParameterError(
                    f"pattern={self.pattern} is of the tokens head; leave it out with {self.head}"
                )


def train_forecaster(
    sequences: NamedSequences,
    folder: str | Path,
    *,
    settings: DescriptorSettings,
    normaliser: Normaliser,
    options: ForecasterOptions,
    coarse: GroupSteps | None = None,
    tracks: Tracks | None = None,
    levels: Sequence[Level] | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> ForecasterSummary:
    """Train a forecaster, and save the weights with the lowest validation loss in a folder.

    Parameters
    ----------
    sequences : list of (name, ndarray (steps, n_descriptors) raw)
    coarse : int, "beats" or "bars", optional
        Train a forecaster of groups of so many steps as well, before, in a quarter of the minutes;
        it becomes a part of the model. See `sequencer.coarse`.
    tracks : Tracks, optional
        What the sources go with; see `sequencer.track`.
    levels : sequence of Level, optional
        Those of the codec whose latents the sequences are, for the tokens head to learn its codes.
    resume : bool
        Continue where an earlier call with the same data and options ended.

    Raises
    ------
    ParameterError
        If there is too little to train on, an option is out of range, both `coarse` and `tracks`
        are given, or there is nothing to resume.
    DatabaseError
        If the model to be resumed was trained with other descriptor settings.
    TrainingError
        If a loss is not a number; the best checkpoint so far is kept.
    """
    if coarse is not None and tracks is not None:
        raise ParameterError("a model goes with a coarse level or with a track; leave one out")
    folder = Path(folder)
    if resume:
        check_settings(folder, settings, read_forecaster_document)
    begun = resume and holds_model(folder)
    split = split_sequences(sequences, random_seed=options.random_seed)
    condition: Coarse | Tracks | None = tracks
    with Distributed() as distributed:
        if coarse is not None:
            groups = _coarse_training(split, coarse, settings, options, distributed)
            below = folder / COARSE
            if not begun:
                loop = TrainingLoop(groups, below, groups.options, distributed, progress=progress)
                summary = loop.run(resume=resume)
                if summary.stopped_by == "interrupt":
                    return replace(groups.summarise(summary), of_coarse=True)
                options = replace(options, minutes=_share(options.minutes, 1 - COARSE_SHARE))
            forecaster = distributed.main_first(lambda: Forecaster.load(below))
            condition = Coarse(coarse, forecaster)
        training = ForecasterTraining(
            sequences,
            settings,
            normaliser,
            options,
            distributed,
            split=split,
            condition=condition,
            levels=levels,
        )
        loop = TrainingLoop(training, folder, options, distributed, progress=progress)
        return training.summarise(loop.run(resume=resume if coarse is None else begun, wandb=wandb))


def _coarse_training(
    split: Split,
    coarse: GroupSteps,
    settings: DescriptorSettings,
    options: ForecasterOptions,
    distributed: Distributed,
) -> "ForecasterTraining":
    """Return the training of a forecaster of groups of steps; it must be one that forecasts."""
    groups = coarse_split(split, coarse, settings)
    sequences = [*groups.train, *groups.validation]
    normaliser = fit_normaliser([rows for _, rows in sequences], settings.n_descriptors)
    head = options.head if HEADS[options.head].network.forecasts else "mixture"
    minutes = _share(options.minutes, COARSE_SHARE)
    options = replace(options, head=head, minutes=minutes)
    return ForecasterTraining(sequences, settings, normaliser, options, distributed, split=groups)


def _share(minutes: float | None, share: float) -> float | None:
    return None if minutes is None else minutes * share


class ForecasterTraining(SequenceTraining):
    """A forecaster, its windows, and what changes its batches."""

    model: Forecaster
    options: ForecasterOptions

    def __init__(
        self,
        sequences: NamedSequences,
        settings: DescriptorSettings,
        normaliser: Normaliser,
        options: ForecasterOptions,
        distributed: Distributed,
        *,
        split: Split | None = None,
        condition: Coarse | Tracks | None = None,
        levels: Sequence[Level] | None = None,
    ) -> None:
        split = split or split_sequences(sequences, random_seed=options.random_seed)
        train = scores_of(split.train, settings, normaliser)
        validation = scores_of(split.validation, settings, normaliser)
        window = fit_window(train, options.window)
        model = new_forecaster(
            train,
            settings,
            normaliser,
            architecture=options.architecture,
            head=options.head,
            random_seed=options.random_seed,
            condition=config_of(condition, split.train, settings),
            pattern=options.pattern,
            levels=levels,
        )
        rows = ConditionRows(model, condition, dict(sequences)).of_split(split, train, validation)
        rate = model.architecture.learning_rate
        super().__init__(model, sequences, split, options, distributed, rate=rate)
        self.augmentation: Augmentation | None = None
        if HEADS[options.head].augment:
            self.augmentation = Augmentation(self.model)
        size = options.batch_size
        self.train_windows, self.validation_windows = (
            windows_for(self.model, scores, window=window, batch_size=size, conditions=of_steps)
            for scores, of_steps in zip((train, validation), rows, strict=True)
        )
        self.identity = {
            "kind": KIND,
            "architecture": options.architecture,
            "head": options.head,
            "window": options.window,
            **({"pattern": options.pattern} if options.pattern else {}),
            **identity_of(self.model.config),
        }
        coarse = self.model.coarse
        measures = coarse.config.training["measures"] if coarse else {}
        self.facts = {
            "architecture": options.architecture,
            "head": options.head,
            "coarse_loss": measures.get("loss"),
        }

    def step(self, batch: Batch, n_steps: int) -> dict[str, float]:
        if self.augmentation:
            batch = self.augmentation(batch)
        loss, n_targets = batch_loss(self.model, batch, self.options.precision, learnt_only=True)
        return self.descend(loss, n_targets, n_steps)

    def validate(self, ema: nn.Module) -> dict[str, float]:
        assert isinstance(ema, Forecaster)
        return {"loss": validation_loss(ema, self.validation_windows, learnt_only=True)}
