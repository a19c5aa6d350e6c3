"""demiurge playback of plans with voices and ramps."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from demiurge.cli.plan_table import nearest_text
from playback.plan import Plan, Step

HOP = 1024
SOUNDS = ("ambi_choir.ogg", "loop_amen.ogg")


@pytest.fixture
def saved(tmp_path) -> Path:
    """Half a second of two voices, each in runs of three units whose gains glide."""
    steps = []
    for voice, sound in enumerate(SOUNDS):
        for number in range(20):
            ramp = number % 3 > 0
            start = steps[-1].end_sample if ramp else (7 * number % 15) * HOP
            where = start, HOP, (number + 2 * voice) * HOP
            step = Step(number, sound, *where, voice=voice, ramp=ramp)
            steps.append(replace(step, gain_db=-12.0 - number % 5))
    plan = Plan(44100, 2, {"id": "x", "root": str(CORPUS_DIR)}, tuple(steps), tail_samples=HOP)
    plan.save(tmp_path / "p.plan.json")
    return tmp_path / "p.plan.json"


def run(*arguments, expect=0) -> str:
    result = CliRunner().invoke(main, ["playback", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result.stderr if expect else result.stdout


def test_stems_of_voices_add_up_to_what_is_rendered(tmp_path, saved):
    parts = tmp_path / "parts"
    run(saved, "-o", tmp_path / "o.wav", "--stems", parts, "--stems-by", "voice")
    assert sorted(path.name for path in parts.iterdir()) == ["voice 0.wav", "voice 1.wav"]
    total = sum(sf.read(path)[0] for path in parts.iterdir())
    np.testing.assert_allclose(total, sf.read(tmp_path / "o.wav")[0], atol=1e-6)


def test_what_stems_are_by_needs_stems(tmp_path, saved):
    text = run(saved, "-o", tmp_path / "o.wav", "--stems-by", "voice", expect=2)
    assert "--stems-by voice says what has a stem; give --stems FOLDER as well" in " ".join(
        text.split()
    )


def test_list_of_a_plan_has_a_column_of_voices(saved):
    text = run(saved, "--show")
    assert "40 units in 2 voices of 2 sources, 12 joins" in text
    assert "rests for 0.02 s" in text
    cells = [re.split(r" *│ *", line.strip("│ ")) for line in text.splitlines() if "│" in line]
    assert [(row[0], row[1]) for row in cells] == [(str(n), str(n // 20)) for n in range(40)]
    assert "glides to -13 dB" in text


def test_json_of_a_plan_says_its_voices_and_ramps(tmp_path, saved):
    facts = json.loads(run(saved, "--show", "--json"))
    assert facts["voices"] == 2
    assert [step["voice"] for step in facts["steps"]] == [0] * 20 + [1] * 20
    assert [step["ramp"] for step in facts["steps"][:4]] == [False, True, True, False]
    assert [step["contiguous"] for step in facts["steps"][:4]] == [False, True, True, False]
    plan = Plan.load(saved)
    alone = [replace(step, ramp=False) for step in plan.steps[:20]]
    replace(plan, steps=tuple(alone)).save(tmp_path / "alone.json")
    facts = json.loads(run(tmp_path / "alone.json", "--show", "--json"))
    assert "voices" not in facts
    assert not {"voice", "ramp"} & facts["steps"][0].keys()
    assert "voice" not in run(tmp_path / "alone.json", "--show")


def test_picture_of_voices_is_drawn(tmp_path, saved):
    run(saved, "-o", tmp_path / "o.wav", "--picture", tmp_path / "o.png")
    again = tmp_path / "again.png"
    run(saved, "-o", tmp_path / "p.wav", "--picture", again)
    assert (tmp_path / "o.png").read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at_sample": 0}, "step 21: at_sample=0 lies before step 20 ends, at 3072; steps of a"),
        ({"voice": 0}, "step 21: voice=0 comes after voice 1 of step 20; list all steps of a"),
        ({"voice": -1}, "step 21: voice=-1 must be an integer from 0 to 15"),
        ({"voice": 16}, "step 21: voice=16 must be an integer from 0 to 15"),
        ({"start_sample": 9}, "step 21: ramp=true, but it does not go on from the step before"),
    ],
)
def test_voices_that_break_a_rule_are_refused_by_name(tmp_path, saved, change, message):
    document = json.loads(saved.read_text())
    document["steps"][21].update(change)
    saved.write_text(json.dumps(document))
    text = run(saved, "-o", tmp_path / "o.wav", expect=1)
    assert message in " ".join(text.split())


def test_voices_in_a_plan_of_version_1_are_refused(tmp_path, saved):
    saved.write_text(saved.read_text().replace('"version": 2', '"version": 1'))
    text = " ".join(run(saved, "-o", tmp_path / "o.wav", expect=1).split())
    assert 'step 0: voice is not known in "version": 1; write "version": 2, or leave' in text


def test_nearest_alternative_is_shown_with_its_transposition():
    other = {"unit": 7, "distance": 1.5, "source": "notes/a.wav", "start_sample": 22050}
    assert nearest_text([other], 44100) == "1.500 a.wav 0.500 s"
    shifted = {**other, "distance": 1.25, "transpose": -2.0, "removed": "max_run"}
    assert nearest_text([other, shifted], 44100) == "1.250 a.wav 0.500 s -2 semitones (max_run)"
    assert nearest_text([{"unit": 7, "distance": 1.5, "transpose": 1.0}], 44100) == (
        "1.500 unit 7 +1 semitones"
    )
