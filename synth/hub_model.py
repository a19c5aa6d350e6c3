"""Load models of transformers from a folder: nothing is fetched, and no code is run."""

from pathlib import Path
from typing import Any

import torch

from files.errors import CheckpointError, ParameterError
from synth.hub_folder import FETCH_AGAIN, first_line
from synth.hub_import import quiet_transformers, transformers
from training.check_tensors import check_values


def load_hub_model(folder: Path, class_name: str, *, device: torch.device | str = "cpu") -> Any:
    """Load a model in float32.

    Raises
    ------
    CheckpointError
        If config and weights are damaged, do not fit each other, or hold NaN.
    ParameterError
        If transformers is not installed, or too old to have the class.
    """
    kind = _class(class_name)
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
        raise CheckpointError(
            f"{folder}: damaged, or config and weights do not fit each other ({first_line(error)});"
            f" {FETCH_AGAIN}"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(f"{folder}: its weights lack {missing[0]}; {FETCH_AGAIN}")
    try:
        check_values(model.state_dict())
    except ParameterError as error:
        raise CheckpointError(f"{folder}: {error}; {FETCH_AGAIN}") from error
    return model.to(device)


def load_hub_part(folder: Path, class_name: str) -> Any:
    """Load what goes with a model, its tokenizer or the extractor of its features.

    Raises
    ------
    CheckpointError
        If it is not there, or damaged.
    ParameterError
        As of `load_hub_model`.
    """
    kind = _class(class_name)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_transformers():
            return kind.from_pretrained(folder, **options)
    except Exception as error:  # what a damaged folder leads to has no common class
        raise CheckpointError(
            f"{folder}: transformers cannot load its {class_name} ({first_line(error)});"
            f" {FETCH_AGAIN}"
        ) from error


def _class(name: str) -> Any:
    package = transformers()
    kind = getattr(package, name, None)
    if kind is None:
        raise ParameterError(
            f"this transformers ({package.__version__}) has no {name}; pip install --upgrade"
            " transformers"
        )
    return kind
