"""Folders as Hugging Face has them: config.json and weights. Code in them is never run."""

from pathlib import Path
from typing import Any

import msgspec
import torch
import xxhash

from files.documents import check_depth, read_document, shown_text
from files.errors import CheckpointError, ParameterError
from files.hashing import hash_file
from files.names import printable, quoted
from files.regular import check_regular
from synth.hub_import import quiet_transformers, transformers
from training.check_tensors import check_values

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
FETCH_AGAIN = "download it again"


class HubConfig(msgspec.Struct, rename={"hub_id": "_name_or_path"}):
    """What is read of a config.json before transformers reads it."""

    model_type: str
    auto_map: Any = None
    hub_id: str | None = None

    def __post_init__(self) -> None:
        check_depth(self.auto_map)


def read_hub_config(folder: Path) -> HubConfig:
    """Read the config.json of a folder.

    Raises
    ------
    CheckpointError
        If it is damaged, or the folder holds code.
    """
    config = read_document(folder / CONFIG, HubConfig, error=CheckpointError, remedy=FETCH_AGAIN)
    code = next(iter(sorted(folder.glob("*.py"))), None)
    if code is not None or config.auto_map:
        what = printable(code.name) if code else f"auto_map in {CONFIG}"
        raise CheckpointError(
            f"{folder}: it comes with code ({what}), which is never run; give a model of a class"
            " that transformers itself has"
        )
    return config


def check_weights(folder: Path, class_name: str) -> None:
    """Raise a CheckpointError unless a folder has weights, and not as a pickle."""
    for name in WEIGHTS:
        if (folder / name).exists():
            check_regular(folder / name, error=CheckpointError, remedy=FETCH_AGAIN)
            return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if not pickles:
        raise CheckpointError(f"{folder}: no weights here (no {WEIGHTS[0]}); {FETCH_AGAIN}")
    new = quoted(f"{folder}-safetensors")
    script = (
        f"import transformers; transformers.{class_name}.from_pretrained({str(folder)!r})"
        f".save_pretrained({str(folder) + '-safetensors'!r})"
    )
    raise CheckpointError(
        f"{folder}: its weights are a pickle ({printable(pickles[0])}), which can hold code; if you"
        f" trust it, write them as safetensors and give {new}: python -c {quoted(script)}"
    )


def load_hub_model(folder: Path, class_name: str, *, device: torch.device | str = "cpu") -> Any:
    """Load a model of transformers, in float32; nothing is fetched, and no code is run.

    Raises
    ------
    CheckpointError
        If config and weights are damaged, do not fit each other, or hold NaN.
    ParameterError
        If transformers is not installed, or too old to have the class.
    """
    kind = getattr(transformers(), class_name, None)
    if kind is None:
        raise ParameterError(
            f"this transformers ({transformers().__version__}) has no {class_name}; pip install"
            " --upgrade transformers"
        )
    try:
        with quiet_transformers():
            model, report = kind.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # what a damaged folder leads to has no common class
        reason = shown_text(str(error).strip().partition("\n")[0]) or type(error).__name__
        raise CheckpointError(
            f"{folder}: damaged, or config and weights do not fit each other ({reason});"
            f" {FETCH_AGAIN}"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(f"{folder}: its weights lack {missing[0]}; {FETCH_AGAIN}")
    try:
        check_values(model.state_dict())
    except ParameterError as error:
        raise CheckpointError(f"{folder}: {error}; {FETCH_AGAIN}") from error
    return model.to(device)


def hash_model(folder: Path) -> str:
    """Return the XXH3-128 hash of config and weights, as 32 hex digits."""
    paths = [folder / CONFIG, *sorted(folder.glob("*.safetensors"))]
    return xxhash.xxh3_128_hexdigest("".join(map(hash_file, paths)).encode())
