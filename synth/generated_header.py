"""The first line of the manifest of a folder of generated audio."""

import json
from dataclasses import asdict
from typing import Any

import xxhash

from synth.generated_manifest import FORMAT, VERSION
from synth.generator import Generator
from synth.plugins.plugin import Plugin
from synth.vocoder import Vocoder
from synth.weight_norm import plain_state


def make_header(
    generator: Generator,
    vocoder: Vocoder,
    *,
    seconds: float,
    random_seed: int,
    names: tuple[str, str],
    request: dict[str, Any],
) -> dict[str, Any]:
    """Return the header: models, options and request, which must be the same to add files."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "generator": names[0],
        "generator_hash": _hash_model(generator),
        "vocoder": names[1],
        "vocoder_hash": _hash_model(vocoder),
        "precision": vocoder.precision,
        "seconds": seconds,
        "seed": random_seed,
        "mel": generator.mel.to_dict(),
    }
    return {**header, "request": request} if request else header


def make_plugin_header(
    plugin: Plugin, *, seconds: float, random_seed: int, request: dict[str, Any]
) -> dict[str, Any]:
    """Return the header of what a plug-in makes, without a vocoder; as `make_header`."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "generator": plugin.name,
        "generator_hash": plugin.hash,
        "licence": plugin.licence,
        "sample_rate": plugin.sample_rate,
        "channels": plugin.channels,
        "seconds": seconds,
        "seed": random_seed,
    }
    return {**header, "request": request} if request else header


def _hash_model(model: Generator | Vocoder) -> str:
    """Return the XXH3-128 of a model's sizes, mel settings and weights."""
    settings = json.dumps([asdict(model.config), model.mel.to_dict()])
    digest = xxhash.xxh3_128(settings.encode())
    for name, tensor in sorted(plain_state(model).items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
