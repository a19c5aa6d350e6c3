"""Steps of a mosaic stretched from the lengths of their units to their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from demiurge.pipeline import render_mosaic
from demiurge.plans import stretching
from demiurge.plans.edit import lock_steps
from demiurge.plans.reselect import reselect
from demiurge.plans.settings import PlanSettings
from demiurge.plans.stretching import stretched
from files.errors import ParameterError, PlanError
from playback.plan import Plan, Step
from query.options import PathOptions
from query.settings import SearchSettings
from query.voices.options import VoiceOptions
from tests.demiurge.plans.test_placing import make_units

RATE = 10_000
AUTO = SearchSettings(stretch="auto")


class Table:
    """As much of a database as is needed: its units, in one source."""

    sample_rate = RATE

    def __init__(self, lengths: list[int]) -> None:
        self.units = make_units(lengths)
        self.sources = [Source()]

    def find_stored(self, ids: list[int], _: list[str]) -> np.ndarray:
        return self.units.find(ids)


class Source:
    path = "0.wav"


def steps_of(table: Table, positions: list[int], lengths: list[int]) -> list[Step]:
    ends = np.cumsum(lengths).tolist()
    return [
        Step(position, "0.wav", int(table.units.start_sample[position]), length, end - length)
        for position, length, end in zip(positions, lengths, ends, strict=True)
    ]


def test_each_unit_lasts_as_long_as_its_step():
    table = Table([1000, 2000, 3000])
    steps = steps_of(table, [0, 2, 1], [1500, 1600, 2600])
    made = stretched(steps, table)
    assert [step.stretch for step in made] == [1.5, pytest.approx(1600 / 3000), 1.3]
    assert [(step.at_sample, step.n_samples) for step in made] == [
        (step.at_sample, step.n_samples) for step in steps
    ]
    assert [step.end_sample for step in made] == [1000, 6000, 3000]


@pytest.mark.parametrize("length", [1029, 971, 499, 2001])
def test_little_and_too_much_is_left_alone(length):
    table = Table([1000, 2000])
    steps = steps_of(table, [0], [length])
    assert stretched(steps, table) == tuple(steps)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Loops, in onsets and in frames."""
    folder = tmp_path_factory.mktemp("stretching")
    (folder / "sounds").mkdir()
    for name in ("loop_industrial", "loop_breakbeat", "loop_compus"):
        samples, rate = sf.read(CORPUS_DIR / f"{name}.ogg")
        sf.write(folder / "sounds" / f"{name}.wav", samples[: 6 * rate], rate)
    for units in ("onset", "frame"):
        build_database(folder / "sounds", folder / units, settings=DescriptorSettings(units=units))
    return folder


def mosaic(folder: Path, search: SearchSettings, units: str = "onset") -> Plan:
    (result,) = render_mosaic(SEED_FILE, folder / units, folder / "out.wav", search=search)
    return Plan.load(result.plan_file)


def test_a_mosaic_is_stretched_to_the_length_of_its_target(folder):
    pytest.importorskip("python_stretch")
    plan = mosaic(folder, AUTO)
    as_it_was = mosaic(folder, SearchSettings())
    assert plan.settings["stretch"] == "auto"
    assert "stretch" not in as_it_was.settings
    assert plan.n_samples == as_it_was.n_samples == sf.info(folder / "out.wav").frames
    assert sum(step.stretch != 1 for step in plan.steps) > len(plan.steps) / 2
    assert {step.stretch for step in as_it_was.steps} == {1}
    assert plan.rest_samples == 0


def test_chosen_again_it_is_the_same_and_new_units_are_stretched(folder):
    pytest.importorskip("python_stretch")
    plan = mosaic(folder, AUTO)
    database = Database(folder / "onset")
    index = AUTO.index(database, np.array([step.n_samples for step in plan.steps]))
    assert reselect(plan, index, AUTO.path).steps == plan.steps
    locked = lock_steps(plan, [3, 4], True)
    again = reselect(locked, index, PathOptions(temperature=2, random_seed=1))
    for step, before in zip(again.steps[3:5], locked.steps[3:5], strict=True):
        assert (step.unit, step.stretch) == (before.unit, before.stretch)
    new = [
        step
        for step, before in zip(again.steps, locked.steps, strict=True)
        if step.unit != before.unit
    ]
    assert len(new) > len(plan.steps) / 3
    assert sum(step.stretch != 1 for step in new) > len(new) / 3
    assert PlanSettings.of(again).search.stretch == "auto"


def test_voices_are_stretched_too(folder):
    pytest.importorskip("python_stretch")
    plan = mosaic(folder, replace(AUTO, voices=VoiceOptions(2)))
    assert plan.n_voices == 2
    for voice in plan.voices:
        steps = plan.steps[voice.start : voice.stop]
        assert sum(step.stretch != 1 for step in steps) > len(steps) / 3


def test_frames_and_a_missing_package_are_told(folder, monkeypatch):
    with pytest.raises(ParameterError, match="frame; leave it out, or build a database of onsets"):
        mosaic(folder, AUTO, "frame")
    monkeypatch.setattr(stretching, "can_transform", lambda: False)
    with pytest.raises(ParameterError, match=r"python-stretch; .*-m pip install"):
        mosaic(folder, AUTO)


def test_wrong_words_are_refused():
    with pytest.raises(ParameterError, match="stretch='half' must be auto or off"):
        SearchSettings(stretch="half")
    with pytest.raises(PlanError, match="stretch=2 must be auto or off"):
        PlanSettings.from_dict({"stretch": 2})


def test_command_refuses_frames_in_one_line(folder, tmp_path):
    words = ["mosaic", SEED_FILE, folder / "frame", "-o", tmp_path / "out.wav", "--stretch", "auto"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert "--units onset" in result.output
    assert not (tmp_path / "out.wav").exists()
