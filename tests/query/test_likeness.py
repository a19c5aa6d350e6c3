"""What units sound like: cosines with a vector of CLAP, the fifth that is most alike, refusals."""

from types import SimpleNamespace

import numpy as np
import pytest

from db.model_descriptor import ModelDescriptor
from db.settings import DescriptorSettings
from files.errors import ParameterError
from query.apply_filters import filter_units
from query.filters import Filters, parse_condition
from query.likeness import Likeness, likeness_of, most_alike
from query.weights import weight_columns

N_UNITS = 1000
ANGLES = np.linspace(0, np.pi / 2, N_UNITS)


def like(*vector):
    return Likeness((("rain", 1.0),), np.array(vector, "<f4").tobytes())


@pytest.fixture
def database():
    """Two sources of 500 units each, whose two CLAP columns turn from one axis to the other."""
    rows = np.stack([np.zeros(N_UNITS), np.cos(ANGLES) * 3, np.sin(ANGLES) * 3], axis=1)
    return SimpleNamespace(
        path="my.db",
        settings=SimpleNamespace(names=("mfcc0", "clap0", "clap1"), descriptors=("mfcc", "clap")),
        sources=[None, None],
        units=range(N_UNITS),
        column=lambda name: rows[:, ("mfcc0", "clap0", "clap1").index(name)],
        source_descriptors=lambda number: rows[number * 500 :][:500].astype(np.float32),
    )


def test_likeness_is_the_cosine_whatever_the_lengths(database):
    np.testing.assert_allclose(likeness_of(database, like(1, 0)), np.cos(ANGLES), atol=1e-6)
    np.testing.assert_allclose(likeness_of(database, like(0, 1)), np.sin(ANGLES), atol=1e-6)


def test_the_fifth_that_is_most_alike_is_kept(database):
    allowed, counts = filter_units(database, Filters(like=like(1, 0)))
    assert np.flatnonzero(allowed).tolist() == list(range(200))
    assert counts == {"all": 1000, "like 'rain'": 200}


def test_the_fifth_is_of_what_the_other_filters_leave(database):
    filters = Filters(where=(parse_condition("clap0<1.5"),), like=like(1, 0))
    allowed, _ = filter_units(database, filters)
    left = np.flatnonzero(np.cos(ANGLES) * 3 < 1.5)
    assert np.flatnonzero(allowed).tolist() == left[: round(len(left) / 5)].tolist()


def test_a_condition_on_like_says_how_much(database):
    filters = Filters(where=(parse_condition("like>0.55"),), like=like(1, 0))
    allowed, counts = filter_units(database, filters)
    np.testing.assert_array_equal(allowed, np.cos(ANGLES) > 0.55)
    assert list(counts) == ["all", "like>0.55"]
    with pytest.raises(ParameterError, match="a condition on like goes with --like"):
        filter_units(database, Filters(where=(parse_condition("like>0.5"),)))


def test_few_units_are_not_made_fewer_than_64():
    values = np.arange(100.0)
    assert most_alike(values, np.ones(100, bool)).sum() == 64
    assert most_alike(values, values < 10)[:10].all()
    assert not most_alike(values, np.zeros(100, bool)).any()


@pytest.mark.parametrize("vector", [(1,), (1, 0, 0)])
def test_a_database_without_such_columns_says_how_to_get_them(vector, database):
    message = r"my.db has no \d columns of CLAP, which --like 'rain' needs; fetch a CLAP,"
    with pytest.raises(ParameterError, match=message):
        filter_units(database, Filters(like=like(*vector)))


def test_filters_with_likeness_are_written_and_read():
    filters = Filters(like=Likeness((("rain", 1.0), ("a.wav", 2.0)), like(0.6, 0.8).vector))
    facts = filters.to_dict()
    assert facts["like"] == {"asked": [["rain", 1.0], ["a.wav", 2.0]], "vector": "mpkZP83MTD8="}
    assert Filters.from_dict(facts) == filters
    assert str(filters.like) == "'rain' and 'a.wav'=2"


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {},
        {"asked": [["a", 1]], "vector": "x"},
        {"asked": [["a", 10**400]], "vector": "mpkZPw=="},
        {"asked": [["a", 1]], "vector": "AAA="},
        {"asked": [["a", 1]], "vector": ""},
        {"asked": [], "vector": "mpkZPw=="},
        {"asked": [["a", "b"]], "vector": "mpkZPw=="},
        {"asked": [["a", 1]], "vector": "AADAfw=="},
    ],
)
def test_damaged_likeness_is_refused(facts):
    with pytest.raises(ParameterError, match="like"):
        Filters.from_dict({"like": facts})


def settings(*descriptors):
    models = (ModelDescriptor("clap", "0" * 32, 2, "clap"),)
    return DescriptorSettings(descriptors=descriptors, units="onset", models=models)


def test_clap_counts_in_distances_only_alone_or_if_weighed():
    both = settings("loudness", "clap")
    names = list(both.names)
    clap = [names.index(name) for name in names if name.startswith("clap")]
    assert len(clap) == 4
    assert weight_columns(both, {})[clap].tolist() == [0] * 4
    assert weight_columns(both, {"clap": 0.5})[clap].tolist() == [0.5] * 4
    assert weight_columns(both, {"clap1": 2})[clap].tolist() == [0, 2, 0, 0]
    assert weight_columns(settings("clap"), {}).tolist()[:2] == [1, 1]
