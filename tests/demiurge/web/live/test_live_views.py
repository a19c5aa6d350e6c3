"""The page "Live" and its WebSocket: who may open it, what it takes, and what it survives."""

import json
import socket as sockets

import anyio
import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from demiurge.live.knobs import KNOBS
from demiurge.web.live.channel import MOST_BYTES, Channel
from demiurge.web.live.views import MOST_PAGES, TRY_AGAIN
from demiurge.web.security import Security
from demiurge.web.workspace import Workspace
from tests.demiurge.web.conftest import ADDRESS, serving, visit
from tests.demiurge.web.live.fake_session import FakeSession

TOKEN = "correct-horse-battery"
PATH = "/live/socket"
PLACE = f"ws://127.0.0.1:8421{PATH}"


@pytest.fixture
def session(workspace):
    """A session that the page shows."""
    workspace.live = FakeSession(workspace.database)
    return workspace.live


@pytest.fixture
def client(session, workspace):
    with visit(workspace) as client:
        yield client


def send(socket, address, *arguments):
    socket.send_text(json.dumps({"address": f"/demiurge/{address}", "arguments": arguments}))


def told(socket, key):
    """What a page is told next under a key."""
    while key not in (news := socket.receive_json()):
        pass
    return news[key]


def test_without_a_session_there_is_no_page(workspace):
    with visit(workspace) as client:
        assert client.get("/live").status_code == 404
        assert ">Live</a>" not in client.get("/map").text
        assert client.get("/").headers["location"] == "/map"
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(PLACE):
            pass


def test_page_is_the_first_and_has_a_slider_for_each_knob(client, session):
    session.controls.turn("level", -12)
    assert client.get("/").headers["location"] == "/live"
    assert ">Live</a>" in client.get("/map").text
    text = client.get("/live").text
    sliders = {name for name in KNOBS if f'data-knob="{name}"' in text}
    assert sliders == KNOBS.keys() - {"freeze"}
    document = client.get("/live.json").json()
    assert document["values"]["level"] == -12
    assert document["knobs"]["max_run"]["unit"] == "s"
    assert document["status"]["state"] == "listening"


def test_messages_are_obeyed_and_every_page_sees_what_others_turn(client, session):
    with (
        client.websocket_connect(PLACE) as one,
        client.websocket_connect(PLACE) as other,
    ):
        assert told(one, "knobs") == told(other, "knobs")
        send(one, "knob/temperature", 1.5)
        assert told(other, "knobs")["temperature"] == told(one, "knobs")["temperature"] == 1.5
        session.controls.set_mode("free")  # as MIDI would
        assert (told(one, "knobs")["mode"], told(other, "knobs")["mode"]) == ("free", "free")
        send(other, "jump")
        send(other, "scene/save", 2)
        assert told(one, "scenes") == [2]
        assert session.controls.take_commands() == ["jump"]
        session.play(7)
        assert told(one, "steps")[0][3] == told(other, "steps")[0][3] == 7


def test_messages_that_cannot_be_obeyed_are_told_and_change_nothing(client, session):
    before = session.controls.knobs
    with client.websocket_connect(PLACE) as socket:
        send(socket, "knob/level", 99)
        assert "level=99" in told(socket, "errors")[0]
        send(socket, "knob/level", 10**400)
        assert "finite" in told(socket, "errors")[0]
        send(socket, "knob/level", float("nan"))
        assert "finite" in told(socket, "errors")[0]
        send(socket, "nowhere")
        assert "nowhere" in told(socket, "errors")[0]
        socket.send_bytes(b"\0" * 100)
        assert "not JSON" in told(socket, "errors")[0]
        assert session.controls.knobs == before
        send(socket, "go")
        send(socket, "scene/save", 1)
        assert told(socket, "scenes") == [1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8422"}, 403),
        ({"Origin": "https://127.0.0.1:8421"}, 403),
        ({"Origin": ADDRESS, "Host": "evil.example:8421"}, 400),
        ({"Origin": "http://evil.example:8421", "Host": "evil.example:8421"}, 400),
        ({"Origin": ADDRESS, "Host": ""}, 400),
    ],
)
def test_only_pages_of_this_server_may_open_it(session, workspace, headers, status):
    with visit(workspace) as client:
        del client.headers["Origin"]
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect(PLACE, headers=headers),
        ):
            pass
        assert refused.value.status_code == status


def test_with_a_token_only_those_who_have_the_cookie_may_open_it(session, workspace):
    with visit(workspace, Security("0.0.0.0", 8421, TOKEN)) as client:
        for place in (PLACE, f"{PLACE}?token={TOKEN}"):
            with (
                pytest.raises(WebSocketDenialResponse) as refused,
                client.websocket_connect(place),
            ):
                pass
            assert refused.value.status_code == 401
        client.get("/live", params={"token": TOKEN})
        with client.websocket_connect(PLACE) as socket:
            assert told(socket, "knobs")["mode"] == "mosaic"


def test_pages_beyond_a_number_are_sent_away_and_may_come_when_others_leave(client):
    with client.websocket_connect(PLACE):
        others = [client.websocket_connect(PLACE) for _ in range(MOST_PAGES - 1)]
        for other in others:
            other.__enter__()
        with (
            client.websocket_connect(PLACE) as socket,
            pytest.raises(WebSocketDisconnect) as ended,
        ):
            socket.receive_json()
        assert ended.value.code == TRY_AGAIN
        for other in others:
            other.__exit__(None, None, None)
    with client.websocket_connect(PLACE) as socket:
        assert "knobs" in socket.receive_json()


class Stuck:
    """A WebSocket that takes nothing and sends nothing."""

    async def accept(self):
        pass

    async def send_text(self, text):
        await anyio.sleep_forever()

    async def receive(self):
        await anyio.sleep_forever()


def test_page_that_takes_nothing_is_dropped(session):
    async def run():
        with anyio.fail_after(10):
            await Channel(session, Stuck(), patience_seconds=0.01).run()

    anyio.run(run)


def test_real_server_drops_long_messages_and_broken_frames_and_goes_on(built, tmp_path):
    workspace = Workspace(built / "small.db", folder=tmp_path / "plans")
    session = workspace.live = FakeSession(workspace.database)
    with serving(workspace) as address:
        place = f"{address.replace('http', 'ws')}{PATH}"
        with connect(place, origin=address) as socket, pytest.raises(ConnectionClosed) as ended:
            send_and_read(socket, "x" * (MOST_BYTES + 1))
        assert ended.value.rcvd.code == 1009
        host, _, port = address.removeprefix("http://").partition(":")
        with sockets.create_connection((host, int(port)), 30) as raw:
            raw.sendall(handshake(address))
            assert raw.recv(12) == b"HTTP/1.1 101"
            raw.sendall(b"\xff" * 64)
            while raw.recv(4096):
                pass
        with connect(place, origin=address) as socket:
            socket.send('{"address": "/demiurge/panic", "arguments": []}')
            socket.send('{"address": "/demiurge/scene/save", "arguments": [1]}')
            while json.loads(socket.recv(30)).get("scenes") != [1]:
                pass
            assert session.controls.take_commands() == ["panic"]


def send_and_read(socket, text):
    """Send a message, and read until the connection ends."""
    socket.send(text)
    while True:
        socket.recv(30)


def handshake(address):
    lines = (
        f"GET {PATH} HTTP/1.1",
        f"Host: {address.removeprefix('http://')}",
        f"Origin: {address}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join([*lines, "", ""]).encode()
