import json

import numpy as np
import pytest

from db.sequence_file import load_sequence, save_sequence
from db.settings import DescriptorSettings
from files.errors import ParameterError


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
        (lambda d: d["mfcc7"].pop(), "not lists of numbers of one length"),
        (lambda d: d.update(mfcc7=["a", "b"]), "not lists of numbers of one length"),
        (lambda d: d["mfcc7"].__setitem__(1, float("nan")), "step 1 is not finite"),
        (lambda d: d["_demiurge"].pop("descriptors"), "its descriptor settings are damaged"),
        (lambda d: d["_demiurge"].update(descriptors=5), "its descriptor settings are damaged"),
        (lambda d: d.update(_demiurge=5), "its descriptor settings are damaged"),
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


def test_text_is_refused(tmp_path):
    (tmp_path / "f.json").write_text("hello")
    with pytest.raises(ParameterError, match="not a readable descriptor file"):
        load_sequence(tmp_path / "f.json")
