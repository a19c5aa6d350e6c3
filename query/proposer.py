"""Proposes units of one database that may be near to a sequence.

If several databases are searched as one, each has its own: with its own index, kept in its own
folder, whether it is searched alone or with others.
"""

from copy import copy
from functools import cached_property
from typing import Self

import faiss
import numpy as np

from db.database import Database
from files.errors import ParameterError
from files.progress import Progress
from query.cells import Cells
from query.proposals import (
    GPU_MOST,
    OTHER_CELLS,
    OTHER_SPACE,
    PQ_LEVELS,
    choose_kind,
    make_flat,
    n_proposals,
    on_gpu,
)
from query.space import Space

BLOCK_UNITS = 1 << 16  # units read and indexed at a time


class Proposer:
    """Finds units of one member of a database; there is one member if the database is alone.

    Attributes
    ----------
    kind : str
        One of `query.names.INDEX_KINDS`.
    """

    def __init__(
        self,
        space: Space,
        member: Database,
        *,
        first: int,
        searchable: np.ndarray,
        kind: str,
        flat_units: int,
        progress: Progress,
    ) -> None:
        """Open or make the index; raises as `query.index.UnitIndex`.

        Parameters
        ----------
        space : Space
            Of the whole database.
        member : Database
            Its units are those of the whole from the position `first` on.
        searchable : ndarray, int64, ascending
            Positions in the whole of the member's units that can be found.
        """
        self._space = space
        self._member = member
        self._first = first
        self._flat_units = flat_units
        self._searchable = searchable
        width = len(space.factors)
        n_found = len(searchable)
        self.kind = choose_kind(kind, space.metric, n_found, width, flat_units=flat_units)
        n_units = len(member.units)
        if self.kind == "pq" and n_units < PQ_LEVELS and member is not space.database:
            self.kind = "flat"  # a small one beside others
        if self.kind == "pq" and n_units < PQ_LEVELS:
            raise ParameterError(
                f"index=pq needs {PQ_LEVELS} units, {member.path} has {n_units}; use flat"
            )
        own = space if member is space.database else space.of(member)
        self._cells = None if self.kind == "flat" else Cells(own, self.kind, progress)

    def __len__(self) -> int:
        """Number of units that can be found."""
        return len(self._searchable)

    def allowing(self, searchable: np.ndarray) -> Self:
        """Return this for other units that can be found; a few are compared one by one."""
        other = self._copy()
        other._searchable = searchable
        if self._cells is not None:
            other.kind = "flat" if len(other) <= self._flat_units else self._cells.kind
        return other

    def weighing(self, space: Space) -> Self:
        """Return this for another space; what cells propose is near in the former one."""
        other = self._copy()
        other._space = space
        return other

    def _copy(self) -> Self:
        other = copy(self)
        for name in ("_flat", "_fast", "_allowed_bits"):
            other.__dict__.pop(name, None)
        return other

    def propose(self, sequence: np.ndarray, k: int) -> np.ndarray:
        """Return positions that should include the k nearest, int64, (steps, k or more).

        Parameters
        ----------
        sequence : ndarray, float32, shape (steps, n_descriptors), raw
        k : int
            Rows with fewer proposals are filled up with -1.
        """
        n = n_proposals(self.kind, k, len(self))
        if self._cells is None or self.kind == "flat":
            n = min(n, len(self))
            index = self._fast if n <= GPU_MOST else self._flat
            return self._searchable[index.search(self._space.vectors(sequence), n)[1]]
        share = len(self) / len(self._member.units)
        if not self._cells.fits(self._space):
            n = max(n, OTHER_SPACE)
            share /= OTHER_CELLS
        n = min(n, len(self))
        enough = min(k, len(self))
        ids = self._cells.propose(
            sequence, n, enough=enough, allowed=self._allowed_bits, share=share
        )
        found = self._member.units.find(ids)
        return np.where(found >= 0, found + self._first, -1)

    @cached_property
    def _flat(self) -> faiss.Index:
        index = make_flat(self._space.metric, len(self._space.factors))
        for start in range(0, len(self), BLOCK_UNITS):
            index.add(self._space.unit_vectors(self._searchable[start : start + BLOCK_UNITS]))
        return index

    @cached_property
    def _fast(self) -> faiss.Index:
        return on_gpu(self._flat)

    @cached_property
    def _allowed_bits(self) -> np.ndarray | None:
        """A bit for each unit id, set if the unit can be found; None if all units can be."""
        ids = self._member.units.ids
        if len(self) == len(ids):
            return None
        allowed = np.zeros(ids[-1] + 1, bool)
        allowed[ids[self._searchable - self._first]] = True
        return np.packbits(allowed, bitorder="little")
