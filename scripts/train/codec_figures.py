"""What a codec makes of bundled sounds that it was not trained on: recorded when it is shipped."""

import numpy as np

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from synth.codec_measures import CodecMeasures, numbers_of_codebooks, perplexities
from synth.codecs.mel_codec import MelCodec
from synth.mel import log_mel

# neither these loops nor sounds of these kinds are in the music of scripts/make/training_music.py
HELD_OUT = ("loop_amen*", "loop_compus*", "loop_industrial*", "loop_safari*", "ambi_*", "guit_*")


def figures(codec: MelCodec) -> CodecMeasures:
    """Compare the mels of the sounds with the decoded ones, before any vocoder."""
    numbers = [0, *numbers_of_codebooks(codec.n_codebooks)]
    distances: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
    codes = []
    for path in sorted(path for name in HELD_OUT for path in CORPUS_DIR.glob(f"{name}.ogg")):
        audio, info = read_mono(path)
        audio = resample(audio, info.sample_rate, codec.sample_rate)
        mel = log_mel(audio, codec.mel)
        latents = codec.latents(audio)
        codes.append(codec.quantise(latents))
        for number in numbers:
            restored = codec.restore(codes[-1][:, :number]) if number else latents
            made = codec.decoded_mel(restored)[:, : mel.shape[1]]
            distances[number].append(np.abs(made - mel).mean(0) * codec.mel.nepers)
    means = {number: float(np.concatenate(found).mean()) for number, found in distances.items()}
    return CodecMeasures(means, perplexities(np.concatenate(codes), codec.codebook_size))
