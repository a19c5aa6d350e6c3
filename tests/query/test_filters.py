import json
from contextlib import suppress

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from db.build import build_database
from db.database import Database
from db.settings import METRICAL, DescriptorSettings
from db.tags import tag_sources
from files.errors import ParameterError
from query.apply_filters import filter_units
from query.filters import Condition, Filters, parse_condition
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path
from query.space import Space
from tests.db.sounds import RATE, sound

INF = float("inf")


@pytest.fixture(scope="module")
def database(tmp_path_factory, tabla):
    folder = tmp_path_factory.mktemp("filters")
    (folder / "c" / "drums").mkdir(parents=True)
    sf.write(folder / "c" / "a.wav", tabla[:40000], 44100)
    sf.write(folder / "c" / "drums" / "b.wav", tabla[20000:90000], 44100)
    build_database(
        folder / "c", folder / "db", settings=DescriptorSettings(descriptors=("mfcc", "loudness"))
    )
    tag_sources(folder / "db", "a.wav", ["soft", "old"])
    return Database(folder / "db")


def test_each_filter_leaves_what_it_says(database):
    units = database.units
    loudness = database.descriptors[:, database.settings.names.index("loudness")]
    drums = np.array([source.path.startswith("drums/") for source in database.sources])[
        units.source
    ]
    start = units.start_sample / 44100
    length = units.n_samples / 44.1
    middle = float(np.median(loudness))
    for filters, expected in [
        (Filters(), np.ones(len(units), bool)),
        (Filters(sources=("drums/*",)), drums),
        (Filters(sources=("drums/*", "a.*")), np.ones(len(units), bool)),
        (Filters(sources=("!a.wav",)), drums),
        (Filters(sources=("*", "!drums/*")), ~drums),
        (Filters(seconds=(0.5, 1.0)), (start >= 0.5) & (start <= 1.0)),
        (
            Filters(seconds=(float(start[3]), float(start[7]))),
            (start >= start[3]) & (start <= start[7]),
        ),
        (Filters(milliseconds=(-INF, 20.0)), length <= 20),
        (Filters(where=(Condition("length_ms", "<=", 20.0),)), length <= 20),
        (
            Filters(where=(Condition("start_s", ">=", 0.5), Condition("start_s", "<", 1.0))),
            (start >= 0.5) & (start < 1.0),
        ),
        (Filters(where=(Condition("loudness", ">", middle),)), loudness > middle),
        (Filters(loudness=(middle, INF)), loudness >= middle),
        (Filters(tags=("soft",)), ~drums),
        (
            Filters(sources=("drums/*",), where=(Condition("loudness", "<=", middle),)),
            drums & (loudness <= middle),
        ),
    ]:
        allowed, counts = filter_units(database, filters)
        np.testing.assert_array_equal(allowed, expected)
        assert 0 < list(counts.values())[-1] == expected.sum()


def test_leaving_out_what_is_not_there_is_an_error(database):
    with pytest.raises(
        ParameterError, match=r"'!b\.\*' leaves out nothing, since no source of .*db"
    ):
        filter_units(database, Filters(sources=("drums/*", "!b.*")))


def test_what_does_not_pass_is_neither_found_nor_runs_on(database):
    loudness = database.descriptors[:, database.settings.names.index("loudness")]
    middle = float(np.median(loudness))
    index = UnitIndex(Space(database), filters=Filters(where=(Condition("loudness", ">", middle),)))
    assert len(index) == (loudness > middle).sum() < len(database.units)
    sequence = database.source_descriptors(0)
    path = find_path(
        index, sequence, PathOptions(k=4, continuity=3.0), step_samples=np.ones(len(sequence), int)
    )
    assert (loudness[path.positions] > middle).all()
    assert (loudness[path.matches.positions] > middle).all()


def test_filters_that_leave_nothing_say_what_each_left(database):
    n = len(database.units)
    filters = Filters(sources=("drums/*",), seconds=(99.0, INF))
    left = int(
        (database.units.source == [s.path for s in database.sources].index("drums/b.wav")).sum()
    )
    with pytest.raises(
        ParameterError,
        match=rf"leave no unit \(all: {n}, source drums/\*: {left}, 99 to inf seconds: 0\)",
    ):
        filter_units(database, filters)
    with pytest.raises(
        ParameterError, match=r"no source of .* is tagged 'loud'; there are old, soft: give some"
    ):
        filter_units(database, Filters(tags=("soft", "loud")))
    with pytest.raises(
        ParameterError, match=r"no descriptor 'zcr' in .*; there are start_s, length_ms, mfcc0"
    ):
        filter_units(database, Filters(where=(Condition("zcr", ">", 0.0),)))
    for column in ("centroid", "f0_std"):
        remedy = rf"has no {column}; build a database with --descriptors mfcc,loudness,spectral$"
        with pytest.raises(ParameterError, match=remedy):
            filter_units(database, Filters(where=(Condition(column, ">", 0.0),)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("centroid>1000", Condition("centroid", ">", 1000)),
        (" loudness >= -30.5 ", Condition("loudness", ">=", -30.5)),
        ("mfcc0_std<1e-3", Condition("mfcc0_std", "<", 0.001)),
        ("f0<=.5", Condition("f0", "<=", 0.5)),
    ],
)
def test_conditions_are_parsed(text, expected):
    assert parse_condition(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "centroid",
        "centroid>",
        ">1",
        "a>1 or b<2",
        "__import__('os')>1",
        "a>nan",
        "a==1",
        "a>1>2",
    ],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(
        ParameterError,
        match="is not a condition; write a descriptor, start_s or length_ms, then one of >= <= > <",
    ):
        parse_condition(text)


@pytest.mark.parametrize("text", ["centroid<1e999", "centroid>-1e400", "f0<" + "9" * 400])
def test_a_condition_with_a_number_that_is_too_large_is_refused(text):
    with pytest.raises(ParameterError, match="the number is too large; write a smaller one"):
        parse_condition(text)


@given(st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text):
    with suppress(ParameterError):
        parse_condition(text)


@given(
    st.builds(
        Filters,
        sources=st.lists(st.text(), max_size=2).map(tuple),
        tags=st.lists(st.text(), max_size=2).map(tuple),
        seconds=st.sampled_from([(-INF, INF), (0.1, INF), (1 / 3, 2e9)]),
        loudness=st.sampled_from([(-INF, -20.5), (-60, -6)]),
        where=st.lists(
            st.builds(
                Condition,
                st.just("mfcc0"),
                st.sampled_from([">", "<="]),
                st.floats(allow_nan=False, allow_infinity=False),
            ),
            max_size=2,
        ).map(tuple),
    )
)
def test_filters_come_back_from_json(filters):
    assert Filters.from_dict(json.loads(json.dumps(filters.to_dict()))) == filters


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            [],
            (
                r"filters=\[\] must be an object with some of sources, tags, seconds, milliseconds,"
                r" loudness, where"
            ),
        ),
        ({"colour": ["red"]}, "filters={'colour': .* must be an object with some of sources, tags"),
        ({"sources": "a*"}, r"sources='a\*' must be a list of texts"),
        ({"tags": [1]}, r"tags=\[1\] must be a list of texts"),
        ({"where": ["x"]}, "'x' is not a condition"),
        ({"seconds": [1]}, r"seconds=\[1\] must be \[least, most\]"),
        ({"seconds": {"a": 1, "b": 2}}, r"seconds={.*} must be \[least, most\]"),
        (
            {"loudness": [True, None]},
            (
                r"loudness=\[True, None\] must be \[least, most\], two numbers, or null where it is"
                r" open"
            ),
        ),
        (
            {"milliseconds": [2, 1]},
            r"milliseconds=\[2, 1\] is an empty range; write the smaller number first",
        ),
    ],
)
def test_filters_that_are_none_are_refused(facts, message):
    with pytest.raises(ParameterError, match=message):
        Filters.from_dict(facts)


def test_units_are_filtered_by_their_pulse(tmp_path):
    (tmp_path / "c").mkdir()
    sf.write(tmp_path / "c" / "loop.wav", sound("loop_garzul"), RATE)
    sf.write(tmp_path / "c" / "choir.wav", sound("ambi_choir"), RATE)
    build_database(tmp_path / "c", tmp_path / "db", settings=DescriptorSettings(units="beat/2"))
    opened = Database(tmp_path / "db")
    allowed, _ = filter_units(opened, Filters(where=(parse_condition("pulse>0.3"),)))
    is_loop = np.array([source.path == "loop.wav" for source in opened.sources])
    np.testing.assert_array_equal(allowed, is_loop[opened.units.source])
    metrical = np.stack([opened.column(name) for name in METRICAL], axis=1)
    np.testing.assert_array_equal(metrical.any(axis=1), allowed)


def test_a_database_without_a_pulse_says_how_to_get_it(database):
    with pytest.raises(ParameterError, match="has no pulse; build a database with --units beat/4"):
        filter_units(database, Filters(where=(parse_condition("pulse>0.3"),)))
