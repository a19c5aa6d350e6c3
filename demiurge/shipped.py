"""The weights that come with Demiurge (demiurge/data/weights/MODEL_CARD.md).

`shipped` names the default model of a kind, `shipped:NAME` another.
"""

from pathlib import Path
from typing import Any

from demiurge.bundled import DATA
from files.errors import ParameterError
from training.checkpoint_config import CONFIG, read_config

WEIGHTS = DATA / "weights"
SHIPPED = "shipped"
# of each kind the folders in WEIGHTS, the default first; one may be missing
MODELS = {
    "codec": ("codec",),
    "generator": ("flow-piano", "flow-drums", "unagan"),
    "vocoder": ("vocoder", "vocoder-44k"),
}


def shipped_names(kind: str) -> list[str]:
    """Return the names of the shipped models of a kind, the default first."""
    return [name for name in MODELS.get(kind, ()) if (WEIGHTS / name / CONFIG).is_file()]


def shipped_model(kind: str, name: str | None = None) -> Path:
    """Return the folder of a shipped model: the default of its kind, or the one of a name.

    Raises
    ------
    ParameterError
        If no model of that kind and name is shipped; the message lists the others.
    """
    names = shipped_names(kind)
    if name is not None and name not in names:
        known = [SHIPPED, *(f"{SHIPPED}:{other}" for other in names)]
        raise ParameterError(
            f"{SHIPPED}:{name}: no {kind} of that name is shipped; choose one of"
            f" {', '.join(known)}, or give the folder of a model"
        )
    if not names:
        raise ParameterError(f"{SHIPPED}: no {kind} is shipped; give the folder of a model")
    return WEIGHTS / (name or names[0])


def shipped_vocoders(mel: dict[str, Any]) -> list[Path]:
    """Return the folders of the shipped vocoders with these mel settings."""
    folders = [WEIGHTS / name for name in shipped_names("vocoder")]
    return [folder for folder in folders if read_config(folder, kind="vocoder")["mel"] == mel]


def shipped_vocoder(mel: dict[str, Any]) -> Path:
    """Return the folder of the first shipped vocoder with these mel settings.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if folders := shipped_vocoders(mel):
        return folders[0]
    raise ParameterError(
        f"no shipped vocoder is for these mels ({mel['n_mels']} bands every"
        f" {mel['hop_length']} samples at {mel['sample_rate']} Hz); train one with the same --mel:"
        " demiurge synth train-vocoder"
    )


def shipped_flow() -> tuple[Path, Path] | None:
    """Return the folders of the first shipped flow and of a vocoder for it, if there are both."""
    for name in shipped_names("generator"):
        config = read_config(WEIGHTS / name, kind="generator")
        if "flow" in config and (vocoder := shipped_vocoder(config["mel"])):
            return WEIGHTS / name, vocoder
    return None


def model_path(name: str | Path, kind: str) -> Path:
    """Return the folder of a model that is given by its path or as `shipped[:NAME]`.

    An existing folder with such a name goes before the shipped model.

    Raises
    ------
    ParameterError
        If no model of that kind and name is shipped.
    """
    path = Path(name)
    word, colon, own_name = str(path).partition(":")
    if word != SHIPPED or path.is_dir():
        return path
    return shipped_model(kind, own_name if colon else None)


def vocoder_path(name: str | Path, mel: dict[str, Any]) -> Path:
    """Like `model_path` of a vocoder for a generator: `shipped` is the one that fits its mels."""
    path = Path(name)
    if str(path) == SHIPPED and not path.is_dir():
        return shipped_vocoder(mel)
    return model_path(path, "vocoder")
