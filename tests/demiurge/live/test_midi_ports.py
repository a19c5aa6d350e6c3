"""MIDI ports: real ones through a JACK server, faults through a system of ports that is told."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

from demiurge.live import midi_ports
from demiurge.live.controls import Controls
from demiurge.live.midi import MidiHandler
from demiurge.live.midi_ports import MidiInput, list_ports
from files.errors import ParameterError
from tests.pages import ROOT

pytest.importorskip("mido")
pytest.importorskip("rtmidi")

TIMEOUT_S = 30
PLAYED = """
import threading, mido, rtmidi
from demiurge.live.controls import Controls
from demiurge.live.midi import MidiHandler
from demiurge.live.midi_ports import MidiInput, list_ports

class Heard(Controls):
    heard = threading.Event()
    def command(self, name):
        super().command(name)
        self.heard.set()

controls = Heard()
handler = MidiHandler(controls)
handler.learn("level")
with MidiInput("virtual", handler):
    keyboard = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "keyboard")
    keyboard.open_port(keyboard.get_ports().index("demiurge:demiurge"))
    for message in [
        mido.Message("control_change", control=1, value=0),
        mido.Message("control_change", control=1, value=127),
        mido.Message("note_on", note=61),
        mido.Message("start"),
    ]:
        keyboard.send_message(message.bytes())
    assert controls.heard.wait(20)
    print(controls.knobs.level, sorted(controls.knobs.pitch_classes), controls.take_commands())
keyboard.close_port()
keyboard.open_virtual_port("out")
print(list_ports())
with MidiInput("KEYBOARD", handler) as opened:
    print(opened.name)
keyboard.delete()
"""


@pytest.fixture
def jack():
    """The environment of a JACK server of its own, without a device."""
    if not shutil.which("jackd") or not shutil.which("jack_wait"):
        pytest.skip("NO REAL MIDI PORTS WERE TESTED: jackd is not installed")
    name = f"demiurge-{os.getpid()}"
    server = subprocess.Popen(
        ["jackd", "-n", name, "-r", "-d", "dummy", "-p", "256"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    watch = threading.Timer(TIMEOUT_S, server.kill)
    watch.start()
    try:
        yield {**os.environ, "JACK_DEFAULT_SERVER": name, "PYTHONPATH": str(ROOT)}
    finally:
        server.terminate()  # a server that is killed leaves one of JACK's eight places taken
        server.communicate()
        watch.cancel()


def test_messages_of_real_ports_are_obeyed(jack):
    waiting = ["jack_wait", "-w", "-t", "10", "-s", jack["JACK_DEFAULT_SERVER"]]
    waited = subprocess.run(waiting, env=jack, capture_output=True, check=False, timeout=TIMEOUT_S)
    if waited.returncode:
        pytest.skip("NO REAL MIDI PORTS WERE TESTED: jackd does not start here")
    result = subprocess.run(
        [sys.executable, "-c", PLAYED],
        env=jack,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "12.0 [1] ['go']",
        "['keyboard:out']",
        "keyboard:out",
    ]


class Ports:
    """Stands for rtmidi's MidiIn, with ports that come and go."""

    names = ("Launchkey MK3 MIDI 20:0", "Launchkey MK3 DAW 20:1", "Pads 24:0")
    refused = False

    def __init__(self, api, client):
        self.deleted = False
        self.opened = []

    def get_ports(self):
        return list(self.names)

    def open_port(self, number, name):
        if self.refused:
            raise OSError("it is used by another")
        self.opened.append(self.names[number])

    def set_callback(self, callback):
        self.callback = callback

    def ignore_types(self, **types):
        assert types["timing"] is False

    def cancel_callback(self):
        self.callback = None

    def close_port(self):
        pass

    def delete(self):
        self.deleted = True


@pytest.fixture
def ports(monkeypatch):
    import rtmidi

    fake = type("Ports", (Ports,), {})
    monkeypatch.setattr(rtmidi, "MidiIn", fake)
    monkeypatch.setattr(rtmidi, "get_compiled_api", lambda: [rtmidi.API_UNIX_JACK])
    return fake


def test_port_is_found_by_a_part_of_its_name(ports):
    assert list_ports() == list(Ports.names)
    with MidiInput("pads", MidiHandler(Controls())) as opened:
        assert opened.name == "Pads 24:0"
        assert opened._client.opened == ["Pads 24:0"]
    assert opened._client.deleted


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("launch", "MIDI port 'launch' fits several of the ports: Launchkey MK3 MIDI 20:0, Launch"),
        ("organ", "MIDI port 'organ' is none of the ports: Launchkey .*; give one's name"),
    ],
)
def test_port_that_is_not_one_is_refused(ports, port, message):
    with pytest.raises(ParameterError, match=message):
        MidiInput(port, MidiHandler(Controls()))


def test_port_that_another_program_uses_is_refused(ports):
    ports.refused = True
    with pytest.raises(ParameterError, match="'Pads 24:0' cannot be opened .it is used by another"):
        MidiInput("pads", MidiHandler(Controls()))


def test_vanished_device_is_told_and_opened_again(ports, monkeypatch):
    monkeypatch.setattr(midi_ports, "CHECK_S", 0.001)
    monkeypatch.setattr(midi_ports, "LOOK_S", 0.0)
    told = []
    step = threading.Event()

    def tell(text):
        told.append(text)
        step.set()

    controls = Controls()
    with MidiInput("pads", MidiHandler(controls), tell=tell) as opened:
        opened._client.callback(([0x90, 61, 1], 0.0), None)
        assert controls.knobs.pitch_classes == {1}
        ports.names = Ports.names[:2]
        assert step.wait(TIMEOUT_S)
        assert controls.knobs.pitch_classes == frozenset()
        step.clear()
        ports.names = (*Ports.names[:2], "Pads 28:0")  # with another number
        assert step.wait(TIMEOUT_S)
    assert told == ["MIDI: Pads 24:0 has vanished; it is waited for", "MIDI: Pads 24:0 is back"]
    assert opened._client.opened == ["Pads 24:0", "Pads 28:0"]


def test_malformed_messages_are_counted(ports):
    with MidiInput("pads", MidiHandler(Controls())) as opened:
        for data in ([0x90], [], [0x90, 200, 1], [61, 2]):
            opened._client.callback((data, 0.0), None)
        assert opened.malformed == 4


def test_system_without_midi_is_told(monkeypatch):
    import rtmidi

    monkeypatch.setattr(rtmidi, "get_compiled_api", lambda: [rtmidi.API_RTMIDI_DUMMY])
    with pytest.raises(ParameterError, match="no MIDI: .* modprobe snd-seq, start JACK"):
        list_ports()


def test_missing_packages_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(ParameterError, match="MIDI needs mido and python-rtmidi; install them"):
        list_ports()
