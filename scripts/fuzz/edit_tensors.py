"""Edits of files with tensors: training states, safetensors, and NumPy's archives."""

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from scripts.fuzz import hostile_values
from scripts.fuzz.edit_bytes import edit_bytes
from scripts.fuzz.edit_json import edit_json

DTYPES = (torch.float64, torch.float16, torch.int8, torch.int64, torch.bool, torch.complex64)
SHAPES = ("()", "(0,)", "(1,)", "(10000000000000,)", "(-1,)", "(3, 100000000, 40)", "'x'", "(1.5,)")


def edit_state(path: Path, rng: Random) -> None:
    """Replace a value, key or tensor of what torch.save wrote."""
    state = torch.load(path, weights_only=True)
    places = list(find_places(state))
    if not places:
        torch.save(hostile_values.plain(rng), path)
        return
    container, key = rng.choice(places)
    choice = rng.randrange(10)
    if choice == 0:
        del container[key]
    elif choice == 1 and isinstance(container, dict):
        container[hostile_values.plain(rng)] = container.pop(key)
    elif choice == 2:
        other, other_key = rng.choice(places)
        container[key] = other[other_key]
    elif choice == 3:
        container[key] = rng.choice(([container[key]], {"value": container[key]}, {}, []))
    else:
        container[key] = changed(container[key], rng)
    torch.save(state, path)


def find_places(value: Any) -> Any:
    """Yield (container, key) of everything in dicts and lists."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, item in items:
        yield value, key
        yield from find_places(item)


def changed(value: Any, rng: Random) -> Any:
    if isinstance(value, Tensor) and rng.random() < 0.8:
        return changed_tensor(value, rng)
    if rng.random() < 0.3:
        return hostile_values.like(value, rng)
    return hostile_values.plain(rng)


def changed_tensor(tensor: Tensor, rng: Random) -> Tensor:
    """Return a tensor of another type, shape or content; some claim far more than they store."""
    fill = rng.choice(hostile_values.NOT_FINITE + hostile_values.FLOATS)
    makers: tuple[Callable[[], Tensor], ...] = (
        lambda: tensor.to(rng.choice(DTYPES)),
        lambda: tensor.flatten()[:-1],
        lambda: tensor[None],
        lambda: torch.empty(0),
        lambda: torch.zeros(1).expand(rng.choice((10**6, 10**9, 10**12))),
        lambda: torch.full_like(tensor, rng.choice((1, 0, 127))),
        lambda: torch.full(tensor.shape, fill),
    )
    return rng.choice(makers)()


def edit_safetensors(path: Path, rng: Random) -> None:
    """Edit the header, which is JSON after its length, or the numbers after it."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = data[8 : 8 + length].decode()
    rest = data[8 + length :]
    choice = rng.randrange(6)
    if choice == 0:
        length = hostile_values.integer(rng) % 2**64
        path.write_bytes(struct.pack("<Q", length) + data[8:])
        return
    if choice == 1:
        rest = edit_bytes(rest, rng)
    elif choice == 2:
        header = edit_shape(header, rng)
    else:
        header = edit_json(header, rng)
    encoded = header.encode(errors="replace")
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + rest)


def edit_shape(header: str, rng: Random) -> str:
    """Give a tensor another shape or type of as many bytes."""
    document = json.loads(header)
    name = rng.choice(sorted(document.keys() - {"__metadata__"}))
    entry = document[name]
    shape = entry["shape"]
    if entry["dtype"] == "F32" and rng.random() < 0.5:
        entry["dtype"] = rng.choice(("I32", "U32"))
    else:
        entry["shape"] = rng.choice((shape[::-1], [1, *shape], [*shape, 1]))
    return json.dumps(document)


def edit_npy(data: bytes, rng: Random) -> bytes:
    """Edit the header of an .npy file, which is a Python literal."""
    end = data.find(b"\n") + 1
    if not end or rng.random() < 0.2:
        return edit_bytes(data, rng)
    header = data[10:end].decode("latin-1")
    old, new = rng.choice(
        (
            (header[header.find("(") : header.rfind(")") + 1], rng.choice(SHAPES)),
            ("<f4", rng.choice((">f4", "<f8", "<i4", "|O", "<U10", "|V4", "x"))),
            ("<i8", rng.choice((">f4", "<f8", "<i4", "|O", "<U10", "|V4", "x"))),
            ("False", rng.choice(("True", "None", "2"))),
            ("shape", "shapes"),
        )
    )
    header = header.replace(old, new) if old else header
    encoded = header.encode("latin-1")
    return data[:8] + struct.pack("<H", len(encoded)) + encoded + data[end:]


def edit_npz(path: Path, rng: Random) -> None:
    """Edit, rename, remove or repeat a member of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    index = rng.randrange(len(members))
    name, data = members[index]
    choice = rng.randrange(6)
    if choice == 0:
        del members[index]
    elif choice == 1:
        members[index] = (rng.choice((f"{name}x", "../up.npy", "", name.upper())), data)
    elif choice == 2:
        members[index] = (name, rng.choice(members)[1])
    else:
        members[index] = (name, edit_npy(data, rng))
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for one, content in members:
            archive.writestr(zipfile.ZipInfo(one or "x"), content)
    path.write_bytes(buffer.getvalue())
