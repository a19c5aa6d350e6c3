"""MusicGen and MusicGen-Melody from a folder of transformers, of any length.

Copet et al., "Simple and Controllable Music Generation", arXiv 2306.05284. Tokens of K codebooks at
50 Hz, each codebook one step later than the one before it:

    window 1   |■■■■■■■■■■■■■■■■■■■■■■■■■■■■|xx         30 s; x: the last second is made, not used
    window 2               |cccccccccccccccc■■■■■■■■■■■■|xx    c: 12 s that are heard again
    audio      |───────────────────────────┼────────────|

A continuation hears the tokens of a sound's last seconds in place of the first window's c.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from files.errors import CheckpointError
from files.names import printable
from synth.hub_folder import CONFIG, check_folder, check_weights, hash_folder, read_hub_config
from synth.hub_import import quiet_transformers
from synth.hub_model import load_hub_model, load_hub_part
from synth.licences import licence_of
from synth.plugins.chroma import chroma_from, one_hot_chroma
from synth.plugins.musicgen_window import NotFiniteError, TokensHeard, Window
from synth.plugins.plugin import Plugin, SoundRequest

CLASSES = {
    "musicgen": "MusicgenForConditionalGeneration",
    "musicgen_melody": "MusicgenMelodyForConditionalGeneration",
}
TOKENIZERS = ("tokenizer.json", "spiece.model", "tokenizer_config.json")
WINDOW_SECONDS = 30.0  # the length of the training clips
KEPT_SECONDS = 12.0  # of a window that the next one hears
CUT_SECONDS = 1.0  # at the end of a window: noise was heard there
TOP_K = 250  # of the paper, as the guidance
GUIDANCE = 3.0

Condition = Callable[[int], dict[str, Any]]
"""Gives what the model hears beside codes, of a window that begins at a frame of the new sound."""


def open_musicgen(folder: Path, *, device: str = "cpu") -> Plugin:
    """Return the MusicGen of a folder.

    Raises
    ------
    CheckpointError
        If it is no such folder, or damaged, or comes with code.
    ParameterError
        If transformers is missing.
    """
    check_folder(folder, CONFIG, word="transformers")
    config = read_hub_config(folder)
    class_name = CLASSES.get(config.model_type)
    if class_name is None:
        raise CheckpointError(
            f"{folder} holds a model of the type {printable(config.model_type)}, which makes no"
            f" sound here; known are {' and '.join(CLASSES)}"
        )
    check_weights(folder, class_name)
    model = load_hub_model(folder, class_name, device=device)
    has_tokenizer = any((folder / name).is_file() for name in TOKENIZERS)
    tokenizer = load_hub_part(folder, "AutoTokenizer") if has_tokenizer else None
    return MusicGen(folder, model, tokenizer, licence_of(folder, config.hub_id))


class MusicGen(Plugin):
    """MusicGen, mono or stereo, with its text encoder, language model and EnCodec."""

    takes_audio = True

    def __init__(self, folder: Path, model: Any, tokenizer: Any, licence: str) -> None:
        kind = type(model).__name__.removesuffix("ForConditionalGeneration")
        self.name = f"{kind} {printable(folder.resolve().name)}"
        self.licence = licence
        self.hash = hash_folder(folder)
        self.model = model
        self.tokenizer = tokenizer
        self.takes_prompt = tokenizer is not None
        self.takes_melody = hasattr(model.config, "num_chroma")
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

    def _generate(self, request: SoundRequest) -> np.ndarray:
        """Make windows until there are enough samples, NaN if the model's scores are."""
        codes = torch.zeros(self.n_codebooks, 0, dtype=torch.long)
        if request.audio is not None:
            codes = self._encode(request.audio)
        condition = self._condition(request)
        made = np.zeros((self.channels, request.n_samples), np.float32)
        try:
            for window in self._windows(codes, request.n_samples - request.lead, condition):
                window.put_into(made, request.lead, self.hop_length)
        except NotFiniteError:
            made[:] = np.nan
        return made

    def _condition(self, request: SoundRequest) -> Condition:
        if request.melody is None:
            text = self._text(request.prompt)
            return lambda _: text
        text = self._text(request.prompt, GUIDANCE)
        size = self.model.config.num_chroma
        chroma = one_hot_chroma(request.melody[0], self.sample_rate, size)

        def condition(frame: int) -> dict[str, Any]:
            span = chroma_from(chroma, frame * self.hop_length, self.model.config.chroma_length)
            return {**text, "input_features": torch.from_numpy(span)[None].to(self.model.device)}

        return condition

    def _text(self, prompt: str | None, guidance: float = 1.0) -> dict[str, Any]:
        """Return what the language model hears of a text; without one it is told to ignore it."""
        if prompt is None:
            nothing = torch.zeros(1, 1, dtype=torch.long, device=self.model.device)
            return {"input_ids": nothing, "attention_mask": nothing, "guidance_scale": guidance}
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

    def _windows(self, heard: Tensor, n_samples: int, condition: Condition) -> Iterator[Window]:
        """Make so many samples of new sound after the codes (n_codebooks, frames) heard."""
        n_frames = -(-n_samples // self.hop_length)
        n_made = 0
        while n_made < n_frames:
            n_heard = heard.shape[1]
            n_new = min(self.window_frames - self.cut_frames - n_heard, n_frames - n_made)
            n_all = n_heard + n_new
            options = condition(n_made - n_heard)
            codes, audio = self._window(heard, n_all + self.cut_frames, options)
            yield Window(n_made, n_heard, audio[:, : n_all * self.hop_length])
            n_made += n_new
            heard = codes[:, :n_all][:, -self.kept_frames :]

    def _window(
        self, heard: Tensor, n_frames: int, options: dict[str, Any]
    ) -> tuple[Tensor, np.ndarray]:
        """Return codes (n_codebooks, n_frames - 1) and audio, which both begin with what is heard.

        n new tokens of K codebooks make n - K + 1 frames.
        """
        delays = torch.arange(self.n_codebooks) // self.channels
        tokens = TokensHeard()
        if heard.shape[1]:
            options = {**options, "decoder_input_ids": heard.to(self.model.device)}
        with quiet_transformers():
            audio = self.model.generate(
                **options,
                max_new_tokens=n_frames - heard.shape[1] + int(delays[-1]),
                do_sample=True,
                top_k=TOP_K,
                temperature=1.0,
                logits_processor=[tokens],
            )
        columns = 1 + delays[:, None] + torch.arange(n_frames - 1)
        codes = tokens.tokens.cpu().gather(1, columns)
        codes[:, : heard.shape[1]] = heard
        return codes, audio[0].float().cpu().numpy()
