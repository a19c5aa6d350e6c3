"""JSON of requests, read with limits; JSON of names that are not UTF-8."""

import asyncio
import json

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from demiurge.web.answers import json_answer
from demiurge.web.requests import JSON_BYTES, read_json, takes_json


@pytest.fixture
def echo():
    """A client of a server that answers with the JSON it was sent."""

    def view(request, body):
        return json_answer(body)

    return TestClient(Starlette(routes=[Route("/", takes_json(view), methods=["POST"])]))


def post(client, content: bytes, kind: str = "application/json"):
    return client.post("/", content=content, headers={"Content-Type": kind})


def test_an_object_is_taken_as_it_is(echo):
    document = {"a": [1, 2.5, None], "ż": {"b": True}}
    assert post(echo, json.dumps(document).encode()).json() == document
    assert post(echo, b"{}", "Application/JSON; charset=utf-8").json() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"x",
        b"[]",
        b'"a"',
        b"3",
        b"null",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"{'a': 1}",
        b'{"a": 1}x',
    ],
)
def test_what_is_no_object_is_refused(echo, content):
    response = post(echo, content)
    assert response.status_code == 400
    assert "send a JSON object" in response.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_pages_of_other_sites_could_send_unasked_is_refused(echo, kind):
    response = post(echo, b"{}", kind)
    assert (response.status_code, "Content-Type: application/json" in response.text) == (415, True)


def test_long_requests_are_refused_before_they_have_come(echo):
    sent = []

    def content():
        for _ in range(1000):
            sent.append(1)
            yield b" " * (JSON_BYTES // 4)

    response = echo.post("/", content=content(), headers={"Content-Type": "application/json"})
    assert (response.status_code, f"longer than {JSON_BYTES} bytes" in response.text) == (413, True)
    assert post(echo, b'{"a": 1}' + b" " * (JSON_BYTES - 8)).status_code == 200


def test_slow_requests_are_given_up():

    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    request = Request(
        {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]},
        receive,
    )
    with pytest.raises(HTTPException, match="did not arrive within 0.05 s"):
        asyncio.run(read_json(request, seconds=0.05))


def test_names_that_are_no_text_can_be_sent():
    assert json.loads(json_answer({"path": "caf\udce9.wav"}).body) == {"path": "caf\udce9.wav"}


def test_numbers_that_json_has_not_are_never_sent():
    with pytest.raises(ValueError, match="Out of range float values"):
        json_answer({"a": float("nan")})
