"""Check a table, and turn it into the sources that a database writer takes."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from audio.read import probe
from audio.resample import resampled_length
from db.analyse import Description
from db.manifest_rules import LONGEST_PATH
from db.settings import DescriptorSettings
from db.tables import Table
from db.units import equal_unit_lengths
from db.writer import SourceRow
from files.errors import DatabaseError, ParameterError
from files.hashing import hash_file
from files.names import is_utf8, printable

SHOWN = 60  # letters of a name in a message


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
    header = table.header or {"sources": []}
    facts = {fact["path"]: fact for fact in header["sources"]}
    sources = []
    first = 0
    for name, group in groupby(table.sources):
        own = slice(first, first + len(list(group)))
        _check_name(file, name)
        row = _source_row(name, facts.get(name), root, settings)
        place = f"{file}: {printable(name)}"
        _check_positions(place, table.start_sample[own], row.n_samples, settings)
        description = _describe(table.rows[own], row.n_samples, settings)
        if table.n_samples is not None and (table.n_samples[own] != description.lengths).any():
            raise ParameterError(
                f"{place}: its n_samples are not {settings.hop_length} for each row but the last;"
                " export it again"
            )
        sources.append((row, description))
        first = own.stop
    if len({source.path for source, _ in sources}) < len(sources):
        raise ParameterError(
            f"{file}: the rows of a source are not together; sort them by source and position"
        )
    return ParsedTable(settings, sources)


def _check_name(file: Path, name: str) -> None:
    """Raise a `ParameterError` unless a source is named by a path within the corpus folder."""
    path = PurePosixPath(name)
    is_within = path.name and not path.is_absolute() and ".." not in path.parts
    if not is_within or "\0" in name or not is_utf8(name) or len(name.encode()) > LONGEST_PATH:
        raise ParameterError(
            f"{file}: source {printable(name[:SHOWN])!r} must be the path of a file within the"
            " corpus folder, relative to it; export it again"
        )


def _settings_of(file: Path, table: Table) -> DescriptorSettings:
    """Return the settings of a table; a file without any has those of the original Demiurge."""
    if table.header:
        try:
            settings = DescriptorSettings.from_dict(table.header["settings"])
        except (DatabaseError, ParameterError) as error:
            raise ParameterError(f"{file}: {error}; export it again") from error
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
    name: str, fact: dict[str, Any] | None, root: Path, settings: DescriptorSettings
) -> SourceRow:
    """Return the facts of a source from the file or, for an original file, from its audio."""
    audio = root / name
    if fact:
        content_hash = fact["content_hash"]
        audio_facts = (fact["sample_rate"], fact["channels"], fact["n_samples"])
        return SourceRow(name, content_hash, *_stamp(audio, content_hash), *audio_facts)
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
