"""Sizes of a generator and of its training, by name or from a JSON file such as:

{"width": 256, "discriminator_width": 256, "clip_frames": 432, "latent_order": 4}
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from files.errors import ParameterError
from synth.flow_sizes import FlowSizes
from synth.unagan_sizes import UnaganSizes

Sizes = FlowSizes | UnaganSizes


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
    return replace(first, **_checked(path, _read_json(path), asdict(first)))


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
            raise ParameterError(f"{path}: {name}={json.dumps(value)} must be {kind}")
    return values
