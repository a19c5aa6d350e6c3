"""Vocoders and generators against plain eager float32 modules of the same layers, and training
against decoding as one goes.
"""

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio.read import read_mono, resample
from demiurge.bench import Result, medians
from demiurge.bundled import CORPUS_DIR
from demiurge.shipped import shipped_model
from synth.architectures import ARCHITECTURES
from synth.dataset import AudioDataset, open_dataset
from synth.generator import Generator
from synth.griffin_lim import griffin_lim
from synth.mel import PRESETS, log_mel
from synth.train_unagan import UnaganOptions, UnaganTraining
from synth.train_vocoder import VocoderOptions, VocoderTraining
from synth.vocoder import Vocoder
from training.distributed import Distributed

# of audio for published sizes
SECONDS = 5.0
SECONDS_FULL = 30.0
# two minutes of music
SHIPPED_SECONDS = 120.0
SHIPPED_FILES = 4
CLIP_SECONDS = 10.0
N_CLIPS = 8
STEPS = 5  # of training
TRAINED = ("vocos-small", "unagan-small")


def bench_synth(audio: Path, repeats: int, full: bool) -> list[Result]:
    dataset = open_dataset(CORPUS_DIR, PRESETS["22k"])
    mel = np.array(dataset.mels[: int(SHIPPED_SECONDS * dataset.settings.frame_rate)].T)
    short = mel[:, : int((SECONDS_FULL if full else SECONDS) * dataset.settings.frame_rate)]
    published = [_vocoder(name, short, repeats) for name in ARCHITECTURES]
    presets = (
        [*TRAINED, *(name for name in ARCHITECTURES if name not in TRAINED), "unagan"]
        if full
        else TRAINED
    )
    training = [_training(name, dataset) for name in presets]
    return [
        *published,
        *(_unagan(kind, repeats) for kind in ("hierarchical", "nonhierarchical")),
        _shipped_vocoder(mel, repeats),
        _shipped_chain(repeats),
        *training,
    ]


def _vocoder(architecture: str, mel: np.ndarray, repeats: int) -> Result:
    """float32 against the eager module, and bfloat16 beside it."""
    torch.manual_seed(0)
    vocoder = Vocoder(architecture, PRESETS["22k"]).eval()
    eager = vocoder.network
    ours = Vocoder(architecture, PRESETS["22k"])
    ours.network.load_state_dict(eager.state_dict())
    ours.eval().prepare()
    seconds = mel.shape[1] / vocoder.mel.frame_rate
    outputs: dict[str, np.ndarray] = {}

    def plainly() -> None:
        with torch.inference_mode():
            outputs["eager"] = eager(torch.from_numpy(mel)[None])[0, 0].numpy()

    def quickly(precision: str) -> Callable[[], None]:
        def run() -> None:
            ours.precision = precision
            outputs[precision] = ours.synthesise(mel)

        return run

    plainly()
    quick, baseline = medians(quickly("float32"), plainly, repeats)
    half, _ = medians(quickly("bfloat16"), lambda: None, repeats)
    level = np.abs(outputs["eager"]).max()
    noise = np.sqrt(
        np.mean((outputs["bfloat16"] - outputs["eager"]) ** 2) / np.mean(outputs["eager"] ** 2)
    )
    return Result(
        f"synth {architecture}",
        f"{seconds:.0f} s, untrained weights, {torch.get_num_threads()} threads",
        "plain eager float32 module",
        quick,
        baseline,
        seconds,
        repeats,
        {
            "largest difference, of full scale": float(
                np.abs(outputs["float32"] - outputs["eager"]).max() / level
            ),
            "bfloat16, times eager float32": baseline / half,
            "bfloat16, times real time": seconds / half,
            "bfloat16, rounding noise in dB": float(20 * np.log10(noise)),
            "fastest": "bfloat16" if half < quick else "float32",
        },
    )


def _unagan(kind: str, repeats: int) -> Result:
    torch.manual_seed(0)
    generator = Generator(UnaganOptions(architecture=kind).config(), PRESETS["22k"]).eval()
    frames = int(CLIP_SECONDS * generator.mel.frame_rate) // 16 * 16

    def one_by_one() -> None:
        with torch.inference_mode():
            for _ in range(N_CLIPS):
                generator.network(
                    torch.randn(
                        1, generator.config.z_channels, frames // generator.config.frames_per_step
                    )
                )

    seconds, baseline = medians(
        lambda: generator.sample(frames, random_seeds=range(N_CLIPS)), one_by_one, repeats
    )
    length = N_CLIPS * frames / generator.mel.frame_rate
    what = f"{N_CLIPS} clips of {CLIP_SECONDS:.0f} s, width {generator.config.width}"
    return Result(
        f"synth unagan {kind}",
        what,
        "plain eager float32 module, clip by clip",
        seconds,
        baseline,
        length,
        repeats,
        {},
    )


def _shipped_vocoder(mel: np.ndarray, repeats: int) -> Result:
    vocoder = Vocoder.load(shipped_model("vocoder")).prepare()
    seconds = mel.shape[1] / vocoder.mel.frame_rate
    part = mel[:, : mel.shape[1] // 10]  # Griffin-Lim's time grows with the length
    quick, tenth = medians(
        lambda: vocoder.synthesise(mel), lambda: griffin_lim(part, vocoder.mel), repeats
    )
    vocoder.precision = "bfloat16"
    half, _ = medians(lambda: vocoder.synthesise(mel), lambda: None, repeats)
    facts = {"bfloat16, times real time": seconds / half}
    what = f"shipped vocoder, {seconds:.0f} s, {torch.get_num_threads()} threads"
    return Result(
        "synth shipped vocoder",
        what,
        "Griffin-Lim, 60 iterations",
        quick,
        10 * tenth,
        seconds,
        repeats,
        facts,
    )


def _shipped_chain(repeats: int) -> Result:
    """Noise to audio: the shipped UNAGAN and vocoder, as `synth generate` runs them."""
    from synth.generate import GenerateOptions, generate

    unagan = shipped_model("unagan")
    vocoder = shipped_model("vocoder")
    generator = Generator.load(unagan)
    prepared = Vocoder.load(vocoder).prepare()
    length = SHIPPED_SECONDS / SHIPPED_FILES
    options = GenerateOptions(minutes=SHIPPED_SECONDS / 60, seconds=length)

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            generate(
                generator,
                prepared,
                Path(folder),
                options=options,
                names=(str(unagan), str(vocoder)),
            )

    eager = Vocoder.load(vocoder)
    frames = int(length * generator.mel.frame_rate)

    def plainly() -> None:
        with torch.inference_mode():
            for _ in range(SHIPPED_FILES):
                noise = torch.randn(
                    1, generator.config.z_channels, frames // generator.config.frames_per_step
                )
                eager(generator.denormalise(generator.network(noise)))

    seconds, baseline = medians(ours, plainly, repeats)
    return Result(
        "synth generate",
        f"{SHIPPED_SECONDS:.0f} s in {SHIPPED_FILES} files by the shipped UNAGAN and vocoder,"
        " checked and written",
        "plain eager float32 modules, file by file, not checked nor written",
        seconds,
        baseline,
        SHIPPED_SECONDS,
        repeats,
        {},
    )


def _training(name: str, dataset: AudioDataset) -> Result:
    """Steps per second, with the share of time spent waiting for data; and with files decoded for
    every segment.
    """
    processes = Distributed()
    training: VocoderTraining | UnaganTraining
    if name.startswith("unagan"):
        small = UnaganOptions(width=160, discriminator_width=160, clip_frames=128, batch_size=8)
        training = UnaganTraining(
            dataset, small if name == "unagan-small" else UnaganOptions(), processes
        )
    else:
        training = VocoderTraining(
            dataset, VocoderOptions(architecture=name, adversarial_from=0), processes
        )
    n_steps = STEPS if name in TRAINED else 1  # the published sizes take up to a minute each
    batches = training.batches(np.random.default_rng(0), 0)
    n_updates = iter(range(1, 1_000_000))
    waits = []

    def steps(source: Iterator[tuple[Tensor, Tensor]]) -> None:
        for _ in range(n_steps):
            training.step(next(source), next(n_updates))

    steps(batches)
    decoding = _decoded_each_time(dataset, training.options.batch_size, training.train.n_frames)
    seconds, baseline = medians(lambda: steps(batches), lambda: steps(decoding), 1)
    waited, waited_baseline = medians(
        lambda: waits.append(list(islice(batches, n_steps))),
        lambda: list(islice(decoding, n_steps)),
        1,
    )
    return Result(
        f"synth training {name}",
        f"{n_steps} steps, {torch.get_num_threads()} threads, float32",
        "every segment's file decoded and analysed as it is needed",
        seconds,
        baseline,
        0,
        1,
        {
            "steps per second": n_steps / seconds,
            "share of time waiting for data": waited / seconds,
            "baseline's share": waited_baseline / baseline,
        },
    )


def _decoded_each_time(
    dataset: AudioDataset, batch_size: int, n_frames: int
) -> Iterator[tuple[Tensor, Tensor]]:
    settings = dataset.settings
    rng = np.random.default_rng(0)
    while True:
        audio = np.zeros((batch_size, n_frames * settings.hop_length), np.float32)
        for row in audio:
            file = dataset.files[rng.integers(len(dataset.files))]
            samples, info = read_mono(CORPUS_DIR / file.name)
            samples = resample(samples, info.sample_rate, settings.sample_rate)
            start = rng.integers(max(len(samples) - len(row), 0) + 1)
            part = samples[start : start + len(row)]
            row[: len(part)] = part
        yield (
            torch.from_numpy(audio),
            torch.from_numpy(np.stack([log_mel(row, settings) for row in audio])),
        )
