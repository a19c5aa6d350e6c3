"""demiurge mosaic of several voices, and of transposed units."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.bands import describe_bands
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.cli import main
from demiurge.domains import Domains
from demiurge.pipeline import render_mosaic
from demiurge.plans.settings import PlanSettings
from demiurge.sequences import describe
from demiurge.voices import describe_target
from files.errors import ParameterError
from playback.plan import Plan
from query.options import PathOptions
from query.settings import SearchSettings
from query.voices.options import VoiceOptions
from tests.sounds import RATE, chord, clicks, noise

HOP = 1024
NOTES = range(48, 72, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A corpus of single notes, a minor third apart, and targets."""
    folder = tmp_path_factory.mktemp("voices")
    (folder / "in").mkdir()
    for note in NOTES:
        sound = chord([note], 1.0) * np.linspace(1, 0.3, RATE, dtype=np.float32)
        sf.write(folder / "in" / f"{note}.wav", sound, RATE)
    sf.write(folder / "in" / "clicks.wav", clicks(120, 1.0), RATE)
    build_database(folder / "in", folder / "db", settings=DescriptorSettings(sample_rate=RATE))
    sf.write(folder / "chord.wav", chord([54, 60, 66], 0.8), RATE)
    sf.write(folder / "tune.wav", np.concatenate([chord([n], 0.4) for n in (55, 61, 58)]), RATE)
    sf.write(folder / "silence.wav", np.zeros(RATE), RATE)
    sf.write(folder / "noise.wav", noise(0.5), RATE)
    half = np.concatenate([chord([60], 0.5), np.zeros(RATE // 2, np.float32), chord([54], 0.5)])
    sf.write(folder / "pause.wav", half, RATE)
    return folder


def run(*arguments, expect=0) -> str:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == expect, result.output
    return result.stderr if expect else result.stdout


def mosaic(folder: Path, target: str, out: Path, *options, expect=0) -> str:
    where = folder / f"{target}.wav", folder / "db", "-o", out
    text = run("mosaic", *where, *options, expect=expect)
    return " ".join(text.split())


def plan_of(out: Path) -> Plan:
    return Plan.load(out.with_suffix(".plan.json"))


def test_notes_of_a_chord_are_found_in_voices(folder, tmp_path):
    out = tmp_path / "out.wav"
    mosaic(folder, "chord", out, "--voices", "3")
    plan = plan_of(out)
    sources = {step.source for step in plan.steps if step.gain_db > -30}
    assert sources == {"54.wav", "60.wav", "66.wav"}
    assert plan.n_voices == 3
    assert json.loads(out.with_suffix(".plan.json").read_text())["version"] == 2
    audio, rate = sf.read(out)
    assert (len(audio), rate) == (round(0.8 * RATE), RATE)
    assert plan.n_samples == len(audio)


def test_the_plan_keeps_how_it_was_made(folder, tmp_path):
    out = tmp_path / "out.wav"
    mosaic(folder, "chord", out, "--voices", "2", "--transpose", "1", "--follow", "pitch")
    settings = PlanSettings.of(plan_of(out))
    assert settings.search.voices == VoiceOptions(2, 1, "pitch")
    n_units = len(Database(folder / "db").units)
    assert settings.units == {"all": n_units}  # each once, not once for each transposition
    assert settings.index is None


def test_json_counts_the_steps_of_all_voices(folder, tmp_path):
    out = tmp_path / "out.wav"
    facts = json.loads(mosaic(folder, "chord", out, "--voices", "3", "--transpose", "2", "--json"))
    plan = plan_of(out)
    assert facts["steps"] == len(plan.steps) > 40
    assert facts["samples"] == round(0.8 * RATE)
    assert facts["sources"] == len({step.source for step in plan.steps})
    assert "range" not in facts
    assert all(abs(step.transpose) <= 2.5 for step in plan.steps)


def test_units_are_transposed_to_the_tune(folder, tmp_path):
    out = tmp_path / "out.wav"
    mosaic(folder, "tune", out, "--transpose", "auto")
    plan = plan_of(out)
    assert any(step.transpose for step in plan.steps)
    _, f0 = describe_bands(out, Database(folder / "db").settings)
    wanted = 440 * 2 ** ((np.repeat([55, 61, 58], 3) - 69) / 12)
    found = f0[[2, 4, 6, 11, 13, 15, 19, 21, 23]]
    assert np.mean(np.abs(1200 * np.log2(np.maximum(found, 1) / wanted)) < 50) >= 7 / 9
    mosaic(folder, "tune", tmp_path / "plain.wav", "--follow", "pitch")
    assert not any(step.transpose for step in plan_of(tmp_path / "plain.wav").steps)


def test_the_same_command_gives_the_same_bytes(folder, tmp_path):
    outs = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for out in outs:
        mosaic(folder, "tune", out, "--voices", "2", "--transpose", "1")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    plans = [out.with_suffix(".plan.json").read_bytes() for out in outs]
    assert plans[0] == plans[1]


def test_variations_are_different_plans(folder, tmp_path):
    mosaic(folder, "chord", tmp_path / "o.wav", "--voices", "2", "--variations", "2")
    one, other = (plan_of(tmp_path / f"o-{number}.wav") for number in (1, 2))
    units = [{(step.voice, step.target, step.unit) for step in plan.steps} for plan in (one, other)]
    assert len(units[0] & units[1]) < 0.3 * len(units[0])


def test_gains_glide_where_a_voice_goes_on_in_its_source(folder, tmp_path):
    out = tmp_path / "out.wav"
    mosaic(folder, "chord", out, "--voices", "2", "--continuity", "2")
    steps = plan_of(out).steps
    ramps = 0
    for before, step in pairwise(steps):
        follows = step.voice == before.voice and step.source == before.source
        follows &= step.start_sample == before.end_sample and step.at_sample == before.until_sample
        assert step.ramp == (follows and step.transpose == before.transpose)
        ramps += step.ramp
    assert ramps > 5


def test_one_voice_as_ever_is_a_plan_of_version_1(folder, tmp_path):
    for number, options in enumerate(((), ("--voices", "1", "--transpose", "0"))):
        mosaic(folder, "chord", tmp_path / f"{number}.wav", "--range", "shared", *options)
    texts = [(tmp_path / f"{number}.plan.json").read_text() for number in range(2)]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["version"] == 1
    assert "voices" not in json.loads(texts[0])["settings"]


def test_silence_in_the_target_is_silence(folder, tmp_path):
    out = tmp_path / "out.wav"
    mosaic(folder, "pause", out, "--voices", "2")
    audio, _ = sf.read(out)
    assert np.abs(audio[round(0.65 * RATE) : round(0.9 * RATE)]).max() < 1e-4
    assert np.abs(audio[: RATE // 2]).max() > 0.02


def test_a_silent_target_is_refused(folder, tmp_path):
    text = mosaic(folder, "silence", tmp_path / "o.wav", "--voices", "2", expect=2)
    assert "the target is silent throughout, so nothing would be played" in text
    assert not (tmp_path / "o.wav").exists()


def test_noise_has_no_pitch_and_is_rebuilt(folder, tmp_path):
    out = tmp_path / "o.wav"
    mosaic(folder, "noise", out, "--voices", "2", "--transpose", "auto")
    assert np.isfinite(sf.read(out)[0]).all()
    assert all(abs(step.transpose) <= 2 for step in plan_of(out).steps)


@pytest.mark.parametrize("voices", [0, 17, 100, -1])
def test_numbers_of_voices_out_of_range_are_refused(folder, tmp_path, voices):
    text = mosaic(folder, "chord", tmp_path / "o.wav", "--voices", voices, expect=2)
    assert f"{voices} is not in the range 1<=x<=16" in text


@pytest.mark.parametrize("semitones", ["13", "-1", "far", "1.5", "AUTO", "", "9" * 5000])
def test_transpositions_are_whole_semitones_or_auto(folder, tmp_path, semitones):
    text = mosaic(folder, "chord", tmp_path / "o.wav", f"--transpose={semitones}", expect=2)
    assert f"'{semitones}' must be 0 to 12 semitones, or auto" in text


@pytest.mark.parametrize("semitones", ["2", "auto"])
def test_transposing_without_the_extra_names_the_command(folder, tmp_path, monkeypatch, semitones):
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    text = mosaic(folder, "chord", tmp_path / "o.wav", "--transpose", semitones, expect=2)
    assert f"transpose={semitones} needs the package python-stretch; " in text
    assert '-m pip install "python-stretch>=' in text
    mosaic(folder, "chord", tmp_path / "o.wav", "--voices", "2")  # needs none


def test_more_voices_than_units_are_refused(folder, tmp_path):
    few = "--voices", "3", "--source", "60.wav", "--where", "start_s<0.05"
    text = mosaic(folder, "chord", tmp_path / "o.wav", *few, expect=2)
    assert "voices=3: only 2 units may be played; ask for fewer voices, or relax the" in text


def test_more_candidates_than_units_are_refused(folder, tmp_path):
    text = mosaic(folder, "chord", tmp_path / "o.wav", "--voices", "2", "-k", "9999", expect=2)
    assert "k=9999 must be between 1 and" in text


def test_rules_that_leave_nothing_are_named(folder, tmp_path):
    rules = "--min-reuse", "5", "--source", "60.wav", "--where", "start_s<0.3"
    text = mosaic(folder, "chord", tmp_path / "o.wav", "--voices", "2", *rules, expect=2)
    assert "min_reuse=5 s leaves none of" in text


def test_a_forecast_has_no_spectra(folder, tmp_path):
    database = Database(folder / "db")
    columns = database.descriptors[:4].T.tolist()
    forecast = dict(zip(database.settings.names, columns, strict=True))
    (tmp_path / "f.json").write_text(
        json.dumps({**forecast, "_id": ["x"] * 4, "_sample": [0, 1024, 2048, 3072]})
    )
    sequence = describe(folder / "chord.wav", database.settings)
    with pytest.raises(ParameterError, match=r"f\.json: a forecast has no spectra for voices"):
        describe_target(tmp_path / "f.json", sequence, database)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        (("--range", "own"), "range=own: voices are fitted to the spectra of the target"),
        (("--level", "own"), "level=own: the gains of voices make them as loud as the target"),
    ],
)
def test_voices_have_no_range_and_no_level_of_their_own(folder, tmp_path, domains, message):
    text = mosaic(folder, "chord", tmp_path / "o.wav", "--voices", "2", *domains, expect=2)
    assert message in text
    assert "leave it out, or ask for one voice without transpose and follow" in text
    same = ("--range", "shared") if domains[0] == "--range" else ("--level", "follow")
    mosaic(folder, "chord", tmp_path / "o.wav", "--voices", "2", *same)


def test_from_python_voices_need_no_domains(folder, tmp_path):
    search = SearchSettings(voices=VoiceOptions(2), path=PathOptions(k=8))
    (result,) = render_mosaic(
        folder / "chord.wav", folder / "db", tmp_path / "o.wav", search=search
    )
    assert result.settled is None
    assert result.plan.n_voices == 2
    with pytest.raises(ParameterError, match="range=own"):
        render_mosaic(
            folder / "chord.wav",
            folder / "db",
            tmp_path / "o.wav",
            search=search,
            domains=Domains("own"),
        )


@pytest.mark.parametrize("kind", ["onset", "fixed:200"])
def test_longer_units_fill_steps_of_other_lengths(folder, tmp_path, kind):
    settings = DescriptorSettings(sample_rate=RATE, units=kind)
    build_database(folder / "in", tmp_path / "db", settings=settings)
    out = tmp_path / "o.wav"
    run("mosaic", folder / "tune.wav", tmp_path / "db", "-o", out, "--voices", "2")
    plan = plan_of(out)
    assert plan.n_samples == len(sf.read(out)[0]) == sf.info(folder / "tune.wav").frames
    assert plan.n_voices == 2


def test_steps_longer_than_all_sources_are_refused(folder, tmp_path):
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "a.wav", chord([60], 0.3), RATE)
    settings = DescriptorSettings(sample_rate=RATE, units="onset")
    build_database(tmp_path / "in", tmp_path / "db", settings=settings)
    target = folder / "chord.wav"
    text = run(
        "mosaic",
        target,
        tmp_path / "db",
        "-o",
        tmp_path / "o.wav",
        "--voices",
        1,
        "--follow",
        "timbre",
        expect=2,
    )
    assert "the longest step lasts" in " ".join(text.split())
