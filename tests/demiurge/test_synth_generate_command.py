"""demiurge synth generate from sounds, as people run it."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import soundfile as sf
import torch
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from demiurge.cli.options.file_request import weighted
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.pages import ROOT, demiurge_commands, lay_out, run
from tests.synth.toy_flows import MEL, RATE, toy_flow

CHOIR = CORPUS_DIR / "ambi_choir.ogg"
DRUMS = CORPUS_DIR / "loop_amen.ogg"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    toy_flow().save(folder / "my.flow")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"dim": 16, "intermediate_dim": 16}
        Vocoder("vocos-small", MEL, config=sizes).save(folder / "my.vocoder")
        UnaganGenerator(UnaganConfig(z_channels=6, width=16), MEL).save(folder / "my.unagan")
    return folder


def generate(models, out, line, *, generator="my.flow", expect=0):
    command = ["synth", "generate", models / generator, models / "my.vocoder", out]
    result = CliRunner().invoke(main, [*map(str, command), *shlex.split(line)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


@pytest.mark.parametrize(
    ("line", "n_samples"),
    [
        (f"--continue {CHOIR} --seconds 1", 34653 + RATE),
        (f"--fill {CHOIR} --from 0.5 --to 0.75", 34653),
        (f"--follow {CHOIR}", 34653),
        (f"--follow {CHOIR} --like {DRUMS}", 34653),
        (f"--like {CHOIR}=2 --like {DRUMS} --seconds 1.5", round(1.5 * RATE)),
        ("--loop --seconds 1", 22 * 1024),
        (f"--loop --like {DRUMS} --seconds 1", 22 * 1024),
    ],
)
def test_one_file_is_made_of_a_sound(line, n_samples, models, tmp_path):
    told = generate(models, tmp_path / "out", line).stdout
    assert "1 file made" in told
    assert sf.info(tmp_path / "out" / "generated-000001.flac").frames == n_samples
    if "CHOIR" in line:
        assert "2 channels are mixed to one, resampled from 44100 to 22050 Hz" in told
    if "--loop" in line:
        assert f"each loop lasts {n_samples / RATE:.6f} s, {n_samples} samples" in told
    again = json.loads(generate(models, tmp_path / "out", f"{line} --json").stdout)
    assert (again["made"], again["kept"]) == (0, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"--fill {CHOIR} --from 1", "--from and --to belong together"),
        (f"--fill {CHOIR}", "--fill needs --from and --to"),
        (f"--fill {CHOIR} --from 1 --to nan", "nan is not a time in seconds"),
        (f"--fill {CHOIR} --from 1 --to 2", "--to 2 lies after the end of ambi_choir.ogg"),
        (f"--continue {CHOIR} --loop", "--continue and --loop cannot be combined"),
        (f"--like {CHOIR}=-1", "-1: a weight must be a positive number"),
        ("--like none.wav=3", "none.wav: no such audio file"),
    ],
)
def test_what_cannot_be_made_is_refused(line, message, models, tmp_path):
    named = map(str, (models / "my.flow", models / "my.vocoder", tmp_path / "o"))
    result = CliRunner().invoke(main, ["synth", "generate", *named, *shlex.split(line)])
    assert result.exit_code in (1, 2)
    assert message in result.stderr.replace("\n", " ")
    assert not (tmp_path / "o").exists()


def test_a_unagan_is_told_by_its_architecture(models, tmp_path):
    result = generate(models, tmp_path / "o", "--loop", generator="my.unagan", expect=2)
    assert "my.unagan is a generator of the architecture unagan" in result.stderr


def test_a_weight_follows_the_last_equals_sign_unless_it_is_part_of_a_name(tmp_path):
    named = tmp_path / "a=2"
    named.write_text("")
    assert weighted(str(named)) == (named, 1.0)
    assert weighted("b.wav=2") == (Path("b.wav"), 2.0)
    assert weighted("b=c.wav=0.5") == (Path("b=c.wav"), 0.5)
    assert weighted("b=c.wav") == (Path("b=c.wav"), 1.0)
    assert weighted("b.wav") == (Path("b.wav"), 1.0)


@pytest.fixture
def shipped(models, tmp_path, monkeypatch):
    """The toy models, in place of those that come with Demiurge."""
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copytree(models / "my.flow", weights / "flow-piano")
    shutil.copytree(models / "my.vocoder", weights / "vocoder")
    monkeypatch.setattr("demiurge.shipped.WEIGHTS", weights)
    return weights


def test_commands_of_the_page_about_synth_make_what_it_says(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path)
    shutil.copy(CORPUS_DIR / "loop_tabla.ogg", tmp_path / "my_sounds")
    commands = demiurge_commands((ROOT / "docs" / "rooms" / "synth.md").read_text())
    options = {"--continue", "--fill", "--follow", "--like", "--loop"}
    seconds = {}
    for command in commands:
        if options & set(command):
            run(command)
            made = sorted((tmp_path / command[4]).glob("*.flac"))
            seconds[command[4]] = [sf.info(path).duration for path in made]
    seed = sf.info("my_seed.wav").duration
    assert seconds["more"] == [pytest.approx(seed + 10, abs=0.001)]
    assert seconds["filled"] == seconds["followed"] == [pytest.approx(seed, abs=0.001)]
    assert seconds["alike"] == [10]
    assert seconds["loops"] == [pytest.approx(4.040, abs=0.001)] * 3
