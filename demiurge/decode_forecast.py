"""Sound forecasts of a codec's latents by its decoder; no corpus is played from.

    seed ──► latents ──► forecaster ──► what follows, codes or latents ──► decoder ──► audio

The decoder hears the end of the seed before what follows, so that it goes on from there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.settings import DescriptorSettings
from demiurge.decode_windows import CONTEXT_SECONDS, windows_of
from demiurge.model_descriptors import codec_of_frames, one_at_a_time
from demiurge.sequences import count_steps, describe, forecast_sequences
from files.errors import AudioError, ParameterError
from sequencer.sampling import AS_LEARNED, SamplingOptions
from synth.codec import Codec


@dataclass(frozen=True)
class DecodedForecasts:
    """How seeds go on, each in several ways.

    Attributes
    ----------
    codec : Codec
    audio : list of ndarray, float32, shape (channels, n_samples)
        At the codec's sample rate: the variations of the first seed, then those of the next.
    """

    codec: Codec
    audio: list[np.ndarray]


def forecast_and_decode(
    seeds: list[Path],
    model: Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    variations: int = 1,
    sampling: SamplingOptions = AS_LEARNED,
    accompanied: Path | None = None,
) -> DecodedForecasts:
    """Forecast how seeds go on, and decode that: exactly `seconds`, or `steps` frames.

    Raises
    ------
    CheckpointError, AudioError, ParameterError
        As `demiurge.sequences.forecast`; also if the model does not forecast the latents of one
        codec, frame by frame.
    DatabaseError
        If the codec is not where it was, or is another one now.
    """
    from sequencer.forecaster import Forecaster

    forecaster = Forecaster.load(model)
    settings = forecaster.config.settings
    codec = decoder_of(settings, model)
    n_steps = count_steps(settings, steps, seconds)
    sequences = [describe(seed, settings, whose=f"the model {model}") for seed in seeds]
    forecasts = forecast_sequences(
        sequences,
        forecaster,
        n_steps=n_steps,
        variations=variations,
        sampling=sampling,
        accompanied=accompanied,
    )
    audio = []
    for sequence, of_seed in zip(sequences, forecasts, strict=True):
        heard = sequence.descriptors
        n_heard = min(len(heard), max(1, round(CONTEXT_SECONDS * codec.frame_rate)))
        n_before = n_heard * codec.hop_length
        for rows in of_seed:
            n_new = len(rows) * codec.hop_length
            if seconds is not None:
                n_new = max(1, round(seconds * codec.sample_rate))
            latents = np.concatenate([heard[-n_heard:], rows])
            audio.append(decode_long(codec, latents, n_samples=n_before + n_new)[:, n_before:])
    return DecodedForecasts(codec, audio)


def decoder_of(settings: DescriptorSettings, model: Path) -> Codec:
    """Return the codec that sounds a model's forecasts; raises as `codec_of_frames`.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if codec := codec_of_frames(settings):
        return codec
    raise ParameterError(
        f"{model} forecasts {', '.join(settings.descriptors)} of units of the kind"
        f" {settings.units}, which no codec decodes; train on a codec's own frames: demiurge db"
        " build AUDIO_DIR DB --units frame --descriptors codec:PATH"
    )


def decode_long(codec: Codec, latents: np.ndarray, *, n_samples: int) -> np.ndarray:
    """Decode latents (frames, n_latents) a window at a time, to (channels, n_samples).

    Raises
    ------
    AudioError
        If the audio is not finite.
    """
    parts = []
    for window in windows_of(codec, n_samples):
        with one_at_a_time():
            decoded = codec.decode(latents[window.frames], n_samples=window.n_samples)
        parts.append(decoded[:, window.kept])
    audio = np.concatenate(parts, axis=1)
    if not np.isfinite(audio).all():
        raise AudioError(
            f"{codec.name} decodes the forecast to samples that are NaN or infinite; use a lower"
            " --temperature, or another codec"
        )
    return audio
