"""From a folder of audio to a trained model: what training vocoders and UNAGANs have in common."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from synth.loop import Loop, LoopOptions, LoopSummary, Trainee
from synth.mel import MelSettings
from synth.recordings import Recording, Recordings, Tell, open_recordings
from synth.segments import Segments
from training.processes import Processes


class FolderTrainee(Trainee, Protocol):
    """A trainee that learns from some recordings of a folder and is judged on others."""

    architecture: str
    train: Segments
    held_out: list[Recording]


@dataclass(frozen=True)
class TrainingSummary(LoopSummary):
    """How training went; `best` is the least of the held-out measure."""

    architecture: str
    train_seconds: float  # of audio
    held_out_seconds: float
    n_padded: int  # recordings shorter than an excerpt
    left_out: dict[str, str]  # files that could not be used, and why


def train_on_folder(
    audio: Path, out: Path, make: Callable[[Recordings, Processes], FolderTrainee], *, mel: MelSettings, options: LoopOptions,
    resume: bool, wandb: bool, progress: Tell | None,
) -> TrainingSummary:  # fmt: skip
    """Decode the folder, make a trainee of it, and train that. See `train_vocoder` and `train_unagan`."""
    with Processes() as processes:
        processes.device(options.device)  # before hours of audio are decoded
        recordings = processes.first_then_others(lambda: open_recordings(audio, mel, progress=progress))
        trainee = make(recordings, processes)
        summary = Loop(trainee, out, options, processes).run(resume=resume, wandb=wandb, tell=progress)
    seconds = [sum(e.n_frames for e in part) / mel.frame_rate for part in (trainee.train.entries, trainee.held_out)]
    return TrainingSummary(
        **asdict(summary), architecture=trainee.architecture, train_seconds=seconds[0], held_out_seconds=seconds[1],
        n_padded=trainee.train.n_padded, left_out=recordings.left_out,
    )  # fmt: skip
