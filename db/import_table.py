"""Check a table, and turn it into the sources that a database writer takes."""

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from audio.read import probe
from audio.resample import resampled_length
from db.analyse import Description
from db.manifest_damage import path_problem
from db.manifest_rules import LONGEST_PATH, MOST_SAMPLES
from db.settings import DescriptorSettings
from db.tables import Table
from db.units import equal_unit_lengths
from db.writer import SourceRow
from files.documents import parse_document
from files.errors import ParameterError
from files.hashing import hash_file


class FactsDocument(Struct):
    """What a table says about the audio of a source, as the manifest holds it."""

    path: str
    content_hash: Annotated[
        str, Meta(pattern=r"\A\w{0,128}\Z", extra={"rule": "be at most 128 letters and digits"})
    ]
    sample_rate: Annotated[int, Meta(ge=0, le=768_000)]
    channels: Annotated[int, Meta(ge=0, le=65_535)]
    n_samples: Annotated[int, Meta(ge=1, le=MOST_SAMPLES)]


class HeaderDocument(Struct):
    """The part of a table's header that describes its sources."""

    sources: list[FactsDocument]


@dataclass(frozen=True)
class ParsedTable:
    """The settings of a table, and its sources with their frames."""

    settings: DescriptorSettings
    sources: list[tuple[SourceRow, Description]]


def parse_table(file: Path, table: Table, root: Path) -> ParsedTable:
    """Check a table, and return the sources to write to a database.

    Parameters
    ----------
    file : Path
        The file that the table was read from, for messages.
    root : Path
        The corpus folder.

    Raises
    ------
    ParameterError
        If the table does not hold frames of whole sources.
    """
    settings = _settings_of(file, table)
    if not np.isfinite(table.rows).all():
        number = int(np.argwhere(~np.isfinite(table.rows))[0, 0])
        raise ParameterError(f"{file}: row {number} is not finite; write it again")
    facts = {fact.path: fact for fact in _facts_of(file, table)}
    sources = []
    first = 0
    for name, group in groupby(table.sources):
        _check_path(file, name)
        own = slice(first, first + len(list(group)))
        row = _source_row(name, facts.get(name), root, settings)
        _check_positions(f"{file}: {name}", table.start_sample[own], row.n_samples, settings)
        sources.append((row, _describe(table.rows[own], row.n_samples, settings)))
        first = own.stop
    if len({source.path for source, _ in sources}) < len(sources):
        raise ParameterError(
            f"{file}: the rows of a source are not together; sort them by source and position"
        )
    return ParsedTable(settings, sources)


def _facts_of(file: Path, table: Table) -> list[FactsDocument]:
    """Return what a table says about its sources; an original file says nothing."""
    if not table.header:
        return []
    return parse_document(
        json.dumps({"sources": table.header["sources"]}).encode(),
        HeaderDocument,
        where=str(file),
        error=ParameterError,
        remedy="write it again",
    ).sources


def _check_path(file: Path, name: Any) -> None:
    """Raise a `ParameterError` for a name that the database could not keep."""
    path = str(name).encode(errors="surrogatepass")
    problem = path_problem(path)
    if not 0 < len(path) <= LONGEST_PATH:
        problem = f"must be 1 to {LONGEST_PATH} bytes"
    if problem or not isinstance(name, str):
        raise ParameterError(
            f"{file}: source={str(name)[:40]!r} {problem or 'must be text'}; write it again"
        )


def _settings_of(file: Path, table: Table) -> DescriptorSettings:
    """Return the settings of a table; a file without any has those of the original Demiurge."""
    if table.header:
        settings = DescriptorSettings.from_dict(table.header["settings"])
    else:
        settings = DescriptorSettings(window_centre="start")
    if settings.units != "frame":
        raise ParameterError(
            f"{file}: holds {settings.units} units without their frames; build from the audio"
            " instead"
        )
    if table.names != settings.names:
        raise ParameterError(
            f"{file}: its columns are not those of its settings"
            f" ({', '.join(settings.names[:3])}, …)"
        )
    return settings


def _check_positions(
    place: str, starts: np.ndarray, n_samples: int, settings: DescriptorSettings
) -> None:
    """Raise a `ParameterError` unless a source's rows are all of its frames, in order."""
    hop = settings.hop_length
    if (starts != np.arange(len(starts)) * hop).any():
        raise ParameterError(
            f"{place}: its rows are not every {hop} samples from 0; write it again"
        )
    n_frames = -(-n_samples // hop)
    if len(starts) not in (n_frames, n_frames + 1):  # librosa's last frame may be at the very end
        raise ParameterError(
            f"{place}: {len(starts)} rows for {n_frames} frames of {hop} samples; write it again"
        )


def _describe(rows: np.ndarray, n_samples: int, settings: DescriptorSettings) -> Description:
    lengths = equal_unit_lengths(n_samples, settings.hop_length)
    frames = np.ascontiguousarray(rows[: len(lengths)], np.float32)
    return Description(n_samples, frames, lengths, frames)


def _source_row(
    name: str, fact: FactsDocument | None, root: Path, settings: DescriptorSettings
) -> SourceRow:
    """Return the facts of a source from the file or, for an original file, from its audio."""
    audio = root / name
    if fact:
        stamp = _stamp(audio, fact.content_hash)
        audio_facts = (fact.sample_rate, fact.channels, fact.n_samples)
        return SourceRow(name, fact.content_hash, *stamp, *audio_facts)
    if not audio.is_file():
        raise ParameterError(f"{name}: its audio is not in {root}; give its folder with --root")
    stat = audio.stat()
    info = probe(audio)
    n_samples = resampled_length(info.n_samples, info.sample_rate, settings.sample_rate)
    audio_facts = (info.sample_rate, info.channels, n_samples)
    return SourceRow(name, hash_file(audio), stat.st_size, stat.st_mtime_ns, *audio_facts)


def _stamp(audio: Path, content_hash: str) -> tuple[int, int]:
    """Return the size and date of an audio file; (-1, 0) if it is gone or has changed.

    (-1, 0) makes the next build look at the file again.
    """
    if not audio.is_file() or hash_file(audio) != content_hash:
        return -1, 0
    stat = audio.stat()
    return stat.st_size, stat.st_mtime_ns
