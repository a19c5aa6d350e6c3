"""Mosaics of targets that are unlike their corpus."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audio.span_loudness import loudness_of_each
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.domains import ALIKE, Domains
from demiurge.pipeline import render_mosaic
from demiurge.plans.edit import remove_steps, repeat_step, replace_unit
from demiurge.plans.follow import LOWER_DB, RAISE_DB, find_gains, follow_again
from demiurge.plans.reselect import reselect
from demiurge.plans.settings import PlanSettings
from demiurge.results import RenderResult
from files.errors import ParameterError, PlanError
from playback.plan import Plan
from query.settings import SearchSettings
from tests.sounds import chord, clicks, noise

RATE = 22050
HOP = 1024
BPM = 60 * RATE / (11 * HOP)  # every click begins a step
UNLIKE = Domains("own", "follow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A corpus of quiet chords, and targets."""
    folder = tmp_path_factory.mktemp("domains")
    (folder / "in").mkdir()
    for root in range(48, 72, 2):
        notes = chord([root, root + 7], 1.0, level=0.05) * np.linspace(1, 0.3, RATE)
        sf.write(folder / "in" / f"chord_{root}.wav", notes, RATE)
    build_database(folder / "in", folder / "db", settings=DescriptorSettings(sample_rate=RATE))
    sf.write(folder / "clicks.wav", clicks(BPM, 4), RATE)
    sf.write(folder / "chords.wav", chord([50, 57], 2.0, level=0.05), RATE)
    sf.write(folder / "silence.wav", np.zeros(RATE), RATE)
    sf.write(folder / "noise.wav", noise(2), RATE)
    sf.write(folder / "short.wav", noise(0.02), RATE)
    return folder


def mosaic(folder: Path, target: str, domains: Domains, tmp_path: Path) -> RenderResult:
    (result,) = render_mosaic(
        folder / f"{target}.wav",
        folder / "db",
        tmp_path / "out.wav",
        search=SearchSettings(),
        domains=domains,
    )
    return result


def levels_of_steps(path: Path, n_samples: int) -> np.ndarray:
    audio, rate = sf.read(path, dtype="float32")
    spans = np.array_split(audio, np.arange(n_samples, len(audio), n_samples))
    return loudness_of_each(spans, rate)


def test_units_follow_the_level_of_an_unlike_target(folder, tmp_path):
    result = mosaic(folder, "clicks", Domains(), tmp_path)
    assert (result.settled.range, result.settled.level) == ("own", "follow")
    wanted = levels_of_steps(folder / "clicks.wav", HOP)
    found = levels_of_steps(result.wav, HOP)
    before = mosaic(folder, "clicks", ALIKE, tmp_path)
    assert result.n_distinct_units > 1.5 * before.n_distinct_units
    assert np.ptp(levels_of_steps(before.wav, HOP)) < 30
    assert np.corrcoef(np.maximum(wanted, -60), np.maximum(found, -60))[0, 1] > 0.8


def test_a_like_target_gives_the_plan_that_it_always_gave(folder, tmp_path):
    alike = mosaic(folder, "chords", ALIKE, tmp_path).plan_file.read_bytes()
    result = mosaic(folder, "chords", Domains(), tmp_path)
    assert result.plan_file.read_bytes() == alike
    assert result.settled.range == "shared"
    assert "range" not in json.loads(alike)["settings"]


def test_the_plan_says_range_and_levels_and_is_read_again(folder, tmp_path):
    result = mosaic(folder, "clicks", UNLIKE, tmp_path)
    settings = PlanSettings.of(Plan.load(result.plan_file))
    assert (settings.range, settings.level) == ("own", "follow")
    assert len(settings.levels) == len(result.target)
    assert settings.crossfade.level_db == 0


def test_choosing_again_gives_the_same_plan(folder, tmp_path):
    plan = Plan.load(mosaic(folder, "clicks", UNLIKE, tmp_path).plan_file)
    database = Database(folder / "db")
    search = PlanSettings.of(plan).search
    index = search.index(database, np.array([step.n_samples for step in plan.steps]))
    assert reselect(plan, index, search.path).steps == plan.steps


def test_other_units_follow_the_level_too(folder, tmp_path):
    plan = Plan.load(mosaic(folder, "clicks", UNLIKE, tmp_path).plan_file)
    database = Database(folder / "db")
    settings = PlanSettings.of(plan)
    number = int(np.argmax([settings.levels[step.target] for step in plan.steps[:-1]]))
    step = plan.steps[number]
    other = step.alternatives[0]["unit"]
    edited = replace_unit(plan, number, other, database)
    again = replace_unit(edited, number, step.unit, database)
    assert edited.steps[number].gain_db != 0
    assert again.steps[number].gain_db == step.gain_db
    search = settings.search
    index = search.index(database, np.array([step.n_samples for step in plan.steps]))
    chosen = reselect(plan, index, replace(search.path, continuity=2.0))
    wanted = [settings.levels[step.target] for step in chosen.steps]
    gains = [step.gain_db for step in chosen.steps]
    everything = range(len(chosen.steps))
    measured = follow_again(chosen, everything, settings.levels, database.root)
    assert [step.gain_db for step in measured.steps] == gains
    assert np.ptp(wanted) > 30


def test_edited_plans_can_be_saved(folder, tmp_path):
    plan = Plan.load(mosaic(folder, "clicks", UNLIKE, tmp_path).plan_file)
    number = next(n for n, step in enumerate(plan.steps) if step.ramp)
    for edited in (remove_steps(plan, [number - 1]), repeat_step(plan, number, 2)):
        edited.save(tmp_path / "edited.plan.json")
        assert Plan.load(tmp_path / "edited.plan.json").steps == edited.steps


def test_gains_are_limited_and_near_silence_is_not_raised():
    wanted = np.array([-20.0, -20, -20, -120, -120])
    played = np.array([-30.0, -60, -61, -20, -70])
    gains = find_gains(wanted, played)
    assert gains.tolist() == [10, RAISE_DB, 0, -LOWER_DB, -50]


@pytest.mark.parametrize("target", ["silence", "noise", "short"])
@pytest.mark.parametrize("domains", [Domains(), UNLIKE, Domains("own", "own")])
def test_silence_noise_and_a_single_step_can_be_rebuilt(folder, tmp_path, target, domains):
    result = mosaic(folder, target, domains, tmp_path)
    audio, _ = sf.read(result.wav)
    assert np.isfinite(audio).all()
    assert len(audio) == len(sf.read(folder / f"{target}.wav")[0])
    if target == "silence" and result.settled.level == "follow":
        assert np.abs(audio).max() < 0.001


def test_a_corpus_of_one_unit_is_played(tmp_path):
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "one.wav", chord([60], HOP / RATE), RATE)
    build_database(tmp_path / "in", tmp_path / "db", settings=DescriptorSettings(sample_rate=RATE))
    sf.write(tmp_path / "short.wav", noise(0.04), RATE)
    for domains in (Domains(), UNLIKE):
        assert len(mosaic(tmp_path, "short", domains, tmp_path).plan.steps) == 1


def test_levels_are_followed_without_descriptors_of_level(folder, tmp_path):
    settings = DescriptorSettings(sample_rate=RATE, descriptors=("chroma",))
    build_database(folder / "in", tmp_path / "db", settings=settings)
    sf.write(tmp_path / "clicks.wav", clicks(BPM, 2), RATE)
    result = mosaic(tmp_path, "clicks", UNLIKE, tmp_path)
    assert len({step.gain_db for step in result.plan.steps}) > 5


def test_unknown_choices_are_refused():
    with pytest.raises(ParameterError, match="range='wide' must be own, shared or auto"):
        Domains(range="wide")
    with pytest.raises(ParameterError, match="level='loud' must be follow, own or auto"):
        Domains(level="loud")


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("range", "wide", "range='wide' must be own or shared"),
        ("level", 3, "level=3 must be follow or own"),
        ("levels", [1, "x"], "must be a list of numbers"),
        ("levels", 7, "levels=7 must be a list of numbers"),
    ],
)
def test_wrong_settings_of_a_plan_are_refused(key, value, rule):
    with pytest.raises(PlanError, match=rule):
        PlanSettings.from_dict({key: value})
