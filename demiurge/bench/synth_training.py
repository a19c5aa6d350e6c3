"""Training vocoders and generators, against decoding each segment's file as it is needed."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from audio.read import read_mono
from audio.resample import resample
from demiurge.bench import Result, medians
from demiurge.bundled import CORPUS_DIR
from synth.dataset import AudioDataset
from synth.flow_options import FlowOptions
from synth.mel import log_mel
from synth.train import AudioTraining
from synth.train_flow import FlowTraining
from synth.train_unagan import UnaganTraining
from synth.train_vocoder import VocoderOptions, VocoderTraining
from synth.unagan_options import UnaganOptions
from training.distributed import Distributed

STEPS = 5
PRESETS_TRAINED = ("vocos-small", "unagan-small", "flow")  # the published sizes take minutes


def bench_training(name: str, dataset: AudioDataset) -> Result:
    """Measure some training steps, and the time that they wait for data."""
    training = start_training(name, dataset)
    n_steps = STEPS if name in PRESETS_TRAINED else 1  # large ones take up to a minute a step
    batches = training.batches(0, 0)
    decoded = decode_batches(dataset, training)
    numbers = iter(range(1, 1_000_000))

    def train(source: Iterator[Any]) -> None:
        for batch in islice(source, n_steps):
            training.step(batch, next(numbers))

    def read(source: Iterator[Any]) -> None:
        for _ in islice(source, n_steps):
            pass

    train(batches)
    times = medians(lambda: train(batches), lambda: train(decoded), 1)
    waits = medians(lambda: read(batches), lambda: read(decoded), 1)
    facts = {
        "steps per second": n_steps / times[0],
        "share of time waiting for data": waits[0] / times[0],
        "baseline's share": waits[1] / times[1],
    }
    if isinstance(training, FlowTraining):
        tokens = training.options.clip_frames // training.options.patch_frames
        facts["tokens per second"] = n_steps * training.options.batch_size * tokens / times[0]
    what = f"{n_steps} steps, {torch.get_num_threads()} threads, float32"
    baseline = "every segment's file decoded and analysed as it is needed"
    return Result(f"synth training {name}", what, baseline, *times, facts=facts)


def start_training(name: str, dataset: AudioDataset) -> AudioTraining:
    """Return a training of a vocoder's architecture, of "flow", "unagan-small" or "unagan"."""
    distributed = Distributed()
    if name == "flow":
        return FlowTraining(dataset, FlowOptions(), distributed)
    if name == "unagan-small":
        small = UnaganOptions(width=160, discriminator_width=160, clip_frames=128, batch_size=8)
        return UnaganTraining(dataset, small, distributed)
    if name == "unagan":
        return UnaganTraining(dataset, UnaganOptions(), distributed)
    options = VocoderOptions(architecture=name, adversarial_from=0)
    return VocoderTraining(dataset, options, distributed)


def decode_batches(dataset: AudioDataset, training: AudioTraining) -> Iterator[Any]:
    """Yield batches of random segments of the bundled sounds, as `training` takes them."""
    n_frames = training.train.n_frames
    rng = np.random.default_rng(0)
    settings = dataset.settings
    length = n_frames * settings.hop_length
    while True:
        rows = []
        for _ in range(training.options.batch_size):
            file = dataset.files[rng.integers(len(dataset.files))]
            samples, info = read_mono(CORPUS_DIR / file.name)
            samples = resample(samples, info.sample_rate, settings.sample_rate)
            start = rng.integers(max(len(samples) - length, 0) + 1)
            part = samples[start : start + length]
            rows.append(np.pad(part, (0, length - len(part))))
        mels = torch.from_numpy(np.stack([log_mel(row, settings) for row in rows]))
        if isinstance(training, FlowTraining):
            yield mels[..., : training.options.clip_frames]
        else:
            yield torch.from_numpy(np.stack(rows)), mels
