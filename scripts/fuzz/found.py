"""Cases that have failed once: they are run first, so that none of them comes back.

    python scripts/fuzz/found.py FOLDER …

adds cases that `run.py --save` has kept to tests/fixtures/fuzz/found.tar.xz. Their files are stored
as they were when the command failed, so that they stay what they are when the edits change.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import click

from scripts.fuzz.cases import Case

ARCHIVE = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "fuzz" / "found.tar.xz"
CASE = "case.json"
CONTENT = "content"
MOST_BYTES = 100_000  # of a file that is kept
FIELDS = ("kind", "copies", "target", "command")


def load_found() -> list[Case]:
    """Return the cases of the archive, numbered -1, -2, …"""
    members = read_members() if ARCHIVE.exists() else {}
    folders = sorted({Path(name).parent.as_posix() for name in members})
    cases = []
    for number, folder in enumerate(folders, start=1):
        facts = json.loads(members[f"{folder}/{CASE}"])
        facts["command"] = tuple(facts["command"])
        content = members[f"{folder}/{CONTENT}"]
        cases.append(Case(number=-number, edits=(), content=content, **facts))
    return cases


def read_members() -> dict[str, bytes]:
    """Return the files of the archive by name."""
    with tarfile.open(ARCHIVE) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive]
        return {name: file.read() for name, file in files if file}


def keep_case(case: Case, path: Path, folder: Path) -> None:
    """Write a case into a folder, if the file that it reads is one and not too long."""
    facts = {name: getattr(case, name) for name in FIELDS}
    (folder / CASE).write_text(json.dumps(facts, indent=1))
    if path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_BYTES:
        (folder / CONTENT).write_bytes(path.read_bytes())


def saved_files(folders: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of saved cases, by name in the archive."""
    for folder in folders:
        if (folder / CONTENT).exists():
            for name in (CASE, CONTENT):
                yield f"{folder.name}/{name}", (folder / name).read_bytes()


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
def main(folders: tuple[Path, ...]) -> None:
    """Add saved cases to the archive."""
    members = read_members() if ARCHIVE.exists() else {}
    members.update(saved_files(folders))
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(ARCHIVE, "w:xz") as archive:
        for name, data in sorted(members.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    click.echo(f"{ARCHIVE}: {len(members) // 2} cases, {ARCHIVE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
