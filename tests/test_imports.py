"""Imports flow one way: the allowed directions against the code."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "files": set(),
    "audio": {"files"},
    "db": {"audio", "files"},
    "query": {"db", "files"},
    "playback": {"audio", "files"},
    "training": {"files"},
    "sequencer": {"training", "db", "files"},
    "synth": {"training", "audio", "files"},
}
ROOMS = {*MAY_IMPORT, "demiurge"}
MAY_IMPORT["demiurge"] = ROOMS
OURS = ROOMS | {"scripts", "tests"}
LIGHT_ROOMS = ("files", "audio", "db", "query", "playback")


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
            assert name not in ("__import__", "import_module"), (
                f"{path} imports by a name that cannot be seen here"
            )
    return found


def test_every_package_of_the_wheel_is_in_the_table():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (
        set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
        == ROOMS
        == set(MAY_IMPORT)
    )


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_room_imports_only_what_the_table_allows(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        rooms = {name.split(".")[0] for name in imported_modules(path)} & OURS
        assert rooms <= MAY_IMPORT[room] | {room}, path


def test_light_rooms_load_without_torch():
    modules = [
        path.relative_to(ROOT) for room in LIGHT_ROOMS for path in (ROOT / room).rglob("*.py")
    ]
    names = sorted(
        {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in modules}
    )
    assert len(names) > 50
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "False"
    )
    for path in modules:
        assert "torch" not in {name.split(".")[0] for name in imported_modules(ROOT / path)}, path


def test_command_line_loads_nothing_slow():
    code = (
        "import sys, demiurge.cli; print(sorted({'torch', 'librosa', 'faiss', 'wandb', 'numpy',"
        " 'rich'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
