"""Train a UNAGAN to turn noise into mel spectrograms like those of some audio.

arXiv 2005.08526; its discriminator's BEGAN: arXiv 1703.10717.
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.began import BeganBalance, MelAutoencoder
from synth.dataset import AudioDataset
from synth.generator import KIND
from synth.mel import log_mel
from synth.mel_statistics import WINDOW_FRAMES, mel_statistics
from synth.samples import save_generated
from synth.segments import Segments
from synth.train import AudioTraining, AudioTrainingSummary, mel_moments, train_on_folder
from synth.unagan import MelEncoder
from synth.unagan_generator import UnaganGenerator
from synth.unagan_options import SIZES, UnaganOptions
from training.distributed import Distributed
from training.frechet import frechet_distance

LEARNING_RATE = 1e-4  # as published, and the next two
GRADIENT_CLIP = 3.0
CYCLE_WEIGHT = 1.0
N_VALIDATION_CLIPS = 32  # generated, and compared with the validation files
FIT_STEPS = 250  # training steps between two fits of the noise
FIRST_FITS = (1, 16, 64)  # earlier steps after which it is fitted as well
FIT_EXCERPTS = 96  # excerpts that it is fitted to, each of
FIT_FRAMES = 512  # 6 s at 22.05 kHz / 256
SHOWN_FRAMES = 864  # 10 s at 22.05 kHz / 256

Batch = tuple[Tensor, Tensor]  # audio (batch, samples), log-mel (batch, n_mels, frames)


def train_unagan(
    audio: Path,
    folder: Path,
    *,
    options: UnaganOptions,
    start: UnaganGenerator | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> AudioTrainingSummary:
    """Train on a folder of audio, and save the best weights in another.

    The best weights are those whose mel statistics have the lowest Fréchet distance from those of
    the validation files.

    Parameters
    ----------
    start : UnaganGenerator, optional
        Model to start from; its sizes, mel settings and statistics are kept.

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
        UnaganTraining,
        options=options,
        start=start,
        resume=resume,
        wandb=wandb,
        progress=progress,
    )


class UnaganTraining(AudioTraining):
    """A generator, its discriminator, the cycle's encoder, the balance and the optimisers."""

    options: UnaganOptions
    model: UnaganGenerator
    loss_prefix = "generator/"

    def __init__(
        self,
        dataset: AudioDataset,
        options: UnaganOptions,
        distributed: Distributed,
        start: UnaganGenerator | None = None,
    ) -> None:
        super().__init__(
            dataset,
            options,
            distributed,
            excerpt_frames=options.clip_frames,
            starts_trained=start is not None,
        )
        self.architecture = options.architecture
        self.adversarial_from = options.adversarial_from
        self._make_networks(start)
        rate = options.learning_rate or LEARNING_RATE
        self.makers: list[nn.Module] = [self.model.network]
        if self.encoder:
            self.makers.append(self.encoder)
        makers = nn.ModuleList(self.makers)
        self.optimisers = {
            "generator": torch.optim.Adam(makers.parameters(), rate),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), rate),
        }
        self.parts |= self.optimiser_parts()
        self.validation_statistics = self._statistics_of_validation()
        self.identity = {
            "kind": KIND,
            **{name: getattr(options, name) for name in SIZES},
            "mel": dataset.settings.to_dict(),
        }

    def _make_networks(self, start: UnaganGenerator | None) -> None:
        options = self.options
        n_mels = self.dataset.settings.n_mels
        self.model = copy.deepcopy(start) if start else self._new_generator()
        per_step = self.model.config.frames_per_step
        if options.clip_frames % per_step:
            raise ParameterError(
                f"clip_frames={options.clip_frames} must be a multiple of {per_step}, the number"
                " of frames this generator makes from a step of noise"
            )
        self.model.train().to(self.device)
        self.discriminator = MelAutoencoder(n_mels, options.discriminator_width).to(self.device)
        self.encoder: MelEncoder | None = None
        self.balance = BeganBalance()
        self.parts = {
            "generator": self.model,
            "discriminator": self.discriminator,
            "balance": self.balance,
        }
        if options.cycle:
            self.encoder = MelEncoder(n_mels, self.model.config).to(self.device)
            self.parts["encoder"] = self.encoder

    def _new_generator(self) -> UnaganGenerator:
        """Make a generator with random weights and the statistics of the training files."""
        options = self.options
        mel = self.dataset.settings
        generator = UnaganGenerator(options.config(), mel, latent_order=options.latent_order)
        generator.set_statistics(*mel_moments(self.dataset, self.train.files))
        return generator

    def _statistics_of_validation(self) -> np.ndarray:
        parts = []
        for file in self.validation:
            mel = torch.from_numpy(np.array(self.dataset.mel_of(file))).to(self.device)
            if mel.shape[1] >= WINDOW_FRAMES:
                parts.append(mel_statistics(self.model.normalise(mel)[None].cpu().numpy()))
        n = sum(map(len, parts))
        if n < 2:
            seconds = WINDOW_FRAMES / self.dataset.settings.frame_rate
            raise ParameterError(
                f"the validation files hold {n} excerpts of {seconds:.1f} s, and at least 2 are"
                " needed; add audio, or join short files to longer ones"
            )
        return np.concatenate(parts)

    def step(self, batch: Batch, n_steps: int) -> dict[str, float]:
        """Train the generator and encoder and then, once it has joined, the discriminator."""
        real = self.model.normalise(batch[1].to(self.device))
        states = torch.Generator(self.device).manual_seed(int(torch.randint(1 << 62, ())))
        joined = n_steps > self.adversarial_from
        losses: dict[str, Tensor] = {}
        with self.precision():
            if joined:
                z = self._sample_noise(*real.shape[::2])
                fake = self.model.network(z, states).float()
                losses |= self._adversarial_losses(fake, z)
            if self.encoder:
                again = self.model.network(self.encoder(real), states)
                losses["cycle_mel"] = CYCLE_WEIGHT * (again - real).abs().mean()
        loss = torch.stack(list(losses.values())).sum()
        self.descend("generator", self.makers, loss, clip=GRADIENT_CLIP)
        if self.model.latent.order and self._fit_is_due(n_steps):
            self._fit_noise()
        values = {f"generator/{name}": loss.item() for name, loss in losses.items()}
        if joined:
            values |= self._step_discriminator(real, fake.detach())
        return values

    def _adversarial_losses(self, fake: Tensor, z: Tensor) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        losses = {"adversarial": self._reconstruction_error(fake)}
        self.discriminator.requires_grad_(True)
        if self.encoder:
            losses["cycle_z"] = CYCLE_WEIGHT * (self.encoder(fake) - z).abs().mean()
        return losses

    def _step_discriminator(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        with self.precision():
            of_real = self._reconstruction_error(real)
            of_fake = self._reconstruction_error(fake)
        loss = of_real - self.balance.k * of_fake
        self.descend("discriminator", [self.discriminator], loss, clip=GRADIENT_CLIP)
        sums = self.distributed.sum(of_real.detach(), of_fake.detach())
        means = [value.item() / self.distributed.world_size for value in sums]
        if all(np.isfinite(means)):
            self.balance.update(*means)
        return {
            "began/real": means[0],
            "began/fake": means[1],
            "began/k": self.balance.k,
            "began/convergence": self.balance.measure,
        }

    def _reconstruction_error(self, mel: Tensor) -> Tensor:
        return (self.discriminator(mel) - mel).abs().mean(dtype=torch.float32)

    def _sample_noise(self, batch: int, frames: int) -> Tensor:
        """Return noise from the current fit, (batch, z_channels, steps)."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
        steps = frames // self.model.config.frames_per_step
        noise = [self.model.latent.draw(rng, steps) for _ in range(batch)]
        return torch.stack(noise).to(self.device)

    def _fit_is_due(self, n_steps: int) -> bool:
        is_early = n_steps in FIRST_FITS and not self.starts_trained
        return is_early or n_steps % FIT_STEPS == 0

    @torch.no_grad()
    def _fit_noise(self) -> None:
        """Fit the generator's noise to the encoder's output for the training files."""
        assert self.encoder is not None
        frames = max(FIT_FRAMES, self.options.clip_frames)
        excerpts = Segments(self.dataset, self.train.files, frames)
        _, mel = next(excerpts.batches(np.random.default_rng(0), FIT_EXCERPTS))
        with self.precision():
            latents = self.encoder(self.model.normalise(mel.to(self.device)))
        self.model.latent.fit(list(latents.float().cpu().numpy()))

    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Return the Fréchet distance of mel statistics, and the spread of generated clips.

        `clip_spread` is the deviation of the clips' mean spectra: 0 if all are the same.
        """
        clips = self._normalised(self._sample(ema, N_VALIDATION_CLIPS, self.options.clip_frames))
        return {
            "frechet": frechet_distance(mel_statistics(clips), self.validation_statistics),
            "clip_spread": float(clips.mean(axis=2).std(axis=0).mean()),
        }

    def baselines(self, ema: nn.Module) -> dict[str, float]:
        """Return the Fréchet distances of training excerpts and of equally loud noise."""
        rng = np.random.default_rng(self.options.random_seed)
        audio, mel = next(self.train.batches(rng, N_VALIDATION_CLIPS))
        level = float(audio.square().mean().sqrt())
        noise = [
            log_mel(level * rng.standard_normal(len(clip), np.float32), self.model.mel)
            for clip in audio
        ]
        sets = {"your recordings": mel, "white noise": torch.from_numpy(np.stack(noise))}
        distances = {}
        for name, clips in sets.items():
            statistics = mel_statistics(self._normalised(clips))
            distances[name] = frechet_distance(statistics, self.validation_statistics)
        return distances

    def _normalised(self, clips: Tensor) -> np.ndarray:
        return self.model.normalise(clips.to(self.device)).cpu().numpy()

    def _sample(self, ema: nn.Module, n_clips: int, frames: int) -> Tensor:
        assert isinstance(ema, UnaganGenerator)
        return ema.sample(frames, random_seeds=range(n_clips))

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        # normalise like the generator that was loaded
        self.validation_statistics = self._statistics_of_validation()

    def write_samples(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        """Write two generated clips beside a validation file; the clips also as sound."""
        longest = max(self.validation, key=lambda file: file.n_frames)
        frames = min(longest.n_frames, SHOWN_FRAMES)
        generated = self._sample(ema, 2, frames).numpy()
        recorded = np.array(self.dataset.mel_of(longest, 0, frames))
        shown = {f"{longest.name}, validation": recorded}
        return save_generated(folder, step, generated, shown, self.model.mel)
