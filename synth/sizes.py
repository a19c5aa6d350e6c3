"""Sizes of a generator or a codec and of its training, by name or from a JSON file such as:

{"width": 256, "discriminator_width": 256, "clip_frames": 432, "latent_order": 4}
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from files.documents import read_document
from files.errors import ParameterError
from synth.codecs.mel_codec_sizes import MelCodecSizes
from synth.flow_sizes import FlowSizes
from synth.unagan_sizes import UnaganSizes

SHOWN = 60  # letters of a value in a message
Sizes = FlowSizes | UnaganSizes | MelCodecSizes


def read_sizes(name: str, known: Mapping[str, Sizes]) -> Sizes:
    """Return the sizes of a name, or those in a JSON file.

    Parameters
    ----------
    known : dict
        Sizes by name. A file that leaves some out takes them from the first.

    Raises
    ------
    ParameterError
        If it is neither a known name nor a readable file, or the file has unknown keys or values
        of another type.
    """
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix != ".json":
        raise ParameterError(
            f"size {name!r} is not known; choose {' or '.join(known)}, or give a file NAME.json"
        )
    first = next(iter(known.values()))
    remedy = "write the sizes as a JSON object"
    values = read_document(path, dict[str, Any], error=ParameterError, remedy=remedy)
    return replace(first, **_checked(path, values, asdict(first)))


def _checked(path: Path, values: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Refuse unknown keys and values of other types."""
    if unknown := values.keys() - known.keys():
        raise ParameterError(
            f"{path}: unknown {', '.join(sorted(unknown))}; the sizes of this architecture are"
            f" {', '.join(known)}"
        )
    for name, value in values.items():
        if type(value) is not type(known[name]):
            kind = "true or false" if type(known[name]) is bool else "an integer"
            raise ParameterError(f"{path}: {name}={json.dumps(value)[:SHOWN]} must be {kind}")
    return values
