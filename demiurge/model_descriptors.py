"""Descriptors that models give: latents of a codec, CLAP's vectors, at the frames of a database.

    blocks at the database's rate ──► model's rate ──► its rows ──► frames of the database

`open_model` is what `db` is handed. It may be called in any process or thread: each process opens
a model once, and its threads take turns at it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audio.resample import Resampling
from db.model_descriptor import ModelDescriptor, ModelMeasure
from db.settings import DescriptorSettings
from demiurge.encode_blocks import BlockEncoder
from demiurge.frame_grid import to_frame_grid
from demiurge.shipped import SHIPPED, model_path
from files.errors import DatabaseError, ParameterError
from synth.codec import Codec
from synth.open_codec import RAVE_SUFFIX

if TYPE_CHECKING:
    from synth.clap import Clap

CODEC_KINDS = ("codec", "rave")
CLAP = "clap"
OPEN_MODELS = 4  # kept open in a process
# Opened and used under this lock: most models keep a state while they compute.
LOCK = threading.RLock()


def describe_model(kind: str, path: str) -> ModelDescriptor:
    """Open the model that KIND:PATH names, and return what settings keep of it.

    Raises
    ------
    CheckpointError, ParameterError
        If there is no such model, or it cannot be opened here.
    """
    if kind == CLAP:
        clap = _open_clap(Path(path))
        return ModelDescriptor(
            kind=kind,
            hash=clap.hash,
            n_columns=clap.n_columns,
            path=str(Path(path).absolute()),
            name=clap.name,
            licence=clap.licence,
            sample_rate=clap.sample_rate,
        )
    if kind == "rave" and Path(path).suffix != RAVE_SUFFIX:
        raise ParameterError(
            f"rave:{path} is no export of RAVE, whose name ends in {RAVE_SUFFIX}; use codec:PATH"
            " for other codecs"
        )
    place = path if _is_shipped(path) else str(Path(path).absolute())
    codec = _open_codec(model_path(place, "codec"))
    return ModelDescriptor(
        kind=kind,
        hash=codec.hash,
        n_columns=codec.n_latents,
        path=place,
        name=codec.name,
        licence=codec.licence,
        sample_rate=codec.sample_rate,
        hop_length=codec.hop_length,
    )


def open_model(model: ModelDescriptor, sample_rate: int, hop_length: int) -> ModelMeasure:
    """Open a model of a database's settings, to measure one signal.

    Raises
    ------
    DatabaseError
        If it is not where it was, or is another one now.
    CheckpointError, ParameterError
        If it cannot be opened here.
    """
    if model.kind == CLAP:
        from demiurge.clap_measure import ClapMeasure  # which imports this file, and torch

        return ClapMeasure(clap_of(model), sample_rate, hop_length)
    return CodecMeasure(codec_of(model), sample_rate, hop_length)


def open_named_codec(name: str) -> Codec:
    """Open a codec by its path or as `shipped[:NAME]`, with or without `codec:` or `rave:` before.

    Raises
    ------
    CheckpointError, ParameterError
        If there is none, or it cannot be opened here.
    """
    kind, colon, path = name.partition(":")
    named = path if colon and kind in CODEC_KINDS and not Path(name).exists() else name
    return _open_codec(model_path(named, "codec"))


def codec_of(model: ModelDescriptor) -> Codec:
    """Open the codec of a database's settings; raises as `open_model`."""
    folder = model_path(model.path, "codec")
    _check_is_there(model, folder)
    codec = _open_codec(folder)
    _check_is_same(model, codec.hash)
    return codec


def codec_of_frames(settings: DescriptorSettings) -> Codec | None:
    """Open the codec whose latents, frame by frame, are all that settings describe.

    None if they describe anything else; raises as `open_model`.
    """
    if len(settings.models) != 1 or len(settings.descriptors) != 1 or settings.units != "frame":
        return None
    model = settings.models[0]
    own = (model.sample_rate, model.hop_length)
    if model.kind not in CODEC_KINDS or (settings.sample_rate, settings.hop_length) != own:
        return None
    return codec_of(model)


def clap_of(model: ModelDescriptor) -> Clap:
    """Open the CLAP of a database's settings; raises as `open_model`."""
    _check_is_there(model, Path(model.path))
    clap = _open_clap(Path(model.path))
    _check_is_same(model, clap.hash)
    return clap


def _check_is_there(model: ModelDescriptor, folder: Path) -> None:
    if not folder.exists():
        raise DatabaseError(
            f"{model.path}: {model.name} (hash {model.hash}), whose"
            f" {'vectors' if model.kind == CLAP else 'latents'} are descriptors here, is not there"
            " any more; put it back (a link is enough), or tell the database its new place with:"
            f" demiurge db build AUDIO_DIR DB --descriptors …,{model.kind}:PATH"
        )


def _check_is_same(model: ModelDescriptor, found: str) -> None:
    if found != model.hash:
        raise DatabaseError(
            f"{model.path}: the {_what(model)} has the hash {found}, but descriptors were measured"
            f" with {model.hash}; put that one back, or build another database"
        )


def _what(model: ModelDescriptor) -> str:
    return "CLAP" if model.kind == CLAP else "codec"


def _open_codec(path: Path) -> Codec:
    with LOCK:
        return _opened_codec(str(path), _stamp(path))


def _open_clap(folder: Path) -> Clap:
    with LOCK:
        return _opened_clap(str(folder), _stamp(folder))


def _stamp(path: Path) -> tuple[tuple[int, int], ...]:
    """Return sizes and dates of a model's files, also of those in folders inside its own."""
    files = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    status = [file.stat() for file in files if file.is_file()]
    return tuple((one.st_size, one.st_mtime_ns) for one in status)


@lru_cache(maxsize=OPEN_MODELS)
def _opened_codec(path: str, stamp: tuple[tuple[int, int], ...]) -> Codec:
    """Open a codec, once for the sizes and dates of its files."""
    from synth.open_codec import open_codec

    codec = open_codec(path)
    if not codec.n_latents:
        raise ParameterError(f"{path}: {codec.name} has codes but no latents; use another codec")
    return codec


@lru_cache(maxsize=OPEN_MODELS)
def _opened_clap(folder: str, stamp: tuple[tuple[int, int], ...]) -> Clap:
    """Open a CLAP, once for the sizes and dates of its files."""
    from synth.clap import open_clap

    return open_clap(folder)


def _is_shipped(path: str) -> bool:
    return path.partition(":")[0] == SHIPPED and not Path(path).is_dir()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one thread compute with models, and torch on one thread: so bytes are always the same."""
    from training.threads import torch_threads

    with LOCK, torch_threads(1):
        yield


class CodecMeasure:
    """Measures the latents of one signal; see `db.model_descriptor.ModelMeasure`."""

    def __init__(self, codec: Codec, sample_rate: int, hop_length: int) -> None:
        self._codec = codec
        self._hop_length = hop_length
        self._model_samples = codec.hop_length * sample_rate / codec.sample_rate
        self._resampling = Resampling(sample_rate, codec.sample_rate)
        self._encoder = BlockEncoder(codec)
        self._n_samples = 0

    def add(self, block: np.ndarray) -> None:
        self._n_samples += len(block)
        with one_at_a_time():
            self._encoder.add(self._resampling.add(block))

    def finish(self) -> np.ndarray:
        with one_at_a_time():
            self._encoder.add(self._resampling.finish())
            rows = self._encoder.finish()
        return to_frame_grid(
            rows, self._model_samples, n_samples=self._n_samples, hop_length=self._hop_length
        )
