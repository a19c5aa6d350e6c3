"""Audio Diffusion: pictures of mel spectrograms by diffusion, from a folder of diffusers.

A picture holds a few seconds. A longer sound is made picture by picture, each of which is given the
last half of the sound so far:

    picture 1   |■■■■■■■■■■■■■■■■|
    picture 2           |gggggggg■■■■■■■■|      g: given
    sound       |────────────────┼───────|

A picture's loudest point is 0 dB whatever it holds, so that each is made as loud as what it was
given; its phases are found by Griffin and Lim's algorithm, beginning with random ones.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audio.librosa_import import import_librosa
from files.names import printable
from synth.hub_folder import hash_folder
from synth.hub_import import quiet_diffusers
from synth.join_recording import FADE_SECONDS, replace_span
from synth.licences import licence_of
from synth.plugins.plugin import Plugin, SoundRequest

FIRST_PEAK = 0.5  # of a sound whose loudness nothing else says


class AudioDiffusion(Plugin):
    """Audio Diffusion: its network makes pictures, this class a sound of them."""

    takes_audio = True

    def __init__(self, folder: Path, pipeline: Any) -> None:
        self.name = f"AudioDiffusion {printable(folder.resolve().name)}"
        self.licence = licence_of(folder)
        self.hash = hash_folder(folder)
        self.pipeline = pipeline
        self.sample_rate = pipeline.mel.config.sample_rate
        self.picture_samples = (pipeline.mel.x_res - 1) * pipeline.mel.hop_length
        pipeline.mel.image_to_audio = self._sound_of

    def _generate(self, request: SoundRequest) -> np.ndarray:
        self.phases = np.random.RandomState(request.random_seed & 0xFFFFFFFF)
        noise = torch.Generator().manual_seed(request.random_seed)
        made = np.zeros(0, np.float32) if request.audio is None else request.audio[0]
        n_given = max(len(made) - request.lead, 0)
        while len(made) < n_given + request.n_samples:
            made = self._longer(made, noise)
        return made[None, n_given : n_given + request.n_samples]

    def _longer(self, made: np.ndarray, noise: torch.Generator) -> np.ndarray:
        """Return a sound with half a picture more."""
        given = made[-(self.picture_samples // 2) :]
        picture = self._picture(given, noise)
        if not len(given):
            return picture * np.float32(FIRST_PEAK / max(np.abs(picture).max(), 1e-9))
        loudness = math.sqrt(np.square(given).mean() + 1e-12)
        heard = math.sqrt(np.square(picture[: len(given)]).mean() + 1e-12)
        fade = min(round(FADE_SECONDS * self.sample_rate), len(given))
        return replace_span(
            made,
            picture * np.float32(loudness / heard),
            first=len(made) - len(given),
            start=len(made) - fade,
            stop=len(made) - len(given) + len(picture),
            sample_rate=self.sample_rate,
        )

    def _picture(self, given: np.ndarray, noise: torch.Generator) -> np.ndarray:
        """Return the sound of a picture, whose beginning is that of a sound."""
        options: dict[str, Any] = {"generator": noise}
        if len(given):
            options["raw_audio"] = given
            options["mask_start_secs"] = len(given) / self.sample_rate
        with quiet_diffusers():
            return self.pipeline(**options).audios[0, 0][: self.picture_samples]

    def _sound_of(self, picture: Any) -> np.ndarray:
        """Return the sound of a picture, as the pipeline makes it but with phases of the seed."""
        mel = self.pipeline.mel
        decibels = np.asarray(picture, np.float64) * mel.top_db / 255 - mel.top_db
        librosa = import_librosa()
        size = {"n_fft": mel.n_fft, "hop_length": mel.hop_length}
        magnitudes = librosa.feature.inverse.mel_to_stft(
            librosa.db_to_power(decibels), sr=mel.sr, n_fft=mel.n_fft
        )
        sound = librosa.griffinlim(magnitudes, n_iter=mel.n_iter, random_state=self.phases, **size)
        return sound.astype(np.float32)
