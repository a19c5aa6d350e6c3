"""demiurge db remove, compact and verify: maintain a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.output import database_argument, json_option, root_option
from demiurge.cli.terminal import counted, echo_json, echo_line, progress_bar
from files.names import quoted

if TYPE_CHECKING:
    from db.verify import Verification
    from files.roots import Folder

SHOWN = 20  # names printed for people; --json prints all


@command(
    examples=(
        "demiurge db remove my.db 'old_takes/*'",
        "demiurge db remove my.db kick.wav snare.wav --json",
    )
)
@database_argument
@click.argument("patterns", metavar="PATTERN…", nargs=-1, required=True)
@json_option
def remove(database: Path, patterns: tuple[str, ...], as_json: bool) -> None:
    """Take the sources that match a PATTERN out of DB. Audio files are not touched.

    A pattern is a path as DB has it, whatever letters it contains; in any other text *, ? and [abc]
    stand for any characters. The next build of the folder adds what is still there.
    """
    from db.maintain import remove_sources

    removed = remove_sources(database, list(patterns))
    if as_json:
        echo_json({"database": str(database), "removed": removed})
        return
    echo_line(
        f"{database}: {counted(len(removed), 'source')} removed; free the space with: demiurge db"
        f" compact {quoted(database)}"
    )
    for name in removed[:SHOWN]:
        echo_line(f"  {name}")
    if len(removed) > SHOWN:
        echo_line(f"  … and {len(removed) - SHOWN} more")


@command(examples=("demiurge db compact my.db", "demiurge db compact my.db --json"))
@database_argument
@json_option
def compact(database: Path, as_json: bool) -> None:
    """Free the space of changed and removed sources.

    DB is rewritten. Plans stay playable, but unit numbers change.
    """
    from db.maintain import compact as compact_database

    with progress_bar("compacting", quiet=as_json) as progress:
        before, after = compact_database(database, progress=progress)
    if as_json:
        echo_json({"database": str(database), "bytes_before": before, "bytes_after": after})
    else:
        echo_line(f"{database}: {before / 1e6:.1f} MB of descriptors are now {after / 1e6:.1f} MB")


@command(
    examples=(
        "demiurge db verify my.db",
        "demiurge db verify my.db --repair",
        "demiurge db verify my.db --json",
    )
)
@database_argument
@root_option
@click.option("--rows-only", is_flag=True, help="Do not read the audio files.")
@click.option(
    "--repair",
    is_flag=True,
    help="Remove what is damaged; the next build analyses it again.",
)
@json_option
def verify(
    database: Path, root: Folder | None, rows_only: bool, repair: bool, as_json: bool
) -> None:
    """Check the rows of DB and the audio files for damage.

    Each row has a checksum, and each audio file a hash. --repair also keeps what can be read of a
    damaged manifest.
    """
    from db.verify import verify as verify_database

    with progress_bar("verifying", quiet=as_json) as progress:
        found = verify_database(
            database, root=root, check_files=not rows_only, repair=repair, progress=progress
        )
    if as_json:
        echo_json(verification_facts(database, found))
    else:
        echo_verification(database, found, rows_only=rows_only)
    if not found.ok:
        raise SystemExit(1)


def verification_facts(database: Path, found: Verification) -> dict[str, Any]:
    """Return the facts that --json prints about a check."""
    return {
        "database": str(database),
        "ok": found.ok,
        "sources": found.sources,
        "rows": found.rows,
        "dead_rows": found.dead_rows,
        "damaged": dict(found.damaged),
        "bands": dict(found.bands),
        "files": dict(found.files),
        "repaired": found.repaired,
    }


def echo_verification(database: Path, found: Verification, *, rows_only: bool) -> None:
    """Print the result of a check, and how to repair damage."""
    files = "" if rows_only else f", {counted(len(found.files), 'audio file')} changed or missing"
    echo_line(
        f"{database}: {counted(found.sources, 'source')}, {counted(found.rows, 'row')} checked,"
        f" {len(found.damaged)} damaged{files}; {counted(found.dead_rows, 'row')} unused"
    )
    for name, problem in found.damaged + found.bands + found.files:
        echo_line(f"  {name}: {problem}", err=True)
    if found.repaired:
        echo_line(
            f"  removed: {len(found.repaired)}; analyse them again with: demiurge db build"
            f" AUDIO_DIR {quoted(database)}"
        )
    elif found.damaged:
        echo_line(f"  repair it with: demiurge db verify --repair {quoted(database)}")
