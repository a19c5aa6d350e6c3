"""Open a codec by the path of its folder or file, whatever kind it is."""

import re
from pathlib import Path

import msgspec

from files.documents import read_document
from files.errors import CheckpointError
from files.names import printable
from files.regular import is_missing
from synth.codec import Codec

RAVE_SUFFIX = ".ts"
CONFIG = "config.json"
HUB_ID = re.compile(r"[\w.-]+/(?P<name>[\w.-]+)")
CHECK = "give the folder of a codec"


class Head(msgspec.Struct):
    """What tells a codec of transformers from one of ours in a config.json."""

    kind: str | None = None
    model_type: str | None = None


def open_codec(path: str | Path, *, device: str = "cpu") -> Codec:
    """Open the codec at `path`: a folder of ours or of transformers, or an export of RAVE.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged or of an unknown kind.
    ParameterError
        If a package that it needs is not installed, or there is no such device here.
    """
    from training.distributed import Distributed

    path = Path(path)
    if is_missing(path):
        raise CheckpointError(_missing(path))
    Distributed().device(device)
    if path.suffix == RAVE_SUFFIX and not path.is_dir():
        from synth.codecs.rave import Rave

        return Rave(path, device=device)
    if is_missing(path / CONFIG):
        what = "no model here" if path.is_dir() else "not a codec"
        raise CheckpointError(f"{path}: {what} (no {CONFIG}); {CHECK}")
    head = read_document(path / CONFIG, Head, error=CheckpointError, remedy=CHECK)
    if head.model_type is not None:
        from synth.codecs.open_published import open_published

        return open_published(path, device=device)
    if head.kind is not None:  # ours, or refused as the wrong kind of ours
        from synth.codecs.mel_codec import MelCodec

        return MelCodec.load(path, device=device)
    raise CheckpointError(f"{path}: {CONFIG} has neither kind nor model_type; {CHECK}")


def _missing(path: Path) -> str:
    """Return the message for a path where nothing is, which may be a name on Hugging Face."""
    text = printable(str(path))
    if found := HUB_ID.fullmatch(text):
        return (
            f"{text}: no such folder; if it is the name of a model on Hugging Face, fetch it first:"
            f" hf download {text} --local-dir {found['name']}"
        )
    return (
        f"{text}: no such file or folder; {CHECK}, for example one fetched with hf download"
        " facebook/encodec_24khz --local-dir encodec_24khz"
    )
