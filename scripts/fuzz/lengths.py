"""How long a file is by ffmpeg and sox, and whether a database has all of it.

Both are independent of what Demiurge decodes with, and needed nowhere but here.
"""

import shutil
import sqlite3
import struct
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

DECODERS = {
    "ffmpeg": ("ffmpeg", "-v", "quiet", "-i", "{}", "-map", "0:a:0", "-f", "wav", "-"),
    "sox": ("sox", "-V0", "{}", "-t", "wav", "-"),
}
TOLERANCE_SECONDS = 0.15  # delay and padding of codecs
TOLERANCE_SHARE = 0.01
DECODING_SECONDS = 20.0
HEADER_BYTES = 4096


@dataclass(frozen=True)
class Taken:
    """A source as a database has it."""

    seconds: float
    warning: str


def decoders() -> list[str]:
    """Return the names of the decoders that are installed."""
    return [name for name in DECODERS if shutil.which(name)]


def find_cut(path: Path, database: Path) -> str | None:
    """Describe what of a file a database lacks without a warning; empty if nothing is missing.

    One of the installed decoders finds more. None if nothing can be compared: the
    file was refused, a warning was given, or no decoder reads it.
    """
    taken = read_taken(database)
    if taken is None or taken.warning:
        return None
    lengths = {name: decoded_seconds(name, path) for name in decoders()}
    found = {name: seconds for name, seconds in lengths.items() if seconds}
    if not found:
        return None
    if taken.seconds + TOLERANCE_SECONDS >= max(found.values()) * (1 - TOLERANCE_SHARE):
        return ""
    shown = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found.items())
    return f"{path.name}: {taken.seconds:.2f} s were taken without a word; {shown}"


def read_taken(database: Path) -> Taken | None:
    """Return the only source of a database; None if it was not taken."""
    manifest = database / "manifest.sqlite"
    if not manifest.is_file():
        return None
    with closing(sqlite3.connect(manifest)) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM sources WHERE state = 'ok'").fetchone()
        query = "SELECT value ->> 'sample_rate' FROM config WHERE key = 'descriptors'"
        (rate,) = connection.execute(query).fetchone() or (44100,)
    if row is None:
        return None
    warning = row["warning"] if "warning" in row.keys() else ""  # noqa: SIM118
    return Taken(row["n_samples"] / rate, warning or "")


def decoded_seconds(decoder: str, path: Path) -> float:
    """Return how many seconds a decoder makes of a file, 0 if it cannot read it."""
    command = [part.format(path) for part in DECODERS[decoder]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        header = process.stdout.read(HEADER_BYTES)
        n_bytes = len(header)
        while block := process.stdout.read(1 << 20):
            n_bytes += len(block)
            if n_bytes > 1 << 30:
                process.kill()
        process.wait(DECODING_SECONDS)
    at = header.find(b"data")
    if not header.startswith(b"RIFF") or at < 0:
        return 0.0
    (bytes_per_second,) = struct.unpack_from("<I", header, 28)
    return (n_bytes - at - 8) / bytes_per_second if bytes_per_second else 0.0
