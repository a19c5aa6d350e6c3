"""The codebooks inside a discrete export of RAVE, and residual quantisation by them.

What such an export calls latents are indices, whose distances mean nothing. The sum of the entries
that they stand for is what its decoder hears; that is the latent here.
"""

import re

import torch
from torch import Tensor

from synth.codecs.torchscript import Script

ENTRIES = re.compile(r"(?P<path>.*\.)?(embed|embedding)$")  # of RAVE 2.0 to 2.3
PROJECTED = re.compile(r"\.project_(in|out)\.")  # entries that are not in the decoder's space
N_AXES = 3  # of all codebooks


def find_codebooks(script: Script, n_codebooks: int) -> Tensor | None:
    """Return the codebooks (n_codebooks, codebook_size, n), or None if they are not there.

    They are one tensor of that shape, or one tensor (codebook_size, n) for each.
    """
    tensors = {**dict(script.module.named_buffers()), **dict(script.module.named_parameters())}
    if any(PROJECTED.search(name) for name in tensors):
        return None
    found = [tensor.squeeze() for name, tensor in tensors.items() if ENTRIES.match(name)]
    if len(found) == 1 and found[0].ndim == N_AXES and len(found[0]) == n_codebooks:
        return found[0].float().cpu()
    is_matrix = all(tensor.ndim == N_AXES - 1 for tensor in found)
    if len(found) != n_codebooks or not is_matrix or len({x.shape for x in found}) != 1:
        return None
    return torch.stack(found).float().cpu()


def quantise(latents: Tensor, codebooks: Tensor, first: Tensor | None = None) -> Tensor:
    """Return the codes (frames, n_codebooks) of latents (frames, n), each of what is left over.

    `first` are codes of the first codebooks that are known, (frames, some).
    """
    codes = []
    rest = latents
    for book, entries in enumerate(codebooks):
        if first is not None and book < first.shape[1]:
            code = first[:, book]
        else:
            code = torch.cdist(rest, entries).argmin(1)
        codes.append(code)
        rest = rest - entries[code]
    return torch.stack(codes, 1)


def restore(codes: Tensor, codebooks: Tensor) -> Tensor:
    """Return the sum of the entries (frames, n) of codes (frames, some first codebooks)."""
    books = torch.arange(codes.shape[1])
    return codebooks[books, codes].sum(1)
