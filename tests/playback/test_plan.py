import json
import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from files.errors import PlanError
from playback.plan import Plan, Step
from playback.targets import Targets
from tests.hostile import HOSTILE, replaced, value_or_error

STEPS = (
    Step(7, "a/x.wav", 0, 1024, 0, distance=1.5, alternatives=({"unit": 9, "distance": 2.0},)),
    Step(8, "b/x.wav", 2048, 1000, 1024, gain_db=-3.0),
)
STAMPS = {"a/x.wav": {"hash": "0123", "bytes": 99, "modified_ns": 5}}
PLAN = Plan(
    44100,
    2,
    {"id": "d", "root": "/sounds"},
    STEPS,
    {"crossfade": {"fade": "linear"}},
    sources=STAMPS,
)
WANTED = np.array([[0.5, -2.0, 3.0], [1e-9, 4.0, -0.0]], np.float32)
FOUND = replace(
    PLAN, steps=(replace(STEPS[0], target=1, locked=True), STEPS[1]), targets=Targets.of(WANTED)
)


def test_plan_comes_back_as_it_was_saved(tmp_path):
    PLAN.save(tmp_path / "p.json")
    assert Plan.load(tmp_path / "p.json") == PLAN
    assert PLAN.n_samples == 2024


def test_file_has_one_step_per_line_and_the_documented_keys(tmp_path):
    PLAN.save(tmp_path / "p.json")
    text = (tmp_path / "p.json").read_text()
    assert sum('"unit"' in line and '"source"' in line for line in text.splitlines()) == 2
    keys = [
        "format",
        "version",
        "sample_rate",
        "channels",
        "database",
        "settings",
        "tail_samples",
        "sources",
        "steps",
    ]
    assert list(json.loads(text)) == keys


def test_plan_with_targets_comes_back_as_it_was_saved(tmp_path):
    FOUND.save(tmp_path / "p.json")
    for alternatives in (True, False):
        loaded = Plan.load(tmp_path / "p.json", alternatives=alternatives)
        assert loaded.targets == FOUND.targets
        assert loaded.targets.rows.tobytes() == WANTED.tobytes()
        assert [(step.target, step.locked) for step in loaded.steps] == [(1, True), (-1, False)]
    assert Plan.load(tmp_path / "p.json") == FOUND
    assert Plan.load(tmp_path / "p.json") != PLAN


def test_targets_are_one_line_behind_the_steps(tmp_path):
    FOUND.save(tmp_path / "p.json")
    lines = (tmp_path / "p.json").read_text().splitlines()
    assert (
        lines[-2]
        == ' "targets": {"n_descriptors": 3, "float32": "AAAAPwAAAMAAAEBAX3CJMAAAgEAAAACA"}'
    )
    document = json.loads((tmp_path / "p.json").read_text())
    assert list(document)[-1] == "targets"
    assert (document["steps"][1]["target"], document["steps"][1]["locked"]) == (-1, False)


def test_targets_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        FOUND.targets.rows[0, 0] = 1
    kept = Targets.of(changing := WANTED.astype(np.float64).T.copy().T)
    changing[:] = 0
    np.testing.assert_array_equal(kept.rows, WANTED)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        (WANTED[0], "of shape .3,. must be a sequence"),
        (WANTED[:0], "0 bytes must be one or more rows of 3 float32 values"),
        (WANTED[:, :0], "n_descriptors=0 must be an integer of at least 1"),
        (np.where(WANTED == 4, np.nan, WANTED), "row 1 must be finite"),
        (np.where(WANTED == 3, np.inf, WANTED), "row 0 must be finite"),
    ],
)
def test_what_cannot_be_targets_is_refused(sequence, message):
    with pytest.raises(PlanError, match=f'"targets".*{message}'):
        Targets.of(sequence)


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="other"), '"format" must be "demiurge-plan"'),
        (lambda d: d.update(version=4), '"version" is 4, but this Demiurge reads 1 to 3; update'),
        (lambda d: d.pop("channels"), "channels is missing; correct it, or make the plan again"),
        (lambda d: d.update(tempo=3), "tempo is not known; known are .*tail_samples"),
        (lambda d: d.update(channels=0), "channels=0 must be an integer from 1 to 8"),
        (lambda d: d.update(channels=9), "channels=9 must be an integer from 1 to 8"),
        (lambda d: d.update(sample_rate=44100.0), "sample_rate=44100.0 must be an integer"),
        (
            lambda d: d.update(sample_rate=999),
            "sample_rate=999 must be an integer from 1000 to 768000",
        ),
        (
            lambda d: d.update(sample_rate=768001),
            "sample_rate=768001 must be an integer from 1000 to 768000",
        ),
        (
            lambda d: d.update(tail_samples=2**32 + 1),
            "tail_samples=4294967297 must be an integer from 0 to 4294967296",
        ),
        (lambda d: d.update(database={}), "database: id is missing"),
        (lambda d: d.update(tail_samples=-1), "tail_samples=-1 must be an integer from 0 to"),
        (lambda d: d.update(settings=[]), "settings=.. must be an object"),
        (lambda d: d.update(steps=[]), "steps=.. must be a list of at least one step"),
        (lambda d: d["steps"].__setitem__(1, 5), "step 1: 5 must be an object"),
        (lambda d: d["steps"][1].pop("source"), "step 1: source is missing"),
        (
            lambda d: d["steps"][1].update(colour="red"),
            "step 1: colour is not known; known are unit, source, start_sample, n_samples,",
        ),
        (
            lambda d: d["steps"][1].update(start_sample=-1),
            "step 1: start_sample=-1 must be an integer from 0 to 4294967296",
        ),
        (
            lambda d: d["steps"][1].update(n_samples=0),
            "step 1: n_samples=0 must be an integer from 1 to 4294967296",
        ),
        (lambda d: d["steps"][1].update(unit=True), "step 1: unit=true must be an integer"),
        (
            lambda d: d["steps"][1].update(gain_db="loud"),
            'step 1: gain_db="loud" must be -200 to 60',
        ),
        (
            lambda d: d["steps"][1].update(gain_db=float("inf")),
            "line 1, column [0-9]+: Infinity is no number in JSON",
        ),
        (
            lambda d: d["steps"][1].update(gain_db=10**400),
            "step 1: gain_db=10{59}… must be -200 to 60",
        ),
        (
            lambda d: d["steps"][1].update(join=1e301),
            "step 1: join=1e\\+301 must be a finite number",
        ),
        (
            lambda d: d["steps"][1].update(at_sample=2**40),
            "step 1: at_sample=1099511627776 must be an integer from 0 to 4294967296",
        ),
        (
            lambda d: d["steps"][1].update(unit=-2),
            "step 1: unit=-2 must be an integer from -1 to",
        ),
        (
            lambda d: d["steps"][1].update(at_sample=None),
            "step 1: at_sample=null must be an integer from 0 to",
        ),
        (
            lambda d: d["steps"][1].update(at_sample=1000),
            "step 1: at_sample=1000 lies before step 0 ends, at 1024",
        ),
        (lambda d: d["steps"].reverse(), "step 1: at_sample=0 lies before step 0 ends"),
        (
            lambda d: d["steps"][0].update(source="/etc/passwd"),
            "step 0: source='/etc/passwd' must be a path within",
        ),
        (
            lambda d: d["steps"][0].update(source="a/../../x.wav"),
            "step 0: source=.* must be a path within",
        ),
        (
            lambda d: d["steps"][1].update(transpose="up"),
            'step 1: transpose="up" must be -48 to 48 semitones',
        ),
        (
            lambda d: d["steps"][1].update(transpose=60),
            "step 1: transpose=60 must be -48 to 48 semitones",
        ),
        (
            lambda d: d["steps"][1].update(stretch=0),
            "step 1: stretch=0 must be 0.1 to 10; 2 is twice as slow",
        ),
        (lambda d: d["steps"][1].update(reverse=1), "step 1: reverse=1 must be true or false"),
        (lambda d: d["steps"][1].update(gain_db=200), "step 1: gain_db=200 must be -200 to 60"),
        (lambda d: d.update(sources=[]), "sources=.. must be an object"),
        (lambda d: d["sources"]["a/x.wav"].pop("hash"), "sources.'a/x.wav'.: hash is missing"),
        (lambda d: d["steps"][0].update(alternatives=3), "step 0: alternatives=3 must be a list"),
        (
            lambda d: d["steps"][0].update(alternatives=[3]),
            "step 0: alternative 0: 3 must be an object",
        ),
        (
            lambda d: d["steps"][0]["alternatives"][0].pop("unit"),
            "step 0: alternative 0: unit is missing",
        ),
        (
            lambda d: d["steps"][0]["alternatives"][0].update(distance="far"),
            'step 0: alternative 0: distance="far" must be a finite number',
        ),
        (
            lambda d: d["steps"][0]["alternatives"][0].update(source=3),
            "step 0: alternative 0: source=3 must be text",
        ),
        (
            lambda d: d["steps"][0]["alternatives"][0].update(start_sample=0.5),
            "step 0: alternative 0: start_sample=0.5 must be an integer from 0 to",
        ),
        (lambda d: d["steps"][1].update(locked=1), "step 1: locked=1 must be true or false"),
        (
            lambda d: d["steps"][1].update(target=2),
            "step 1: target=2 must be a row of the targets, 0 to 1, or -1 for none",
        ),
        (
            lambda d: d["steps"][1].update(target=-2),
            "step 1: target=-2 must be an integer from -1 to",
        ),
        (
            lambda d: d["steps"][1].update(target=0.0),
            "step 1: target=0.0 must be an integer from -1 to",
        ),
        (lambda d: d.pop("targets"), "step 0: target=1 must be -1: the plan holds no targets"),
        (
            lambda d: d.update(targets=None),
            "targets=null must be an object",
        ),
        (
            lambda d: d["targets"].update(colour="red"),
            "targets: colour is not known; known are n_descriptors, float32",
        ),
        (
            lambda d: d["targets"].update(n_descriptors=True),
            "targets.n_descriptors=true must be an integer from 1 to",
        ),
        (
            lambda d: d["targets"].update(n_descriptors=0),
            "targets.n_descriptors=0 must be an integer from 1 to",
        ),
        (
            lambda d: d["targets"].update(n_descriptors=4),
            '"targets": 24 bytes must be one or more rows of 4 float32 values',
        ),
        (
            lambda d: d["targets"].update(float32=""),
            '"targets": 0 bytes must be one or more rows of 3 float32 values',
        ),
        (
            lambda d: d["targets"].update(float32="AAA"),
            'targets.float32="AAA" must be base64; correct it',
        ),
        (
            lambda d: d["targets"].update(float32="AA A"),
            'targets.float32="AA A" must be base64; correct it',
        ),
        (
            lambda d: d["targets"].update(float32="é"),
            'targets.float32=".u00e9" must be base64; correct it',
        ),
        (
            lambda d: d["targets"].update(float32=7),
            "targets.float32=7 must be base64; correct it",
        ),
        (
            lambda d: d["targets"].update(float32="AADAfw==", n_descriptors=1),
            '"targets": row 0 must be finite; make the plan',
        ),
    ],
)
def test_bad_plan_is_refused_by_name(tmp_path, change, message):
    FOUND.save(tmp_path / "p.json")
    edit(tmp_path / "p.json", change)
    with pytest.raises(PlanError, match=f"p.json: .*{message}"):
        Plan.load(tmp_path / "p.json")


def test_absent_optional_keys_mean_untouched(tmp_path):
    PLAN.save(tmp_path / "p.json")
    edit(
        tmp_path / "p.json",
        lambda d: [s.pop(k) for s in d["steps"] for k in ("gain_db", "distance", "alternatives")],
    )
    assert Plan.load(tmp_path / "p.json").steps[1] == Step(8, "b/x.wav", 2048, 1000, 1024)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1]", '"format" must be "demiurge-plan"; give a plan file'),
        (b"{}", '"format" must be "demiurge-plan"; give a plan file'),
        (
            b"RIFF\xff\xfe",
            "it is not UTF-8 text; correct it, or make the plan again with demiurge render",
        ),
        (b"", "line 1, column 1: it ends too early; correct it, or make the plan again"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6: expected ':'; correct it"),
        (
            b'{"a": ' + b"9" * 5000 + b"}",
            '"format" must be "demiurge-plan"; give a plan file',
        ),
        (b"[" * 100_000, '"format" must be "demiurge-plan"; give a plan file'),
        (b'{"format":' * 100_000, "its lists and objects are nested too deeply"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(PlanError, match=f"p.json: {message}"):
        Plan.load(tmp_path / "p.json")


def test_missing_plan_is_refused(tmp_path):
    with pytest.raises(
        PlanError, match="p.json: cannot be read .No such file or directory.; give a plan file"
    ):
        Plan.load(tmp_path / "p.json")


def test_byte_order_mark_of_an_editor_is_passed_over(tmp_path):
    PLAN.save(tmp_path / "p.json")
    (tmp_path / "p.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "p.json").read_bytes())
    assert Plan.load(tmp_path / "p.json") == PLAN


def test_steps_written_by_hand_follow_each_other(tmp_path):
    steps = [{"source": "a.wav", "start_sample": 9, "n_samples": n} for n in (100, 50, 25)]
    steps[1]["at_sample"] = 130
    document = {"format": "demiurge-plan", "version": 1, "sample_rate": 44100, "channels": 1}
    (tmp_path / "p.json").write_text(
        json.dumps({**document, "database": {"id": "x", "root": "."}, "steps": steps})
    )
    plan = Plan.load(tmp_path / "p.json")
    assert plan.steps == (
        Step(-1, "a.wav", 9, 100, 0),
        Step(-1, "a.wav", 9, 50, 130),
        Step(-1, "a.wav", 9, 25, 180),
    )
    assert (plan.settings, plan.tail_samples, plan.sources) == ({}, 0, {})


def test_alternatives_can_be_left_out(tmp_path):
    PLAN.save(tmp_path / "p.json")
    steps = Plan.load(tmp_path / "p.json", alternatives=False).steps
    assert [step.alternatives for step in steps] == [(), ()]
    assert steps[0].distance == 1.5


def test_length_in_the_source_follows_the_stretch():
    assert Step(0, "a", 100, 1000, 0).end_sample == 1100
    assert Step(0, "a", 100, 1000, 0, stretch=2.0).end_sample == 600
    assert Step(0, "a", 100, 1000, 0, stretch=0.5).end_sample == 2100
    assert Step(0, "a", 100, 1, 0, stretch=8.0).end_sample == 101


def test_identity_is_of_what_is_played(tmp_path):
    other = replace(
        PLAN, settings={}, steps=(replace(STEPS[0], distance=9.0, alternatives=()), STEPS[1])
    )
    assert other.identity == PLAN.identity == FOUND.identity
    assert len(PLAN.identity) == 32
    for how in (
        {"gain_db": -1.0},
        {"reverse": True},
        {"start_sample": 1},
        {"source": "a/y.wav"},
        {"transpose": 1.0},
        {"stretch": 2.0},
    ):
        assert replace(PLAN, steps=(replace(STEPS[0], **how), STEPS[1])).identity != PLAN.identity
    assert replace(PLAN, tail_samples=1).identity != PLAN.identity


def voiced(*places: tuple[int, int], n_samples: int = 100, **plan) -> Plan:
    """A plan of steps at (voice, at_sample)."""
    steps = [Step(-1, "a.wav", 9, n_samples, at, voice=voice) for voice, at in places]
    return Plan(44100, 1, {"id": "d", "root": "."}, tuple(steps), **plan)


GLIDING = replace(
    PLAN,
    steps=(
        Step(1, "a/x.wav", 0, 1024, 0, gain_db=-3.0),
        Step(2, "a/x.wav", 1024, 1024, 1024, ramp=True),
        Step(3, "a/x.wav", 512, 1024, 512, voice=1),
    ),
)


def test_plan_of_voices_lasts_until_its_latest_end():
    plan = voiced((0, 0), (0, 500), (2, 50), tail_samples=7)
    assert (plan.n_voices, plan.voices) == (3, (range(2), range(2, 2), range(2, 3)))
    assert plan.n_samples == 607
    assert voiced((0, 0), (1, 700)).n_samples == 800
    assert (PLAN.n_voices, PLAN.voices) == (1, (range(2),))


def test_rests_are_where_no_voice_plays():
    plan = voiced((0, 0), (0, 500), (1, 50), (1, 560), tail_samples=7)
    assert plan.rest_samples == 350 + 7
    assert PLAN.rest_samples == 0
    assert replace(PLAN, tail_samples=9).rest_samples == 9


def test_plan_of_voices_comes_back_in_version_2(tmp_path):
    for plan in (voiced((0, 0), (0, 500), (2, 50), (15, 0)), voiced((3, 0)), GLIDING):
        plan.save(tmp_path / "p.json")
        assert Plan.load(tmp_path / "p.json") == plan
        document = json.loads((tmp_path / "p.json").read_text())
        assert document["version"] == 2
        assert [(step["voice"], step["ramp"]) for step in document["steps"]] == [
            (step.voice, step.ramp) for step in plan.steps
        ]


def test_plan_of_one_voice_without_ramps_is_of_version_1(tmp_path):
    PLAN.save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    assert document["version"] == 1
    assert not {"voice", "ramp"} & document["steps"][0].keys()
    document["version"] = 2
    document["steps"][0] |= {"voice": 0, "ramp": False}
    (tmp_path / "p.json").write_text(json.dumps(document))
    assert Plan.load(tmp_path / "p.json") == PLAN


def test_steps_of_voices_written_by_hand_follow_those_of_their_voice(tmp_path):
    plan = voiced((0, 0), (0, 500), (2, 50))
    plan.save(tmp_path / "p.json")
    edit(
        tmp_path / "p.json",
        lambda d: d["steps"].extend(
            [
                {"source": "a.wav", "start_sample": 0, "n_samples": 5, "voice": 2},
                {"source": "a.wav", "start_sample": 0, "n_samples": 5, "voice": 3},
            ]
        ),
    )
    assert [step.at_sample for step in Plan.load(tmp_path / "p.json").steps] == [0, 500, 50, 150, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at_sample": 1000}, "step 1: at_sample=1000 lies before step 0 ends, at 1024; steps of"),
        ({"voice": -1}, "step 1: voice=-1 must be an integer from 0 to 15"),
        ({"voice": 16}, "step 1: voice=16 must be an integer from 0 to 15"),
        ({"voice": True}, "step 1: voice=true must be an integer from 0 to 15"),
        ({"voice": None}, "step 1: voice=null must be an integer from 0 to 15"),
        ({"voice": 2, "ramp": False}, "step 2: voice=1 comes after voice 2 of step 1; list all"),
        ({"voice": 1, "ramp": False}, "step 2: at_sample=512 lies before step 1 ends, at 2048"),
        ({"ramp": 1}, "step 1: ramp=1 must be true or false"),
        ({"voice": 1}, "step 1: ramp=true, but it does not go on from the step before"),
        ({"at_sample": 1025}, "step 1: ramp=true, but it does not go on from the step before"),
        ({"start_sample": 1025}, "step 1: ramp=true, but it does not go on.*; make it false"),
        ({"reverse": True}, "step 1: ramp=true, but it does not go on"),
        ({"transpose": 1}, "step 1: ramp=true, but it does not go on"),
    ],
)
def test_bad_voices_and_ramps_are_refused_by_name(tmp_path, change, message):
    GLIDING.save(tmp_path / "p.json")
    edit(tmp_path / "p.json", lambda d: d["steps"][1].update(change))
    with pytest.raises(PlanError, match=f"p.json: {message}"):
        Plan.load(tmp_path / "p.json")


def test_ramp_without_a_step_before_is_refused(tmp_path):
    GLIDING.save(tmp_path / "p.json")
    edit(tmp_path / "p.json", lambda d: d["steps"].pop(0))
    with pytest.raises(PlanError, match="step 0: ramp=true, but it does not go on"):
        Plan.load(tmp_path / "p.json")


@pytest.mark.parametrize(("key", "value"), [("voice", 0), ("voice", 3), ("ramp", False)])
def test_voices_in_a_plan_of_version_1_are_refused(tmp_path, key, value):
    PLAN.save(tmp_path / "p.json")
    edit(tmp_path / "p.json", lambda d: d["steps"][1].update({key: value}))
    with pytest.raises(
        PlanError, match=f'step 1: {key} is not known in "version": 1; write "version": 2, or'
    ):
        Plan.load(tmp_path / "p.json")


def test_identity_knows_voices_and_ramps():
    steps = GLIDING.steps
    without_ramp = replace(GLIDING, steps=(steps[0], replace(steps[1], ramp=False), steps[2]))
    elsewhere = replace(GLIDING, steps=(*steps[:2], replace(steps[2], voice=2)))
    assert len({plan.identity for plan in (GLIDING, without_ramp, elsewhere)}) == 3


@pytest.mark.parametrize("value", [np.nan, [1, {"deep": np.inf}]])
def test_settings_that_json_cannot_hold_are_refused(tmp_path, value):
    document = {
        "format": "demiurge-plan",
        "version": 1,
        "sample_rate": 44100,
        "channels": 1,
        "steps": [],
    }
    document |= {"database": {"id": "x", "root": "."}, "settings": {"cost": value}}
    (tmp_path / "a.plan.json").write_text(json.dumps(document))
    with pytest.raises(
        PlanError, match="line 1, column [0-9]+: (NaN|Infinity) is no number in JSON"
    ):
        Plan.load(tmp_path / "a.plan.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"cost": np.inf}}, "line .*: Infinity is no number in JSON"),
        ({"steps": ()}, "steps=.* must be a list of at least one step"),
        ({"steps": STEPS[::-1]}, "step 1: at_sample=0 lies before step 0 ends"),
        ({"steps": (replace(STEPS[0], source="/etc/x.wav"),)}, "step 0: source='/etc/x.wav' must"),
        ({"steps": (replace(STEPS[0], n_samples=2**33),)}, "step 0: n_samples=8589934592 must be"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, change, message):
    with pytest.raises(PlanError, match=f"p.json: the plan cannot be saved: {message}"):
        replace(PLAN, **change).save(tmp_path / "p.json")
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize("source", [".", "./", "", "/", "a/..", "..", "a\0.wav", "/etc/passwd"])
def test_sources_that_name_no_file_of_the_corpus_are_refused(tmp_path, source):
    FOUND.save(tmp_path / "p.json")
    edit(tmp_path / "p.json", lambda d: d["steps"][0].update(source=source))
    edit(tmp_path / "p.json", lambda d: d["sources"].update({"/": STAMPS["a/x.wav"]}))
    with pytest.raises(
        PlanError, match="p.json: step 0: source=.* (is not a valid|must be a path)"
    ):
        Plan.load(tmp_path / "p.json")


@pytest.mark.parametrize("path", ["/dev/zero", ".", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(PlanError, match=f"{path}: a (device|folder|named pipe), not a file"):
        Plan.load(path)


def test_changed_plans_are_right_or_refused_in_one_line(tmp_path):
    """Each value of a plan, replaced by hostile ones: it loads, and saves, or one error is told."""
    for original in (FOUND, GLIDING):
        original.save(tmp_path / "p.json")
        text = (tmp_path / "p.json").read_text()
        for changed in replaced(json.loads(text), HOSTILE):
            (tmp_path / "p.json").write_text(json.dumps(changed))
            load = partial(Plan.load, tmp_path / "p.json")
            value_or_error(partial(load, alternatives=False), PlanError)
            if plan := value_or_error(load, PlanError):
                json.dumps(plan.settings, allow_nan=False)
                plan.save(tmp_path / "again.json")
                assert Plan.load(tmp_path / "again.json") == plan
