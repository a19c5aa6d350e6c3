"""Train a flow to turn noise into mel spectrograms like those of some audio.

The network predicts clean mel, and is trained on the velocity that follows from it, at times drawn
from a logit-normal distribution (arXiv 2511.13720, section 4; arXiv 2403.03206).
"""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from files.progress import Progress, no_progress
from synth.augmentation import Augmentation
from synth.dataset import AudioDataset, AudioFile
from synth.flow_conditions import (
    curves_of,
    drawn_masks,
    drop_conditions,
    style_of,
)
from synth.flow_generator import FlowGenerator, FlowRequest
from synth.flow_options import SIZES, FlowOptions
from synth.generator import KIND
from synth.mel_statistics import mel_statistics
from synth.samples import save_generated
from synth.segments import Segments
from synth.train import AudioTraining, AudioTrainingSummary, mel_moments, train_on_folder
from training.distributed import Distributed
from training.frechet import frechet_distance
from training.kernel_distance import kernel_distance, squared_distances

LEARNING_RATE = 5e-4
BETAS = (0.9, 0.99)
WARM_UP_STEPS = 100
GRADIENT_CLIP = 1.0
TIME_MEAN = -0.4  # of the logit of the time
TIME_STD = 1.0
LEAST_NOISE = 0.05  # the velocity's error is divided by the share of noise, but by no less
AUGMENTATION = Augmentation(max_gain=0.5, max_shift=2.0, shifted=0.25)
N_VALIDATION_CLIPS = 12  # generated, and compared with the validation files
VALIDATION_STEPS = 8  # of the flow, for each of them
SHOWN_FRAMES = 864  # 10 s at 22.05 kHz / 256


def train_flow(
    audio: Path,
    folder: Path,
    *,
    options: FlowOptions,
    start: FlowGenerator | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> AudioTrainingSummary:
    """Train on a folder of audio, and save the best weights in another.

    The best weights are those with the lowest validation loss.

    Parameters
    ----------
    start : FlowGenerator, optional
        Model to start from; its sizes, mel settings, and means and deviations are kept. The styles
        to draw from are those of the new audio.

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
        FlowTraining,
        options=options,
        start=start,
        resume=resume,
        wandb=wandb,
        progress=progress,
    )


class FlowTraining(AudioTraining):
    """A generator and its optimiser."""

    options: FlowOptions
    model: FlowGenerator
    architecture = "flow"

    def __init__(
        self,
        dataset: AudioDataset,
        options: FlowOptions,
        distributed: Distributed,
        start: FlowGenerator | None = None,
    ) -> None:
        self.clip_frames = options.clip_frames
        super().__init__(
            dataset,
            options,
            distributed,
            excerpt_frames=AUGMENTATION.longest(self.clip_frames),
            starts_trained=start is not None,
        )
        self.model = self._model_from(start) if start else self._new_generator()
        self.model.train().to(self.device)
        rate = options.learning_rate or LEARNING_RATE
        parameters = self.model.parameters()
        self.optimisers = {
            "flow": torch.optim.AdamW(parameters, rate, betas=BETAS, weight_decay=0.01)
        }
        self.rate = rate
        self.parts = {"generator": self.model, **self.optimiser_parts()}
        self.identity = {
            "kind": KIND,
            "architecture": self.architecture,
            **{name: getattr(options, name) for name in SIZES},
            "mel": dataset.settings.to_dict(),
        }
        self.validation_mels = self._validation_mels()
        self.trained_on = self._statistics_of_files(self.train.files)
        self.validation_statistics = np.concatenate(
            [self._statistics(mel) for mel in self.validation_mels]
        )
        self.validation_nearest = self._nearest(self.validation_statistics)

    def _model_from(self, start: FlowGenerator) -> FlowGenerator:
        """Copy the generator to start from, with styles of these training files to draw from."""
        generator = copy.deepcopy(start)
        styles, _ = self._examples(generator)
        generator.set_styles(styles)
        return generator

    def _new_generator(self) -> FlowGenerator:
        """Make a generator with random weights and the statistics of the training files."""
        options = self.options
        settings = self.dataset.settings
        generator = FlowGenerator(options.config(), settings, window_frames=options.clip_frames)
        generator.set_statistics(*mel_moments(self.dataset, self.train.files))
        generator.set_condition_statistics(*self._examples(generator))
        return generator

    def _examples(self, generator: FlowGenerator) -> tuple[Tensor, Tensor]:
        """Return styles (n_styles, style_size) and curves (n, N_CURVES, frames) of excerpts."""
        styles: list[Tensor] = []
        curves: list[Tensor] = []
        rng = np.random.default_rng(self.options.random_seed)
        excerpts = Segments(self.dataset, self.train.files, self.clip_frames)
        n_styles = len(generator.styles)
        while len(styles) < n_styles:
            for _, mels in excerpts.batches(rng, 32):
                styles += [generator.style_of(mel) for mel in mels]
                curves.append(curves_of(mels, generator.mel))
                if len(styles) >= n_styles:
                    break
        return torch.stack(styles[:n_styles]), torch.cat(curves)

    def _validation_mels(self) -> list[Tensor]:
        """Return batches of excerpts of the validation files."""
        excerpts = Segments(self.dataset, self.validation, self.clip_frames)
        rng = np.random.default_rng(self.options.random_seed)
        return [mel for _, mel in excerpts.batches(rng, N_VALIDATION_CLIPS)]

    def batches(self, epoch: int, skip: int) -> Iterator[Tensor]:
        """Yield log-mel (batch, n_mels, clip_frames), shifted, louder or softer at random."""
        for number, (audio, mel) in enumerate(super().batches(epoch, skip), start=skip):
            seeds = [self.options.random_seed, epoch, number, self.distributed.rank]
            rng = np.random.default_rng(seeds)
            yield AUGMENTATION.apply(rng, audio, mel, self.clip_frames, self.model.mel)

    def step(self, batch: Tensor, n_steps: int) -> dict[str, float]:
        rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
        loss = self._loss(self.model, batch, rng)
        for group in self.optimisers["flow"].param_groups:
            group["lr"] = self.rate * min(1.0, n_steps / WARM_UP_STEPS)
        self.descend("flow", [self.model], loss, clip=GRADIENT_CLIP)
        return {"velocity": loss.item()}

    def _loss(self, model: FlowGenerator, mel: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the mean squared error of the velocity, over the frames that are not given."""
        normalised = model.normalise(mel.to(self.device))
        given = drawn_masks(rng, len(mel), self.clip_frames)[:, None].to(self.device)
        styles = torch.stack([style_of(clip) for clip in normalised.cpu()])
        curves, style = drop_conditions(
            rng, model.standard_curves(curves_of(mel, model.mel)), model.standard_style(styles)
        )
        logits = rng.normal(TIME_MEAN, TIME_STD, len(mel))
        time = torch.sigmoid(torch.from_numpy(logits).float()).to(self.device)
        noise = torch.from_numpy(rng.standard_normal(mel.shape, np.float32)).to(self.device)
        share = time[:, None, None]
        point = share * normalised + (1 - share) * noise
        inputs = torch.where(given > 0, normalised, point)
        with self.precision():
            clean = model.network(
                inputs, given[:, 0], time, curves.to(self.device), style.to(self.device)
            )
        error = (clean - normalised) / (1 - share).clamp_min(LEAST_NOISE) * (1 - given)
        n_values = (1 - given).sum() * mel.shape[1]
        return error.square().sum() / n_values

    @torch.no_grad()
    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Return the loss, distances of mel statistics, and how near generated clips come.

        `frechet` and `kernel` compare generated clips with the validation files. `nearest` is the
        mean distance from a generated window to the nearest of the training files, and
        `validation_nearest` that of the validation files: if the first is far smaller, the
        generator memorises.
        """
        assert isinstance(ema, FlowGenerator)
        request = FlowRequest(steps=VALIDATION_STEPS)
        seeds = range(N_VALIDATION_CLIPS)
        with self.precision():
            generated = ema.sample(self.clip_frames, random_seeds=seeds, request=request)
        made = self._statistics(generated)
        real = self.validation_statistics
        measures = {
            "loss": self._validation_loss(ema),
            "frechet": frechet_distance(made, real),
            "nearest": self._nearest(made),
            "validation_nearest": self.validation_nearest,
        }
        if len(np.unique(real, axis=0)) > len(real) // 2:  # else most are silent
            measures["kernel"] = kernel_distance(made, real)
        return measures

    @torch.no_grad()
    def baselines(self, ema: nn.Module) -> dict[str, float]:
        """Return the loss of a network that always predicts the mean spectrum."""
        assert isinstance(ema, FlowGenerator)
        of_mean = copy.deepcopy(ema)
        nn.init.zeros_(of_mean.network.out.weight)
        nn.init.zeros_(of_mean.network.out.bias)
        return {"the mean spectrum": self._validation_loss(of_mean)}

    def _validation_loss(self, model: FlowGenerator) -> float:
        rng = np.random.default_rng(self.options.random_seed)
        losses = [self._loss(model, mel, rng).item() for mel in self.validation_mels]
        return float(np.mean(losses))

    def _statistics(self, mels: Tensor) -> np.ndarray:
        return mel_statistics(self.model.normalise(mels.to(self.device)).cpu().numpy())

    def _statistics_of_files(self, files: Sequence[AudioFile]) -> np.ndarray:
        mels = [torch.from_numpy(np.array(self.dataset.mel_of(file))) for file in files]
        return np.concatenate([self._statistics(mel[None]) for mel in mels])

    def _nearest(self, statistics: np.ndarray) -> float:
        """Return the mean distance of rows to the nearest of the training files."""
        distances = np.sqrt(squared_distances(statistics, self.trained_on))
        return float(distances.min(axis=1).mean())

    def write_samples(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        """Write two generated clips beside a validation file; the clips also as sound."""
        assert isinstance(ema, FlowGenerator)
        longest = max(self.validation, key=lambda file: file.n_frames)
        frames = min(longest.n_frames, SHOWN_FRAMES)
        generated = ema.sample(frames, random_seeds=(0, 1)).numpy()
        recorded = np.array(self.dataset.mel_of(longest, 0, frames))
        shown = {f"{longest.name}, validation": recorded}
        return save_generated(folder, step, generated, shown, self.model.mel)
