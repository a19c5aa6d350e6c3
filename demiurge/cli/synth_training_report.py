"""Reports of train-vocoder and train-generator: audio, results, and next commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from demiurge.cli.options.models import echo_left_out
from demiurge.cli.options.training import STOPPED
from demiurge.cli.terminal import echo_line
from demiurge.shipped import shipped_vocoders
from files.names import quoted
from synth.names import GENERATORS

if TYPE_CHECKING:
    from synth.flow_options import FlowOptions
    from synth.mel import MelSettings
    from synth.train import AudioTrainingSummary
    from synth.train_vocoder import VocoderOptions
    from synth.unagan_options import UnaganOptions

    Options = VocoderOptions | FlowOptions | UnaganOptions

MEASURES = {
    "flow": "loss",
    "unagan": "Fréchet distance",
    "unagan-nonhierarchical": "Fréchet distance",
}


def makes_mels(options: Options) -> bool:
    """Return whether a generator is trained, not a vocoder."""
    return options.architecture in GENERATORS


def has_shipped_vocoder(mel: MelSettings) -> bool:
    return bool(shipped_vocoders(mel.to_dict()))


def echo_mel(model_dir: Path, mel: MelSettings, options: Options) -> None:
    """Print the kind of audio that a model is for."""
    needed = ""
    if makes_mels(options) and not has_shipped_vocoder(mel):
        needed = "; it needs a vocoder that is trained with the same --mel"
    echo_line(
        f"{model_dir}: for mono audio at {mel.sample_rate} Hz, nothing above"
        f" {mel.f_max / 1000:g} kHz{needed}",
        err=True,
    )


def echo_summary(model_dir: Path, summary: AudioTrainingSummary, options: Options) -> None:
    """Print a summary of the training."""
    from training.sparkline import sparkline

    measure = MEASURES.get(summary.architecture, "mel and STFT distance")
    baselines = ", ".join(f"{name}: {value:.3f}" for name, value in summary.baselines.items())
    echo_line(
        f"{model_dir}: {summary.architecture}, {best_text(summary)}, {summary.seconds:.0f} s in"
        f" all{STOPPED.get(summary.stopped_by, '')}"
    )
    echo_line(
        f"  trained on {summary.train_seconds / 60:.1f} minutes of audio; validation on"
        f" {summary.validation_seconds:.0f} s more: {measure} {summary.validation_loss:.3f} "
        f" {sparkline(summary.validation_losses)}"
    )
    echo_line(f"  lower is better{'; ' if baselines else ''}{baselines}")
    if summary.n_padded:
        echo_line(f"  files shorter than an excerpt, followed by silence: {summary.n_padded}")
    echo_left_out(summary.left_out)


def best_text(summary: AudioTrainingSummary) -> str:
    """Return which weights were kept."""
    if summary.best_step:
        return f"best after {summary.best_step} of {summary.steps} steps"
    before = summary.validation_losses[0]
    now = summary.validation_losses[-1]
    return (
        f"still the weights that training started from: {summary.steps} steps did not improve"
        f" them ({before:.3f} before, {now:.3f} now)"
    )


def echo_next(model_dir: Path, mel: MelSettings, options: Options) -> None:
    """Print where to find samples, and a command to try the model with."""
    model = quoted(model_dir)
    if sounds := sorted(model_dir.glob("samples/step-*.wav")):
        echo_line(f"  listen to {sounds[-1]}")
    if makes_mels(options):
        vocoder = "shipped" if has_shipped_vocoder(mel) else "VOCODER"
        echo_line(f"  next: demiurge synth generate {model} {vocoder} generated --minutes 1")
    else:
        echo_line(f"  next: demiurge synth resynth AUDIO {model} -o again.wav")
