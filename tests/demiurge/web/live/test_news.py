"""What a page is told of a session: all of it first, then what has changed."""

from math import inf, nan

import pytest

from db.database import Database
from demiurge.web.live.messages import parse_message, to_json
from demiurge.web.live.news import FIRST_STEPS, News
from files.errors import ParameterError
from tests.demiurge.web.live.fake_session import FakeSession


@pytest.fixture
def session(built):
    return FakeSession(Database(built / "small.db"))


def test_first_news_are_everything_and_then_only_changes(session):
    news = News(session)
    first = news.take()
    assert first.keys() == {"status", "knobs", "scenes", "scene"}
    assert (first["status"]["state"], first["knobs"]["mode"]) == ("listening", "mosaic")
    assert (first["scenes"], first["scene"]) == ([], None)
    assert news.take() == {}
    session.controls.turn("level", -6)
    assert news.take() == {
        "knobs": session.controls.knobs.to_dict(),
        "scenes": [],
        "scene": None,
    }
    assert news.take() == {}


def test_each_step_is_told_once_and_in_order(session):
    session.play(5)
    news = News(session)
    units = session.database.units
    assert news.take()["steps"] == [[1, 0, int(units.ids[5]), 5]]
    session.play(6)
    session.play(-1, voice=1)
    told = news.take()
    assert told["steps"] == [[2, 0, int(units.ids[6]), 6], [3, 1, -1, -1]]
    assert (told["status"]["step"], told["status"]["unit"]) == (3, -1)
    assert news.take() == {}


def test_of_a_long_session_a_page_is_told_the_last_steps_only(session):
    for _ in range(FIRST_STEPS + 100):
        session.play(0)
    numbers = [step[0] for step in News(session).take()["steps"]]
    assert numbers == list(range(101, FIRST_STEPS + 101))


def test_scenes_are_told_with_the_one_that_the_knobs_are_equal_to(session):
    news = News(session)
    news.take()
    session.controls.save_scene(3)
    assert news.take() == {"scenes": [3], "scene": 3}
    session.controls.turn("voices", 2)
    assert news.take()["scene"] is None
    session.controls.save_scene(1)
    session.controls.recall_scene(3)
    told = news.take()
    assert (told["scenes"], told["scene"], told["knobs"]["voices"]) == ([1, 3], 3, 1)


def test_costs_that_are_not_finite_are_null(session):
    session.play(0, distance=inf, join=nan)
    status = News(session).take()["status"]
    assert (status["distance"], status["join"]) == (None, None)


def test_paths_of_any_bytes_become_json(session):
    session.play(0, source="caf\udce9.wav")
    assert '"caf\\udce9.wav"' in to_json(News(session).take())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("1" * 5000, "is not JSON"),
        ("[]", "must be an object with address and arguments"),
        ('{"address": "/demiurge/go"}', "must be an object with address and arguments"),
        ('{"address": "/demiurge/go", "arguments": [], "more": 1}', "must be an object with"),
        ('{"address": 3, "arguments": []}', "address=3 must be a text"),
        ('{"address": "/demiurge/go", "arguments": 1}', "arguments=1 must be a list"),
    ],
)
def test_malformed_messages_are_refused(text, message):
    with pytest.raises(ParameterError, match=message):
        parse_message(text)
