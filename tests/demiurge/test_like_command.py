"""--like of query and mosaic, by a text and by a sound, as people run them."""

import json
import shutil

import pytest
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from tests.synth.clap_toys import write_clap

SOUNDS = ("loop_amen.ogg", "loop_tabla.ogg", "drum_roll.ogg", "ambi_choir.ogg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CLAP, a corpus, and a database with its columns."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("like")
    write_clap(folder / "my-clap")
    (folder / "sounds").mkdir()
    for name in SOUNDS:
        shutil.copy(CORPUS_DIR / name, folder / "sounds")
    descriptors = f"mfcc,clap:{folder / 'my-clap'}"
    build = ("db", "build", folder / "sounds", folder / "my.db", "--units", "fixed:50")
    run(*build, "--descriptors", descriptors)
    return folder


def run(*words, refused=False):
    result = CliRunner().invoke(main, [*map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert (result.exit_code > 0) == refused, result.output
    return result.stderr.replace("\n", " ") if refused else result.stdout


def query(folder, *words):
    command = ("query", folder / "sounds" / SOUNDS[0], folder / "my.db", "--steps", 1, "--json")
    return json.loads(run(*command, *words))


def test_a_sound_is_most_like_itself(folder):
    sound = folder / "sounds" / "ambi_choir.ogg"
    found = query(folder, "--like", sound, "--where", "like>0.99999", "-k", 1)
    (source,) = {one["source"] for step in found["steps"] for one in step["candidates"]}
    assert source == "ambi_choir.ogg"
    n_units = found["units"]["all"]
    assert 0 < found["units"]["like>0.99999"] < n_units


def test_a_text_and_a_sound_are_mixed_by_their_weights(folder):
    sound = folder / "sounds" / "drum_roll.ogg"
    found = query(folder, "--like", "rain on glass=2", "--like", sound, "-k", 1)
    assert list(found["units"]) == ["all", "like 'rain on glass'=2 and 'drum_roll.ogg'"]
    assert found["units"]["like 'rain on glass'=2 and 'drum_roll.ogg'"] < found["units"]["all"]


def test_a_plan_keeps_what_was_asked(folder, tmp_path):
    target = folder / "sounds" / SOUNDS[0]
    run("mosaic", target, folder / "my.db", "-o", tmp_path / "a.wav", "--like", "rain")
    plan = json.loads((tmp_path / "a.plan.json").read_text())
    assert plan["settings"]["filters"]["like"]["asked"] == [["rain", 1.0]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--like", "none.wav"), "none.wav: no such audio file"),
        (("--like", "rain=-1"), "--like rain=-1: a weight must be a positive number"),
        (("--like", " "), "--like is empty"),
        (("--where", "like>0.5"), "a condition on like goes with --like"),
    ],
)
def test_what_cannot_be_liked_is_refused(words, message, folder):
    command = ("query", folder / "sounds" / SOUNDS[0], folder / "my.db", *words)
    assert message in run(*command, refused=True)


def test_a_database_without_clap_says_how_to_get_it(folder, tmp_path):
    run("db", "build", folder / "sounds", tmp_path / "p.db", "--descriptors", "mfcc")
    command = ("query", folder / "sounds" / SOUNDS[0], tmp_path / "p.db", "--like", "rain")
    assert "p.db has no columns of CLAP, which --like needs; fetch a" in run(*command, refused=True)


def test_a_clap_that_was_moved_or_changed_is_told(folder):
    moved = (folder / "my-clap").rename(folder / "elsewhere")
    command = ("query", folder / "sounds" / SOUNDS[0], folder / "my.db", "--like", "rain")
    try:
        assert "whose vectors are descriptors here, is not there any" in run(*command, refused=True)
        write_clap(folder / "my-clap", is_fused=True)
        assert "the CLAP has the hash" in run(*command, refused=True)
    finally:
        shutil.rmtree(folder / "my-clap", ignore_errors=True)
        moved.rename(folder / "my-clap")
