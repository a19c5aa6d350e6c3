import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from files.errors import ParameterError
from query.index import UnitIndex
from query.space import Space
from query.weights import parse_weights, weight_columns

SETTINGS = DescriptorSettings(n_mfcc=2, descriptors=("mfcc", "loudness"))
UNITS = DescriptorSettings(n_mfcc=2, descriptors=("mfcc", "loudness"), units="onset")


def test_weights_are_parsed():
    assert parse_weights("mfcc0=0.3, chroma = 2") == {"mfcc0": 0.3, "chroma": 2.0}
    for text in ("", "mfcc0", "mfcc0=-1", "mfcc0=x", "mfcc0=1;chroma=2", "a=1,", "1=1=1"):
        with pytest.raises(ParameterError, match="is not a weight; write DESCRIPTOR=NUMBER"):
            parse_weights(text)


def test_weights_are_given_once():
    with pytest.raises(ParameterError, match="'a=1,a=2' weighs a twice"):
        parse_weights("a=1,a=2")


def test_a_descriptor_weighs_all_its_columns_and_a_column_goes_first():
    factors = dict(
        zip(SETTINGS.names, weight_columns(SETTINGS, {"mfcc1": 3.0, "mfcc": 0.5}), strict=True)
    )
    assert factors == {
        "mfcc0": 0.5,
        "mfcc1": 3.0,
        **{f"mfcc{i}": 0.25 for i in range(2, 6)},
        "loudness": 1.0,
    }
    longer = dict(zip(UNITS.names, weight_columns(UNITS, {"loudness": 0.0}), strict=True))
    assert [name for name, factor in longer.items() if factor == 0] == ["loudness", "loudness_std"]


def test_what_follows_from_other_frames_counts_half_in_frames_and_whole_in_longer_units():
    np.testing.assert_array_equal(weight_columns(SETTINGS, {}), [1, 1, 0.5, 0.5, 0.5, 0.5, 1])
    np.testing.assert_array_equal(weight_columns(UNITS, {}), np.ones(len(UNITS.names)))


def test_the_place_in_the_beat_counts_only_if_it_is_weighed():
    asked = DescriptorSettings(units="beat/4")
    np.testing.assert_array_equal(weight_columns(asked, {})[-5:], [1, 0, 0, 0, 0])
    factors = weight_columns(asked, {"beat_cos": 2.0, "pulse": 0.5, "mfcc": 3.0})
    np.testing.assert_array_equal(factors[-5:], [1, 2, 0, 0, 0.5])
    with pytest.raises(ParameterError, match="no descriptor 'tempo' to weigh"):
        weight_columns(DescriptorSettings(units="beat"), {"tempo": 1.0})


def test_unknown_names_and_nothing_at_all_are_refused():
    with pytest.raises(
        ParameterError,
        match="no descriptor 'chroma' to weigh; there are mfcc, loudness, and mfcc0 … mfcc5, loud",
    ):
        weight_columns(SETTINGS, {"chroma": 1.0})
    with pytest.raises(ParameterError, match="all weights are 0"):
        weight_columns(SETTINGS, {"mfcc": 0.0, "loudness": 0.0})


def test_distances_are_weighted(tmp_path, tabla):
    (tmp_path / "c").mkdir()
    sf.write(tmp_path / "c" / "a.wav", tabla, 44100)
    build_database(tmp_path / "c", tmp_path / "db", settings=SETTINGS)
    database = Database(tmp_path / "db")
    weights = {"mfcc": 0.25, "loudness": 2.0}
    sequence = database.descriptors[::7] + 1
    matches = UnitIndex(Space(database, weights=weights)).search(sequence, k=3)
    factors = weight_columns(SETTINGS, weights)
    differences = (
        database.normaliser.apply(database.descriptors)
        - database.normaliser.apply(sequence)[:, None]
    ) * factors
    expected = np.sort(np.linalg.norm(differences, axis=2), axis=1)[:, :3]
    np.testing.assert_allclose(matches.distances, expected, rtol=1e-4)
