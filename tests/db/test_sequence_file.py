import json
import os
from functools import partial

import numpy as np
import pytest

from db.sequence_file import load_sequence, save_sequence
from db.settings import DescriptorSettings
from files.errors import ParameterError
from tests.hostile import HOSTILE, replaced, value_or_error


def test_forecast_comes_back_exactly(tmp_path):
    sequence = np.random.default_rng(0).normal(size=(5, 39)).astype(np.float32)
    save_sequence(
        tmp_path / "f.json", sequence, DescriptorSettings(), origin={"model": "m", "random_seed": 3}
    )
    loaded, settings = load_sequence(tmp_path / "f.json")
    np.testing.assert_array_equal(loaded, sequence)
    assert settings == DescriptorSettings()
    document = json.loads((tmp_path / "f.json").read_text())
    assert list(document)[1:] == [f"mfcc{i}" for i in range(39)]
    assert document["_demiurge"]["random_seed"] == 3


def test_original_descriptor_file_is_read(fixtures):
    sequence, settings = load_sequence(fixtures / "tabla_44k_demiurge.json")
    assert (sequence.shape, settings) == ((44, 39), None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("mfcc7"), "column mfcc7 is missing"),
        (lambda d: d["mfcc7"].pop(), "column mfcc7 has 1 values, mfcc0 has 2"),
        (lambda d: d.update(mfcc7=["a", "b"]), 'mfcc7: .0.="a" must be a finite number'),
        (lambda d: d["mfcc7"].__setitem__(1, float("nan")), "line 1, .* NaN is no number in JSON"),
        (lambda d: d["mfcc7"].__setitem__(1, 1e39), "step 1 is not finite"),
        (lambda d: d["_demiurge"].pop("descriptors"), "_demiurge: descriptors is missing"),
        (lambda d: d["_demiurge"].update(descriptors=5), "descriptors=5 must be an object"),
        (lambda d: d.update(_demiurge=5), "_demiurge: the document=5 must be an object"),
        (
            lambda d: d["_demiurge"]["descriptors"].update(n_mfcc=10**8),
            "its descriptor settings are damaged .n_mfcc=100000000 must be an integer from 1 to",
        ),
        (
            lambda d: d["_demiurge"].update(version=9),
            "forecast format 9, but this Demiurge reads 1",
        ),
    ],
)
def test_bad_file_is_refused(tmp_path, change, message):
    save_sequence(
        tmp_path / "f.json", np.zeros((2, 39), np.float32), DescriptorSettings(), origin={}
    )
    document = json.loads((tmp_path / "f.json").read_text())
    change(document)
    (tmp_path / "f.json").write_text(json.dumps(document))
    with pytest.raises(ParameterError, match=message):
        load_sequence(tmp_path / "f.json")


def test_plan_is_refused(tmp_path):
    plan = {"format": "demiurge-plan", "version": 1, "sample_rate": 44100, "steps": []}
    (tmp_path / "p.plan.json").write_text(json.dumps(plan))
    with pytest.raises(ParameterError, match=r"p.plan.json: a plan, .*; give an audio or a fore"):
        load_sequence(tmp_path / "p.plan.json")


def test_text_is_refused(tmp_path):
    (tmp_path / "f.json").write_text("hello")
    with pytest.raises(
        ParameterError, match="f.json: line 1, column 1: .*; give an audio or a forecast file"
    ):
        load_sequence(tmp_path / "f.json")


@pytest.mark.parametrize("path", ["/dev/zero", ".", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(ParameterError, match=f"{path}: a (device|folder|named pipe), not a file"):
        load_sequence(path)


def test_changed_forecasts_are_right_or_refused_in_one_line(tmp_path):
    settings = DescriptorSettings(n_mfcc=1)
    save_sequence(tmp_path / "f.json", np.ones((2, 3), np.float32), settings, origin={"model": "m"})
    document = json.loads((tmp_path / "f.json").read_text())
    for changed in replaced(document, HOSTILE):
        (tmp_path / "f.json").write_text(json.dumps(changed))
        found = value_or_error(partial(load_sequence, tmp_path / "f.json"), ParameterError)
        if found:
            assert np.isfinite(found[0]).all()
            assert found[0].shape[0] == 2
