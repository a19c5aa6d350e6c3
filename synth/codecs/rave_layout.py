"""What an export of RAVE says of itself: rate, latents, channels, methods; found as nn~ does.

=================  ============================  =====================================
                   version 1                     version 2
=================  ============================  =====================================
rate               buffer `sampling_rate`        attribute `sr`
latents            `cropped_latent_size`         attribute `latent_size`
before the cut     buffer `latent_size`          attribute `full_latent_size`
methods            those with a `_params`        `get_methods()`
=================  ============================  =====================================

The buffer `NAME_params` of a method holds channels in, samples a frame in, channels out, samples a
frame out. A version 1 that was combined with its prior keeps the rate inside, as
`_rave.sampling_rate`. Caillon and Esling, RAVE, arXiv 2111.05011.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from audio.read import MAX_RATE
from files.documents import read_document
from files.errors import CheckpointError
from files.regular import is_missing
from synth.codecs.torchscript import Script

MAX_HOP = 1 << 20  # samples
MAX_CHANNELS = 1 << 12
N_PARAMS = 4


class StatedRate(msgspec.Struct, forbid_unknown_fields=True):
    """The rate of an export that does not say it, in a file beside it."""

    sample_rate: Annotated[int, Meta(ge=1, le=MAX_RATE)]


@dataclass(frozen=True)
class Method:
    """Channels, and samples that a frame stands for, of what a method takes and gives."""

    channels_in: int
    hop_in: int
    channels_out: int
    hop_out: int


@dataclass(frozen=True)
class RaveLayout:
    """Sizes of an export, in Hz, samples and channels."""

    version: int
    sample_rate: int
    hop_length: int
    n_latents: int
    n_full_latents: int | None
    channels_in: int
    channels_out: int
    has_prior: bool


def read_layout(script: Script) -> RaveLayout:
    """Return the layout of an export.

    Raises
    ------
    CheckpointError
        If it is a prior, or does not encode and decode, or its rate cannot be found.
    """
    methods = read_methods(script)
    if not {"encode", "decode"} <= methods.keys():
        raise CheckpointError(f"{script.path}: {_what_else(methods)}")
    encode = methods["encode"]
    decode = methods["decode"]
    if (encode.channels_out, encode.hop_out) != (decode.channels_in, decode.hop_in):
        raise CheckpointError(
            f"{script.path}: it encodes to {encode.channels_out} latents of {encode.hop_out}"
            f" samples, but decodes {decode.channels_in} of {decode.hop_in}; export it again"
        )
    if encode.hop_in != 1 or decode.hop_out != 1:
        raise CheckpointError(
            f"{script.path}: it encodes or decodes something else than audio; {REMEDY}"
        )
    return RaveLayout(
        version=2 if script.has_method("get_methods") else 1,
        sample_rate=_sample_rate(script),
        hop_length=encode.hop_out,
        n_latents=encode.channels_out,
        n_full_latents=_full_latents(script),
        channels_in=encode.channels_in,
        channels_out=decode.channels_out,
        has_prior="prior" in methods,
    )


REMEDY = "give the .ts file that RAVE's own command `export` writes"


def read_methods(script: Script) -> dict[str, Method]:
    """Return the methods that an export names, and has.

    Raises
    ------
    CheckpointError
        If the sizes of one make no sense.
    """
    buffers = dict(script.module.named_buffers(recurse=False))
    names = [name.removesuffix("_params") for name in buffers if name.endswith("_params")]
    if script.has_method("get_methods"):
        listed = script.call("get_methods")
        names = [name for name in names if name in listed]
    return {name: _method(script, name) for name in names if script.has_method(name)}


def _method(script: Script, name: str) -> Method:
    params = script.buffer(f"{name}_params")
    values = [] if params is None else params.flatten().tolist()
    limits = [MAX_CHANNELS, MAX_HOP] * 2
    is_right = len(values) == N_PARAMS and all(
        isinstance(value, int) and 1 <= value <= limit
        for value, limit in zip(values, limits, strict=True)
    )
    if not is_right:
        raise CheckpointError(
            f"{script.path}: {name}_params is {values}, which must be channels and samples a frame,"
            " of what goes in and of what comes out; export it again"
        )
    return Method(*values)


def _what_else(methods: dict[str, Method]) -> str:
    """Return what a file is that does not encode and decode, and what to do."""
    forward = methods.get("forward")
    if forward and forward.hop_in == forward.hop_out > 1:
        return (
            "a prior, which makes latents and knows no audio; give the RAVE export that it was"
            " trained with, and this file as --prior of synth generate"
        )
    found = ", ".join(sorted(methods)) or "none"
    return f"its methods are {found}, those of a RAVE export encode and decode; {REMEDY}"


def _full_latents(script: Script) -> int | None:
    """Return the number of latents before those are cut that carry little."""
    return script.integer("full_latent_size") or script.integer("latent_size")


def _sample_rate(script: Script) -> int:
    """Return the rate in Hz: the export's own, or that of a JSON file beside it."""
    rates = [script.integer("sr"), script.integer("sampling_rate")]
    for name, buffer in script.module.named_buffers():
        if name.endswith(".sampling_rate") and buffer.numel() == 1:
            rates.append(int(buffer))
    rate = next((rate for rate in rates if rate is not None), None)
    beside = script.path.with_suffix(".json")
    if rate is None and not is_missing(beside):
        remedy = 'write there {"sample_rate": 44100}, with the right number'
        rate = read_document(beside, StatedRate, error=CheckpointError, remedy=remedy).sample_rate
    if rate is None:
        raise CheckpointError(
            f"{script.path}: it does not say its sample rate; write"
            f' {{"sample_rate": 44100}}, with the right number, into {beside}'
        )
    if not 1 <= rate <= MAX_RATE:
        raise CheckpointError(
            f"{script.path}: its sample rate is {rate}; it must be from 1 to {MAX_RATE} Hz;"
            " export it again"
        )
    return rate
