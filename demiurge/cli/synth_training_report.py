"""Reports of train-vocoder, train-generator and train-codec: audio, results, and next commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from demiurge.cli.options.models import echo_left_out
from demiurge.cli.options.training import STOPPED
from demiurge.cli.terminal import counted, echo_line
from demiurge.shipped import shipped_vocoders
from files.names import quoted
from synth.names import GENERATORS

if TYPE_CHECKING:
    from synth.codec_options import CodecOptions
    from synth.flow_options import FlowOptions
    from synth.mel import MelSettings
    from synth.train import AudioTrainingSummary
    from synth.train_vocoder import VocoderOptions
    from synth.unagan_options import UnaganOptions

    Options = VocoderOptions | FlowOptions | UnaganOptions | CodecOptions

CODEC = "mel-codec"
MEASURES = {
    CODEC: "mel distance by all codebooks",
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

    measure = measure_of(options)
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
    if options.architecture == CODEC:
        echo_codec(model_dir)
    if summary.n_padded:
        echo_line(f"  files shorter than an excerpt, followed by silence: {summary.n_padded}")
    echo_left_out(summary.left_out)


def codec_rows(model_dir: Path) -> list[dict[str, float]]:
    """Return what a codec's kept weights cost and give, by the number of codebooks.

    `perplexity` is the number of entries in use, of the last of these codebooks.
    """
    from synth.codec_measures import bits_per_second, numbers_of_codebooks
    from synth.codecs.mel_codec import KIND, MelCodecDocument
    from synth.mel import MelSettings
    from training.checkpoint_config import read_config_as

    document = read_config_as(MelCodecDocument, model_dir, kind=KIND)
    measures = document.training["measures"]
    size = document.sizes["codebook_size"]
    frame_rate = MelSettings.from_dict(document.mel).frame_rate / document.sizes["stride"]
    return [
        {
            "codebooks": number,
            "bits_per_second": bits_per_second(number, size, frame_rate),
            "mel_l1": measures[f"mel_l1_{number}"],
            "perplexity": measures[f"perplexity_{number}"],
        }
        for number in numbers_of_codebooks(document.sizes["n_codebooks"])
    ]


def echo_codec(model_dir: Path) -> None:
    """Print a line for each number of codebooks."""
    for row in codec_rows(model_dir):
        echo_line(
            f"  {counted(int(row['codebooks']), 'codebook')}: {row['bits_per_second']:.0f} bits a"
            f" second, mel distance {row['mel_l1']:.3f}, {row['perplexity']:.0f} entries of the"
            " last in use"
        )


def measure_of(options: Options) -> str:
    """Return what the validation measured, in words."""
    from synth.codec_options import CodecOptions

    if isinstance(options, CodecOptions) and options.discriminators:
        return "Fréchet distance of decoded mels"
    return MEASURES.get(options.architecture, "mel and STFT distance")


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
    if options.architecture == CODEC:
        echo_line(f"  next: demiurge synth resynth AUDIO codec:{model} --codebooks 4 -o again.wav")
    elif makes_mels(options):
        vocoder = "shipped" if has_shipped_vocoder(mel) else "VOCODER"
        echo_line(f"  next: demiurge synth generate {model} {vocoder} generated --minutes 1")
    else:
        echo_line(f"  next: demiurge synth resynth AUDIO {model} -o again.wav")
