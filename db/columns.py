"""The columns of each descriptor.

`db.descriptors` measures them. Settings only need the names, which import quickly.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """The columns of one descriptor.

    Attributes
    ----------
    names : tuple of str
    n_static : int, optional
        The first `n_static` columns are independent, and the others follow from them. By default
        all columns are independent.
    zero_is_absent : frozenset of str
        0 in these columns means "there is none"; a unit's mean leaves such frames out.
    """

    names: tuple[str, ...]
    n_static: int | None = None
    zero_is_absent: frozenset[str] = frozenset()

    @property
    def static_names(self) -> tuple[str, ...]:
        """The independent columns."""
        return self.names[: self.n_static]


FIXED = {
    "spectral": Columns(
        ("centroid", "flatness", "rolloff", "rms", "f0"), zero_is_absent=frozenset({"f0"})
    ),
    "chroma": Columns(tuple(f"chroma{i}" for i in range(12))),
    "loudness": Columns(("loudness",)),
}
DESCRIPTOR_NAMES = ("mfcc", *FIXED)


def columns_of(descriptor: str, *, n_mfcc: int) -> Columns:
    """Return the columns of one of `DESCRIPTOR_NAMES`."""
    if descriptor == "mfcc":  # in the original Demiurge's order: coefficients, Δ, ΔΔ
        return Columns(tuple(f"mfcc{i}" for i in range(3 * n_mfcc)), n_static=n_mfcc)
    return FIXED[descriptor]
