"""Descriptors that a model gives: settings, analysis, and databases with them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from db.analyse import describe_signal
from db.build import build_database
from db.database import Database
from db.descriptors.derived import complete, static_columns
from db.model_descriptor import MOST_COLUMNS, ModelDescriptor
from db.settings import FOR_CONTINUATIONS, DescriptorSettings
from files.errors import DatabaseError, ParameterError
from tests.db.power_model import MODEL, open_power
from tests.db.rows import read_frames

SETTINGS = DescriptorSettings(descriptors=("mfcc", "codec"), models=(MODEL,), units="frame")
MOVED = replace(MODEL, path="/elsewhere", name="other name", licence="GPL")
CHANGED = replace(MODEL, hash="cd" * 16)


def test_settings_without_models_are_written_as_before():
    assert "models" not in DescriptorSettings().to_dict()
    assert DescriptorSettings().hash == "02e0e79e26a3fdc8"
    assert FOR_CONTINUATIONS.hash == "32e2dfc43dad2289"


def test_settings_with_a_model_come_back_from_json():
    values = json.loads(json.dumps(SETTINGS.to_dict()))
    assert DescriptorSettings.from_dict(values) == SETTINGS
    assert DescriptorSettings.from_dict(values).models[0].licence == "MIT"
    assert DescriptorSettings.from_dict(SETTINGS.to_dict()) == SETTINGS


def test_columns_of_a_model_are_numbered_and_independent():
    assert SETTINGS.frame_names[-2:] == ("codec0", "codec1")
    assert {SETTINGS.names.index("codec0"), SETTINGS.names.index("codec1")} <= set(
        SETTINGS.frame_static
    )
    assert "codec1_std" in replace(SETTINGS, units="onset").names


def test_a_model_that_has_moved_is_the_same():
    moved = replace(SETTINGS, models=(MOVED,))
    assert moved == SETTINGS
    assert moved.hash == SETTINGS.hash
    moved.check_matches(SETTINGS, mine="a", theirs="b")


def test_a_model_that_has_changed_is_refused_with_both_hashes():
    changed = replace(SETTINGS, models=(CHANGED,))
    assert changed.hash != SETTINGS.hash
    with pytest.raises(DatabaseError, match=f"codec hash is {'ab' * 16} in a and {'cd' * 16} in b"):
        SETTINGS.check_matches(changed, mine="a", theirs="b")


def test_a_model_that_only_one_side_has_is_named():
    with pytest.raises(DatabaseError, match="codec hash is not there in a and abab.* in b"):
        DescriptorSettings().check_matches(SETTINGS, mine="a", theirs="b")


def test_a_kind_without_its_model_is_refused():
    with pytest.raises(ParameterError, match="codec needs its model; name it as codec:PATH"):
        DescriptorSettings(descriptors=("codec",))
    with pytest.raises(ParameterError, match="models of codec must be one for each"):
        DescriptorSettings(models=(MODEL,))
    with pytest.raises(ParameterError, match="models of codec, codec must be one for each"):
        DescriptorSettings(descriptors=("codec",), models=(MODEL, CHANGED))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "mfcc"}, "kind='mfcc' is not known"),
        ({"hash": "../../x"}, "must be 8 to 64 hex digits"),
        ({"hash": 7}, "must be 8 to 64 hex digits"),
        ({"n_columns": 0}, "n_columns=0 must be an integer from 1"),
        ({"n_columns": MOST_COLUMNS + 1}, f"from 1 to {MOST_COLUMNS}"),
        ({"n_columns": True}, "n_columns=True must be"),
        ({"sample_rate": -1}, "sample_rate=-1 must be"),
        ({"path": None}, "path must be text"),
        ({"licence": "x" * 5000}, "licence must be text"),
    ],
)
def test_a_model_out_of_range_is_refused(values, says):
    with pytest.raises(ParameterError, match=says):
        ModelDescriptor.of(MODEL.to_dict() | values)


def test_a_damaged_model_is_refused():
    with pytest.raises(ParameterError, match="must be an object"):
        ModelDescriptor.of("codec")
    with pytest.raises(ParameterError, match="does not know"):
        ModelDescriptor.of({"kind": "codec", "weight": 3})


@pytest.mark.parametrize("centre", ["span", "start"])
def test_rows_of_a_model_stand_beside_the_others(tabla, centre):
    settings = replace(SETTINGS, descriptors=("codec", "mfcc"), window_centre=centre)
    rows = describe_signal(np.array_split(tabla, 5), settings, open_power).frames
    alone = describe_signal([tabla], replace(settings, descriptors=("mfcc",), models=())).frames
    np.testing.assert_array_equal(rows[:, 2:], alone)
    np.testing.assert_allclose(rows[3, 1], (tabla[3 * 1024 : 4 * 1024] ** 2).mean(), rtol=1e-5)


def test_a_model_alone_describes_units_of_any_kind(tabla):
    for units in ("frame", "fixed:100", "onset", "beat/4"):
        settings = replace(SETTINGS, descriptors=("codec",), units=units)
        described = describe_signal([tabla], settings, open_power)
        assert described.units.shape == (len(described.lengths), settings.n_descriptors)
        assert np.isfinite(described.units).all()


def test_a_signal_without_samples_has_no_description():
    assert describe_signal([], SETTINGS, open_power) is None


def test_nothing_is_measured_without_the_model(tabla):
    with pytest.raises(DatabaseError, match="codec:/models/power.*give open_model="):
        describe_signal([tabla], SETTINGS)


def test_forecasters_see_all_columns_of_a_model(tabla):
    rows = describe_signal([tabla], SETTINGS, open_power).frames
    static = rows[:, static_columns(SETTINGS)]
    assert static.shape[1] == 13 + 2
    np.testing.assert_array_equal(complete(static, SETTINGS)[:, -2:], rows[:, -2:])


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_the_executor_does_not_change_the_rows(corpus, tmp_path, executor):
    path = tmp_path / "db"
    report = build_database(
        corpus, path, settings=SETTINGS, executor=executor, jobs=2, open_model=open_power
    )
    assert not report.failed
    frames = read_frames(path)
    again = tmp_path / "again"
    build_database(corpus, again, settings=SETTINGS, executor="serial", open_model=open_power)
    for name, rows in read_frames(again).items():
        np.testing.assert_array_equal(frames[name], rows)


@pytest.fixture
def built(corpus, tmp_path):
    path = tmp_path / "db"
    build_database(corpus, path, settings=SETTINGS, open_model=open_power)
    return path


def test_a_build_with_the_new_place_of_a_model_keeps_it_and_measures_nothing(corpus, built):
    moved = replace(SETTINGS, models=(MOVED,))
    report = build_database(corpus, built, settings=moved, open_model=open_power)
    assert len(report.unchanged) == 4
    assert Database(built).settings.models[0].path == "/elsewhere"


def test_a_build_with_another_model_is_refused(corpus, built):
    changed = replace(SETTINGS, models=(CHANGED,))
    with pytest.raises(DatabaseError, match="codec hash is abab.*what was asked for"):
        build_database(corpus, built, settings=changed, open_model=open_power)
    assert Database(built).settings == SETTINGS


def test_a_build_without_the_model_fails_once_and_keeps_what_is_there(corpus, built, tabla):
    (corpus / "new.wav").write_bytes((corpus / "a" / "x.wav").read_bytes()[:-100])
    with pytest.raises(DatabaseError, match="give open_model="):
        build_database(corpus, built)
    assert len(Database(built).sources) == 4
