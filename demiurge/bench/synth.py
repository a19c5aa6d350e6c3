"""Vocoders and generators, against plain eager float32 modules of the same layers."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from demiurge.bench import Result, medians
from demiurge.bench.synth_training import PRESETS_TRAINED, bench_training
from demiurge.bundled import CORPUS_DIR
from demiurge.shipped import shipped_model, shipped_names, shipped_vocoder
from synth.architectures import ARCHITECTURES
from synth.dataset import open_dataset
from synth.generate import GenerateOptions, generate
from synth.generator import Generator, load_generator
from synth.griffin_lim import griffin_lim
from synth.mel import PRESETS
from synth.unagan_generator import UnaganGenerator
from synth.unagan_options import UnaganOptions
from synth.vocoder import Vocoder

SECONDS = 5.0  # of audio for the published sizes
SECONDS_FULL = 30.0
SHIPPED_SECONDS = 120.0  # of audio for the shipped models
SHIPPED_FILES = 4
UNAGANS = ("unagan", "unagan-nonhierarchical")
CLIP_SECONDS = 10.0
N_CLIPS = 8


def bench_synth(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Measure the room synth on mel spectrograms of the bundled sounds."""
    dataset = open_dataset(CORPUS_DIR, PRESETS["22k"])
    frame_rate = dataset.settings.frame_rate
    mel = np.array(dataset.mels[: int(SHIPPED_SECONDS * frame_rate)].T)
    short = mel[:, : int((SECONDS_FULL if full else SECONDS) * frame_rate)]
    trained = list(PRESETS_TRAINED)
    if full:
        trained += [name for name in ARCHITECTURES if name not in PRESETS_TRAINED]
        trained.append("unagan")
    return [
        *(bench_vocoder(name, short, repeats) for name in ARCHITECTURES),
        *(bench_unagan(kind, repeats) for kind in UNAGANS),
        bench_shipped_vocoder(mel, repeats),
        *(bench_generate(name, repeats) for name in shipped_names("generator")),
        *(bench_training(name, dataset) for name in trained),
    ]


def bench_vocoder(architecture: str, mel: np.ndarray, repeats: int) -> Result:
    """Run a vocoder in float32, and in bfloat16 beside it."""
    torch.manual_seed(0)
    vocoder = Vocoder(architecture, PRESETS["22k"])
    eager = Vocoder(architecture, PRESETS["22k"]).eval().network
    vocoder.network.load_state_dict(eager.state_dict())
    vocoder.eval().prepare()
    outputs: dict[str, np.ndarray] = {}

    @torch.inference_mode()
    def plainly() -> None:
        outputs["eager"] = eager(torch.from_numpy(mel)[None])[0, 0].numpy()

    def prepared(precision: str) -> None:
        vocoder.precision = precision
        outputs[precision] = vocoder.synthesise(mel)

    plainly()
    seconds, baseline_seconds = medians(lambda: prepared("float32"), plainly, repeats)
    half_seconds, _ = medians(lambda: prepared("bfloat16"), lambda: None, repeats)
    audio_seconds = mel.shape[1] / vocoder.mel.frame_rate
    return Result(
        f"synth {architecture}",
        f"{audio_seconds:.0f} s, untrained weights, {torch.get_num_threads()} threads",
        "plain eager float32 module",
        seconds,
        baseline_seconds,
        audio_seconds,
        repeats,
        {
            "largest difference, of full scale": largest_difference(outputs),
            "bfloat16, times eager float32": baseline_seconds / half_seconds,
            "bfloat16, times real time": audio_seconds / half_seconds,
            "bfloat16, rounding noise in dB": rounding_noise_db(outputs),
            "fastest": "bfloat16" if half_seconds < seconds else "float32",
        },
    )


def largest_difference(outputs: dict[str, np.ndarray]) -> float:
    """Return the largest difference of float32 from the eager module, relative to its peak."""
    differences = np.abs(outputs["float32"] - outputs["eager"])
    return float(differences.max() / np.abs(outputs["eager"]).max())


def rounding_noise_db(outputs: dict[str, np.ndarray]) -> float:
    """Return the level of bfloat16's rounding noise, relative to the output."""
    noise = np.mean((outputs["bfloat16"] - outputs["eager"]) ** 2)
    return float(10 * np.log10(noise / np.mean(outputs["eager"] ** 2)))


def bench_unagan(kind: str, repeats: int) -> Result:
    """Generate several clips together, against one by one."""
    torch.manual_seed(0)
    generator = UnaganGenerator(UnaganOptions(architecture=kind).config(), PRESETS["22k"]).eval()
    frames = int(CLIP_SECONDS * generator.mel.frame_rate) // 16 * 16

    @torch.inference_mode()
    def one_by_one() -> None:
        for _ in range(N_CLIPS):
            generator.network(random_noise(generator, frames))

    def together() -> None:
        generator.sample(frames, random_seeds=range(N_CLIPS))

    times = medians(together, one_by_one, repeats)
    audio_seconds = N_CLIPS * frames / generator.mel.frame_rate
    what = f"{N_CLIPS} clips of {CLIP_SECONDS:.0f} s, width {generator.config.width}"
    baseline = "plain eager float32 module, clip by clip"
    return Result(f"synth {kind}", what, baseline, *times, audio_seconds, repeats)


def random_noise(generator: UnaganGenerator, frames: int) -> torch.Tensor:
    """Return noise for so many frames, shape (1, z_channels, steps)."""
    config = generator.config
    return torch.randn(1, config.z_channels, frames // config.frames_per_step)


def bench_shipped_vocoder(mel: np.ndarray, repeats: int) -> Result:
    """Run the shipped vocoder, against Griffin-Lim."""
    vocoder = Vocoder.load(shipped_model("vocoder")).prepare()
    audio_seconds = mel.shape[1] / vocoder.mel.frame_rate
    tenth = mel[:, : mel.shape[1] // 10]  # Griffin-Lim's time grows with the length
    seconds, tenth_seconds = medians(
        lambda: vocoder.synthesise(mel), lambda: griffin_lim(tenth, vocoder.mel), repeats
    )
    vocoder.precision = "bfloat16"
    half_seconds, _ = medians(lambda: vocoder.synthesise(mel), lambda: None, repeats)
    return Result(
        "synth shipped vocoder",
        f"shipped vocoder, {audio_seconds:.0f} s, {torch.get_num_threads()} threads",
        "Griffin-Lim, 60 iterations",
        seconds,
        10 * tenth_seconds,
        audio_seconds,
        repeats,
        {"bfloat16, times real time": audio_seconds / half_seconds},
    )


def bench_generate(name: str, repeats: int) -> Result:
    """Generate files with shipped models as `synth generate` does."""
    folder = shipped_model("generator", name)
    generator = load_generator(folder)
    vocoder_folder = shipped_vocoder(generator.mel.to_dict())
    assert vocoder_folder is not None
    names = (folder.name, vocoder_folder.name)
    prepared = Vocoder.load(vocoder_folder).prepare()
    eager = Vocoder.load(vocoder_folder)
    file_seconds = SHIPPED_SECONDS / SHIPPED_FILES
    options = GenerateOptions(minutes=SHIPPED_SECONDS / 60, seconds=file_seconds)
    frames = int(file_seconds * generator.mel.frame_rate)

    def ours(precision: str) -> None:
        prepared.precision = precision
        with tempfile.TemporaryDirectory() as out:
            generate(generator, prepared, Path(out), options=options, names=names)

    @torch.inference_mode()
    def plainly() -> None:
        for number in range(SHIPPED_FILES):
            eager(sample_plainly(generator, frames, number))

    seconds, baseline_seconds = medians(lambda: ours("float32"), plainly, repeats)
    half_seconds, _ = medians(lambda: ours("bfloat16"), lambda: None, repeats)
    return Result(
        f"synth generate {name}",
        f"{SHIPPED_SECONDS:.0f} s in {SHIPPED_FILES} files, checked and written",
        "plain eager float32 modules, file by file, not checked nor written",
        seconds,
        baseline_seconds,
        SHIPPED_SECONDS,
        repeats,
        {"bfloat16, times real time": SHIPPED_SECONDS / half_seconds},
    )


def sample_plainly(generator: Generator, frames: int, random_seed: int) -> torch.Tensor:
    """Return log-mel (1, n_mels, frames): a UNAGAN's in one pass."""
    if isinstance(generator, UnaganGenerator):
        return generator.denormalise(generator.network(random_noise(generator, frames)))
    return generator.sample(frames, random_seeds=[random_seed])
