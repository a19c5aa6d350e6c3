"""From a folder of audio to a trained model: what training vocoders and UNAGANs have in common."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from files.progress import Progress
from synth.dataset import AudioDataset, open_dataset
from synth.generator import Generator
from synth.mel import MelSettings
from synth.segments import Segments, split_files
from synth.vocoder import Vocoder
from training.distributed import Distributed
from training.loop import Loop, LoopOptions, LoopSummary, Trainee
from training.precision import autocast
from training.tracking import find_wandb


class FolderTrainee(Trainee):
    """A trainee of `training.loop` that learns from excerpts of some recordings of a folder and is
    judged on the others.

    Attributes
    ----------
    average : Vocoder or Generator
        Of the trained weights: what is judged and kept.
    parts : dict
        All that is needed to go on, by name: what has a `state_dict`.
    optimisers : dict of Optimizer, by name
    """

    architecture: str
    average: Vocoder | Generator
    parts: dict[str, Any]
    optimisers: dict[str, torch.optim.Optimizer]

    def __init__(
        self,
        dataset: AudioDataset,
        options: LoopOptions,
        processes: Distributed,
        *,
        excerpt_frames: int,
        started: bool,
    ) -> None:
        self.dataset = dataset
        self.options = options
        self.processes = processes
        self.started = started
        self.files = dataset.stamps
        self.device = processes.device(options.device)
        train, self.validation = split_files(dataset, excerpt_frames, random_seed=options.seed)
        self.train = Segments(dataset, train, excerpt_frames)
        torch.manual_seed(options.seed)

    def batches(self, rng: np.random.Generator, skip: int) -> Iterator[tuple[Tensor, Tensor]]:
        share = (self.processes.rank, self.processes.world_size)
        return self.train.batches(rng, self.options.batch_size, skip=skip, share=share)

    def end_epoch(self) -> None:
        """Nothing changes from one epoch to the next, unless a trainee says otherwise."""

    def precision(self) -> torch.autocast:
        """A context in which networks compute as precisely as the options say."""
        return autocast(self.device, self.options.precision)

    def state(self) -> dict[str, Any]:
        optimisers = {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}
        return {name: part.state_dict() for name, part in self.parts.items()} | {
            "optimisers": optimisers
        }

    def load_state(self, state: dict[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])

    def save_best(self, folder: Path, summary: dict[str, Any]) -> None:
        told = {
            name: value
            for name, value in self.identity.items()
            if name not in ("recordings", "mel")
        }
        names = {
            "train": [file.name for file in self.train.files],
            "validation": [file.name for file in self.validation],
        }
        self.average.training_summary = {**summary, **self.options.identity(), **told, **names}
        self.average.save(folder)


@dataclass(frozen=True)
class TrainingSummary(LoopSummary):
    """How training went; `best` is the least of the held-out measure."""

    architecture: str
    train_seconds: float  # of audio
    validation_seconds: float
    n_padded: int  # recordings shorter than an excerpt
    left_out: dict[str, str]  # files that could not be used, and why


def train_on_folder(
    audio: Path,
    out: Path,
    make: Callable[[AudioDataset, Distributed], FolderTrainee],
    *,
    mel: MelSettings,
    options: LoopOptions,
    resume: bool,
    wandb: bool,
    progress: Progress,
) -> TrainingSummary:
    """Decode the folder, make a trainee of it, and train that.

    See `train_vocoder` and `train_unagan`.
    """
    with Distributed() as processes:
        processes.device(options.device)  # before hours of audio are decoded, as the next
        if wandb:
            find_wandb()
        dataset = processes.first_then_others(lambda: open_dataset(audio, mel, progress=progress))
        trainee = make(dataset, processes)
        summary = Loop(trainee, out, options, processes).run(
            resume=resume, wandb=wandb, tell=progress
        )
    seconds = [
        sum(file.n_frames for file in part) / mel.frame_rate
        for part in (trainee.train.files, trainee.validation)
    ]
    return TrainingSummary(
        **asdict(summary),
        architecture=trainee.architecture,
        train_seconds=seconds[0],
        validation_seconds=seconds[1],
        n_padded=trainee.train.n_padded,
        left_out=dataset.left_out,
    )
