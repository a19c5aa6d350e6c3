"""Networks that make sound: generators with their vocoders, and codecs."""

from pathlib import Path

import numpy as np

from demiurge.facade.sound import Sound
from demiurge.shipped import SHIPPED, model_path, vocoder_path
from files.errors import ParameterError
from synth.clips import make_clip, plain_clip
from synth.generate import MIN_SECONDS
from synth.generator import load_generator
from synth.open_codec import open_codec
from synth.plan_clips import MOST_SECONDS
from synth.vocoder import Vocoder


class Generator:
    """Makes sound from nothing."""

    def __init__(self, name: str | Path = SHIPPED, *, vocoder: str | Path = SHIPPED) -> None:
        """Open a generator and the vocoder that makes sound of what it makes.

        Parameters
        ----------
        name, vocoder : str or Path
            Folders of models; "shipped" (piano) and "shipped:flow-drums" come with Demiurge.

        Raises
        ------
        Error
            If a model cannot be read, or they do not fit each other.
        """
        self._generator = load_generator(model_path(name, "generator"))
        mel = self._generator.mel
        self._vocoder = Vocoder.load(vocoder_path(vocoder, mel.to_dict())).prepare()
        mel.check_matches(
            self._vocoder.mel, mine=f"the generator {name}", theirs=f"the vocoder {vocoder}"
        )

    def generate(self, seconds: float = 10.0, *, random_seed: int = 0) -> Sound:
        """Make new sound, mono; each random seed gives another.

        Raises
        ------
        Error
            If the length is not possible, or what this seed gives is faulty (silent, for example).
        """
        if not MIN_SECONDS <= seconds <= MOST_SECONDS:
            raise ParameterError(f"seconds={seconds} must be {MIN_SECONDS:g} to {MOST_SECONDS:g}")
        rate = self._generator.mel.sample_rate
        plan = plain_clip(round(seconds * rate), self._generator.mel)
        clip = make_clip(self._generator, self._vocoder, plan, random_seed=random_seed)
        if clip.fault:
            raise ParameterError(
                f"random_seed={random_seed} gives sound that is {clip.fault}; take another"
            )
        return Sound(clip.audio, rate)


class Codec:
    """Turns sound into codes or latents, and back.

    Attributes
    ----------
    opened : synth.codec.Codec
        What was opened, with its rates.
    """

    def __init__(self, name: str | Path = SHIPPED) -> None:
        """Open a codec: "shipped", or the folder of EnCodec, DAC, Mimi or one of our own.

        Raises
        ------
        Error
            If it cannot be opened.
        """
        self.opened = open_codec(model_path(name, "codec"))

    def encode(self, sound: Sound, n_codebooks: int | None = None) -> np.ndarray:
        """Return codes, int64, (frames, n_codebooks); by default of all codebooks."""
        return self.opened.encode(self._samples_of(sound), n_codebooks)

    def latents(self, sound: Sound) -> np.ndarray:
        """Return latents, float32, (frames, n_latents), which are not quantised."""
        return self.opened.latents(self._samples_of(sound))

    def decode(self, frames: np.ndarray, seconds: float | None = None) -> Sound:
        """Return the sound of codes or latents, by default as long as the frames."""
        n_samples = len(frames) * self.opened.hop_length
        if seconds is not None:
            n_samples = round(seconds * self.opened.sample_rate)
        samples = self.opened.decode(frames, n_samples=n_samples)
        return Sound(samples.T, self.opened.sample_rate)

    def _samples_of(self, sound: Sound) -> np.ndarray:
        """Return samples at the codec's rate, (channels, n_samples)."""
        return sound.resampled(self.opened.sample_rate, self.opened.channels).samples.T
