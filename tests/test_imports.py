"""Imports flow one way: the allowed directions against the code."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"db", "query", "playback", "sequencer", "synth", "training", "demiurge"}
OURS = ROOMS | {"scripts", "tests"}
MAY_IMPORT = {
    "db": set(),
    "query": {"db"},
    "playback": {"db"},
    "training": {"db"},
    "sequencer": {"db", "training"},
    "synth": {"db", "training"},
    "demiurge": ROOMS,
}
PARTS_OF_DB = {  # that these rooms know: errors and files on disk; synth reads audio besides, and nothing of databases
    "training": {"errors", "atomic"},
    "synth": {"errors", "atomic", "audio", "scan", "hashing", "cache"},
}


def imported_modules(path: Path) -> set[str]:
    """What a file imports, inside functions as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path} imports from its own folder: name the room"
            found.add(node.module)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            assert name not in ("__import__", "import_module"), f"{path} imports by a name that cannot be seen here"
    return found


def test_every_package_of_the_wheel_is_in_the_table():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == ROOMS == set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_room_imports_only_what_the_table_allows(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        rooms = {name.split(".")[0] for name in imported_modules(path)} & OURS
        assert rooms <= MAY_IMPORT[room] | {room}, path


@pytest.mark.parametrize("room", PARTS_OF_DB)
def test_room_knows_only_parts_of_db(room):
    for path in (ROOT / room).rglob("*.py"):
        used = {name for name in imported_modules(path) if name.split(".")[0] == "db"}
        assert used <= {f"db.{part}" for part in PARTS_OF_DB[room]}, path


def test_light_rooms_load_without_torch():
    modules = [path.relative_to(ROOT) for room in ("db", "query", "playback") for path in (ROOT / room).rglob("*.py")]
    names = sorted({".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in modules})
    assert len(names) > 50
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
    for path in modules:
        assert "torch" not in {name.split(".")[0] for name in imported_modules(ROOT / path)}, path


def test_command_line_loads_nothing_slow():
    code = "import sys, demiurge.cli; print(sorted({'torch', 'librosa', 'faiss', 'wandb', 'numpy', 'rich'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
