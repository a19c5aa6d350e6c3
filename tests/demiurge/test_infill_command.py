"""demiurge infill as people run it."""

import json
from pathlib import Path

import pytest
import soundfile as sf
from click.testing import CliRunner

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.cli import main
from playback.plan import Plan
from sequencer.masked import MaskedModel
from tests.demiurge.plans.masked_model import masked_model

FRAMES = DescriptorSettings()


@pytest.fixture(scope="module")
def made(tmp_path_factory, tabla) -> Path:
    """A database `my.db` of a second of tabla, forwards and backwards, a model and a plan."""
    folder = tmp_path_factory.mktemp("infill")
    (folder / "sounds").mkdir()
    sf.write(folder / "sounds" / "x.wav", tabla, 44100)
    sf.write(folder / "sounds" / "y.wav", tabla[::-1], 44100)
    sf.write(folder / "seed.wav", tabla[20000:], 44100)
    build_database(folder / "sounds", folder / "my.db", settings=FRAMES)
    masked_model(Database(folder / "my.db")).save(folder / "my.model")
    run("mosaic", folder / "seed.wav", folder / "my.db", "-o", folder / "out.wav")
    return folder


def run(*words, expect=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == expect, result.output
    return result


def infill(made: Path, out: Path, *options, expect=0):
    given = made / "out.plan.json", made / "my.db", made / "my.model"
    return run("infill", *given, "-o", out, *options, expect=expect)


def test_audio_and_its_plan_are_written_and_a_plan_alone(made, tmp_path):
    result = infill(made, tmp_path / "new.wav", "--keep", "periodic:2")
    before = Plan.load(made / "out.plan.json")
    plan = Plan.load(tmp_path / "new.plan.json")
    assert "new.wav: 0.5" in result.output
    assert f"s of {len(plan.steps)} units; 12 kept, " in result.output
    assert plan.settings["infill"]["keep"] == ["periodic:2"]
    assert plan.steps[2] != before.steps[3]
    infill(made, tmp_path / "alone.plan.json", "--keep", "periodic:2")
    assert Plan.load(tmp_path / "alone.plan.json") == plan
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "alone.plan.json",
        "new.plan.json",
        "new.wav",
    ]


def test_json_says_what_was_kept_of_each_variation(made, tmp_path):
    options = "--keep", "prefix:0.1", "--keep", "suffix:0.1", "--variations", 2, "--json"
    facts = json.loads(infill(made, tmp_path / "new.plan.json", *options).stdout)
    assert [one["plan"] for one in facts] == [
        str(tmp_path / f"new-{number}.plan.json") for number in (1, 2)
    ]
    assert all(one["kept"] == 8 for one in facts)
    assert all(0 < one["changed"] <= one["steps"] - 8 for one in facts)
    plans = [Plan.load(one["plan"]) for one in facts]
    assert plans[0].steps != plans[1].steps
    one = json.loads(infill(made, tmp_path / "one.wav", *options[:4], "--json").stdout)
    assert one["wav"] == str(tmp_path / "one.wav")
    assert one["peak"] <= 1
    assert Plan.load(tmp_path / "one.plan.json").steps == plans[0].steps


def test_the_same_random_seed_gives_the_same_bytes(made, tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        out = tmp_path / f"{name}.wav"
        infill(made, out, "--keep", "random:0.5", "--random-seed", seed)
    for suffix in (".wav", ".plan.json"):
        a, b, c = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "abc")
        assert a == b != c


def test_nothing_is_overwritten_without_force(made, tmp_path):
    (tmp_path / "new.plan.json").write_text("mine")
    refused = infill(made, tmp_path / "new.wav", "--keep", "periodic:2", expect=2)
    assert "new.plan.json exists; give another name, or --force" in refused.output
    infill(made, tmp_path / "new.wav", "--keep", "periodic:2", "--force")
    refused = infill(made, made / "out.wav", "--keep", "periodic:2", "--force", expect=2)
    assert "out.plan.json would be written over; give another name" in refused.output


def test_what_does_not_fit_is_refused(made, tmp_path):
    out = tmp_path / "new.wav"
    assert "Missing option '--keep'" in infill(made, out, expect=2).output
    for keep, message in [
        ("every:2", "unknown prompt 'every:2'; known are steps:A,B-C"),
        ("prefix:99", "all 24 steps stay as they are, so that none is chosen again; keep fewer"),
        ("prefix:0", "none of the 24 steps is kept; keep more of them"),
        ("locked", "no step is locked"),
    ]:
        assert message in " ".join(infill(made, out, "--keep", keep, expect=2).output.split())
    assert not out.exists()


def test_a_forecaster_is_refused_and_a_masked_model_where_one_must_forecast(made, tmp_path):
    run("sequencer", "train", made / "my.db", tmp_path / "f", "--epochs", 1, "--head", "point")
    words = "infill", made / "out.plan.json", made / "my.db", tmp_path / "f", "--keep", "steps:0"
    refused = run(*words, "-o", tmp_path / "new.wav", expect=1)
    assert "holds a forecaster, not a masked model; give another model" in refused.output
    model = made / "my.model"
    for words in (
        (
            "sequencer",
            "forecast",
            model,
            made / "seed.wav",
            "--steps",
            2,
            "-o",
            tmp_path / "x.json",
        ),
        ("sequencer", "evaluate", model, made / "my.db"),
        ("render", made / "seed.wav", made / "my.db", model, "-o", tmp_path / "x.wav"),
    ):
        refused = run(*words, expect=1)
        assert "holds a masked model, not a forecaster; give another model" in refused.output


def test_training_says_what_it_is_and_refuses_what_is_of_forecasters(made, tmp_path):
    words = "sequencer", "train", made / "my.db", tmp_path / "m", "--architecture", "masked"
    for given in ("--head mixture", "--pattern delayed", "--coarse 0", "--with band.wav"):
        refused = run(*words, *given.split(), expect=2)
        name = given.split()[0]
        message = f"{given} does not go with --architecture masked; leave {name} out"
        assert message in " ".join(refused.output.split())
    said = " ".join(run(*words, "--epochs", 1).output.split())
    assert "masked with tokens head, epoch 1 of 1 is the best" in said
    assert "nats per masked token on" in said
    assert MaskedModel.load(tmp_path / "m").config.settings == FRAMES
    facts = json.loads(run(*words, "--epochs", 2, "--resume", "--json").stdout)
    assert (facts["architecture"], facts["head"], facts["epochs"]) == ("masked", "tokens", 2)
