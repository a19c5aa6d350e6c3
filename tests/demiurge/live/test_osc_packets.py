"""OSC packets: taken apart, made, and refused if malformed."""

import logging
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demiurge.live.osc_packets import (
    BUNDLE,
    MAX_BYTES,
    NTP_EPOCH,
    Received,
    read_packet,
    write_bundle,
    write_message,
)
from files.errors import ParameterError

GO = b"/demiurge/go\0\0\0\0,\0\0\0"
NOW = struct.pack(">Q", 1)


def bundle(*parts: bytes, tag: bytes = NOW) -> bytes:
    return BUNDLE + tag + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def test_a_message_is_read_as_it_was_written():
    arguments = (1, 0.5, "ä b", True, False, None, 1 << 40)
    data = write_message("/demiurge/knob/level", arguments)
    assert len(data) % 4 == 0
    assert read_packet(data) == [Received("/demiurge/knob/level", arguments)]


def test_known_bytes():
    assert write_message("/demiurge/go", []) == GO
    assert read_packet(GO) == [Received("/demiurge/go")]
    assert read_packet(b"/demiurge/go\0\0\0\0") == [Received("/demiurge/go")]  # of old senders
    assert write_bundle([GO]) == bundle(GO)


def test_bundles_keep_their_order_and_each_its_time():
    tag = struct.pack(">II", NTP_EPOCH + 1000, 1 << 31)
    inner = bundle(write_message("/b", [1]), tag=tag)
    found = read_packet(bundle(write_message("/a", []), inner, write_message("/c", [])))
    assert [(one.address, one.due) for one in found] == [("/a", 0.0), ("/b", 1000.5), ("/c", 0.0)]
    assert read_packet(bundle()) == []


def test_times_before_1970_are_past():
    assert read_packet(bundle(GO, tag=bytes(8)))[0].due == 0.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no OSC message"),
        (b"go", "is no OSC message"),
        (b"/go", "is no OSC message"),
        (b"/g\xff\0,\0\0\0", "is no OSC message"),
        (b"/go\0,Z\0\0", "is no OSC message"),
        (b"/g\0,\0\0\0\0", "is no OSC message"),  # tags that do not begin at a multiple of 4
        (b"/go\0," + b"T" * 67 + bytes(4), "at most 64 arguments"),
        (b"/go\0,i\0\0", "/go: its arguments are malformed"),
        (b"/go\0,s\0\0\xff\xff\xff\0", "/go: its arguments are malformed"),
        (b"/go\0,b\0\0\0\0\x10\0", "/go: its arguments are malformed"),
        (b"/go\0,[\0\0", "/go: its arguments are malformed"),
        (b"/go\0,]\0\0", "/go: its arguments are malformed"),
        (BUNDLE + b"\0\0", "ends before its time tag"),
        (BUNDLE + NOW + b"\0\0", "impossible size"),
        (BUNDLE + NOW + struct.pack(">i", -4), "impossible size"),  # python-osc reads it for ever
        (BUNDLE + NOW + struct.pack(">i", 0), "impossible size"),
        (BUNDLE + NOW + struct.pack(">i", 8) + GO[:4], "impossible size"),
        (bundle(b"junk"), "is no OSC message"),
        (bundle(*[GO] * 65), "more than 64 messages"),
        (bytes(MAX_BYTES + 1), "more than 4096 bytes"),
    ],
)
def test_malformed_packets_are_refused(data, message):
    with pytest.raises(ParameterError, match=message):
        read_packet(data)


def test_deeply_nested_bundles_are_refused():
    packet = GO
    for _ in range(8):
        packet = bundle(packet)
    assert read_packet(packet) == [Received("/demiurge/go")]
    with pytest.raises(ParameterError, match="nested more than 8 deep"):
        read_packet(bundle(packet))


TAGS = st.text("ihfdsbrmtTFN[]", max_size=6).map(str.encode)
MESSAGES = st.builds(
    lambda tags, rest: b"/a\0\0," + tags + bytes(4 - (len(tags) + 1) % 4) + rest,
    TAGS,
    st.binary(max_size=24),
)


@given(
    st.one_of(st.binary(max_size=64), MESSAGES, st.lists(MESSAGES).map(lambda all: bundle(*all)))
)
def test_any_bytes_are_read_or_refused(data):
    try:
        found = read_packet(data)
    except ParameterError:
        return
    assert all(one.address.startswith("/") and one.due >= 0 for one in found)


@given(st.binary(min_size=1, max_size=8), st.integers(0, 90))
def test_a_damaged_bundle_is_read_or_refused_without_a_word_in_the_log(damage, at):
    data = bytearray(bundle(write_message("/demiurge/mode", ["free"]), bundle(GO, GO)))
    data[at : at + len(damage)] = damage
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        read_packet(bytes(data))
    except ParameterError:
        pass
    finally:
        logging.getLogger().removeHandler(handler)
    assert not records


def test_numbers_that_are_none_arrive_for_the_controls_to_refuse():
    (found,) = read_packet(write_message("/demiurge/knob/level", [math.nan]))
    assert math.isnan(found.arguments[0])
