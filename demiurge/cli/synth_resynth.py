"""demiurge synth resynth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audio.decibels import to_decibels
from demiurge.cli.options.command import command
from demiurge.cli.options.models import codec_of_word, load_vocoder
from demiurge.cli.options.output import (
    audio_out_option,
    check_audio_output,
    force_option,
    json_option,
)
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.render_report import lowered
from demiurge.cli.terminal import counted, echo_json, echo_line
from files.errors import ParameterError


@command(
    examples=(
        "demiurge synth resynth my_seed.wav shipped -o again.wav",
        "demiurge synth resynth my_seed.wav my.vocoder -o again.flac --force --json",
        "demiurge synth resynth my_seed.wav codec:shipped --codebooks 4 -o again.wav",
    )
)
@click.argument("audio", metavar="AUDIO", type=ANY_PATH)
@click.argument("model", metavar="VOCODER|codec:CODEC|rave:FILE", type=ANY_PATH)
@click.option(
    "--codebooks",
    type=click.IntRange(1),
    help="Code AUDIO by so many codebooks of a codec. [default: none; its latents are decoded]",
)
@audio_out_option
@force_option
@json_option
def resynth(
    audio: Path, model: Path, codebooks: int | None, out: Path, force: bool, as_json: bool
) -> None:
    """Pass AUDIO through a vocoder, or through a codec.

    Each channel is passed separately, unless a codec is for several. The result shows how good the
    model can be.
    """
    from demiurge.write_sound import write_sound

    check_audio_output(out, force=force)
    if out.exists() and out.samefile(audio):
        raise ParameterError(f"{out} is AUDIO itself; give the output another name")
    samples, sample_rate, of_codec = resynthesised(audio, model, codebooks)
    gain = write_sound(out, samples, sample_rate)
    n_samples, channels = samples.shape
    facts = {
        "file": str(out),
        "seconds": n_samples / sample_rate,
        "sample_rate": sample_rate,
        "channels": channels,
        **of_codec,
    }
    if as_json:
        echo_json({**facts, "gain": gain})
        return
    bits = of_codec.get("bits_per_second")
    coded = f", {bits / 1000:.2f} kbit/s for each" if bits else ""
    echo_line(
        f"{out}: {facts['seconds']:.2f} s at {sample_rate} Hz, {counted(channels, 'channel')}"
        f"{coded}{lowered(to_decibels(gain))}"
    )


def resynthesised(
    audio: Path, model: Path, codebooks: int | None
) -> tuple[Any, int, dict[str, Any]]:
    """Return samples (n, channels) that came through a model, their rate, and facts of a codec."""
    from synth.codec_measures import bits_per_second
    from synth.open_codec import open_codec
    from synth.resynth import resynthesise, resynthesise_by_codec

    path = codec_of_word(model)
    if path is None:
        if codebooks:
            raise ParameterError(f"--codebooks {codebooks} needs a codec; give codec:PATH")
        vocoder = load_vocoder(model).prepare()
        return resynthesise(audio, vocoder), vocoder.mel.sample_rate, {}
    codec = open_codec(path)
    samples = resynthesise_by_codec(audio, codec, codebooks)
    facts: dict[str, Any] = {"codec": codec.name, "licence": codec.licence, "hash": codec.hash}
    if codebooks:
        bits = bits_per_second(codebooks, codec.codebook_size, codec.frame_rate)
        facts |= {"codebooks": codebooks, "bits_per_second": bits * codec.channels}
    return samples, codec.sample_rate, facts
