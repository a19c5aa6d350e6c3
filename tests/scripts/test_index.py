"""scripts/README.md names every script, and nothing else."""

import re

from tests.pages import ROOT

SCRIPTS = ROOT / "scripts"
FOLDERS = ("fuzz", "make", "measure", "train")


def test_index_is_complete():
    listed = re.findall(r"^\| `([\w/]+\.py)` \| .+ \|$", (SCRIPTS / "README.md").read_text(), re.M)
    scripts = [path for folder in FOLDERS for path in (SCRIPTS / folder).glob("*.py")]
    assert sorted(listed) == sorted(path.relative_to(SCRIPTS).as_posix() for path in scripts)


def test_every_script_says_how_it_is_run():
    named = [
        SCRIPTS / "fuzz" / "run.py",
        SCRIPTS / "train" / "all.py",
        *SCRIPTS.glob("make/*.py"),
        *SCRIPTS.glob("measure/*.py"),
    ]
    for path in named:
        assert f"python {path.relative_to(ROOT).as_posix()}" in path.read_text(), path
