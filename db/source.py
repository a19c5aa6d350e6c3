"""An audio file in a database: a source that was analysed, or a failure."""

from dataclasses import dataclass
from typing import Any, NamedTuple

NOT_STORED = -1  # id of a source that the manifest does not hold


class Source(NamedTuple):
    """One analysed audio file.

    Attributes
    ----------
    id : int
        Its number in the manifest, or `NOT_STORED`.
    path : str
        Relative to the corpus folder, with /.
    content_hash : str
        XXH3-128 of the file's bytes, 32 hex digits.
    n_bytes, modified_ns : int
        Size and date of the file when it was analysed; see `stamp`.
    sample_rate, channels : int
        Of the file.
    n_samples : int
        At the database's sample rate.
    first_unit, n_units : int
        The id of its first unit, and the number of units; their ids are consecutive.
    checksum : int
        CRC-32 of its units' descriptors.
    """

    id: int
    path: str
    content_hash: str
    n_bytes: int
    modified_ns: int
    sample_rate: int
    channels: int
    n_samples: int
    first_unit: int
    n_units: int
    checksum: int

    @property
    def is_stored(self) -> bool:
        """True if the manifest holds it."""
        return self.id != NOT_STORED

    @property
    def stamp(self) -> dict[str, Any] | None:
        """The "hash", "bytes" and "modified_ns" of the file that was analysed.

        None if the database has never read this file itself: the source was imported from a table,
        or was hashed in another way by a version before 0.1.0.
        """
        if self.n_bytes < 0:
            return None
        return {
            "hash": self.content_hash,
            "bytes": self.n_bytes,
            "modified_ns": self.modified_ns,
        }


@dataclass(frozen=True)
class Failure:
    """A file that could not be analysed, and why."""

    path: str
    error: str
