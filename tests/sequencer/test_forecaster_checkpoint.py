"""A forecaster is saved and loaded as it was."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from files.errors import CheckpointError
from sequencer.forecaster import Forecaster
from sequencer.registry import ARCHITECTURES
from tests.sequencer.toys import (
    roll,
    song,
    toy,
)


def test_saved_sizes_outlive_a_change_of_the_defaults(trained, tmp_path, monkeypatch):
    entry = ARCHITECTURES["lstm"]
    config = json.loads((trained[0] / "config.json").read_text())
    assert config["architecture_sizes"] == entry.default_sizes
    before = roll(Forecaster.load(trained[0]), song(30), 5)
    shutil.copytree(trained[0], tmp_path / "old")
    (tmp_path / "old" / "config.json").write_text(
        json.dumps({**config, "architecture_sizes": {}})
    )  # as an older version saved it
    np.testing.assert_array_equal(roll(Forecaster.load(tmp_path / "old"), song(30), 5), before)
    monkeypatch.setitem(
        ARCHITECTURES, "lstm", replace(entry, sizes=replace(entry.sizes, hidden_size=8))
    )
    np.testing.assert_array_equal(roll(Forecaster.load(trained[0]), song(30), 5), before)


def test_spans_of_the_slow_averages_are_those_of_the_checkpoint(tmp_path):
    config = replace(toy().config, spans=(5, "all"))
    Forecaster(config).save(tmp_path / "m")
    assert Forecaster.load(tmp_path / "m").config.spans == (5, "all")
    model = Forecaster(replace(config, spans=(64, 512)))
    model.save(tmp_path / "old")
    path = tmp_path / "old" / "config.json"
    values = json.loads(path.read_text())
    del values["spans"]
    path.write_text(json.dumps(values))
    assert Forecaster.load(tmp_path / "old").config.spans == (64, 512)


def test_damaged_checkpoints_are_refused(tmp_path):
    toy().save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    weights = tmp_path / "m" / "model.safetensors"
    good = json.loads(config.read_text())
    for change, message in [
        ({"version": 99}, "version 99, this Demiurge knows versions up to 1; update"),
        ({"kind": "vocoder"}, "holds a vocoder, not a forecaster"),
        ({"architecture": "oracle"}, "unknown architecture 'oracle'; known are lstm"),
        ({"architecture_sizes": {"hidden_size": 9}}, "do not fit"),
        ({"descriptors": {}}, "descriptor settings differ from this version's"),
    ]:
        config.write_text(json.dumps({**good, **change}))
        with pytest.raises(CheckpointError, match=message):
            Forecaster.load(tmp_path / "m")
    config.write_text(json.dumps(good)[:50])
    with pytest.raises(CheckpointError, match="damaged"):
        Forecaster.load(tmp_path / "m")
    config.write_text(json.dumps(good))
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"model.safetensors: damaged"):
        Forecaster.load(tmp_path / "m")


def test_missing_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no model here .*train one"):
        Forecaster.load(tmp_path / "m")
