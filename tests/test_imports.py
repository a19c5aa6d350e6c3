"""Imports flow one way: the allowed directions against the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"db", "query", "playback", "sequencer", "synth", "training", "demiurge"}
MAY_IMPORT = {
    "db": set(),
    "query": {"db"},
    "playback": {"db"},
    "training": {"db"},  # errors and atomic files only, see below
    "sequencer": {"db", "training"},
    "synth": {"db", "training"},
    "demiurge": ROOMS,
}


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_room_imports_only_what_the_table_allows(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        rooms = {name.split(".")[0] for name in imported_modules(path)} & ROOMS
        assert rooms <= MAY_IMPORT[room] | {room}, path


def test_training_uses_only_errors_and_atomic_files_of_db():
    used = {name for path in (ROOT / "training").glob("*.py") for name in imported_modules(path) if name.startswith("db")}
    assert used <= {"db.errors", "db.atomic"}


@pytest.mark.parametrize("room", ["db", "query", "playback"])
def test_light_rooms_never_import_torch(room):
    for path in (ROOT / room).rglob("*.py"):
        assert "torch" not in {name.split(".")[0] for name in imported_modules(path)}, path


def test_command_line_loads_nothing_slow():
    code = "import sys, demiurge.cli; print(sorted({'torch', 'librosa', 'faiss', 'wandb', 'numpy', 'rich'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
