"""The OSC server over real sockets."""

import socket
import struct
import time

import pytest

from demiurge.live.knobs import KNOBS
from demiurge.live.osc import OscServer
from demiurge.live.osc_bounds import MOST_OF_A_SENDER
from demiurge.live.osc_packets import BUNDLE, NTP_EPOCH, write_bundle, write_message
from files.errors import ParameterError
from tests.demiurge.live.osc_clients import Client, Session, clients

pytest.importorskip("pythonosc")

TOKEN = "a token of many letters"


@pytest.fixture
def session():
    return Session()


@pytest.fixture
def server(session):
    with OscServer(session) as made:
        yield made


@pytest.fixture
def client(server):
    with clients(server.port) as (made,):
        yield made


def due_bundle(seconds: float, *messages: bytes) -> bytes:
    tag = struct.pack(">Q", int((time.time() + seconds + NTP_EPOCH) * 2**32))
    parts = (struct.pack(">i", len(message)) + message for message in messages)
    return BUNDLE + tag + b"".join(parts)


def test_messages_and_bundles_are_obeyed_in_order(session, client):
    client.send("/demiurge/knob/level", -6)
    messages = [("/demiurge/knob/level", [-12.0]), ("/demiurge/jump", []), ("/demiurge/go", [])]
    client.socket.send(write_bundle(write_message(*one) for one in messages))
    client.settle()
    assert session.controls.knobs.level == -12
    assert session.controls.take_commands() == ["jump", "go"]


def test_what_cannot_be_done_is_answered(server, client):
    client.send("/demiurge/knob/level", "loud")
    assert client.read_error().endswith("takes finite numbers; it was sent 'loud'")
    client.send("/demiurge/status/subscribe", 70000)
    assert client.read_error() == "port=70000 must be an integer from 1 to 65535"
    client.socket.send(b"junk")
    assert "is no OSC message" in client.read_error()
    assert (server.refused, server.malformed) == (2, 1)


def test_errors_are_not_answered_with_errors(server, client):
    client.send("/demiurge/error", "of another server")
    client.send("/demiurge/knob/lvel", 1)
    assert client.read_error().startswith("knob 'lvel' is unknown")
    assert server.refused == 1


def test_a_subscriber_is_told_knobs_status_units_and_what_changes(session, client):
    client.send("/demiurge/status/subscribe")
    told = {message.address: message.arguments for message in client.read()}
    assert {f"/demiurge/knob/{name}" for name in KNOBS} <= told.keys()
    assert told["/demiurge/mode"] == ("mosaic",)
    assert told["/demiurge/status/state"] == ("", "listening")
    session.play("piano/ä.wav")
    session.play("choir.wav")
    unit = client.read_until("/demiurge/status/unit")
    assert unit.arguments == (1, 0, -1, -1, "piano/ä.wav", 1.5)
    session.controls.turn("level", -6)
    assert client.read_until("/demiurge/knob/level").arguments == (-6.0,)
    session.controls.set_mode("free")
    assert client.read_until("/demiurge/mode").arguments == ("free",)


def test_each_unit_comes_with_its_costs_in_one_bundle(session, client):
    client.settle()
    session.play("choir.wav")
    while True:
        told = [message.address for message in client.read()]
        if "/demiurge/status/unit" in told:
            break
    assert told.index("/demiurge/status/costs") == told.index("/demiurge/status/unit") + 1


def test_a_subscriber_may_read_elsewhere_and_errors_come_there(session, server, client):
    with clients(server.port) as (other,):
        client.send("/demiurge/status/subscribe", float(other.port))
        other.read_until("/demiurge/status/state")
        client.send("/demiurge/knob/lvel", 1)
        assert other.read_error().startswith("knob 'lvel' is unknown")


def test_one_who_unsubscribes_is_told_nothing_more(session, server, client):
    with clients(server.port) as (other,):
        client.settle()
        other.settle()
        client.send("/demiurge/status/unsubscribe")
        client.send("/demiurge/knob/lvel", 1)
        client.read_error()
        session.play("choir.wav")
        other.read_until("/demiurge/status/unit")
        client.send("/demiurge/knob/lvel", 1)
        assert [message.address for message in client.read()] == ["/demiurge/error"]


def test_of_too_many_subscribers_the_one_silent_longest_goes(session, server):
    with clients(server.port, 9) as many:
        for one in many[:8]:
            one.settle()
        many[0].settle()  # heard again
        many[8].settle()
        kept = server._clients.subscribers
        assert {where[1] for where in kept} == {one.port for one in (many[0], *many[2:])}


def test_a_bundle_due_later_waits(session, client):
    client.socket.send(due_bundle(0.4, write_message("/demiurge/knob/level", [-6.0])))
    client.settle()
    assert session.controls.knobs.level == 0
    assert client.read_until("/demiurge/knob/level").arguments == (-6.0,)


def test_a_bundle_due_before_is_obeyed_at_once(session, client):
    client.socket.send(due_bundle(-100, write_message("/demiurge/knob/level", [-6.0])))
    client.settle()
    assert session.controls.knobs.level == -6


def test_a_bundle_due_much_later_is_refused(server, client):
    client.socket.send(due_bundle(3600, write_message("/demiurge/go", [])))
    assert "/demiurge/go is due in more than 60 s" in client.read_error()
    assert server.refused == 1


def test_too_much_is_dropped_and_counted_and_others_are_heard(session, server, client):
    flood = write_bundle([write_message("/demiurge/jump", [])] * 64)
    for _ in range(20):
        client.socket.send(flood)
    with clients(server.port) as (other,):
        other.send("/demiurge/knob/level", -6)
        other.settle()
    assert session.controls.knobs.level == -6
    assert len(session.controls.take_commands()) >= MOST_OF_A_SENDER
    assert server.dropped > 0


def test_a_token_lets_in_all_that_comes_from_its_host(session):
    with OscServer(session, token=TOKEN) as server, clients(server.port, 2) as (one, other):
        one.send("/demiurge/go")
        assert one.read_error().startswith("a token is needed; send /demiurge/token first")
        one.socket.send(due_bundle(1, write_message("/demiurge/go", [])))
        assert one.read_error().startswith("a token is needed")
        one.send("/demiurge/token", "another token altogether")
        assert one.read_error().startswith("the token is wrong")
        one.socket.send(
            write_bundle(
                [
                    write_message("/demiurge/token", [TOKEN]),
                    write_message("/demiurge/knob/level", [-6.0]),
                ]
            )
        )
        one.settle()
        other.settle()
    assert session.controls.knobs.level == -6
    assert session.controls.take_commands() == []


@pytest.mark.parametrize(
    ("host", "token", "message"),
    [
        ("0.0.0.0", None, "host=0.0.0.0 can be reached by other machines; give a token"),
        ("127.0.0.1", "short", "the token has 5 characters; give one of 16 or more"),
        ("no.such.host.invalid", TOKEN, "OSC cannot listen at no.such.host.invalid:0"),
    ],
)
def test_unsafe_and_impossible_addresses_are_refused(session, host, token, message):
    with pytest.raises(ParameterError, match=message):
        OscServer(session, host=host, token=token)


def test_a_port_in_use_is_named(session, server):
    with pytest.raises(ParameterError, match=f"127.0.0.1:{server.port} .*choose another port"):
        OscServer(session, port=server.port)


def test_closed_twice_at_any_moment_it_frees_its_port(session):
    server = OscServer(session)
    client = Client(server.port)
    client.socket.send(due_bundle(30, write_message("/demiurge/go", [])))
    for _ in range(200):
        client.send("/demiurge/jump")
    server.close()
    server.close()
    client.socket.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", server.port))


def test_junk_does_not_end_it(session, server, client):
    for junk in (b"", b"\0", b"#bundle\0", bytes(5000), b"/" * 60000, BUNDLE + b"\xff" * 40):
        client.socket.send(junk)
    client.settle()
    assert server.malformed == 6
