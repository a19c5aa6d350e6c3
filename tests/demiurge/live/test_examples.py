"""Each message of examples/ is obeyed by a server, over a real socket."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demiurge.live.osc import ERROR, OSC_MESSAGES, OscServer
from demiurge.live.osc_packets import read_packet, write_bundle
from demiurge.live.osc_status import STATUS, STREAM, status_messages, unit_messages
from demiurge.live.status import Status
from tests.demiurge.live.osc_clients import Session, clients
from tests.pages import ROOT

pytest.importorskip("pythonosc")

EXAMPLES = ROOT / "examples"
TELLS = {*(f"{STATUS}{name}" for name in (*STREAM, "unit", "costs")), ERROR}
SENT_BY = {"supercollider.scd": 17, "puredata.pd": 18, "max.maxpat": 18, "reaper.lua": 9}

Sent = tuple[str, list[Any]]

STUBS = """
package.preload.socket = function()
  return { udp = function() return {
    setpeername = function() end,
    settimeout = function() end,
    send = function(_, packet)
      print((packet:gsub(".", function(one) return string.format("%02x", one:byte()) end)))
    end,
    receive = function() local packet = PACKET; PACKET = nil; return packet end,
  } end }
end
PACKET = arg[1]:gsub("..", function(one) return string.char(tonumber(one, 16)) end)
local looks = 0
local at_exit
reaper = {
  GetPlayState = function() looks = looks + 1; return looks == 2 and 1 or 0 end,
  defer = function(loop) if looks < 4 then loop() end end,
  atexit = function(call) at_exit = call end,
  Master_GetTempo = function() return 120 end,
  ShowConsoleMsg = function(text) io.stderr:write(text) end,
}
dofile(arg[2])
at_exit()
"""


def number_or_text(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word.strip('"')


def in_supercollider(text: str) -> Iterator[Sent]:
    text = text.replace("2.0.rand", "2.0")
    for call in re.findall(r"sendMsg\((.+)\);|\[(\"/demiurge.+?)\]", text):
        address, *arguments = "".join(call).split(", ")
        yield address.strip('"'), [number_or_text(one) for one in arguments]


def in_pure_data(text: str) -> Iterator[Sent]:
    for path, rest in re.findall(r"^#X msg \d+ \d+ set (.+?) \\, (.+);$", text, re.M):
        words = rest.replace("\\$1", "1").split()
        arguments = words[words[0] in ("list", "bang") :]
        yield "/" + path.replace(" ", "/"), [number_or_text(one) for one in arguments]


def in_max(text: str) -> Iterator[Sent]:
    for entry in json.loads(text)["patcher"]["boxes"]:
        if entry["box"]["maxclass"] == "message":
            address, *arguments = entry["box"]["text"].replace("$1", "1").split()
            yield address, [number_or_text(one) for one in arguments]


def in_reaper(text: str) -> Iterator[Sent]:
    text = text.replace("reaper.Master_GetTempo()", "120")
    for address, rest in re.findall(r"send\(\"(.+?)\"(?:, \"[ifs]\", (.+?))?\)$", text, re.M):
        yield address, [number_or_text(rest)] if rest else []


FOUND_BY = {".scd": in_supercollider, ".pd": in_pure_data, ".maxpat": in_max, ".lua": in_reaper}


@pytest.fixture
def server():
    session = Session()
    session.controls.save_scene(1)
    with OscServer(session) as made:
        yield made


def test_every_example_is_here():
    assert {path.name for path in EXAMPLES.iterdir()} == {*SENT_BY, "client.py", "README.md"}


@pytest.mark.parametrize("name", SENT_BY)
def test_messages_are_obeyed(server, name):
    path = EXAMPLES / name
    sent = list(FOUND_BY[path.suffix](path.read_text()))
    assert len(sent) == SENT_BY[name]
    with clients(server.port, 2) as (client, other):
        for address, arguments in sent:
            client.send(address, *arguments)
        other.settle()
    assert (server.refused, server.malformed, server.dropped) == (0, 0, 0)
    parts = " ".join(address for address, _ in sent)
    assert all(part in parts for part in ("/knob/", "/scene/save", "/scene/recall", "/subscribe"))


@pytest.mark.parametrize("name", ["supercollider.scd", "max.maxpat", "reaper.lua"])
def test_what_is_read_is_what_is_told(name):
    named = set(re.findall(r"/demiurge/(?:status/)?\w+", (EXAMPLES / name).read_text()))
    read = {one for one in named if one.startswith(STATUS) or one == ERROR} - OSC_MESSAGES.keys()
    assert {f"{STATUS}unit", ERROR} <= read <= TELLS


def test_what_pure_data_reads_is_what_is_told():
    routes = re.findall(r"route (.+);", (EXAMPLES / "puredata.pd").read_text())
    assert routes[0] == "demiurge"
    assert {f"{STATUS}{name}" for name in routes[2].split()} <= TELLS


@pytest.mark.parametrize("name", ["puredata.pd", "max.maxpat"])
def test_lines_of_a_patch_lead_from_box_to_box(name):
    text = (EXAMPLES / name).read_text()
    if name.endswith(".pd"):
        lines = text.splitlines()[1:]
        n_boxes = sum(not line.startswith("#X connect") for line in lines)
        ends = re.findall(r"#X connect (\d+) \d+ (\d+) \d+;", text)
        assert all(int(one) < n_boxes for pair in ends for one in pair)
    else:
        patcher = json.loads(text)["patcher"]
        known = {entry["box"]["id"] for entry in patcher["boxes"]}
        ends = [
            (line["patchline"]["source"][0], line["patchline"]["destination"][0])
            for line in patcher["lines"]
        ]
        assert known >= {one for pair in ends for one in pair}
    assert len(ends) > 20


def test_the_client_in_python_prints_what_is_told(server, capsys):
    text = (EXAMPLES / "client.py").read_text()
    assert len([line for line in text.splitlines()[1:] if line]) == 10
    text = text.replace("9000", str(server.port)).replace("timeout=5", "timeout=0.3")
    server._session.play("choir.wav")
    names: dict[str, Any] = {}
    exec(compile(text, "client.py", "exec"), names)
    names["demiurge"].close()
    printed = capsys.readouterr().out.splitlines()
    assert "/demiurge/status/state free playing" in printed
    assert "/demiurge/knob/temperature 0.5" in printed
    assert server._session.controls.take_commands() == ["go"]
    assert server.refused == 0


@pytest.mark.skipif(not shutil.which("lua5.4"), reason="lua5.4 is not installed")
def test_the_script_of_reaper_runs(tmp_path: Path):
    stubs = tmp_path / "stubs.lua"
    stubs.write_text(STUBS)
    step = Status("free", "playing", 1, source="choir.wav", start_seconds=1.5)
    told = write_bundle([*status_messages(step), *unit_messages([step])])
    done = subprocess.run(
        ["lua5.4", stubs, told.hex(), EXAMPLES / "reaper.lua"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "choir.wav from 1.50 s\n"
    sent = [read_packet(bytes.fromhex(line))[0] for line in done.stdout.split()]
    expected = [
        ("status/subscribe", ()),
        ("knob/temperature", (0.5,)),
        ("knob/tempo", (120.0,)),
        ("filter/source", ("*piano*",)),
        ("scene/save", (1,)),
        ("scene/recall", (1,)),
        ("go", ()),
        ("listen", ()),
        ("status/unsubscribe", ()),
    ]
    assert [(one.address, one.arguments) for one in sent] == [
        (f"/demiurge/{address}", arguments) for address, arguments in expected
    ]
