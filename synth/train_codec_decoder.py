"""Train the decoder of a codec against discriminators that hear its sound through the vocoder.

What is learnt from mel distances alone is the middle of all that a code may stand for: too smooth.
Encoder and codebooks are frozen, since gradients of discriminators may harm them, so that latents
and codes stay what they are. Recipes are those of DAC (arXiv 2306.06546) and EnCodec (arXiv
2210.13438), in `synth.recipes`.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from synth.codec_options import CodecOptions
from synth.codecs.mel_codec import MelCodecModel
from synth.dataset import AudioDataset
from synth.mel_statistics import mel_statistics
from synth.recipe_discriminators import RecipeDiscriminators
from synth.recipes import CODEC_RECIPES
from synth.segments import Segments
from synth.train_codec import CodecTraining
from synth.vocoder import Vocoder
from training.distributed import Distributed
from training.frechet import frechet_distance

Batch = tuple[Tensor, Tensor]  # audio (batch, samples), log-mel (batch, n_mels, frames)


class DecoderTraining(CodecTraining):
    """A trained codec, whose decoder goes on learning, and discriminators."""

    loss_prefix = "codec/"

    def __init__(
        self,
        dataset: AudioDataset,
        options: CodecOptions,
        distributed: Distributed,
        start: MelCodecModel,
        *,
        vocoder: Vocoder,
        keep_vocoder: bool = False,
    ) -> None:
        assert options.discriminators is not None
        self.recipe = CODEC_RECIPES[options.discriminators]
        super().__init__(
            dataset, options, distributed, start, vocoder=vocoder, keep_vocoder=keep_vocoder
        )
        self.crop_frames = min(self.recipe.segment_frames, options.segment_frames)
        self.train = Segments(dataset, self.train.files, options.segment_frames)
        for part in (self.model.network.encoder, self.model.network.quantiser):
            part.requires_grad_(False)
        # in training mode, a vocoder makes fewer refinements
        self.ear = copy.deepcopy(vocoder).requires_grad_(False).train().to(self.device)
        self.discriminators = RecipeDiscriminators(self.recipe).to(self.device)
        parameters = self.discriminators.parameters()
        rate = options.learning_rate or self.recipe.learning_rate
        optimiser = torch.optim.AdamW(parameters, rate, betas=self.recipe.betas)
        self.optimisers["discriminators"] = optimiser
        self.parts |= {"discriminators": self.discriminators, **self.optimiser_parts()}
        self.identity["discriminators"] = options.discriminators

    def _optimiser(self) -> torch.optim.Optimizer:
        rate = self.options.learning_rate or self.recipe.learning_rate
        parameters = self.model.network.decoder.parameters()
        return torch.optim.AdamW(parameters, rate, betas=self.recipe.betas)

    def batches(self, epoch: int, skip: int) -> Iterator[Batch]:
        """Yield audio (batch, samples) and log-mel (batch, n_mels, segment_frames)."""
        rng = np.random.default_rng([self.options.random_seed, epoch])
        share = (self.distributed.rank, self.distributed.world_size)
        return self.train.batches(rng, self.options.batch_size, skip=skip, share=share)

    def step(self, batch: Batch, n_steps: int) -> dict[str, float]:
        """Train the discriminators, then the decoder."""
        audio, mel = (part.to(self.device) for part in batch)
        made = self._decoded(mel)
        start = int(torch.randint(self.options.segment_frames - self.crop_frames + 1, ()))
        stop = start + self.crop_frames
        hop = self.model.mel.hop_length
        real = audio[:, None, start * hop : stop * hop]
        with self.precision():
            fake = self.ear(made[..., start:stop])
        fake = fake.float()
        with self.precision():
            own = self.discriminators.own_losses(real, fake.detach())
        self._descend_by("discriminators", self.discriminators, own)
        losses = {"mel": self.recipe.mel * self._distance(made, mel)}
        with self.precision():
            losses |= self.discriminators.losses_of_network(real, fake)
        self._descend_by("codec", self.model, losses)
        return {
            **{f"discriminator/{name}": loss.item() for name, loss in own.items()},
            **{f"codec/{name}": loss.item() for name, loss in losses.items()},
        }

    def _decoded(self, mel: Tensor) -> Tensor:
        """Code log-mel by as many codebooks as in the training before, and decode it."""
        network = self.model.network
        n_used = self._drawn_codebooks(len(mel))
        with torch.no_grad(), self.precision():
            latents = network.encode(mel)
        with torch.no_grad():
            quantised = network.quantiser(latents, n_used)
        is_coded = (n_used > 0)[:, None, None]
        with self.precision():
            made: Tensor = network.decode(torch.where(is_coded, quantised.latents, latents))
        return made

    def _descend_by(self, name: str, module: nn.Module, losses: dict[str, Tensor]) -> None:
        loss = torch.stack(list(losses.values())).sum()
        self.descend(name, [module], loss, clip=self.recipe.clip or float("inf"))

    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Return the same, after how unlike decoded and recorded mels are as a whole.

        `frechet` is the distance of their statistics, which what is too smooth has not.
        """
        return {"frechet": self._frechet(ema), **super().validate(ema)}

    def baselines(self, ema: nn.Module) -> dict[str, float]:
        return {}

    @torch.inference_mode()
    def _frechet(self, ema: nn.Module) -> float:
        assert isinstance(ema, MelCodecModel)
        network = ema.network
        most = self.options.n_codebooks
        parts: dict[str, list[np.ndarray]] = {"real": [], "made": []}
        for mels in self.validation_mels:
            mel = mels.to(self.device)
            codes = network.quantiser.encode(network.encode(mel), most)
            made = network.decode(network.quantiser.restore(codes))
            for name, log_mel in (("real", mel), ("made", made)):
                scores = (log_mel - network.mean[:, None]) / network.std[:, None]
                parts[name].append(mel_statistics(scores.cpu().numpy()))
        return frechet_distance(np.concatenate(parts["made"]), np.concatenate(parts["real"]))
