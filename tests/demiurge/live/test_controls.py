"""Knobs, commands and scenes, as they are asked for from any thread."""

import json

import pytest

from demiurge.live.controls import MOST_WAITING, Controls
from demiurge.live.knobs import KNOBS, Knobs
from files.errors import ParameterError
from query.filters import Filters, parse_condition


def test_knobs_to_json_and_back():
    knobs = Knobs(
        mode="free",
        tempo=97.5,
        voices=3,
        freeze=True,
        filters=Filters(sources=("a*",), where=(parse_condition("mfcc0>-200"),)),
        weights={"chroma": 2.0},
        pitch_classes=frozenset({0, 7}),
    )
    assert Knobs.from_dict(json.loads(json.dumps(knobs.to_dict()))) == knobs
    assert Knobs.from_dict({}) == Knobs()


def test_every_knob_is_a_value_of_knobs_within_its_range():
    for name, knob in KNOBS.items():
        assert knob.least <= getattr(Knobs(), name) <= knob.most
        assert getattr(Knobs().turned(name, knob.most), name) == knob.most
        for value in (knob.least - 1, knob.most + 1, float("nan"), "1", None):
            with pytest.raises(ParameterError, match=name):
                Knobs().turned(name, value)


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {"no": 1},
        {"mode": "loud"},
        {"weights": {"mfcc": -1}},
        {"weights": 3},
        {"pitch_classes": [12]},
        {"pitch_classes": "C"},
        {"filters": {"sources": 3}},
        {"voices": 99},
    ],
)
def test_what_is_not_knobs_is_refused(facts):
    with pytest.raises(ParameterError, match="must be|unknown"):
        Knobs.from_dict(facts)


def test_controls_change_one_value_at_a_time():
    controls = Controls()
    controls.turn("level", -6)
    controls.set_mode("continue")
    controls.set_weight("chroma", 3)
    controls.set_pitch_classes([0, 4, 7])
    controls.set_filters(Filters(tags=("warm",)))
    assert controls.knobs == Knobs(
        mode="continue",
        level=-6.0,
        weights={"chroma": 3.0},
        pitch_classes=frozenset({0, 4, 7}),
        filters=Filters(tags=("warm",)),
    )


def test_scenes_hold_all_knobs():
    controls = Controls()
    controls.turn("level", -6)
    controls.save_scene(1)
    controls.turn("level", 0)
    controls.recall_scene(1)
    assert controls.knobs.level == -6
    with pytest.raises(ParameterError, match="scene 2 was not saved; saved are 1"):
        controls.recall_scene(2)
    for number in (-1, 128, 1.5):
        with pytest.raises(ParameterError, match="scene"):
            controls.save_scene(number)


def test_commands_wait_in_order_and_floods_are_counted():
    controls = Controls()
    controls.command("go")
    controls.command("jump")
    assert controls.take_commands() == ["go", "jump"]
    assert controls.take_commands() == []
    for _ in range(MOST_WAITING + 10):
        controls.command("jump")
    controls.command("panic")  # never dropped
    waiting = controls.take_commands()
    assert len(waiting) == MOST_WAITING + 1
    assert waiting[-1] == "panic"
    assert controls.dropped == 10
    with pytest.raises(ParameterError, match="command='dance' is unknown"):
        controls.command("dance")
