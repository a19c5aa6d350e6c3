"""Our own codec: audio to log-mel, latents and codes, and back through a vocoder."""

import copy
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import torch
import xxhash
from torch import Tensor, nn

from files.errors import ParameterError
from files.ranges import check_names
from synth.codec import Codec, Level
from synth.codecs.mel_codec_network import MelCodecConfig, MelCodecNetwork
from synth.codecs.quantiser import CODE_SIZE
from synth.mel import MelSettings, log_mel
from synth.vocoder import Vocoder
from training.checkpoint import load_weights, rebuild, save_checkpoint
from training.checkpoint_config import read_config_as
from training.stored_weights import encode_weights

KIND = "codec"
VOCODER = "vocoder"  # folder of the vocoder, in that of the codec or beside it
QUANTISER = "network.quantiser."  # prefix of the names of its weights
CHUNK_FRAMES = 512  # of latents at a time, so that activations fit the cache


class MelCodecDocument(msgspec.Struct, forbid_unknown_fields=True):
    """The config of a checkpoint."""

    kind: str
    version: int
    sizes: dict[str, Any]
    mel: dict[str, Any]
    vocoder: str
    licence: str
    training: dict[str, Any]


class MelCodecModel(nn.Module):
    """The network with its mel settings; what is trained and saved.

    Attributes
    ----------
    vocoder : str
        Name of the vocoder's folder, which lies in that of the checkpoint or beside it.
    licence : str
        Of the weights.
    training_summary : dict
    """

    def __init__(
        self,
        config: MelCodecConfig,
        mel: MelSettings,
        *,
        vocoder: str = VOCODER,
        licence: str = Codec.licence,
        training: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if Path(vocoder).name != vocoder:
            raise ParameterError(f"vocoder={vocoder!r} must be the name of a folder")
        self.config = config
        self.mel = mel
        self.vocoder = vocoder
        self.licence = licence
        self.training_summary = training or {}
        self.network = MelCodecNetwork(mel.n_mels, config)

    def save(self, folder: str | Path, *, dtype: torch.dtype = torch.float32) -> None:
        """Write the checkpoint, with the weights stored as `dtype`.

        float16 takes half the space, int8 (of matrices; see `training.stored_weights`) a quarter;
        the codebooks take at most half the space, as their entries lie close.
        """
        values = {
            "sizes": asdict(self.config),
            "mel": self.mel.to_dict(),
            "vocoder": self.vocoder,
            "licence": self.licence,
            "training": self.training_summary,
        }
        tensors = self.state_dict()
        books = {name: tensors.pop(name) for name in list(tensors) if name.startswith(QUANTISER)}
        finest = torch.float16 if dtype == torch.int8 else dtype
        stored = {**encode_weights(tensors, dtype), **encode_weights(books, finest)}
        save_checkpoint(folder, kind=KIND, config=values, tensors=stored)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a model from its checkpoint; its weights become float32.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, of another kind or version, or its parts do not fit each
            other.
        """
        document = read_config_as(MelCodecDocument, Path(folder), kind=KIND)
        return rebuild(folder, partial(cls._from_document, document), load_weights(folder))

    @classmethod
    def _from_document(cls, document: MelCodecDocument) -> Self:
        check_names(document.sizes, asdict(MelCodecConfig()))
        return cls(
            MelCodecConfig(**document.sizes),
            MelSettings.from_dict(document.mel),
            vocoder=document.vocoder,
            licence=document.licence,
            training=document.training,
        )

    @property
    def hash(self) -> str:
        """XXH3-128 of sizes, mel settings and weights."""
        settings = json.dumps([asdict(self.config), self.mel.to_dict()])
        digest = xxhash.xxh3_128(settings.encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class MelCodec(Codec):
    """A trained model with a vocoder of the same mel settings.

    Both are copied. Only what is decoded depends on the vocoder: latents and codes, and so `hash`,
    do not.
    """

    def __init__(
        self, model: MelCodecModel, vocoder: Vocoder, *, name: str, device: str = "cpu"
    ) -> None:
        model.mel.check_matches(vocoder.mel, mine=name, theirs="its vocoder")
        config = model.config
        self.name = name
        self.licence = model.licence
        self.hash = model.hash
        self.sample_rate = model.mel.sample_rate
        self.hop_length = config.stride * model.mel.hop_length
        self.n_latents = config.n_latents
        self.n_codebooks = config.n_codebooks
        self.codebook_size = config.codebook_size
        self.mel = model.mel
        self.network = copy.deepcopy(model.network).eval().to(device)
        self.vocoder = copy.deepcopy(vocoder).prepare(device=device)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Self:
        """Open a codec's folder, with the vocoder in it or beside it.

        Raises
        ------
        CheckpointError
            If one of them is missing or damaged.
        ParameterError
            If their mel settings differ.
        """
        folder = Path(folder)
        model = MelCodecModel.load(folder)
        inside = folder / model.vocoder
        vocoder = Vocoder.load(
            inside if inside.is_dir() else folder.absolute().parent / model.vocoder
        )
        name = folder.name if folder.name == KIND else f"{KIND} {folder.name}"  # not "codec codec"
        return cls(model, vocoder, name=name, device=device)

    @torch.inference_mode()
    def _latents(self, audio: np.ndarray) -> np.ndarray:
        n_samples = audio.shape[1]
        n_frames = self.n_frames(n_samples)
        whole = np.pad(audio[0], (0, n_frames * self.hop_length - n_samples))
        mel = torch.from_numpy(log_mel(whole, self.mel))
        stride = self.network.config.stride
        parts = [
            self._encoded(mel[:, first * stride : last * stride])[start - first : stop - first]
            for first, start, stop, last in _chunks(n_frames, self.network.encoder.context)
        ]
        return torch.cat(parts).numpy()

    def _encoded(self, mel: Tensor) -> Tensor:
        latents: Tensor = self.network.encode(mel[None].to(self._device))[0].cpu()
        return latents

    @torch.inference_mode()
    def _quantise(self, latents: np.ndarray, n_codebooks: int) -> np.ndarray:
        parts = [
            self.network.quantiser.encode(part.to(self._device), n_codebooks).cpu()
            for part in torch.from_numpy(latents).split(CHUNK_FRAMES)
        ]
        return torch.cat(parts).numpy()

    @torch.inference_mode()
    def _restore(self, codes: np.ndarray) -> np.ndarray:
        on_device = torch.from_numpy(np.asarray(codes, np.int64)).to(self._device)
        restored: np.ndarray = self.network.quantiser.restore(on_device).cpu().numpy()
        return restored

    def levels(self) -> list[Level]:
        return [
            Level(
                _array(book.entries),
                by_angle=True,
                in_weight=_array(book.inward.weight),
                in_bias=np.zeros(CODE_SIZE, np.float32),
                out_weight=_array(book.outward.weight),
                out_bias=np.zeros(self.n_latents, np.float32),
            )
            for book in self.network.quantiser.books
        ]

    def _decode(self, latents: np.ndarray, n_samples: int) -> np.ndarray:
        audio = self.vocoder.synthesise(self.decoded_mel(latents))
        return audio[None, :n_samples]

    @torch.inference_mode()
    def decoded_mel(self, latents: np.ndarray) -> np.ndarray:
        """Decode latents (frames, n_latents) to log-mel (n_mels, stride * frames)."""
        stride = self.network.config.stride
        parts = []
        for first, start, stop, last in _chunks(len(latents), self.network.decoder.context):
            chunk = torch.from_numpy(latents[None, first:last]).to(self._device)
            mel = self.network.decode(chunk)[0].cpu()
            parts.append(mel[:, (start - first) * stride : (stop - first) * stride])
        return torch.cat(parts, dim=1).clamp_min(self.mel.silence).numpy()

    @property
    def _device(self) -> torch.device:
        return self.network.mean.device


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array


def _chunks(n_frames: int, context: int) -> list[tuple[int, int, int, int]]:
    """Return (first, start, stop, last) of chunks: `start` to `stop` with context around."""
    chunks = []
    for start in range(0, n_frames, CHUNK_FRAMES):
        stop = min(start + CHUNK_FRAMES, n_frames)
        chunks.append((max(start - context, 0), start, stop, min(stop + context, n_frames)))
    return chunks
