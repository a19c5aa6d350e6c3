"""Copy the weights that a training has kept into the package, in 8 bits."""

from collections.abc import Callable
from pathlib import Path

import torch

from demiurge.shipped import WEIGHTS
from files.errors import ParameterError
from files.temporary import temporary_folder
from scripts.train.codec_figures import figures
from scripts.train.models import Model, Place
from synth.codecs.mel_codec import MelCodec, MelCodecModel
from synth.generator import Generator, load_generator
from synth.vocoder import Vocoder

LICENCE = "MIT"  # of the weights that are shipped
LOADERS: dict[str, Callable[[Path], Generator | Vocoder | MelCodecModel]] = {
    "train-generator": load_generator,
    "train-vocoder": Vocoder.load,
    "train-codec": MelCodecModel.load,
}
MOST_BYTES = 35_000_000  # of all shipped weights together


def ship(place: Place, model: Model, *, weights: Path = WEIGHTS) -> Path:
    """Write a model's kept weights in 8 bits into a folder of its name; return the folder.

    Raises
    ------
    ParameterError
        If nothing is kept yet, or all weights together would be too large.
    """
    if not place.kept(model):
        raise ParameterError(f"{place.folder(model)}: holds no weights yet; train {model.name}")
    trained = LOADERS[model.command](place.folder(model))
    trained.training_summary.pop("train", None)  # a long list of files
    hours = place.hours().get(model.name, 0.0)
    trained.training_summary["hours"] = round(hours, 1)
    with temporary_folder(weights) as temporary:
        new = temporary / model.name
        if isinstance(trained, MelCodecModel):
            trained.licence = LICENCE
            record_figures(trained, new, weights)
        trained.save(new, dtype=torch.int8)
        replaced = (model.name, temporary.name)
        others = [path for path in weights.iterdir() if path.name not in replaced]
        total = sum(size_of(path) for path in [new, *others])
        if total > MOST_BYTES:
            raise ParameterError(
                f"{model.name}: all weights together would be {total / 1e6:.1f} MB, and may be"
                f" {MOST_BYTES / 1e6:.0f}; train a smaller model, or ship another one less"
            )
        out = weights / model.name
        out.mkdir(exist_ok=True)
        for file in new.iterdir():
            file.replace(out / file.name)
    return out


def record_figures(trained: MelCodecModel, new: Path, weights: Path) -> None:
    """Keep in a codec's summary what it makes of bundled sounds, as trained and as stored.

    A test compares the shipped weights, with the vocoder that is shipped beside them, with this.
    """
    found = {}
    trained.save(new, dtype=torch.int8)
    for name, model in (("trained", trained), ("stored", MelCodecModel.load(new))):
        vocoder = Vocoder.load(weights / trained.vocoder)
        measures = figures(MelCodec(model, vocoder, name=name))
        found[name] = {str(number): round(value, 4) for number, value in measures.mel_l1.items()}
    trained.training_summary["bundled_mel_l1"] = found


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
