"""Train a UNAGAN on recordings: to make mel spectrograms like theirs from noise (arXiv 2005.08526,
BEGAN arXiv 1703.10717).
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.began import BeganBalance, MelAutoencoder
from synth.dataset import AudioDataset
from synth.frechet import frechet_distance
from synth.generator import Generator
from synth.griffin_lim import griffin_lim
from synth.mel import MelSettings, log_mel
from synth.mel_statistics import WINDOW_FRAMES, mel_statistics
from synth.names import UNAGAN_ARCHITECTURES
from synth.samples import plot_mels, save_wav
from synth.segments import Segments
from synth.train import FolderTrainee, TrainingSummary, train_on_folder
from synth.unagan import MelEncoder, UnaganConfig
from training.distributed import Distributed
from training.ema import update_ema
from training.loop import LoopOptions, check_gradient

LEARNING_RATE = 1e-4  # as published, and the next two
GRADIENT_CLIP = 3.0
CYCLE_WEIGHT = 1.0
JUDGED_CLIPS = 32  # generated to be compared with the held-out recordings
# of a mel band: one that is always silent has no spread, and must not blow up other recordings
MIN_STD = 0.1
MAX_LATENT_ORDER = 16
# updates between two fits of the noise, and the first
FIT_UPDATES = 250
FIT_EARLY = (1, 16, 64)
# that it is fitted to, 6 s each
FIT_EXCERPTS = 96
FIT_FRAMES = 512
SHOWN_FRAMES = 864  # 10 s at 22.05 kHz / 256


@dataclass(frozen=True)
class UnaganOptions(LoopOptions):
    """How to train a UNAGAN. The defaults are the published ones, which want a GPU."""

    batch_size: int = 5
    architecture: str = "hierarchical"
    cycle: bool = True
    width: int = 512
    discriminator_width: int = 512
    clip_frames: int = 864  # 10 s at 22.05 kHz / 256
    adversarial_from: int = 0  # updates of the cycle alone before the discriminator joins
    latent_order: int = 0  # of the autoregression that makes the noise; 0: white, as published

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture not in UNAGAN_ARCHITECTURES:
            raise ParameterError(
                f"architecture={self.architecture!r} is not known; choose"
                f" {' or '.join(UNAGAN_ARCHITECTURES)}"
            )
        if self.clip_frames < WINDOW_FRAMES or self.clip_frames % 16:
            raise ParameterError(
                f"clip_frames={self.clip_frames} must be a multiple of 16, at least {WINDOW_FRAMES}"
            )
        if self.discriminator_width < 1 or self.discriminator_width % 16:
            raise ParameterError(
                f"discriminator_width={self.discriminator_width} must be a positive multiple of 16"
            )
        self.config()  # refuses a width that does not fit
        if (self.adversarial_from or self.latent_order) and not self.cycle:
            raise ParameterError(
                "adversarial_from and latent_order need the cycle's encoder; train with --cycle"
            )
        if self.adversarial_from < 0 or not 0 <= self.latent_order <= MAX_LATENT_ORDER:
            raise ParameterError(
                f"adversarial_from={self.adversarial_from} must not be negative, and"
                f" latent_order={self.latent_order} must be 0 to {MAX_LATENT_ORDER}"
            )

    def config(self) -> UnaganConfig:
        upsamplings = UnaganConfig().upsamplings if self.architecture == "hierarchical" else ()
        return UnaganConfig(width=self.width, upsamplings=upsamplings)


def train_unagan(
    audio: Path,
    out: Path,
    *,
    options: UnaganOptions,
    start: Generator | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> TrainingSummary:
    """Train on a folder of audio and leave the best weights, by held-out Fréchet distance of mel
    statistics, in `out`.

    Parameters
    ----------
    start : Generator, optional
        To go on from, on other recordings; its sizes, mel settings and statistics are taken over.

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
        lambda dataset, processes: UnaganTraining(dataset, options, processes, start),
        mel=start.mel if start else options.mel_settings(),
        options=options,
        resume=resume,
        wandb=wandb,
        progress=progress,
    )


class UnaganTraining(FolderTrainee):
    """Generator, its average, discriminator, encoder of the cycle, balance, and the optimisers."""

    options: UnaganOptions
    average: Generator
    trained = "generator/"

    def __init__(
        self,
        dataset: AudioDataset,
        options: UnaganOptions,
        processes: Distributed,
        start: Generator | None = None,
    ) -> None:
        frames = options.clip_frames
        super().__init__(
            dataset, options, processes, excerpt_frames=frames, started=start is not None
        )
        self.architecture = options.architecture
        self.generator = copy.deepcopy(start) if start else self._new(dataset.settings)
        if options.clip_frames % self.generator.config.frames_per_step:
            raise ParameterError(
                f"clip_frames={options.clip_frames} must be a multiple of"
                f" {self.generator.config.frames_per_step}, the frames this generator makes of a"
                " step of noise"
            )
        self.generator.train().to(self.device)
        self.average = copy.deepcopy(self.generator).eval()
        self.discriminator = MelAutoencoder(
            dataset.settings.n_mels, options.discriminator_width
        ).to(self.device)
        self.encoder = (
            MelEncoder(dataset.settings.n_mels, self.generator.config).to(self.device)
            if options.cycle
            else None
        )
        self.balance = BeganBalance()
        self.parts = {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "balance": self.balance,
        } | ({"encoder": self.encoder} if self.encoder else {})
        self.makers = nn.ModuleList(filter(None, [self.generator.network, self.encoder]))
        rate = options.learning_rate or LEARNING_RATE
        self.optimisers = {
            "generator": torch.optim.Adam(self.makers.parameters(), rate),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), rate),
        }
        self.adversarial_from = options.adversarial_from
        self.judged = self._statistics_of_validation()
        names = (
            "architecture",
            "cycle",
            "width",
            "discriminator_width",
            "clip_frames",
            "adversarial_from",
            "latent_order",
        )
        self.identity = {
            **{name: getattr(options, name) for name in names},
            "mel": dataset.settings.to_dict(),
            "recordings": dataset.identity,
        }

    def _new(self, mel: MelSettings) -> Generator:
        generator = Generator(self.options.config(), mel, latent_order=self.options.latent_order)
        sums = np.zeros(mel.n_mels)
        squares = np.zeros(mel.n_mels)
        n = 0
        for file in self.train.files:
            frames = self.dataset.mel_of(file).astype(np.float64)
            sums = sums + frames.sum(1)
            squares = squares + np.square(frames).sum(1)
            n = n + frames.shape[1]
        mean = sums / n
        std = np.maximum(np.sqrt(np.maximum(squares / n - mean**2, 0)), MIN_STD)
        generator.set_statistics(torch.from_numpy(mean).float(), torch.from_numpy(std).float())
        return generator

    def _statistics_of_validation(self) -> np.ndarray:
        parts = []
        for file in self.validation:
            mel = torch.from_numpy(np.array(self.dataset.mel_of(file))).to(self.device)
            if mel.shape[1] >= WINDOW_FRAMES:
                parts.append(mel_statistics(self.generator.normalise(mel)[None].cpu().numpy()))
        if (n := sum(map(len, parts))) < 2:
            second = self.dataset.settings.frame_rate
            raise ParameterError(
                f"the held-out recordings hold {n} excerpts of {WINDOW_FRAMES / second:.1f} s, and"
                " at least 2 are needed to be compared with; add recordings, or join short files"
                " to longer ones"
            )
        return np.concatenate(parts)

    def step(self, batch: tuple[Tensor, Tensor], n_updates: int) -> dict[str, float]:
        """One update of the generator (and encoder), then, once the discriminator has joined, of it and
        of their balance.
        """
        real = self.generator.normalise(batch[1].to(self.device))
        states = torch.Generator(self.device).manual_seed(int(torch.randint(1 << 62, ())))
        adversarial = n_updates > self.adversarial_from
        losses: dict[str, Tensor] = {}
        with self.precision():
            if adversarial:
                z = self._noise(*real.shape[::2])
                fake = self.generator.network(z, states).float()
                losses |= self._adversarial_losses(fake, z)
            if self.encoder:
                again = self.generator.network(self.encoder(real), states)
                losses["cycle_mel"] = CYCLE_WEIGHT * (again - real).abs().mean()
        self._update("generator", self.makers, torch.stack(list(losses.values())).sum())
        update_ema(self.average, self.generator, n_updates)
        if self.generator.latent.order and (
            n_updates % FIT_UPDATES == 0 or (n_updates in FIT_EARLY and not self.started)
        ):
            self._fit_noise()
        told = {f"generator/{name}": loss.item() for name, loss in losses.items()}
        return told | (self._step_adversary(real, fake.detach()) if adversarial else {})

    def _adversarial_losses(self, fake: Tensor, z: Tensor) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        losses = {"adversarial": self._reconstruction(fake)}
        self.discriminator.requires_grad_(True)
        if self.encoder:
            losses["cycle_z"] = CYCLE_WEIGHT * (self.encoder(fake) - z).abs().mean()
        return losses

    def _step_adversary(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        with self.precision():
            of_real = self._reconstruction(real)
            of_fake = self._reconstruction(fake)
        self._update("discriminator", self.discriminator, of_real - self.balance.k * of_fake)
        means = [
            part.item() / self.processes.world_size
            for part in self.processes.sum(of_real.detach(), of_fake.detach())
        ]
        if all(np.isfinite(means)):
            self.balance.update(*means)
        began = {
            "real": means[0],
            "fake": means[1],
            "k": self.balance.k,
            "convergence": self.balance.measure,
        }
        return {f"began/{name}": value for name, value in began.items()}

    def _reconstruction(self, mel: Tensor) -> Tensor:
        return (self.discriminator(mel) - mel).abs().mean(dtype=torch.float32)

    def _noise(self, batch: int, frames: int) -> Tensor:
        """(batch, z_channels, steps) of the noise that is in use now."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
        steps = frames // self.generator.config.frames_per_step
        return torch.stack([self.generator.latent.draw(rng, steps) for _ in range(batch)]).to(
            self.device
        )

    @torch.no_grad()
    def _fit_noise(self) -> None:
        """Fit the noise to what the encoder makes of recordings, for the generator and its average."""
        assert self.encoder is not None
        excerpts = Segments(
            self.dataset, self.train.files, max(FIT_FRAMES, self.options.clip_frames)
        )
        _, mel = next(excerpts.batches(np.random.default_rng(0), FIT_EXCERPTS))
        with self.precision():
            latents = list(
                self.encoder(self.generator.normalise(mel.to(self.device))).float().cpu().numpy()
            )
        self.generator.latent.fit(latents)
        self.average.latent.load_state_dict(self.generator.latent.state_dict())

    def _update(self, name: str, module: nn.Module, loss: Tensor) -> None:
        self.optimisers[name].zero_grad()
        (loss / self.processes.world_size).backward()
        self.processes.sum_gradients(module)
        for part in module if isinstance(module, nn.ModuleList) else [module]:
            check_gradient(nn.utils.clip_grad_norm_(part.parameters(), GRADIENT_CLIP), name)
        self.optimisers[name].step()

    def validate(self) -> dict[str, float]:
        """Fréchet distance of the mel statistics of generated clips and held-out recordings, and
        how much clips differ.
        """
        sampled = self._sample(JUDGED_CLIPS, self.options.clip_frames)
        clips = self._normalised(sampled)
        spread = (
            clips.mean(axis=2).std(axis=0).mean()
        )  # of the clips' mean spectra: 0 if all are the same
        return {
            "frechet": frechet_distance(mel_statistics(clips), self.judged),
            "clip_spread": float(spread),
        }

    def references(self) -> dict[str, float]:
        """The Fréchet distance of as many clips of recordings that are trained on, and of white
        noise at their level.
        """
        rng = np.random.default_rng(self.options.seed)
        audio, mel = next(self.train.batches(rng, JUDGED_CLIPS))
        level = float(audio.square().mean().sqrt())
        noise = [
            log_mel(level * rng.standard_normal(len(clip), np.float32), self.average.mel)
            for clip in audio
        ]
        sets = {"your recordings": mel, "white noise": torch.from_numpy(np.stack(noise))}
        return {
            name: frechet_distance(mel_statistics(self._normalised(clips)), self.judged)
            for name, clips in sets.items()
        }

    def _normalised(self, clips: Tensor) -> np.ndarray:
        return self.average.normalise(clips.to(self.device)).cpu().numpy()

    def _sample(self, n_clips: int, frames: int) -> Tensor:
        return self.average.sample(frames, random_seeds=range(n_clips))

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.judged = (
            self._statistics_of_validation()
        )  # in the statistics of the generator that was loaded

    def show(self, folder: Path, step: int) -> list[Path]:
        """Two generated clips and a recording; the clips also as sound, by Griffin-Lim."""
        folder.mkdir(parents=True, exist_ok=True)
        longest = max(self.validation, key=lambda file: file.n_frames)
        frames = min(longest.n_frames, SHOWN_FRAMES)
        generated = self._sample(2, frames).numpy()
        picture = folder / f"step-{step:07}.png"
        recorded = np.array(self.dataset.mel_of(longest, 0, frames))
        titles = (f"{longest.name}, held out", f"generated after {step} updates", "another")
        plot_mels(picture, dict(zip(titles, [recorded, *generated], strict=True)), self.average.mel)
        sounds = [folder / f"step-{step:07}-{number}.wav" for number in (1, 2)]
        for path, clip in zip(sounds, generated, strict=True):
            save_wav(path, griffin_lim(clip, self.average.mel), self.average.mel.sample_rate)
        return [picture, *sounds]
