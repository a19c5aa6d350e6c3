"""synth: noise, the mel spectrogram that the generator makes of it, and the vocoder's audio."""

import numpy as np
from matplotlib.figure import Figure

from demiurge.shipped import shipped_model
from scripts.make.pictures.style import label, new_figure
from synth.generator import Generator
from synth.vocoder import Vocoder

RANDOM_SEED = 3
SECONDS = 4.0
RANGE = 9  # of the logarithms shown below the highest


def draw_synthesis() -> Figure:
    generator = Generator.load(shipped_model("unagan"))
    vocoder = Vocoder.load(shipped_model("vocoder")).prepare()
    sample_rate = generator.mel.sample_rate
    frames = round(SECONDS * generator.mel.frame_rate)
    n_steps = frames // generator.config.frames_per_step
    noise = generator.latent.draw(np.random.default_rng(RANDOM_SEED), n_steps).numpy()
    mel = generator.sample(frames, random_seeds=[RANDOM_SEED])[0].numpy()
    audio = vocoder.synthesise(mel)
    figure = new_figure("from noise to sound: the shipped generator and vocoder", 6.5)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[1, 2, 1.3])
    whole = {"aspect": "auto", "extent": (0, SECONDS, 0, 1)}
    top.imshow(noise, cmap="gray", interpolation="nearest", **whole)
    top.set_yticks([])
    label(top, "noise, 20 values every 93 ms")
    whole["extent"] = (0, SECONDS, 0, len(mel))
    middle.imshow(mel, origin="lower", cmap="magma", vmin=mel.max() - RANGE, **whole)
    middle.set_ylabel("mel band")
    label(middle, "the generator makes a mel spectrogram of it")
    bottom.plot(np.arange(len(audio)) / sample_rate, audio, color="0.25", lw=0.4)
    bottom.set(ylabel="amplitude", xlabel="seconds", xlim=(0, SECONDS))
    label(bottom, "the vocoder makes audio of that: piano that nobody played")
    return figure
