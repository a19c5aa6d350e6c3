"""Let a codec sound a plan: its units' latents one after the other, decoded in one go.

    plan ──► runs ──► latents of each, on the frames of the output ──► decoder ──► audio

After Latent Granular Resynthesis (Tokui and Baker, arXiv 2507.19202): what joins two units is not
a crossfade of two sounds, but the decoder, which hears the latents of both. Each voice is decoded
by itself, and the voices are added. `demiurge.voice_latents` says how units become latents.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audio.resample import Resampling
from demiurge.decode_windows import windows_of
from demiurge.model_descriptors import one_at_a_time, open_named_codec
from demiurge.voice_latents import VoiceLatents
from files.errors import AudioError
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.sources import SampleReader
from playback.stitch import mix_voices
from synth.codec import Codec


@dataclass(frozen=True)
class CodecDecoder:
    """Sounds plans by a codec; see `playback.options.PlanDecoder`."""

    codec: Codec

    @property
    def facts(self) -> dict[str, str]:
        codec = self.codec
        return {"codec": codec.name, "hash": codec.hash, "licence": codec.licence}

    def blocks(
        self, plan: Plan, reader: SampleReader, crossfade: CrossfadeOptions
    ) -> Iterator[np.ndarray]:
        overlap = crossfade.overlap_samples(plan.sample_rate)
        voices = [
            self._voice(
                plan,
                VoiceLatents(
                    self.codec,
                    plan,
                    list(plan.steps[voice.start : voice.stop]),
                    reader,
                    overlap=overlap,
                ),
            )
            for voice in plan.voices
            if voice
        ]
        return mix_voices(voices, plan.n_samples, plan.channels)

    def _voice(self, plan: Plan, latents: VoiceLatents) -> Iterator[np.ndarray]:
        """Yield one voice at the plan's rate, (any, channels), `plan.n_samples` in all."""
        resampling = Resampling(self.codec.sample_rate, plan.sample_rate, channels=plan.channels)
        left = plan.n_samples
        for window in windows_of(self.codec, latents.n_samples):
            latents.make_until(window.frames.stop)
            parts = [rows[window.frames] for rows in latents.rows]
            decoded = self._decode(parts, window.n_samples, plan.channels)
            block = resampling.add(decoded[window.kept])[:left]
            left -= len(block)
            yield block
        yield resampling.finish()[:left]

    def _decode(self, parts: list[np.ndarray], n_samples: int, channels: int) -> np.ndarray:
        """Decode the latents of all channels at once, or of each by itself, to (n, channels)."""
        codec = self.codec
        if all(np.array_equal(part, parts[0]) for part in parts):  # mono in all channels
            parts = parts[:1]
        with one_at_a_time():
            decoded = [codec.decode(part, n_samples=n_samples) for part in parts]
        if not all(np.isfinite(audio).all() for audio in decoded):
            raise AudioError(
                f"{codec.name} decodes the plan to samples that are NaN or infinite; render it"
                " without --decode, or use another codec"
            )
        if codec.channels == channels:
            return np.ascontiguousarray(decoded[0].T)
        mono = np.stack([audio.mean(axis=0) for audio in decoded], axis=1)
        return np.repeat(mono, channels, axis=1) if mono.shape[1] < channels else mono


def open_decoder(name: str) -> CodecDecoder:
    """Open the codec of `--decode`; raises as `demiurge.model_descriptors.open_named_codec`."""
    return CodecDecoder(open_named_codec(name))
