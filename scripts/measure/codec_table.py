"""Compare codecs with SoundStream at its bit rates, and with copy synthesis by the vocoder alone.

    python scripts/measure/codec_table.py SOUND [SOUND …] [--codec FOLDER] [--seconds 20]

The measure is that of the published-weights figures of SoundStream in docs/rooms/codecs.md, taken
from Lyra V2: the mean difference of log-mels at 16 kHz, magnitudes of at least 1e-3, in nepers. The
columns are copy synthesis (the codec's own mel spectrograms, straight to its vocoder), latents that
are not quantised, and codebooks by number.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audio.read import read_mono
from audio.resample import resample
from demiurge.shipped import model_path
from synth.codec import Codec
from synth.codec_measures import bits_per_second, measure_codec
from synth.codecs.mel_codec import MelCodec
from synth.mel import MelSettings, log_mel
from synth.open_codec import open_codec

START = 10.0  # s, in files that are longer
MEL = MelSettings(sample_rate=16000, f_max=8000.0, floor=1e-3)
NUMBERS = (1, 2, 4, 8, 14, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", nargs="+", type=Path)
    parser.add_argument("--codec", default="shipped")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    codec = open_codec(model_path(arguments.codec, "codec"))
    for line in table(codec, arguments.sounds, arguments.seconds):
        print(line, flush=True)


def table(codec: Codec, sounds: list[Path], seconds: float) -> Iterator[str]:
    """Yield the lines of a table in Markdown: a row for each sound."""
    numbers = [number for number in NUMBERS if number <= codec.n_codebooks]
    rates = [bits_per_second(n, codec.codebook_size, codec.frame_rate) / 1000 for n in numbers]
    titles = [f"{number} ({rate:.2f} kbit/s)" for number, rate in zip(numbers, rates, strict=True)]
    yield f"| sound | copy synthesis | latents | {' | '.join(titles)} |"
    yield "|---" * (len(numbers) + 3) + "|"
    for path in sounds:
        audio = excerpt(path, codec.sample_rate, seconds)
        found = measure_codec(codec, [audio], MEL, numbers=[0, *numbers]).mel_l1
        cells = [f"{found[number]:.3f}" for number in (0, *numbers)]
        yield f"| {path.stem} | {copied(codec, audio)} | {' | '.join(cells)} |"


def copied(codec: Codec, audio: np.ndarray) -> str:
    """Return the distance of copy synthesis, for a codec with a vocoder of its own."""
    if not isinstance(codec, MelCodec):
        return "–"
    made = codec.vocoder.synthesise(log_mel(audio, codec.mel))[: len(audio)]
    mels = [
        log_mel(resample(one, codec.sample_rate, MEL.sample_rate), MEL) for one in (audio, made)
    ]
    return f"{np.abs(mels[0] - mels[1]).mean():.3f}"


def excerpt(path: Path, sample_rate: int, seconds: float) -> np.ndarray:
    """Return mono audio at a rate: all of a short file, or so many seconds from START on."""
    audio, info = read_mono(path)
    if len(audio) > (START + seconds) * info.sample_rate:
        start = int(START * info.sample_rate)
        audio = audio[start : start + int(seconds * info.sample_rate)]
    return resample(audio, info.sample_rate, sample_rate)


if __name__ == "__main__":
    main()
