"""Train a vocoder to restore audio from its mel spectrogram."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from files.progress import Progress, no_progress
from files.ranges import check_integer
from synth.architectures import ARCHITECTURES, check_architecture
from synth.dataset import AudioDataset
from synth.griffin_lim import griffin_lim
from synth.limits import MOST_FRAMES
from synth.losses import MultiResolutionSTFT
from synth.mel import LogMel
from synth.names import DEFAULT_VOCODER
from synth.recipe_discriminators import RecipeDiscriminators
from synth.samples import Sample, save_samples
from synth.segments import Segments
from synth.train import AudioTraining, AudioTrainingOptions, AudioTrainingSummary, train_on_folder
from synth.vocoder import KIND, Vocoder
from synth.weight_norm import add_weight_norm
from training.distributed import Distributed
from training.options import MOST_STEPS

MIN_SEGMENT_FRAMES = 16
N_EXCERPTS = 16  # for validation, each of
EXCERPT_FRAMES = 256  # 3 s at 22.05 kHz / 256
N_SHOWN = 3

Batch = tuple[Tensor, Tensor]  # audio (batch, samples), log-mel (batch, n_mels, frames)


@dataclass(frozen=True)
class VocoderOptions(AudioTrainingOptions):
    """Options for training a vocoder; None means as in the architecture's recipe."""

    architecture: str = DEFAULT_VOCODER
    segment_frames: int | None = None
    adversarial_from: int | None = None  # steps before the discriminators join

    def __post_init__(self) -> None:
        super().__post_init__()
        check_architecture(self.architecture)
        if self.segment_frames is not None:
            check_integer("segment_frames", self.segment_frames, MIN_SEGMENT_FRAMES, MOST_FRAMES)
        if self.adversarial_from is not None:
            check_integer("adversarial_from", self.adversarial_from, 0, MOST_STEPS)


def train_vocoder(
    audio: Path,
    folder: Path,
    *,
    options: VocoderOptions,
    start: Vocoder | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> AudioTrainingSummary:
    """Train on a folder of audio, and save the best weights in another.

    The best weights are those with the lowest mel L1 + multi-resolution STFT distance from the
    validation files.

    Parameters
    ----------
    start : Vocoder, optional
        Model to start from; its architecture and mel settings are kept.

    Raises
    ------
    ParameterError
        If there is too little audio, or options do not fit.
    TrainingError
        If a loss is not finite.
    """
    return train_on_folder(
        audio,
        folder,
        VocoderTraining,
        options=options,
        start=start,
        resume=resume,
        wandb=wandb,
        progress=progress,
    )


class VocoderTraining(AudioTraining):
    """A vocoder, its discriminators and their optimisers."""

    options: VocoderOptions
    model: Vocoder
    loss_prefix = "vocoder/"

    def __init__(
        self,
        dataset: AudioDataset,
        options: VocoderOptions,
        distributed: Distributed,
        start: Vocoder | None = None,
    ) -> None:
        self.architecture = start.architecture if start else options.architecture
        self.recipe = ARCHITECTURES[self.architecture].recipe
        frames = options.segment_frames or self.recipe.segment_frames
        super().__init__(
            dataset,
            options,
            distributed,
            excerpt_frames=frames,
            starts_trained=start is not None,
        )
        self.adversarial_from = self._adversarial_from()
        self._make_networks(start)
        self._make_losses()
        self.optimisers = {
            "vocoder": self._make_optimiser(self.model),
            "discriminators": self._make_optimiser(self.discriminators),
        }
        self.parts = {
            "vocoder": self.model,
            "discriminators": self.discriminators,
            **self.optimiser_parts(),
        }
        self.identity = {
            "kind": KIND,
            "architecture": self.architecture,
            "mel": self.model.mel.to_dict(),
            "segment_frames": frames,
            "adversarial_from": self.adversarial_from,
        }

    def _adversarial_from(self) -> int:
        given = self.options.adversarial_from
        steps = self.recipe.adversarial_from if given is None else given
        if steps and not (self.recipe.mel or self.recipe.stft):
            raise ParameterError(
                f"adversarial_from={steps} must be 0: {self.architecture} learns only from its"
                " discriminators"
            )
        return steps

    def _make_networks(self, start: Vocoder | None) -> None:
        if start:
            self.model = copy.deepcopy(start)
        else:
            self.model = Vocoder(self.architecture, self.dataset.settings)
        if self.model.network.weight_norm:
            add_weight_norm(self.model.network)
        self.model.train().to(self.device)
        self.discriminators = RecipeDiscriminators(self.recipe).to(self.device)

    def _make_losses(self) -> None:
        mel = self.model.mel
        all_bands = replace(mel, f_max=mel.sample_rate / 2, log="ln")  # as published
        self.log_mel = LogMel(all_bands).to(self.device)
        self.stft_loss = MultiResolutionSTFT(self.recipe.resolutions).to(self.device)
        self.validation_stft = MultiResolutionSTFT().to(self.device)

    def _make_optimiser(self, module: nn.Module) -> torch.optim.Optimizer:
        recipe = self.recipe
        rate = self.options.learning_rate or recipe.learning_rate
        return torch.optim.AdamW(
            module.parameters(), lr=rate, betas=recipe.betas, weight_decay=recipe.weight_decay
        )

    def step(self, batch: Batch, n_steps: int) -> dict[str, float]:
        """Train the discriminators, once they have joined, and then the vocoder."""
        audio, mel = (part.to(self.device) for part in batch)
        real = audio[:, None]
        with self.precision():
            fake = self.model(mel)
        fake = fake.float()
        discriminator_losses = {}
        joined = n_steps > self.adversarial_from
        if joined:
            discriminator_losses = self.step_discriminators(real, fake.detach())
        losses = self.spectral_losses(fake, real)
        if joined:
            with self.precision():
                losses |= self.discriminators.losses_of_network(real, fake)
        self._descend("vocoder", self.model, losses)
        vocoder_losses = {f"vocoder/{name}": value.item() for name, value in losses.items()}
        return discriminator_losses | vocoder_losses

    def step_discriminators(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """Train the discriminators on audio (batch, 1, samples); return their losses."""
        with self.precision():
            losses = self.discriminators.own_losses(real, fake)
        self._descend("discriminators", self.discriminators, losses)
        return {f"discriminator/{name}": loss.item() for name, loss in losses.items()}

    def spectral_losses(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Return the weighted mel and STFT losses of audio (batch, 1, samples)."""
        losses = {}
        recipe = self.recipe
        if recipe.mel:
            losses["mel"] = recipe.mel * self._mel_l1(fake[:, 0], real[:, 0])
        if recipe.stft:
            losses["stft"] = recipe.stft * self.stft_loss(fake[:, 0], real[:, 0])
        return losses

    def _mel_l1(self, fake: Tensor, real: Tensor) -> Tensor:
        return (self.log_mel(fake) - self.log_mel(real)).abs().mean()

    def _descend(self, name: str, module: nn.Module, losses: dict[str, Tensor]) -> None:
        loss = torch.stack(list(losses.values())).sum()
        self.descend(name, [module], loss, clip=self.recipe.clip or float("inf"))

    def end_epoch(self) -> None:
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] *= self.recipe.decay

    @torch.inference_mode()
    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Return mean distances of the vocoder's output from excerpts of the validation files."""
        found = []
        for audio, mel in self._excerpts(N_EXCERPTS):
            found.append(self._distances(ema(mel[None])[:, 0], audio[None]))
        mel_l1, stft = np.mean(found, axis=0).tolist()
        return {"distance": mel_l1 + stft, "mel_l1": mel_l1, "stft": stft}

    @torch.inference_mode()
    def baselines(self, ema: nn.Module) -> dict[str, float]:
        """Return the distance of Griffin-Lim's output, which needs no training."""
        found = []
        for audio, mel in self._excerpts(N_EXCERPTS):
            made = griffin_lim(mel.cpu().numpy(), self.model.mel)
            fake = torch.from_numpy(made).to(self.device)
            found.append(sum(self._distances(fake[None], audio[None])))
        return {"Griffin-Lim": float(np.mean(found))}

    def _distances(self, fake: Tensor, real: Tensor) -> tuple[float, float]:
        """Return the mel L1 and STFT distance of audio (batch, samples)."""
        return float(self._mel_l1(fake, real)), float(self.validation_stft(fake, real))

    def _excerpts(self, n: int) -> Iterator[Batch]:
        """Yield up to `n` excerpts, a segment or longer, spread over the validation files.

        Audio (samples,) and log-mel (n_mels, frames) of each.
        """
        places = []
        for file in self.validation:
            places += [(file, start) for start in range(0, file.n_frames, EXCERPT_FRAMES)]
        for index in np.linspace(0, len(places) - 1, min(n, len(places))).astype(int):
            file, start = places[index]
            frames = min(max(file.n_frames, self.train.n_frames), EXCERPT_FRAMES)
            start = max(min(start, file.n_frames - frames), 0)
            audio, mel = Segments(self.dataset, self.validation, frames).cut([(file, start)])
            yield audio[0].to(self.device), mel[0].to(self.device)

    @torch.inference_mode()
    def write_samples(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        """Write a few excerpts and their copies by the vocoder."""
        samples = []
        for audio, mel in self._excerpts(N_SHOWN):
            parts = (audio, ema(mel[None])[0, 0], mel)
            samples.append(Sample(*(part.cpu().numpy() for part in parts)))
        return save_samples(folder, step, samples, self.model.mel)
