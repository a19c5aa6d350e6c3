"""Residual quantisation: a step as one code for each level (Juang & Gray 1982).

Each level codes what the levels before it left over. The general form of a level is that of DAC
(Kumar et al. 2023, arXiv 2306.06546), of which a plain codebook is a special case:

    rest ──► in-projection ──► nearest code ──► out-projection ──► rest - that ──► next level

"Nearest" is by Euclidean distance, or by angle, where both are scaled to length 1 first. Codebooks
are fitted to the training steps, or are those of a codec, whose codes these then are.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from files.errors import ParameterError

MAX_FIT_STEPS = 100_000  # that the codebooks are trained on


class Level(Protocol):
    """One level of a codec's quantiser.

    Attributes
    ----------
    codebook : ndarray, float32, shape (codes, code_size)
    by_angle : bool
        Whether the nearest code is found by angle.
    in_weight, in_bias, out_weight, out_bias : ndarray or None
        Linear maps to and from codes, shapes (code_size, n), (code_size,), (n, code_size), (n,).
        None if codes are as wide as latents; then there are no projections.
    """

    @property
    def codebook(self) -> np.ndarray: ...
    @property
    def by_angle(self) -> bool: ...
    @property
    def in_weight(self) -> np.ndarray | None: ...
    @property
    def in_bias(self) -> np.ndarray | None: ...
    @property
    def out_weight(self) -> np.ndarray | None: ...
    @property
    def out_bias(self) -> np.ndarray | None: ...


class Quantiser(nn.Module):
    """z-scored steps (..., n) <-> codes (..., levels), int64.

    Parameters
    ----------
    of_codec : bool
        Whether it quantises latents, of which steps are z-scores, by a codec's levels.
    code_size : int
        Width of a code; 0 if it is as wide as a step, without projections.
    by_angle : bool
    """

    codebooks: Tensor
    scale: Tensor  # these two of a codec only
    offset: Tensor
    in_weight: Tensor  # and these if it projects
    in_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor

    def __init__(
        self,
        n: int,
        *,
        levels: int,
        n_codes: int,
        of_codec: bool = False,
        code_size: int = 0,
        by_angle: bool = False,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.n_codes = n_codes
        self.of_codec = of_codec
        self.projects = code_size > 0
        self.by_angle = by_angle
        self.width = code_size or n
        shapes: dict[str, tuple[int, ...]] = {"codebooks": (levels, n_codes, self.width)}
        if of_codec:
            shapes |= {"scale": (n,), "offset": (n,)}
        if self.projects:
            shapes |= {"in_weight": (levels, code_size, n), "in_bias": (levels, code_size)}
            shapes |= {"out_weight": (levels, n, code_size), "out_bias": (levels, n)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))

    def fit(self, rows: Tensor) -> None:
        """Train the codebooks on z-scored steps (steps, n), by FAISS's ResidualQuantizer."""
        import faiss

        chosen = rows.numpy()
        if len(rows) > MAX_FIT_STEPS:
            chosen = chosen[np.linspace(0, len(rows) - 1, MAX_FIT_STEPS).astype(np.int64)]
        quantiser = faiss.ResidualQuantizer(self.width, self.levels, int(np.log2(self.n_codes)))
        quantiser.max_beam_size = 1  # search level by level, as `quantise` does
        quantiser.cp.min_points_per_centroid = 1  # `sizes_for` ensures enough of them
        if len(chosen) < self.width:  # principal components need a row for each column
            quantiser.train_type = faiss.ResidualQuantizer.Train_default
        quantiser.train(np.ascontiguousarray(chosen, np.float32))
        books = faiss.vector_to_array(quantiser.codebooks).reshape(self.codebooks.shape)
        self.codebooks.copy_(torch.from_numpy(books.copy()))

    def take(self, levels: Sequence[Level], *, mean: Tensor, std: Tensor) -> None:
        """Take the levels of a codec; z-scores are latents less `mean` (n,) over `std` (n,)."""
        self.offset.copy_(mean)
        self.scale.copy_(std)
        names = ["codebooks"]
        if self.projects:
            names += ["in_weight", "in_bias", "out_weight", "out_bias"]
        for name in names:
            parts = [getattr(level, name.replace("codebooks", "codebook")) for level in levels]
            getattr(self, name).copy_(torch.from_numpy(np.stack(parts)))

    def latents(self, steps: Tensor) -> Tensor:
        """Return what is quantised of z-scored steps (..., n)."""
        return steps * self.scale + self.offset if self.of_codec else steps

    def quantise(self, steps: Tensor) -> Tensor:
        """Quantise z-scored steps (..., n) to codes (..., levels), int64."""
        codes = []
        rest = self.latents(steps)
        for level in range(self.levels):
            keys = self.keys(level)
            # The nearest code has the least |x - c|²; |x|² is the same for all.
            distance = (keys**2).sum(-1) - 2 * self.query(level, rest) @ keys.T
            code = distance.argmin(-1)
            codes.append(code)
            rest = rest - self.part(level, code)
        return torch.stack(codes, dim=-1)

    def restore(self, codes: Tensor) -> Tensor:
        """Turn codes (..., levels) into z-scored steps (..., n)."""
        total = self.part(0, codes[..., 0])
        for level in range(1, self.levels):
            total = total + self.part(level, codes[..., level])
        return (total - self.offset) / self.scale if self.of_codec else total

    def part(self, level: int, codes: Tensor) -> Tensor:
        """Return what codes (...) of one level add to the latents, (..., n)."""
        vectors = self.codebooks[level][codes]
        if self.projects:
            vectors = F.linear(vectors, self.out_weight[level], self.out_bias[level])
        return vectors

    def query(self, level: int, rest: Tensor) -> Tensor:
        """Return what is compared to the keys of a level, of what is left of latents (..., n)."""
        if self.projects:
            rest = F.linear(rest, self.in_weight[level], self.in_bias[level])
        return F.normalize(rest, dim=-1) if self.by_angle else rest

    def keys(self, level: int) -> Tensor:
        """Return what each code of a level is found by, (codes, width)."""
        book = self.codebooks[level]
        return F.normalize(book, dim=-1) if self.by_angle else book


def sizes_of(levels: Sequence[Level]) -> dict[str, int | bool]:
    """Return the sizes of a head that takes the levels of a codec, as keyword arguments.

    Raises
    ------
    ParameterError
        If the levels differ in shape, or the number of codes is no power of two.
    """
    first = levels[0]
    n_codes, width = first.codebook.shape
    if any(level.codebook.shape != (n_codes, width) for level in levels):
        raise ParameterError(
            "the levels of the codec differ in their numbers of codes; only a codec whose levels"
            " are alike can be learnt"
        )
    if n_codes & (n_codes - 1):
        raise ParameterError(
            f"{n_codes} codes in a level must be a power of two; use another codec"
        )
    return {
        "levels": len(levels),
        "bits": n_codes.bit_length() - 1,
        "of_codec": True,
        "code_size": 0 if first.in_weight is None else width,
        "by_angle": first.by_angle,
    }
