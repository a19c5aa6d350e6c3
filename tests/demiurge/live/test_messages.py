"""The messages that control a session: what each does, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demiurge.live.controls import COMMANDS, Controls
from demiurge.live.knobs import KNOBS
from demiurge.live.messages import MESSAGES, MOST_WEIGHTS, NAME, ROOT, obey
from files.errors import ParameterError

ADDRESSES = [ROOT + path.replace(NAME, "level") for path in MESSAGES]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.integers()),
    st.just(10**400),
)


@pytest.fixture
def controls() -> Controls:
    return Controls()


@pytest.mark.parametrize("name", KNOBS)
def test_each_knob_is_turned_to_both_ends_and_not_beyond(controls, name):
    knob = KNOBS[name]
    for value in (knob.least, knob.most):
        obey(controls, f"/demiurge/knob/{name}", [value])
        assert getattr(controls.knobs, name) == value
    with pytest.raises(ParameterError, match=f"{name}=.* must be a number from"):
        obey(controls, f"/demiurge/knob/{name}", [knob.most + 1])


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_asked_for_but_not_by_a_button_that_is_released(controls, name):
    address = f"/demiurge/{name}"
    for arguments in ([], [1], [0], [0.0], [True]):
        obey(controls, address, arguments)
    assert controls.take_commands() == [name] * 3


def test_mode_weights_and_notes(controls):
    obey(controls, "/demiurge/mode", ["free"])
    obey(controls, "/demiurge/weight/mfcc0", [0.5])
    obey(controls, "/demiurge/notes", [60, 64.0, 7])
    knobs = controls.knobs
    assert (knobs.mode, knobs.weights, knobs.pitch_classes) == ("free", {"mfcc0": 0.5}, {0, 4, 7})
    obey(controls, "/demiurge/notes", [])
    assert controls.knobs.pitch_classes == frozenset()


def test_each_filter_replaces_its_own_and_clear_replaces_all(controls):
    obey(controls, "/demiurge/filter/source", ["*piano*", "choir.ogg"])
    obey(controls, "/demiurge/filter/tag", ["soft"])
    obey(controls, "/demiurge/filter/where", ["centroid>2000"])
    obey(controls, "/demiurge/filter/source", ["*loop*"])
    filters = controls.knobs.filters
    assert filters.sources == ("*loop*",)
    assert filters.tags == ("soft",)
    assert [str(one) for one in filters.where] == ["centroid>2000"]
    obey(controls, "/demiurge/filter/where", [])
    assert controls.knobs.filters.where == ()
    obey(controls, "/demiurge/filter/clear", [])
    assert controls.knobs.filters.to_dict() == {}


def test_a_scene_is_saved_and_recalled_by_whole_numbers_of_any_type(controls):
    obey(controls, "/demiurge/knob/level", [-6])
    obey(controls, "/demiurge/scene/save", [3])
    obey(controls, "/demiurge/knob/level", [0])
    obey(controls, "/demiurge/scene/recall", [3.0])
    assert controls.knobs.level == -6


@pytest.mark.parametrize(
    ("address", "arguments", "message"),
    [
        ("/demiurge/knob/lvel", [1], "knob 'lvel' is unknown; known are continuity"),
        ("/demiurge/knob/", [1], "is unknown; known are /demiurge/knob/NAME"),
        ("/demiurge/knob/*", [1], "knob '\\*' is unknown"),
        ("/other/go", [], "address '/other/go' is unknown"),
        ("", [], "address '' is unknown"),
        ("/demiurge/knob/level", [], "has 0 arguments; send 1"),
        ("/demiurge/knob/level", [1, 2], "has 2 arguments; send 1"),
        ("/demiurge/knob/level", ["loud"], "takes finite numbers; it was sent 'loud'"),
        ("/demiurge/knob/level", [math.nan], "takes finite numbers; it was sent nan"),
        ("/demiurge/knob/level", [10**400], "takes finite numbers; it was sent an integer of"),
        ("/demiurge/weight/mfcc0", [-1], "must be a number from 0 to 1e\\+06"),
        ("/demiurge/mode", ["loud"], "mode='loud' must be one of continue"),
        ("/demiurge/mode", [1], "takes texts of 1 to 1024 characters; it was sent 1"),
        ("/demiurge/scene/save", [1.5], "takes integers; it was sent 1.5"),
        ("/demiurge/scene/save", [True], "takes integers; it was sent True"),
        ("/demiurge/scene/save", [128], "scene=128 must be an integer from 0 to 127"),
        ("/demiurge/scene/recall", [7], "scene 7 was not saved; saved are none yet"),
        ("/demiurge/filter/where", ["bright"], "'bright' is not a condition"),
        ("/demiurge/filter/source", ["a"] * 65, "has 65 arguments; send 0 to 64"),
        ("/demiurge/notes", [128], "must be pitch classes or MIDI notes, 0 to 127"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(controls, address, arguments, message):
    before = controls.knobs
    with pytest.raises(ParameterError, match=message):
        obey(controls, address, arguments)
    assert controls.knobs == before


def test_weights_do_not_grow_for_ever(controls):
    for number in range(MOST_WEIGHTS):
        obey(controls, f"/demiurge/weight/d{number}", [1])
    obey(controls, "/demiurge/weight/d0", [2])
    with pytest.raises(ParameterError, match="256 descriptors have weights already"):
        obey(controls, "/demiurge/weight/other", [1])


@given(st.sampled_from(ADDRESSES), st.lists(VALUES, max_size=3))
def test_any_arguments_are_obeyed_or_refused(address, arguments):
    controls = Controls()
    try:
        obey(controls, address, arguments)
    except ParameterError:
        assert controls.take_commands() == []
