"""Train a mel codec to restore the mel spectrograms of some audio from codes.

The losses are those of DAC (arXiv 2306.06546, section 3.4) that need no discriminator: the mel
distance, and those of the codebooks; and the distance of frames' levels. Half of each batch is
coded by a random number of codebooks (section 3.3), so that any number of first ones can be
decoded; a quarter by all; and a quarter, other than in DAC, not at all, so that latents can be
decoded, too.
"""

import copy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.augmentation import Augmentation, mix_and_colour
from synth.codec_measures import numbers_of_codebooks, perplexities
from synth.codec_options import SIZES, CodecOptions
from synth.codecs.mel_codec import KIND, VOCODER, MelCodec, MelCodecModel
from synth.codecs.restarts import Restarts
from synth.dataset import AudioDataset
from synth.samples import Sample, save_samples
from synth.segments import Segments
from synth.train import AudioTraining, AudioTrainingSummary, mel_moments, train_on_folder
from synth.vocoder import Vocoder
from training.distributed import Distributed

LEARNING_RATE = 1e-3
BETAS = (0.8, 0.99)
ENTRIES_FASTER = 10.0  # times the learning rate, so that entries follow what they stand for
WARM_UP_STEPS = 100
GRADIENT_CLIP = 1.0
CODEBOOK = 1.0  # weight of the loss, as in DAC
COMMITMENT = 0.25
AUDIBLE = 1.0  # weight of the mel distance above this magnitude, besides that of everything
AUDIBLE_FLOOR = 1e-3
# Weight of the distance of frames' levels. The mel distance weighs all bands alike, but the level
# is in the peaks, which a network makes too low if that costs no more than any other band.
LEVEL = 0.5
DROPOUT = 0.5  # share of a batch that is coded by a random number of codebooks
UNCODED = 0.25  # share that goes to the decoder as latents, which it must understand as well
AUGMENTATION = Augmentation(max_gain=1.0, max_shift=5.0, shifted=0.25)
N_SHOWN = 3
SHOWN_FRAMES = 256


def train_codec(
    audio: Path,
    folder: Path,
    *,
    options: CodecOptions,
    vocoder: Vocoder,
    start: MelCodecModel | None = None,
    resume: bool = False,
    wandb: bool = False,
    progress: Progress = no_progress,
) -> AudioTrainingSummary:
    """Train on a folder of audio, and save the best weights and the vocoder in another.

    The best weights are those with the lowest mel distance of the validation files, coded by all
    codebooks.

    Parameters
    ----------
    vocoder : Vocoder
        Decodes what the codec makes; it is not trained.
    start : MelCodecModel, optional
        Model to start from; its sizes, mel settings, means and deviations are kept.

    Raises
    ------
    ParameterError
        If there is too little audio, or options or mel settings do not fit.
    TrainingError
        If a loss is not finite.
    """
    mel = start.mel if start else options.mel_settings()
    mel.check_matches(vocoder.mel, mine="the codec", theirs="its vocoder")
    return train_on_folder(
        audio,
        folder,
        partial(_class_for(options, start), vocoder=vocoder, keep_vocoder=resume),
        options=options,
        start=start,
        resume=resume,
        wandb=wandb,
        progress=progress,
    )


def _class_for(options: CodecOptions, start: MelCodecModel | None) -> "type[CodecTraining]":
    if options.discriminators is None:
        return CodecTraining
    from synth.train_codec_decoder import DecoderTraining  # which imports this file

    if start is None:
        raise ParameterError(
            f"discriminators={options.discriminators} train the decoder of a trained codec; name it"
            " with --from"
        )
    return DecoderTraining


class CodecTraining(AudioTraining):
    """A codec and its optimiser."""

    options: CodecOptions
    model: MelCodecModel
    architecture = CodecOptions.architecture

    def __init__(
        self,
        dataset: AudioDataset,
        options: CodecOptions,
        distributed: Distributed,
        start: MelCodecModel | None = None,
        *,
        vocoder: Vocoder,
        keep_vocoder: bool = False,
    ) -> None:
        super().__init__(
            dataset,
            options,
            distributed,
            excerpt_frames=AUGMENTATION.longest(options.segment_frames),
            starts_trained=start is not None,
        )
        self.vocoder = vocoder
        self.keep_vocoder = keep_vocoder  # that a training before has saved
        self.model = copy.deepcopy(start) if start else self._new_model()
        self.model.train().to(self.device)
        self.restarts = Restarts(options.n_codebooks, options.codebook_size).to(self.device)
        if start:
            nn.init.ones_(self.restarts.use)
        self.rate = options.learning_rate or LEARNING_RATE
        self.optimisers = {"codec": self._optimiser()}
        self.parts = {"codec": self.model, "restarts": self.restarts, **self.optimiser_parts()}
        self.identity = {
            "kind": KIND,
            "architecture": self.architecture,
            **{name: getattr(options, name) for name in (*SIZES, "segment_frames")},
            "mel": dataset.settings.to_dict(),
        }
        self.validation_mels = self._validation_mels()

    def _optimiser(self) -> torch.optim.Optimizer:
        entries = [book.entries for book in self.model.network.quantiser.books]
        others = [p for p in self.model.parameters() if all(p is not e for e in entries)]
        groups = [
            {"params": others, "faster": 1.0},
            {"params": entries, "faster": ENTRIES_FASTER, "weight_decay": 0.0},
        ]
        greatest = ENTRIES_FASTER * self.rate
        return torch.optim.AdamW(groups, greatest, betas=BETAS, weight_decay=0.01)

    def _new_model(self) -> MelCodecModel:
        """Make a model with random weights and the statistics of the training files."""
        model = MelCodecModel(self.options.config(), self.dataset.settings)
        mean, std = mel_moments(self.dataset, self.train.files)
        model.network.mean.copy_(mean)
        model.network.std.copy_(std)
        return model

    def _validation_mels(self) -> list[Tensor]:
        """Return batches of excerpts of the validation files."""
        excerpts = Segments(self.dataset, self.validation, self.options.segment_frames)
        rng = np.random.default_rng(self.options.random_seed)
        return [mel for _, mel in excerpts.batches(rng, self.options.batch_size)]

    def batches(self, epoch: int, skip: int) -> Iterator[Any]:
        """Yield log-mel (batch, n_mels, segment_frames), changed at random."""
        frames = self.options.segment_frames
        for number, (audio, mel) in enumerate(super().batches(epoch, skip), start=skip):
            seeds = [self.options.random_seed, epoch, number, self.distributed.rank]
            rng = np.random.default_rng(seeds)
            clips = AUGMENTATION.apply(rng, audio, mel, frames, self.model.mel)
            yield mix_and_colour(rng, clips, self.model.mel)

    def step(self, batch: Any, n_steps: int) -> dict[str, float]:
        mel = batch.to(self.device)
        network = self.model.network
        n_used = self._drawn_codebooks(len(mel))
        with self.precision():
            latents = network.encode(mel)
        quantised = network.quantiser(latents, n_used)
        is_coded = (n_used > 0)[:, None, None]
        with self.precision():
            made = network.decode(torch.where(is_coded, quantised.latents, latents))
        losses = {
            "mel": self._distance(made, mel),
            "audible": AUDIBLE * self._audible_distance(made, mel),
            "level": LEVEL * self._level_distance(made, mel),
            "codebook": CODEBOOK * quantised.codebook,
            "commitment": COMMITMENT * quantised.commitment,
        }
        for group in self.optimisers["codec"].param_groups:
            group["lr"] = group["faster"] * self.rate * min(1.0, n_steps / WARM_UP_STEPS)
        loss = torch.stack(list(losses.values())).sum()
        self.descend("codec", [self.model], loss, clip=GRADIENT_CLIP)
        self.restarts.update(network.quantiser, quantised, n_used, self.distributed)
        return {name: value.item() for name, value in losses.items()}

    def _drawn_codebooks(self, batch_size: int) -> Tensor:
        """Return the number of codebooks (batch,) that code each clip; 0: it stays as latents."""
        n_codebooks = self.options.n_codebooks
        n_used = torch.full((batch_size,), n_codebooks)
        n_dropped = int(DROPOUT * batch_size)
        n_used[:n_dropped] = torch.randint(1, n_codebooks + 1, (n_dropped,))
        n_used[batch_size - int(UNCODED * batch_size) :] = 0
        return n_used.to(self.device)

    def _distance(self, made: Tensor, mel: Tensor) -> Tensor:
        """Return the mean absolute difference of log-mels, in nepers."""
        return (made - mel).abs().mean() * self.model.mel.nepers

    def _audible_distance(self, made: Tensor, mel: Tensor) -> Tensor:
        """Return the same of what is above AUDIBLE_FLOOR."""
        nepers = self.model.mel.nepers
        floor = float(np.log(AUDIBLE_FLOOR)) / nepers
        return self._distance(made.clamp_min(floor), mel.clamp_min(floor))

    def _level_distance(self, made: Tensor, mel: Tensor) -> Tensor:
        """Return the mean absolute difference of frames' levels, in nepers.

        The level is that of the power in all bands, each at least that of AUDIBLE_FLOOR.
        """
        nepers = self.model.mel.nepers
        floor = float(np.log(AUDIBLE_FLOOR))
        of_made, of_mel = (
            torch.logsumexp(2 * (log_mel * nepers).clamp_min(floor), dim=-2) / 2
            for log_mel in (made, mel)
        )
        return (of_made - of_mel).abs().mean()

    @torch.inference_mode()
    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Return mel distances by the number of codebooks, all first, and the use of each codebook.

        `mel_l1_latents` is the distance without any quantisation, `perplexity_N` how many
        entries of codebook N are in use, from 1 to all of them.
        """
        assert isinstance(ema, MelCodecModel)
        most = self.options.n_codebooks
        numbers = [most, *numbers_of_codebooks(most)[:-1]]
        found: dict[str, list[float]] = {f"mel_l1_{n}": [] for n in (*numbers, "latents")}
        codes = []
        network = ema.network
        for mels in self.validation_mels:
            mel = mels.to(self.device)
            latents = network.encode(mel)
            codes.append(network.quantiser.encode(latents, most))
            restored = {f"{n}": network.quantiser.restore(codes[-1][..., :n]) for n in numbers}
            restored["latents"] = latents
            for name, frames in restored.items():
                distance = self._distance(network.decode(frames), mel)
                found[f"mel_l1_{name}"].append(distance.item())
        used = perplexities(
            torch.cat(codes).flatten(0, 1).cpu().numpy(), self.options.codebook_size
        )
        return {
            **{name: float(np.mean(distances)) for name, distances in found.items()},
            **{f"perplexity_{number}": value for number, value in enumerate(used, start=1)},
        }

    @torch.inference_mode()
    def baselines(self, ema: nn.Module) -> dict[str, float]:
        """Return the distance of the mean spectrum."""
        assert isinstance(ema, MelCodecModel)
        mean = ema.network.mean[:, None]
        found = [self._distance(mean, mel.to(self.device)).item() for mel in self.validation_mels]
        return {"the mean spectrum": float(np.mean(found))}

    def save(self, ema: nn.Module, folder: Path, summary: dict[str, Any]) -> None:
        assert isinstance(ema, MelCodecModel)
        if not (self.keep_vocoder and (folder / VOCODER).is_dir()):
            self.vocoder.save(folder / VOCODER, dtype=torch.float16)
            self.keep_vocoder = True
        super().save(ema, folder, summary)

    def write_samples(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        """Write a few validation excerpts, and what the codec makes of them."""
        assert isinstance(ema, MelCodecModel)
        codec = MelCodec(ema, self.vocoder, name="the codec")
        samples = []
        for file in self.validation[:N_SHOWN]:
            audio = np.array(self.dataset.audio_of(file, 0, min(file.n_frames, SHOWN_FRAMES)))
            made = codec.decode(codec.encode(audio), n_samples=len(audio))[0]
            mel = np.array(self.dataset.mel_of(file, 0, min(file.n_frames, SHOWN_FRAMES)))
            samples.append(Sample(audio, made, mel))
        return save_samples(folder, step, samples, self.model.mel)
