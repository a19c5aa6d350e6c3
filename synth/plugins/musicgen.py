"""MusicGen and MusicGen-Melody from a folder of transformers, of any length.

Copet et al., "Simple and Controllable Music Generation", arXiv 2306.05284. Tokens of K codebooks at
50 Hz, each codebook one step later than the one before it:

    window 1   |■■■■■■■■■■■■■■■■■■■■■■■■■■■■|xx         30 s; x: the last second is made, not used
    window 2               |cccccccccccccccc■■■■■■■■■■■■|xx    c: 12 s that are heard again
    audio      |───────────────────────────┼────────────|

A continuation hears the tokens of a sound's last seconds in place of the first window's c.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from files.errors import CheckpointError
from synth.hub_import import quiet_transformers, transformers
from synth.plugins.folder import check_folder, folder_hash, folder_licence, read_json
from synth.plugins.plugin import Plugin

CLASSES = {
    "musicgen": "MusicgenForConditionalGeneration",
    "musicgen_melody": "MusicgenMelodyForConditionalGeneration",
}
WINDOW_SECONDS = 30.0  # the length of the training clips
KEPT_SECONDS = 12.0  # of a window that the next one hears
CUT_SECONDS = 1.0  # at the end of a window: noise was heard there
TOP_K = 250  # of the paper, as the guidance
GUIDANCE = 3.0
JOIN_FRAMES = 5  # before the end of what two windows share, where both know what follows


def open_musicgen(folder: Path, *, device: str = "cpu") -> Plugin:
    """Return the MusicGen of a folder.

    Raises
    ------
    CheckpointError
        If it is no such folder, or damaged.
    ParameterError
        If transformers is missing.
    """
    check_folder(folder, "config.json", word="transformers")
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in CLASSES:
        raise CheckpointError(
            f"{folder} holds a model of the type {kind!r}, which makes no sound here; known are"
            f" {' and '.join(CLASSES)}"
        )
    if "auto_map" in config:
        raise CheckpointError(f"{folder}: its config.json asks to run code of its own; refused")
    package = transformers()
    options = {"local_files_only": True, "trust_remote_code": False}
    with quiet_transformers():
        try:
            model = getattr(package, CLASSES[kind]).from_pretrained(folder, **options)
            tokenizer = _tokenizer(package, folder, options)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{folder}: cannot be loaded ({reason})") from error
    return MusicGen(folder, model.eval().to(device), tokenizer)


def _tokenizer(package: Any, folder: Path, options: dict[str, bool]) -> Any:
    """Return the tokenizer of a folder, or None if there is none."""
    names = ("tokenizer.json", "spiece.model", "tokenizer_config.json")
    if not any((folder / name).is_file() for name in names):
        return None
    return package.AutoTokenizer.from_pretrained(folder, **options)


class MusicGen(Plugin):
    """MusicGen, mono or stereo, with its text encoder, language model and EnCodec."""

    takes_audio = True

    def __init__(self, folder: Path, model: Any, tokenizer: Any) -> None:
        self.name = f"{type(model).__name__.removesuffix('ForConditionalGeneration')} {folder.name}"
        self.licence = folder_licence(folder)
        self.hash = folder_hash(folder)
        self.model = model
        self.tokenizer = tokenizer
        self.takes_prompt = tokenizer is not None
        codec = model.config.audio_encoder
        self.sample_rate = codec.sampling_rate
        self.channels = model.decoder.config.audio_channels
        self.hop_length = int(np.prod(codec.upsampling_ratios))
        self.n_codebooks = model.decoder.num_codebooks
        self.window_frames = self._frames(WINDOW_SECONDS)
        self.kept_frames = self._frames(KEPT_SECONDS)
        self.cut_frames = self._frames(CUT_SECONDS)

    def _frames(self, seconds: float) -> int:
        return round(seconds * self.sample_rate / self.hop_length)

    def _generate(
        self,
        n_samples: int,
        *,
        lead: int,
        random_seed: int,
        prompt: str | None,
        audio: np.ndarray | None,
    ) -> np.ndarray:
        codes = torch.zeros(self.n_codebooks, 0, dtype=torch.long)
        if audio is not None:
            codes = self._encode(audio)
        made = np.zeros((self.channels, n_samples), np.float32)
        try:
            for window in self._windows(codes, n_samples - lead, self._text(prompt)):
                window.put_into(made, lead, self.hop_length)
        except NotFiniteError:
            made[:] = np.nan
        return made

    def _text(self, prompt: str | None) -> dict[str, Any]:
        """Return what the language model hears of a text; without one it is told to ignore it."""
        if prompt is None:
            nothing = torch.zeros(1, 1, dtype=torch.long, device=self.model.device)
            return {"input_ids": nothing, "attention_mask": nothing, "guidance_scale": 1.0}
        tokens = self.tokenizer([prompt], return_tensors="pt").to(self.model.device)
        return {
            "input_ids": tokens["input_ids"],
            "attention_mask": tokens["attention_mask"],
            "guidance_scale": GUIDANCE,
        }

    def _encode(self, audio: np.ndarray) -> Tensor:
        """Return the codes (n_codebooks, frames) of the last seconds of a sound.

        The channels of stereo have codes of their own, alternating.
        """
        n_frames = min(-(-audio.shape[1] // self.hop_length), self.kept_frames)
        end = torch.from_numpy(audio)[:, -n_frames * self.hop_length :]
        end = torch.nn.functional.pad(end, (n_frames * self.hop_length - end.shape[1], 0))
        encode = self.model.audio_encoder.encode
        codes = [
            encode(channel[None, None].to(self.model.device)).audio_codes[0, 0] for channel in end
        ]
        return torch.stack(codes, dim=1).flatten(0, 1).cpu()

    def _windows(self, heard: Tensor, n_samples: int, text: dict[str, Any]) -> Iterator["Window"]:
        """Make so many samples of new sound after the codes (n_codebooks, frames) heard."""
        n_frames = -(-n_samples // self.hop_length)
        n_made = 0
        while n_made < n_frames:
            n_heard = heard.shape[1]
            n_new = min(self.window_frames - self.cut_frames - n_heard, n_frames - n_made)
            codes, audio = self._window(heard, n_new + self.cut_frames, text)
            yield Window(n_made, n_heard, audio[:, : (n_heard + n_new) * self.hop_length])
            n_made += n_new
            heard = codes[:, : n_heard + n_new][:, -self.kept_frames :]

    def _window(self, heard: Tensor, n_new: int, text: dict[str, Any]) -> tuple[Tensor, np.ndarray]:
        """Return codes (n_codebooks, frames) and audio (channels, samples), with what is heard.

        The codes lack those of the last frame.
        """
        delays = torch.arange(self.n_codebooks) // self.channels
        tokens = TokensHeard()
        given = {"decoder_input_ids": heard.to(self.model.device)} if heard.shape[1] else {}
        with quiet_transformers():
            audio = self.model.generate(
                **text,
                **given,
                max_new_tokens=n_new + int(delays[-1]),
                do_sample=True,
                top_k=TOP_K,
                temperature=1.0,
                logits_processor=[tokens],
            )
        n_frames = heard.shape[1] + n_new
        columns = 1 + delays[:, None] + torch.arange(n_frames - 1)
        codes = tokens.tokens.cpu().gather(1, columns)
        codes[:, : heard.shape[1]] = heard[:, : n_frames - 1]
        return codes, audio[0].float().cpu().numpy()


class NotFiniteError(Exception):
    """The scores of the next tokens are NaN, so that none can be drawn."""


class TokensHeard:
    """Keeps the tokens (n_codebooks, steps) that a language model has made before its last step."""

    tokens: Tensor

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.tokens = input_ids
        if scores.isnan().any():
            raise NotFiniteError
        return scores


@dataclass(frozen=True)
class Window:
    """A part of a sound.

    Attributes
    ----------
    n_made : int
        Frames of new sound before it.
    n_heard : int
        Frames at its beginning that are not new.
    audio : ndarray, float32, shape (channels, n_samples)
    """

    n_made: int
    n_heard: int
    audio: np.ndarray

    def put_into(self, made: np.ndarray, lead: int, hop_length: int) -> None:
        """Put it into a sound whose new part begins at the sample `lead`."""
        first = lead + (self.n_made - self.n_heard) * hop_length
        start = 0
        if self.n_made:  # the frames before its new ones are in `made`, too: fade where both are
            start = first + max(self.n_heard - JOIN_FRAMES, 0) * hop_length
            fade = slice(start, start + hop_length)
            rise = np.linspace(0, 1, hop_length, dtype=np.float32)[: made[:, fade].shape[1]]
            made[:, fade] += rise * (self.audio[:, start - first :][:, : len(rise)] - made[:, fade])
            start += hop_length
        part = self.audio[:, start - first :][:, : made.shape[1] - start]
        made[:, start : start + part.shape[1]] = part
