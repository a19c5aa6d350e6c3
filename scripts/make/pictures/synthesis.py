"""Draw the picture of synth: noise, the generator's mel spectrogram, and the vocoder's audio."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demiurge.shipped import shipped_model
from scripts.make.pictures.style import label, new_figure
from synth.flow_windows import window_noise
from synth.generator import load_generator
from synth.vocoder import Vocoder

RANDOM_SEED = 3
SECONDS = 4.0
RANGE = 9  # range of the logarithms shown, down from the highest


def draw_synthesis() -> Figure:
    generator = load_generator(shipped_model("generator"))
    vocoder = Vocoder.load(shipped_model("vocoder")).prepare()
    frames = round(SECONDS * generator.mel.frame_rate) // 4 * 4
    mel = generator.sample(frames, random_seeds=[RANDOM_SEED])[0].numpy()
    figure = new_figure("from noise to sound: the shipped generator and vocoder", 7.5)
    noise, image, wave = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2, 1.3])
    extent = (0, SECONDS, 0, len(mel))
    usual = {"aspect": "auto", "origin": "lower", "cmap": "magma", "extent": extent}
    noise.imshow(window_noise(RANDOM_SEED, 0, mel.shape), vmin=-3, vmax=3, **usual)
    noise.set_ylabel("mel band")
    label(noise, "white noise")
    image.imshow(mel, vmin=mel.max() - RANGE, **usual)
    image.set_ylabel("mel band")
    label(image, "the generator makes a mel spectrogram of it")
    draw_audio(wave, vocoder.synthesise(mel), generator.mel.sample_rate)
    return figure


def draw_audio(axes: Axes, audio: np.ndarray, sample_rate: int) -> None:
    axes.plot(np.arange(len(audio)) / sample_rate, audio, color="0.25", lw=0.4)
    axes.set(ylabel="amplitude", xlabel="seconds", xlim=(0, SECONDS))
    label(axes, "the vocoder makes audio of that: piano that nobody played")
