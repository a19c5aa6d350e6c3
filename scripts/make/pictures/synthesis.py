"""Draw the picture of synth: noise, the generator's mel spectrogram, and the vocoder's audio."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demiurge.shipped import shipped_model
from scripts.make.pictures.style import label, new_figure
from synth.generator import load_generator
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder

RANDOM_SEED = 3
SECONDS = 4.0
RANGE = 9  # range of the logarithms shown, down from the highest


def draw_synthesis() -> Figure:
    generator = load_generator(shipped_model("generator", "unagan"))
    assert isinstance(generator, UnaganGenerator)
    vocoder = Vocoder.load(shipped_model("vocoder")).prepare()
    frames = round(SECONDS * generator.mel.frame_rate)
    mel = generator.sample(frames, random_seeds=[RANDOM_SEED])[0].numpy()
    figure = new_figure("from noise to sound: the shipped generator and vocoder", 6.5)
    noise, image, wave = figure.subplots(3, 1, sharex=True, height_ratios=[1, 2, 1.3])
    draw_noise(noise, generator, frames)
    extent = (0, SECONDS, 0, len(mel))
    low = mel.max() - RANGE
    image.imshow(mel, aspect="auto", origin="lower", cmap="magma", vmin=low, extent=extent)
    image.set_ylabel("mel band")
    label(image, "the generator makes a mel spectrogram of it")
    draw_audio(wave, vocoder.synthesise(mel), generator.mel.sample_rate)
    return figure


def draw_noise(axes: Axes, generator: UnaganGenerator, frames: int) -> None:
    n_steps = frames // generator.config.frames_per_step
    noise = generator.latent.draw(np.random.default_rng(RANDOM_SEED), n_steps).numpy()
    extent = (0, SECONDS, 0, 1)
    axes.imshow(noise, aspect="auto", cmap="gray", extent=extent, interpolation="nearest")
    axes.set_yticks([])
    label(axes, "noise, 20 values every 93 ms")


def draw_audio(axes: Axes, audio: np.ndarray, sample_rate: int) -> None:
    axes.plot(np.arange(len(audio)) / sample_rate, audio, color="0.25", lw=0.4)
    axes.set(ylabel="amplitude", xlabel="seconds", xlim=(0, SECONDS))
    label(axes, "the vocoder makes audio of that: piano that nobody played")
