"""demiurge synth codec: say what a codec is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.models import codec_of_word
from demiurge.cli.options.output import json_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.terminal import counted, echo_json, echo_line
from demiurge.shipped import model_path

if TYPE_CHECKING:
    from synth.codec import Codec


@command(
    examples=(
        "demiurge synth codec encodec_24khz",
        "demiurge synth codec dac_44khz --json",
        "demiurge synth codec rave:strings.ts",
    )
)
@click.argument("codec_path", metavar="CODEC", type=ANY_PATH)
@json_option
def codec(codec_path: Path, as_json: bool) -> None:
    """Say what CODEC is: its rates, latents, codebooks, licence and hash.

    CODEC is a model of train-codec, shipped, an export of RAVE (.ts), or the folder of an EnCodec,
    a DAC or a Mimi as Hugging Face has them, with config.json and model.safetensors. Nothing is
    fetched, and no code in a folder is run.
    """
    from synth.codec_measures import bits_per_second
    from synth.licences import shown_licence
    from synth.open_codec import open_codec

    opened = open_codec(codec_of_word(codec_path) or model_path(codec_path, "codec"))
    size = max(opened.codebook_size, 1)  # 0 without codebooks
    bits = bits_per_second(opened.n_codebooks, size, opened.frame_rate)
    if as_json:
        echo_json(
            {
                "codec": str(codec_path),
                "name": opened.name,
                "sample_rate": opened.sample_rate,
                "channels": opened.channels,
                "hop_length": opened.hop_length,
                "frame_rate": opened.frame_rate,
                "n_latents": opened.n_latents,
                "n_codebooks": opened.n_codebooks,
                "codebook_size": opened.codebook_size,
                "bits_per_second": bits,
                "licence": opened.licence,
                "hash": opened.hash,
                "details": opened.details,
            }
        )
        return
    echo_line(
        f"{opened.name}: {opened.sample_rate} Hz, {counted(opened.channels, 'channel')}; a frame is"
        f" {opened.hop_length} samples, {opened.frame_rate:.4g} frames a second"
    )
    echo_line(f"  a frame has {_contents(opened, bits)}")
    echo_line(f"  licence of the weights: {shown_licence(opened.licence)}")
    echo_line(f"  hash {opened.hash}")
    for name, value in opened.details.items():
        echo_line(f"  {name.replace('_', ' ')}: {value}")


def _contents(opened: Codec, bits: float) -> str:
    """Return in words what a frame holds."""
    latents = counted(opened.n_latents, "latent")
    if not opened.n_codebooks:
        return f"{latents} and no codes"
    books = f"codes of {counted(opened.n_codebooks, 'codebook')} of {opened.codebook_size} entries"
    return f"{latents}, or {books} ({bits / 1000:.4g} kbit/s)"
