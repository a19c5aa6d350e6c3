"""Training on a folder of audio, the common part of vocoders and generators."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch
from torch import Tensor, nn

from files.atomic import cannot_write
from files.errors import ParameterError
from files.progress import Progress
from files.ranges import check_integer, shown
from synth.codecs.mel_codec import MelCodecModel
from synth.dataset import AudioDataset, AudioFile, open_dataset
from synth.generator import Generator
from synth.mel import MOST_N_MELS, PRESETS, MelSettings
from synth.segments import Segments, split_files
from synth.vocoder import Vocoder
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.options import TrainingOptions
from training.precision import autocast
from training.tracking import find_wandb
from training.trainable import Trainable, check_gradient
from training.training_position import TrainingSummary

# Of a mel band: an always silent one has no spread, and must not amplify other audio.
MIN_STD = 0.1


@dataclass(frozen=True)
class AudioTrainingOptions(TrainingOptions):
    """Options for training on a folder of audio."""

    mel: str = "22k"
    n_mels: int | None = None  # None: as in the preset
    validate_minutes: float = 5.0
    show_minutes: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.mel, str) or self.mel not in PRESETS:
            raise ParameterError(
                f"mel={shown(self.mel)} is not known; choose one of {', '.join(PRESETS)}"
            )
        if self.n_mels is not None:
            check_integer("n_mels", self.n_mels, 1, MOST_N_MELS)

    def mel_settings(self) -> MelSettings:
        preset = PRESETS[self.mel]
        return replace(preset, n_mels=preset.n_mels if self.n_mels is None else self.n_mels)


@dataclass(frozen=True)
class AudioTrainingSummary(TrainingSummary):
    """Summary of training on a folder of audio."""

    architecture: str
    train_seconds: float  # of audio
    validation_seconds: float
    n_padded: int  # files shorter than an excerpt
    left_out: dict[str, str]  # reason for each file that could not be used


class AudioTraining(Trainable):
    """Training on excerpts of the files of a folder; some files are for validation.

    Attributes
    ----------
    optimisers : dict of Optimizer, by the name of what they train
    """

    architecture: str
    optimisers: dict[str, torch.optim.Optimizer]
    restart_option = "--from"

    def __init__(
        self,
        dataset: AudioDataset,
        options: AudioTrainingOptions,
        distributed: Distributed,
        *,
        excerpt_frames: int,
        starts_trained: bool,
    ) -> None:
        self.dataset = dataset
        self.options = options
        self.distributed = distributed
        self.starts_trained = starts_trained
        self.files = dataset.stamps
        self.device = distributed.device(options.device)
        train, self.validation = split_files(
            dataset, excerpt_frames, random_seed=options.random_seed
        )
        self.train = Segments(dataset, train, excerpt_frames)
        torch.manual_seed(options.random_seed)

    def batches(self, epoch: int, skip: int) -> Iterator[Any]:
        rng = np.random.default_rng([self.options.random_seed, epoch])
        share = (self.distributed.rank, self.distributed.world_size)
        return self.train.batches(rng, self.options.batch_size, skip=skip, share=share)

    def precision(self) -> torch.autocast:
        """Return a context in which networks compute in the precision of the options."""
        return autocast(self.device, self.options.precision)

    def descend(self, name: str, modules: list[nn.Module], loss: Tensor, *, clip: float) -> None:
        """Take a step of the optimiser `name`; clip the gradient of each module."""
        optimiser = self.optimisers[name]
        optimiser.zero_grad()
        (loss / self.distributed.world_size).backward()
        for module in modules:
            self.distributed.sum_gradients(module)
        for module in modules:
            check_gradient(nn.utils.clip_grad_norm_(module.parameters(), clip), name)
        optimiser.step()

    def optimiser_parts(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers under their names among the parts."""
        return {f"{name} optimiser": optimiser for name, optimiser in self.optimisers.items()}

    def save(self, ema: nn.Module, folder: Path, summary: dict[str, Any]) -> None:
        assert isinstance(ema, Vocoder | Generator | MelCodecModel)
        names = {
            "train": [file.name for file in self.train.files],
            "validation": [file.name for file in self.validation],
        }
        ema.training_summary = {**summary, **names}
        del ema.training_summary["mel"]  # it is in the config
        ema.save(folder)

    def show(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        try:
            return self.write_samples(ema, folder, step)
        except (OSError, sf.SoundFileError) as error:
            remedy = "free some space, then continue with --resume"
            raise ParameterError(cannot_write(folder, error, remedy)) from error

    def write_samples(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        """Write pictures and audio made by the EMA; return their paths."""
        raise NotImplementedError


def mel_moments(dataset: AudioDataset, files: Sequence[AudioFile]) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of each band, (n_mels,) each, of some files."""
    sums = np.zeros(dataset.settings.n_mels)
    squares = np.zeros(dataset.settings.n_mels)
    n = 0
    for file in files:
        frames = dataset.mel_of(file).astype(np.float64)
        sums = sums + frames.sum(1)
        squares = squares + np.square(frames).sum(1)
        n = n + frames.shape[1]
    mean = sums / n
    std = np.maximum(np.sqrt(np.maximum(squares / n - mean**2, 0)), MIN_STD)
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()


def train_on_folder(
    audio: Path,
    folder: Path,
    make: Callable[..., AudioTraining],
    *,
    options: AudioTrainingOptions,
    start: Vocoder | Generator | MelCodecModel | None,
    resume: bool,
    wandb: bool,
    progress: Progress,
) -> AudioTrainingSummary:
    """Decode a folder of audio and run the training that `make` builds for it.

    `make` takes the dataset, `options`, the processes and `start`. See `train_vocoder`,
    `train_flow` and `train_unagan`.
    """
    mel = start.mel if start else options.mel_settings()
    with Distributed() as distributed:
        # fail here, and not after hours of audio have been decoded
        distributed.device(options.device)
        if wandb:
            find_wandb()
        dataset = distributed.main_first(lambda: open_dataset(audio, mel, progress=progress))
        training = make(dataset, options, distributed, start)
        loop = TrainingLoop(training, folder, options, distributed, progress=progress)
        summary = loop.run(resume=resume, wandb=wandb)
    parts = {"train": training.train.files, "validation": training.validation}
    seconds = {
        part: sum(file.n_frames for file in files) / mel.frame_rate for part, files in parts.items()
    }
    return AudioTrainingSummary(
        **asdict(summary),
        architecture=training.architecture,
        train_seconds=seconds["train"],
        validation_seconds=seconds["validation"],
        n_padded=training.train.n_padded,
        left_out=dataset.left_out,
    )
