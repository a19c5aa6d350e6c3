"""demiurge synth codec: say what a codec is."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.output import json_option
from demiurge.cli.terminal import counted, echo_json, echo_line

if TYPE_CHECKING:
    from synth.codec import Codec


@command(
    examples=(
        "demiurge synth codec encodec_24khz",
        "demiurge synth codec dac_44khz --json",
    )
)
@click.argument("codec_path", metavar="CODEC")
@json_option
def codec(codec_path: str, as_json: bool) -> None:
    """Say what CODEC is: its rates, latents, codebooks, licence and hash.

    CODEC is the folder of an EnCodec, a DAC or a Mimi as Hugging Face has them, with config.json
    and model.safetensors. Nothing is fetched, and no code in the folder is run.
    """
    from synth.open_codec import open_codec

    opened = open_codec(codec_path)
    bits = opened.frame_rate * opened.n_codebooks * log2(max(opened.codebook_size, 1))
    if as_json:
        echo_json(
            {
                "codec": codec_path,
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
            }
        )
        return
    echo_line(
        f"{opened.name}: {opened.sample_rate} Hz, {counted(opened.channels, 'channel')}; a frame is"
        f" {opened.hop_length} samples, {opened.frame_rate:.4g} frames a second"
    )
    echo_line(f"  a frame has {_contents(opened, bits)}")
    echo_line(f"  licence of the weights: {_licence(opened.licence)}")
    echo_line(f"  hash {opened.hash}")


def _contents(opened: Codec, bits: float) -> str:
    """Return in words what a frame holds."""
    latents = counted(opened.n_latents, "latent")
    if not opened.n_codebooks:
        return f"{latents} and no codes"
    books = f"codes of {counted(opened.n_codebooks, 'codebook')} of {opened.codebook_size} entries"
    return f"{latents}, or {books} ({bits / 1000:.4g} kbit/s)"


def _licence(name: str) -> str:
    """Return a licence, and whether it forbids commercial use."""
    if "NC" in name.upper().replace(" ", "-").split("-"):
        return f"{name}, not for commercial use"
    if name == "unknown":
        return "unknown; look where they were published"
    return name
