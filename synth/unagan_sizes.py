"""Sizes of a UNAGAN and of its training, by name or from a JSON file such as:

{"width": 256, "discriminator_width": 256, "clip_frames": 432, "latent_order": 4}
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from files.errors import ParameterError


@dataclass(frozen=True)
class UnaganSizes:
    """Sizes that decide how much memory and time training takes, and how much it can learn.

    The defaults are the published ones, which need a GPU. Ranges are checked by
    `synth.unagan_options.UnaganOptions`.
    """

    width: int = 512  # channels of the generator
    discriminator_width: int = 512
    clip_frames: int = 864  # of a training excerpt, 10 s at 22.05 kHz / 256
    batch_size: int = 5
    cycle: bool = True  # train an encoder to recover the noise from the generated mel
    adversarial_from: int = 0  # training steps of the cycle alone
    latent_order: int = 0  # of the autoregression that makes the noise; 0: white, as published


SIZES = {
    "published": UnaganSizes(),
    # small enough for a processor
    "small": UnaganSizes(width=160, discriminator_width=160, clip_frames=128, batch_size=8),
}


def read_sizes(name: str) -> UnaganSizes:
    """Return the sizes of a name, or those in a JSON file; missing ones are as published.

    Raises
    ------
    ParameterError
        If it is neither a known name nor a readable file, or the file has unknown keys or values
        of another type.
    """
    if name in SIZES:
        return SIZES[name]
    path = Path(name)
    if path.suffix != ".json":
        raise ParameterError(
            f"size {name!r} is not known; choose {' or '.join(SIZES)}, or give a file NAME.json"
        )
    return UnaganSizes(**_checked(path, _read_json(path)))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be read ({error.strerror}); give a JSON file with sizes"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ParameterError(
            f"{path}: is not JSON ({error}); write the sizes as a JSON object"
        ) from error
    if not isinstance(values, dict):
        raise ParameterError(
            f"{path}: holds a {type(values).__name__}; write the sizes as a JSON object"
        )
    return values


def _checked(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Refuse unknown keys and values of other types."""
    known = {field.name: type(field.default) for field in fields(UnaganSizes)}
    if unknown := values.keys() - known.keys():
        raise ParameterError(
            f"{path}: unknown {', '.join(sorted(unknown))}; the sizes are {', '.join(known)}"
        )
    for name, value in values.items():
        if type(value) is not known[name]:
            kind = "true or false" if known[name] is bool else "an integer"
            raise ParameterError(f"{path}: {name}={json.dumps(value)} must be {kind}")
    return values
