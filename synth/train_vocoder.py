"""Train a vocoder on recordings: to sound like them, given their mel spectrograms."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.architectures import ARCHITECTURES, check_architecture
from synth.dataset import AudioDataset
from synth.discriminators import DiscriminatorOutputs
from synth.griffin_lim import griffin_lim
from synth.losses import MultiResolutionSTFT, feature_matching
from synth.mel import LogMel
from synth.names import DEFAULT_VOCODER
from synth.samples import Sample, save_samples
from synth.segments import Segments
from synth.train import FolderTrainee, TrainingSummary, train_on_folder
from synth.vocoder import Vocoder
from synth.weight_norm import add_weight_norm
from training.distributed import Distributed
from training.ema import update_ema
from training.loop import LoopOptions, check_gradient

JUDGED = 16  # held-out excerpts of
JUDGED_FRAMES = 256  # frames, 3 s at 22.05 kHz


@dataclass(frozen=True)
class VocoderOptions(LoopOptions):
    """How to train a vocoder."""

    architecture: str = DEFAULT_VOCODER
    segment_frames: int | None = None  # the recipe's own
    adversarial_from: int | None = None  # updates before the discriminators join; the recipe's own

    def __post_init__(self) -> None:
        super().__post_init__()
        check_architecture(self.architecture)
        if self.segment_frames is not None and self.segment_frames < 16:
            raise ParameterError(f"segment_frames={self.segment_frames} must be at least 16")
        if self.adversarial_from is not None and self.adversarial_from < 0:
            raise ParameterError(f"adversarial_from={self.adversarial_from} must not be negative")


def train_vocoder(
    audio: Path,
    out: Path,
    *,
    options: VocoderOptions,
    start: Vocoder | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> TrainingSummary:
    """Train on a folder of audio and leave the best weights, by held-out mel L1 + multi-resolution
    STFT distance, in `out`.

    Parameters
    ----------
    start : Vocoder, optional
        To go on from, on other recordings; its architecture and mel settings are taken over.

    Raises
    ------
    ParameterError
        If there is too little audio, or options do not fit.
    TrainingError
        If a loss is not finite.
    """
    return train_on_folder(
        audio,
        out,
        lambda dataset, processes: VocoderTraining(dataset, options, processes, start),
        mel=start.mel if start else options.mel_settings(),
        options=options,
        resume=resume,
        wandb=wandb,
        progress=progress,
    )


class VocoderTraining(FolderTrainee):
    """Vocoder, its average, discriminators, their optimisers."""

    options: VocoderOptions
    average: Vocoder
    trained = "vocoder/"

    def __init__(
        self,
        dataset: AudioDataset,
        options: VocoderOptions,
        processes: Distributed,
        start: Vocoder | None = None,
    ) -> None:
        self.architecture = start.architecture if start else options.architecture
        self.recipe = ARCHITECTURES[self.architecture].recipe
        frames = options.segment_frames or self.recipe.segment_frames
        super().__init__(
            dataset, options, processes, excerpt_frames=frames, started=start is not None
        )
        self.vocoder = (
            copy.deepcopy(start) if start else Vocoder(self.architecture, dataset.settings)
        )
        if self.vocoder.network.weight_norm:
            add_weight_norm(self.vocoder.network)
        self.vocoder.train().to(self.device)
        self.average = copy.deepcopy(self.vocoder).eval()
        made = {name: make() for name, (make, _) in self.recipe.discriminators.items()}
        self.discriminators = nn.ModuleDict(made).to(self.device)
        self.parts = {
            "vocoder": self.vocoder,
            "average": self.average,
            "discriminators": self.discriminators,
        }
        mel = self.vocoder.mel
        heard = replace(
            mel, f_max=mel.sample_rate / 2, log="ln"
        )  # as published, the loss hears all bands
        self.front_end = LogMel(heard).to(self.device)
        self.stft = MultiResolutionSTFT().to(self.device)
        self.stft_loss = MultiResolutionSTFT(self.recipe.resolutions).to(self.device)
        self.optimisers = {
            "vocoder": self._optimiser(self.vocoder),
            "discriminators": self._optimiser(self.discriminators),
        }
        given = options.adversarial_from
        self.adversarial_from = self.recipe.adversarial_from if given is None else given
        if self.adversarial_from and not (self.recipe.mel or self.recipe.stft):
            raise ParameterError(
                f"adversarial_from={self.adversarial_from} must be 0: {self.architecture} learns"
                " from nothing but its discriminators"
            )
        self.identity = {
            "architecture": self.architecture,
            "mel": mel.to_dict(),
            "segment_frames": frames,
            "adversarial_from": self.adversarial_from,
            "recordings": dataset.identity,
        }

    def _optimiser(self, module: nn.Module) -> torch.optim.Optimizer:
        recipe = self.recipe
        rate = self.options.learning_rate or recipe.learning_rate
        return torch.optim.AdamW(
            module.parameters(), lr=rate, betas=recipe.betas, weight_decay=recipe.weight_decay
        )

    def step(self, batch: tuple[Tensor, Tensor], n_updates: int) -> dict[str, float]:
        """One update of the discriminators, when they have joined, and one of the vocoder."""
        audio, mel = (part.to(self.device) for part in batch)
        real = audio[:, None]
        with self.precision():
            fake = self.vocoder(mel)
        fake = fake.float()
        adversarial = n_updates > self.adversarial_from
        told = self._step_discriminators(real, fake.detach()) if adversarial else {}
        losses = self._spectral_losses(fake, real)
        if adversarial:
            losses |= self._adversarial_losses(fake, real)
        loss = torch.stack(list(losses.values())).sum()
        self._update("vocoder", self.vocoder, loss)
        update_ema(self.average, self.vocoder, n_updates)
        return told | {f"vocoder/{name}": value.item() for name, value in losses.items()}

    def _step_discriminators(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        with self.precision():
            losses = {
                name: self.recipe.discriminator_loss(discriminator(real), discriminator(fake))
                for name, discriminator in self.discriminators.items()
            }
        self._update(
            "discriminators", self.discriminators, torch.stack(list(losses.values())).sum()
        )
        return {f"discriminator/{name}": loss.item() for name, loss in losses.items()}

    def _spectral_losses(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        losses = {}
        recipe = self.recipe
        if recipe.mel:
            losses["mel"] = (
                recipe.mel * (self.front_end(fake[:, 0]) - self.front_end(real[:, 0])).abs().mean()
            )
        if recipe.stft:
            losses["stft"] = recipe.stft * self.stft_loss(fake[:, 0], real[:, 0])
        return losses

    def _adversarial_losses(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        losses = {}
        recipe = self.recipe
        for name, discriminator in self.discriminators.items():
            discriminator.requires_grad_(False)
            with self.precision():
                of_fake: DiscriminatorOutputs = discriminator(fake)
                with torch.no_grad():
                    of_real: DiscriminatorOutputs = discriminator(real)
            discriminator.requires_grad_(True)
            weight = recipe.discriminators[name][1]
            n_outputs = len(of_fake) if recipe.feature_is_mean else 1
            losses[f"adversarial_{name}"] = weight * recipe.generator_loss(of_fake)
            losses[f"feature_{name}"] = (
                weight * recipe.feature * feature_matching(of_real, of_fake) / n_outputs
            )
        return losses

    def _update(self, name: str, module: nn.Module, loss: Tensor) -> None:
        self.optimisers[name].zero_grad()
        (loss / self.processes.world_size).backward()
        self.processes.sum_gradients(module)
        check_gradient(
            nn.utils.clip_grad_norm_(module.parameters(), self.recipe.clip or float("inf")), name
        )
        self.optimisers[name].step()

    def end_epoch(self) -> None:
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] *= self.recipe.decay

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Distances of the averaged weights' output from held-out recordings, means over excerpts."""
        found = []
        for audio, mel in self._excerpts():
            found.append(self._distances(self.average(mel[None])[:, 0], audio[None]))
        mel_l1, stft = np.mean(found, axis=0).tolist()
        return {"distance": mel_l1 + stft, "mel_l1": mel_l1, "stft": stft}

    @torch.inference_mode()
    def references(self) -> dict[str, float]:
        """The distance that Griffin-Lim leaves, without any training."""
        found = []
        for audio, mel in self._excerpts():
            fake = torch.from_numpy(griffin_lim(mel.cpu().numpy(), self.average.mel)).to(
                self.device
            )
            found.append(sum(self._distances(fake[None], audio[None])))
        return {"Griffin-Lim": float(np.mean(found))}

    def _distances(self, fake: Tensor, real: Tensor) -> tuple[float, float]:
        mel_l1 = (self.front_end(fake) - self.front_end(real)).abs().mean()
        return float(mel_l1), float(self.stft(fake, real))

    def _excerpts(self, n: int = JUDGED) -> Iterator[tuple[Tensor, Tensor]]:
        """Up to `n` excerpts, a segment or longer, spread over the held-out recordings: audio (n,),
        mel (n_mels, frames).
        """
        places = [
            (file, start)
            for file in self.validation
            for start in range(0, file.n_frames, JUDGED_FRAMES)
        ]
        for index in np.linspace(0, len(places) - 1, min(n, len(places))).astype(int):
            file, start = places[index]
            frames = min(max(file.n_frames, self.train.n_frames), JUDGED_FRAMES)
            start = max(min(start, file.n_frames - frames), 0)
            audio, mel = Segments(self.dataset, self.validation, frames).cut([(file, start)])
            yield audio[0].to(self.device), mel[0].to(self.device)

    @torch.inference_mode()
    def show(self, folder: Path, step: int) -> list[Path]:
        """A few held-out excerpts as they are and as they come back."""
        pairs = [(audio, self.average(mel[None])[0, 0], mel) for audio, mel in self._excerpts(3)]
        return save_samples(
            folder,
            step,
            [Sample(*(part.cpu().numpy() for part in pair)) for pair in pairs],
            self.vocoder.mel,
        )
