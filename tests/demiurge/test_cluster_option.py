"""Commands with --cluster, on shards in this process in place of a cluster."""

import json
import shutil
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from db.build import build_database
from demiurge import databases
from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from query.cluster.corpus import plan_shards
from query.cluster.shard import LocalShards

TARGET = CORPUS_DIR / "drum_roll.ogg"
PARTS = {"drums": ("drum_*", "bd_*"), "tabla": ("tabla_t*",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two databases of some bundled sounds."""
    folder = tmp_path_factory.mktemp("served")
    for name, patterns in PARTS.items():
        (folder / name).mkdir()
        for pattern in patterns:
            for path in CORPUS_DIR.glob(pattern):
                if path != TARGET:
                    shutil.copy(path, folder / name)
        build_database(folder / name, folder / f"{name}.db")
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    """Run a command in the folder, with a cluster that divides databases into three shards."""

    @contextmanager
    def connect(address, specs, *, normaliser_name=None):
        assert address == "somewhere:6379"
        corpus = plan_shards(specs, 3, normaliser_name=normaliser_name)
        yield LocalShards(corpus), corpus

    monkeypatch.setattr(databases, "connect_corpus", connect)
    monkeypatch.chdir(folder)

    def run_command(*line):
        return CliRunner().invoke(main, list(line), catch_exceptions=False)

    return run_command


CLUSTER = ("--cluster", "somewhere:6379")


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (("drums.db",), ("-k", "4", "--explain", "--min-reuse", "0.2")),
        (("drums.db", "--db", "tabla.db"), ("-k", "3")),
    ],
)
def test_query_answers_as_without_a_cluster(run, given, options):
    line = ("query", str(TARGET), *given, *options, "--json")
    expected = json.loads(run(*line).stdout)
    assert json.loads(run(*line, *CLUSTER).stdout) == expected
    assert len(expected["steps"]) > 10


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (("drums.db",), ("--max-run", "0.5", "--range", "own", "--level", "follow")),
        (
            ("drums.db", "--db", "tabla.db", "--normaliser", "tabla"),
            ("--weight", "tabla=3,mfcc0=0.5", "--source", "t*", "--where", "tabla:mfcc0>-200"),
        ),
    ],
)
def test_a_mosaic_is_that_without_a_cluster(run, folder, given, options):
    line = ("mosaic", str(TARGET), *given, *options)
    assert run(*line, "-o", "here.wav", "--force").exit_code == 0
    assert run(*line, "-o", "there.wav", "--force", *CLUSTER).exit_code == 0
    plans = [json.loads((folder / f"{name}.plan.json").read_text()) for name in ("here", "there")]
    assert plans[0] == plans[1]
    assert (folder / "here.wav").read_bytes() == (folder / "there.wav").read_bytes()


def test_a_moved_corpus(run, folder, tmp_path):
    shutil.copytree(folder / "drums", tmp_path / "moved")
    line = ("mosaic", str(TARGET), "drums.db", "-o", "moved.wav", "--root", str(tmp_path / "moved"))
    assert run(*line, *CLUSTER).exit_code == 0
    plan = json.loads((folder / "moved.plan.json").read_text())
    assert plan["database"]["root"] == str(tmp_path / "moved")


def test_what_needs_the_whole_corpus_is_refused(run):
    line = ("mosaic", str(TARGET), "drums.db", "-o", "voices.wav", "--voices", "2", *CLUSTER)
    result = run(*line)
    assert result.exit_code == 2
    assert "without --cluster" in result.output
