"""The header of a table (version, settings, sources), and how large a table may be."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta, Struct

from audio.read import MAX_RATE, MAX_SAMPLES, MIN_RATE
from db.tables import TABLE_VERSION
from files.documents import parse_document
from files.errors import ParameterError

EXPORT_AGAIN = "export it again"
STATE_IT = "give a file that demiurge db export wrote"
MAX_BINARY = 1 << 33  # bytes of NPZ or Parquet
MAX_HEADER = 1 << 26  # bytes; 300 for each source


class SourceDocument(TypedDict):
    """The facts of a source in the header of a table."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    content_hash: Annotated[
        str,
        Meta(pattern=r"\A[!-~]{1,128}\Z", extra={"rule": "be 1 to 128 ASCII letters and digits"}),
    ]
    sample_rate: Annotated[int, Meta(ge=MIN_RATE, le=MAX_RATE)]
    channels: Annotated[int, Meta(ge=1, le=65_535)]
    n_samples: Annotated[int, Meta(ge=1, le=MAX_SAMPLES)]


class VersionDocument(Struct):
    """The part of a header that says how to read the rest."""

    version: int


class HeaderDocument(Struct):
    """The header of a table."""

    settings: dict[str, Any]
    sources: list[SourceDocument]


def parse_header(path: Path, data: bytes) -> dict[str, Any]:
    """Check the header of a table and return it."""
    stated = parse_document(
        data, VersionDocument, where=f"{path}: its header", error=ParameterError, remedy=STATE_IT
    )
    if stated.version != TABLE_VERSION:
        raise ParameterError(
            f"{path}: table version {stated.version}, but this Demiurge reads {TABLE_VERSION};"
            " update Demiurge"
        )
    header = parse_document(
        data, HeaderDocument, where=f"{path}: its header", error=ParameterError, remedy=STATE_IT
    )
    return {"settings": header.settings, "sources": header.sources}
