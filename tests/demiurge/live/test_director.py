"""When a session plays, in each mode."""

from dataclasses import dataclass

import pytest

from demiurge.live.director import LEAST_HEARD_SECONDS, Director

STEP = 0.1


@dataclass
class Input:
    is_silent: bool


SOUND = Input(is_silent=False)
SILENCE = Input(is_silent=True)


def course(director, mode, inputs):
    """Whether it plays at each of these inputs."""
    return [director.plays(mode, one, STEP) for one in inputs]


def listened(seconds=2.0):
    director = Director()
    n = round(seconds / STEP)
    assert not any(course(director, "continue", [SOUND] * n))
    return director


def test_continue_goes_on_when_the_input_ends_and_stops_when_it_begins_again():
    director = listened()
    assert all(course(director, "continue", [SILENCE] * 5))
    assert not any(course(director, "continue", [SOUND] * 20))
    assert all(course(director, "continue", [SILENCE] * 5))


def test_continue_waits_for_enough_to_go_on_from():
    director = listened(LEAST_HEARD_SECONDS / 2)
    assert not any(course(director, "continue", [SILENCE] * 5))


def test_continue_goes_on_when_told_even_over_the_input():
    director = listened()
    director.obey("go")
    assert all(course(director, "continue", [SOUND] * 5))
    assert all(course(director, "continue", [SILENCE] * 5))
    assert not any(course(director, "continue", [SOUND]))  # told once


def test_listen_ends_what_is_played():
    director = listened()
    assert all(course(director, "continue", [SILENCE]))
    director.obey("listen")
    assert not any(course(director, "continue", [SILENCE] * 3))


def test_continue_without_an_input_plays_when_told():
    director = Director()
    assert not any(course(director, "continue", [None] * 3))
    director.obey("go")
    assert all(course(director, "continue", [None] * 3))


@pytest.mark.parametrize("mode", ["mosaic", "accompany"])
def test_modes_that_go_with_the_input_play_while_it_sounds(mode):
    expected = [False, True, True, False]
    assert course(Director(), mode, [SILENCE, SOUND, SOUND, SILENCE]) == expected
    assert course(Director(), mode, [None]) == [False]


@pytest.mark.parametrize("mode", ["continue", "mosaic", "accompany", "free"])
def test_panic_is_silent_until_go(mode):
    director = listened()
    director.obey("panic")
    assert not any(course(director, mode, [SOUND, SILENCE, SOUND]))
    director.obey("go")
    assert course(director, mode, [SOUND]) == [True]


def test_go_in_another_mode_is_not_about_a_later_continuation():
    director = Director()
    director.obey("go")
    course(director, "mosaic", [SOUND] * 3)
    assert not any(course(director, "continue", [SOUND] * 3))
