"""CLAP: sounds and texts as vectors of one space, from a folder of transformers.

Wu et al., "Large-scale Contrastive Language-Audio Pretraining", arXiv 2211.06687. Vectors have unit
length; the cosine of a sound and a text says how well they go together.

Longer sounds are cut here into windows of 10 s, the last of which ends with the sound: the
extractor of transformers would take one at random. Shorter ones are repeated up to 10 s.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from files.documents import shown_text
from files.errors import AudioError, CheckpointError
from files.names import printable
from synth.codecs.hub_folder import (
    CONFIG,
    FETCH_AGAIN,
    check_weights,
    hash_model,
    load_hub_model,
    read_hub_config,
)
from synth.codecs.licences import licence_of
from synth.hub_import import quiet_transformers, transformers
from synth.plugins.folder import check_folder

CLASS = "ClapModel"
KNOWN_GOOD = "laion/clap-htsat-unfused"
DIFFERENT_TEXTS = ("rain on glass", "a piano solo", "a crowd cheering", "an engine starting")
COLLAPSED = 0.99  # mean cosine of those texts; 0.9993 in laion/larger_clap_music


class Clap:
    """CLAP's audio and text encoders.

    Attributes
    ----------
    name, licence, hash : str
        As of a `synth.codec.Codec`.
    sample_rate : int
        Hz.
    window_samples : int
        Of 10 s.
    n_columns : int
        Length of a vector.
    """

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        """Open a folder; see `open_clap`."""
        config = read_hub_config(folder)
        if config.model_type != "clap":
            raise CheckpointError(
                f"{folder} holds a model of the type {printable(config.model_type)}, which is no"
                f" CLAP; give one such as {KNOWN_GOOD}"
            )
        check_weights(folder, CLASS)
        self.name = f"CLAP {printable(folder.resolve().name)}"
        self.licence = licence_of(folder, config.hub_id)
        self.hash = hash_model(folder)
        self._model = load_hub_model(folder, CLASS, device=device)
        self._extractor = _load(folder, "ClapFeatureExtractor")
        self._tokenizer = _load(folder, "AutoTokenizer")
        self.sample_rate = self._extractor.sampling_rate
        self.window_samples = self._extractor.nb_max_samples
        self.n_columns = self._model.config.projection_dim
        self._is_fused = self._model.config.audio_config.enable_fusion
        self._texts_checked = False

    @torch.inference_mode()
    def window(self, audio: np.ndarray) -> np.ndarray:
        """Return the vector of a window, float32 (n_columns,).

        Parameters
        ----------
        audio : ndarray, float32, shape (n_samples,)
            Mono, at `sample_rate`, at most `window_samples`.

        Raises
        ------
        AudioError
            If it is empty, or its vector is not finite.
        """
        if not 0 < len(audio) <= self.window_samples:
            raise AudioError(
                f"{len(audio)} samples are no window of {self.name}, which hears up to"
                f" {self.window_samples} at a time"
            )
        features = self._extractor(
            audio,
            sampling_rate=self.sample_rate,
            truncation="fusion" if self._is_fused else "rand_trunc",
            return_tensors="pt",
        )
        is_longer = torch.zeros(1, 1, dtype=torch.bool, device=self._model.device)
        output = self._model.get_audio_features(
            input_features=features["input_features"].float().to(self._model.device),
            is_longer=is_longer,
        )
        return self._vector(output)

    def audio(self, audio: np.ndarray) -> np.ndarray:
        """Return the vector of a sound of any length: the mean of its windows, at unit length.

        `audio` is mono, float32 (n_samples,), at `sample_rate`.
        """
        starts = window_starts(len(audio), self.window_samples, self.window_samples)
        windows = [self.window(audio[start:][: self.window_samples]) for start in starts]
        return unit_length(np.mean(windows, axis=0))

    def text(self, text: str) -> np.ndarray:
        """Return the vector of a text, float32 (n_columns,).

        Raises
        ------
        CheckpointError
            If the model gives nearly the same vector for all texts.
        """
        if not self._texts_checked:
            self._check_texts()
        return self._text(text)

    @torch.inference_mode()
    def _text(self, text: str) -> np.ndarray:
        tokens = self._tokenizer([text], truncation=True, return_tensors="pt")
        output = self._model.get_text_features(
            input_ids=tokens["input_ids"].to(self._model.device),
            attention_mask=tokens["attention_mask"].to(self._model.device),
        )
        return self._vector(output)

    def _check_texts(self) -> None:
        vectors = np.stack([self._text(text) for text in DIFFERENT_TEXTS])
        cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        if cosines.mean() > COLLAPSED:
            raise CheckpointError(
                f"{self.name} gives nearly the same vector for all texts (mean cosine"
                f" {cosines.mean():.4f} of {len(vectors)} unlike ones, at most {COLLAPSED}); its"
                f" texts say nothing: use another model, such as {KNOWN_GOOD}"
            )
        self._texts_checked = True

    def _vector(self, output: Any) -> np.ndarray:
        vector = unit_length(output.pooler_output[0].float().cpu().numpy())
        if not np.isfinite(vector).all():
            raise AudioError(
                f"{self.name} gives numbers that are NaN or infinite; leave the sound out, or use"
                " another model"
            )
        return vector


def open_clap(folder: str | Path, *, device: str = "cpu") -> Clap:
    """Open a folder with a CLAP, as transformers saves it.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged, or comes with code.
    ParameterError
        If transformers is missing.
    """
    folder = Path(folder)
    check_folder(folder, CONFIG, word="clap")
    return Clap(folder, device=device)


def _load(folder: Path, class_name: str) -> Any:
    kind = getattr(transformers(), class_name)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_transformers():
            return kind.from_pretrained(folder, **options)
    except Exception as error:  # what a damaged folder leads to has no common class
        reason = shown_text(str(error).strip().partition("\n")[0]) or type(error).__name__
        raise CheckpointError(
            f"{folder}: transformers cannot load its {class_name} ({reason}); {FETCH_AGAIN}"
        ) from error


def window_starts(n_samples: int, window_samples: int, hop_samples: int) -> list[int]:
    """Return where windows begin: the last ends with the signal, which may be shorter than one."""
    last = max(n_samples - window_samples, 0)
    starts = list(range(0, last + 1, hop_samples))
    return starts if starts[-1] == last else [*starts, last]


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (..., n) at unit length, float32; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
