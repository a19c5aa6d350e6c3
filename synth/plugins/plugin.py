"""A plug-in: a published generator of audio, given as a folder or a file on this machine.

    random seed, text, sound to go on from ──► audio (channels, n_samples), exact to the sample

Every published generator is used through one of these. Subclasses define `_generate`; the others
check what is given, fix the random numbers and join the new sound to what it goes on from.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from files.errors import AudioError, ParameterError
from synth.join_recording import FADE_SECONDS, reach_samples, replace_span


@dataclass(frozen=True)
class SoundRequest:
    """One sound that a plug-in is asked for.

    Attributes
    ----------
    n_samples : int
    lead : int
        0 without `audio`. With it, the first `lead` samples are the model's own rendition of the
        last samples of `audio`: the join is a crossfade between the two.
    random_seed : int
        For a generator of the model's own; torch's global random numbers are seeded.
    prompt : str, optional
    audio : ndarray, float32, shape (channels, n), optional
        What the sound goes on from.
    melody : ndarray, float32, shape (1, n), optional
        A sound whose melody it plays.
    """

    n_samples: int
    lead: int
    random_seed: int
    prompt: str | None
    audio: np.ndarray | None
    melody: np.ndarray | None


class Plugin(ABC):
    """Base of the plug-ins.

    Attributes
    ----------
    name : str
        For messages and manifests: the class of the model and the folder's or file's name.
    licence : str
        Of the weights, as their publisher states it; "unknown" if nothing does.
    hash : str
        32 hex digits that identify sizes and weights.
    sample_rate : int
        Hz.
    channels : int
    takes_prompt, takes_audio, takes_melody : bool
        Whether it has a use for text, for a sound to go on from, and for one whose melody it plays.
    most_seconds : float
        The longest sound that it can make.
    """

    name: str
    licence: str = "unknown"
    hash: str
    sample_rate: int
    channels: int = 1
    takes_prompt: bool = False
    takes_audio: bool = False
    takes_melody: bool = False
    most_seconds: float = math.inf

    def generate(
        self,
        seconds: float,
        *,
        random_seed: int,
        prompt: str | None = None,
        audio: np.ndarray | None = None,
        melody: np.ndarray | None = None,
    ) -> np.ndarray:
        """Make one sound.

        Parameters
        ----------
        seconds : float > 0
            Of new sound, rounded to samples.
        random_seed : int >= 0
            The same seed gives the same bytes, on the same machine with the same threads.
        prompt : str, optional
            What it should sound like.
        audio : ndarray, float32, shape (channels, n)
            A sound to go on from, at the plug-in's sample rate.
        melody : ndarray, float32, shape (1, n)
            A sound whose melody the new sound plays, at the plug-in's sample rate.

        Returns
        -------
        ndarray, float32, shape (channels, n_samples)
            Not limited to ±1, and not checked for NaN, so that the caller can try another seed.
            With `audio`, it begins with that sound, n samples of it.

        Raises
        ------
        ParameterError, AudioError
            If it has no use for what is given, or cannot make so many seconds.
        """
        self.check_request(
            seconds,
            has_prompt=prompt is not None,
            has_audio=audio is not None,
            has_melody=melody is not None,
        )
        n_samples = round(seconds * self.sample_rate)
        if audio is not None:
            self._check_audio(audio, self.channels)
        if melody is not None:
            self._check_audio(melody, 1)
        lead = 0 if audio is None else min(audio.shape[1], self._lead_samples)
        request = SoundRequest(lead + n_samples, lead, random_seed, prompt, audio, melody)
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(random_seed)
            made = self._generate(request)
        if made.shape != (self.channels, lead + n_samples):
            raise AudioError(
                f"{self.name} made audio of shape {made.shape}, where"
                f" {(self.channels, lead + n_samples)} was asked for; it cannot be used"
            )
        return made if audio is None else self._joined(audio, made, lead)

    @abstractmethod
    def _generate(self, request: SoundRequest) -> np.ndarray:
        """Make audio, float32 (channels, n_samples), in inference mode."""

    def check_request(
        self, seconds: float, *, has_prompt: bool, has_audio: bool, has_melody: bool = False
    ) -> None:
        """Refuse what this plug-in cannot do, before anything is made.

        Raises
        ------
        ParameterError
        """
        if has_prompt and not self.takes_prompt:
            raise ParameterError(f"{self.name} has no use for text; leave --prompt out")
        if has_audio and not self.takes_audio:
            raise ParameterError(f"{self.name} cannot go on from a sound; leave --continue out")
        if has_melody and not self.takes_melody:
            raise ParameterError(f"{self.name} cannot follow a sound; leave --follow out")
        if not (math.isfinite(seconds) and seconds * self.sample_rate >= 1):
            raise ParameterError(f"seconds={seconds} must be a positive number")
        if seconds > self.most_seconds:
            raise ParameterError(
                f"seconds={seconds:g} is more than {self.name} can make at once,"
                f" {self.most_seconds:g}; give fewer"
            )

    def _check_audio(self, audio: np.ndarray, channels: int) -> None:
        if audio.ndim != 2 or audio.shape[0] != channels or not audio.shape[1]:
            raise AudioError(
                f"audio of shape {audio.shape} must be ({channels}, samples) for {self.name}"
            )
        if not np.isfinite(audio).all():
            raise AudioError(f"audio for {self.name} must be finite; it holds NaN or infinity")

    @property
    def _lead_samples(self) -> int:
        return reach_samples(self.sample_rate) + round(FADE_SECONDS * self.sample_rate)

    def _joined(self, audio: np.ndarray, made: np.ndarray, lead: int) -> np.ndarray:
        """Put new sound after `audio`, with a crossfade over the end of it if it is long enough."""
        n_given = audio.shape[1]
        fade = round(FADE_SECONDS * self.sample_rate)
        if lead < self._lead_samples:
            return np.concatenate([audio, made[:, lead:]], axis=1)
        return replace_span(
            audio,
            made,
            first=n_given - lead,
            start=n_given - fade,
            stop=n_given - lead + made.shape[1],
            sample_rate=self.sample_rate,
        )
