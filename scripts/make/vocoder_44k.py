"""Start a vocoder for 44.1 kHz from one for 22.05 kHz, which it sounds like before it is trained.

    python scripts/make/vocoder_44k.py OUT [--vocoder demiurge/data/weights/vocoder]

The frames of both last equally long and their bins are equally wide, so that most weights are kept:
the first layer gets the old bands as mixtures of the new ones, and the last layer's bins below
11 kHz stay as they are. Those above are its mirror image; what is right of it must be learnt, with
`demiurge synth train-vocoder AUDIO MODEL --from OUT`.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio.mel import mel_filterbank
from synth.mel import PRESETS, MelSettings
from synth.vocoder import Vocoder
from synth.vocos import Vocos

WIDE = PRESETS["44k"]


def widen(vocoder: Vocoder) -> Vocoder:
    """Return a vocoder of the same sizes for `WIDE`, with the weights of one for 22.05 kHz."""
    sizes = vars(vocoder.config)
    wide = Vocoder(vocoder.architecture, WIDE, config=sizes, training={"step": 0})
    old = vocoder.network
    new = wide.network
    assert isinstance(old, Vocos)
    assert isinstance(new, Vocos)
    bands = mixtures(vocoder.mel, WIDE)
    with torch.no_grad():
        new.embed.weight.copy_(torch.einsum("obk,bc->ock", old.embed.weight, bands))
        # the spectrum of twice as many samples is twice as loud
        new.embed.bias.copy_(old.embed.bias - math.log(2) * old.embed.weight.sum((1, 2)))
        for name in ("norm", "blocks", "final_norm"):
            new.get_submodule(name).load_state_dict(old.get_submodule(name).state_dict())
        for parameter in ("weight", "bias"):
            halves = getattr(old.head, parameter).chunk(2)  # magnitudes and phases
            getattr(new.head, parameter).copy_(torch.cat([mirrored(half) for half in halves]))
    return wide


def mixtures(old: MelSettings, new: MelSettings) -> Tensor:
    """Return how much each new band counts in each old one: (n_mels of old, n_mels of new).

    Weights of a row add up to 1: they are the overlap of the bands' filters.
    """
    overlap = filters(old) @ filters(new)[:, : old.n_fft // 2 + 1].T
    return torch.from_numpy(overlap / overlap.sum(axis=1, keepdims=True)).float()


def filters(mel: MelSettings) -> np.ndarray:
    return mel_filterbank(mel.sample_rate, mel.n_fft, mel.n_mels, f_min=mel.f_min, f_max=mel.f_max)


def mirrored(bins: Tensor) -> Tensor:
    """(n, ...) -> (2n - 1, ...): bins, and all but the last again from the end to the start."""
    return torch.cat([bins, bins[:-1].flip(0)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the new vocoder")
    default = Path("demiurge/data/weights/vocoder")
    parser.add_argument("--vocoder", type=Path, default=default, help=f"default {default}")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    widen(Vocoder.load(arguments.vocoder)).save(arguments.out)


if __name__ == "__main__":
    main()
