"""Plans of several databases: version 3 of the file, and what is refused."""

import json
from dataclasses import replace
from functools import partial

import pytest

from files.errors import PlanError
from playback.database_shares import database_shares
from playback.plan import Plan, Step
from playback.stems import stem_paths
from tests.hostile import HOSTILE, replaced, value_or_error

NEAR = {"unit": 5, "distance": 2.0, "source": "strings:a/x.wav", "start_sample": 0}
STEPS = (
    Step(5, "drums:a/x.wav", 0, 1000, 0, alternatives=(NEAR,)),
    Step(5, "strings:a/x.wav", 2048, 3000, 1000),
    Step(-1, "/seeds/seed.wav", 0, 1000, 4000),
)
STAMP = {"hash": "0123", "bytes": 99, "modified_ns": 5}
DATABASES = {
    "drums": {"id": "d", "root": "/drums"},
    "strings": {"id": "s", "root": "/strings"},
    "bells.2": {"id": "b", "root": "/bells"},
}
PLAN = Plan(
    44100,
    1,
    {"id": "all", "databases": DATABASES},
    STEPS,
    sources={"drums:a/x.wav": STAMP, "/seeds/seed.wav": STAMP},
)


def test_plan_of_several_databases_comes_back_in_version_3(tmp_path):
    PLAN.save(tmp_path / "p.json")
    assert json.loads((tmp_path / "p.json").read_text())["version"] == 3
    loaded = Plan.load(tmp_path / "p.json")
    assert loaded == PLAN
    assert str(loaded.roots.file_of("strings:a/x.wav")) == "/strings/a/x.wav"
    assert '"voice"' not in (tmp_path / "p.json").read_text()


def test_voices_of_several_databases_come_back(tmp_path):
    voices = replace(PLAN, steps=(*STEPS[:1], replace(STEPS[1], voice=1)))
    voices.save(tmp_path / "p.json")
    assert Plan.load(tmp_path / "p.json") == voices


def test_one_database_needs_no_version_3(tmp_path):
    plan = replace(PLAN, database={"id": "d", "root": "/drums"}, steps=STEPS[:1])
    assert plan.version == 1


def test_identity_tells_sources_of_two_databases_apart():
    other = replace(PLAN, steps=(replace(STEPS[0], source="strings:a/x.wav"), *STEPS[1:]))
    assert other.identity != PLAN.identity


def test_shares_of_what_is_played():
    shares = database_shares(PLAN)
    assert [share["database"] for share in shares] == [*DATABASES, None]
    assert [share["steps"] for share in shares] == [1, 1, 0, 1]
    assert [share["share"] for share in shares] == [0.2, 0.6, 0, 0.2]
    assert shares[1]["seconds"] == pytest.approx(3000 / 44100, abs=1e-6)
    assert database_shares(replace(PLAN, database={"id": "d", "root": "/drums"})) == []


def test_stems_of_equal_paths_are_told_apart_by_the_database(tmp_path):
    names = [path.name for path in stem_paths(PLAN, tmp_path, ".wav")]
    assert names == ["1 drums - a - x.wav", "2 strings - a - x.wav", "3 seed.wav"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (("version",), 2, '"databases" are not known in "version": 2'),
        (("database", "databases"), {}, "at least one database"),
        (("database", "databases"), None, "databases=null must"),
        (("database", "root"), "/both", 'either "root"'),
        (("database",), {"id": "all"}, 'either "root"'),
        (("database", "databases", "a:b"), DATABASES["drums"], "database 'a:b' must be named by"),
        (("database", "databases", "../x"), DATABASES["drums"], "must be named by letters"),
        (("database", "databases", ""), DATABASES["drums"], "must be named by letters"),
        (("database", "databases", "drums"), {"id": "d"}, "root is missing"),
        (("database", "databases", "drums", "root"), "a\0b", "must be the name of a folder"),
        (("database", "databases", "drums", "root"), "s3://k:s@bucket", "p.json: s3://….*holds"),
        (("steps", 0, "source"), "a/x.wav", "step 0: .*must begin with the name of its database"),
        (("steps", 0, "source"), "horns:x.wav", "one of drums:, strings:, bells.2:"),
        (("steps", 0, "source"), "drums:", "must begin with the name of its database"),
        (("steps", 0, "source"), "drums:../x.wav", "within the corpus folder"),
        (("steps", 0, "source"), "drums:/etc/passwd", "within the corpus folder"),
        (("steps", 0, "source"), "/etc/passwd", "within the corpus folder"),
        (("steps", 0, "alternatives", 0, "source"), "x.wav", "step 0: alternative 0: source="),
        (("steps", 0, "alternatives", 0), {"unit": 5, "distance": 1.0}, "must begin with the name"),
    ],
)
def test_bad_databases_are_refused(tmp_path, key, value, message):
    PLAN.save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    place = document
    for part in key[:-1]:
        place = place[part]
    place[key[-1]] = value
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(PlanError, match=message):
        Plan.load(tmp_path / "p.json")


@pytest.mark.parametrize("key", ["database", "source"])
def test_changed_databases_are_right_or_refused_in_one_line(tmp_path, key):
    replace(PLAN, steps=STEPS[:1], sources={}).save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    place = document if key == "database" else document["steps"][0]
    for changed in replaced({key: place[key]}, HOSTILE):
        place.pop(key, None)
        place.update(changed)
        (tmp_path / "p.json").write_text(json.dumps(document))
        if plan := value_or_error(partial(Plan.load, tmp_path / "p.json"), PlanError):
            assert plan.roots.file_of(plan.steps[0].source).name == "x.wav"
            database_shares(plan)
