"""What MIDI messages do to knobs, commands and scenes."""

import json

import pytest

from demiurge.live.bindings import Bindings, load_bindings, save_bindings
from demiurge.live.controls import Controls
from demiurge.live.midi import MidiHandler
from files.errors import ParameterError

mido = pytest.importorskip("mido")


class Player:
    """A handler with what it controls and tells."""

    def __init__(self, path=None):
        self.controls = Controls()
        self.told = []
        self.handler = MidiHandler(self.controls, path, tell=self.told.append)

    def send(self, kind, at_s=0.0, **values):
        self.handler.handle(mido.Message(kind, **values), at_s)

    @property
    def pitch_classes(self):
        return sorted(self.controls.knobs.pitch_classes)


def test_learned_controller_turns_the_knob_and_is_kept(tmp_path):
    path = tmp_path / "midi.json"
    player = Player(path)
    player.handler.learn("temperature")
    player.send("control_change", channel=2, control=21, value=100)
    assert player.controls.knobs.temperature == 0  # it was only learned
    player.send("control_change", channel=2, control=21, value=64)
    player.send("control_change", channel=3, control=21, value=1)  # of another channel
    assert player.controls.knobs.temperature == pytest.approx(2.0)
    assert json.loads(path.read_text())["controllers"] == [
        {"channel": 3, "controller": 21, "name": "temperature"}
    ]
    again = Player(path)
    again.send("control_change", channel=2, control=21, value=127)
    assert again.controls.knobs.temperature == 4.0


def test_knob_learned_again_leaves_its_old_controller():
    player = Player()
    for control in (1, 2):
        player.handler.learn("level")
        player.send("control_change", control=control, value=0)
    assert player.handler.bindings.controllers == {(1, 2): "level"}
    assert player.told[-1] == "MIDI: controller 2 of channel 1 is level"


def test_pedal_gives_a_command_each_time_it_goes_down():
    player = Player()
    player.handler.learn("jump")
    for value in (127, 0, 127, 100, 0, 70):
        player.send("control_change", control=64, value=value)
    assert player.controls.take_commands() == ["jump", "jump"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("transpose", {0: -24, 64: 0, 127: 24}),
        ("level", {0: -60, 64: -24, 127: 12}),
        ("max_run", {0: 0.05, 127: 60}),
        ("freeze", {0: False, 63: False, 64: True}),
        ("voices", {0: 1, 127: 4}),
    ],
)
def test_controller_covers_the_range_with_64_in_the_middle(name, values):
    player = Player()
    player.handler.bindings = Bindings().bound(1, 7, name)
    for position, value in values.items():
        player.send("control_change", control=7, value=position)
        assert getattr(player.controls.knobs, name) == pytest.approx(value)


def test_learning_what_does_not_exist_is_refused():
    with pytest.raises(ParameterError, match="binding 'volume' is neither a knob nor a command"):
        Player().handler.learn("volume")


def test_held_notes_are_the_wanted_pitch_classes():
    player = Player()
    for note in (60, 64, 67, 72):
        player.send("note_on", note=note, velocity=90)
    assert player.pitch_classes == [0, 4, 7]
    player.send("note_off", note=60)
    assert player.pitch_classes == [0, 4, 7]  # the other C is held
    player.send("note_on", note=72, velocity=0)
    assert player.pitch_classes == [4, 7]
    player.send("control_change", control=123, value=0)
    assert player.pitch_classes == []


def test_last_note_transposes():
    player = Player()
    player.handler.set_notes("transpose")
    heard = []
    for kind, note in [
        ("note_on", 67),
        ("note_on", 48),
        ("note_off", 48),
        ("note_off", 67),
        ("note_on", 108),
        ("note_on", 0),
    ]:
        player.send(kind, note=note)
        heard.append(player.controls.knobs.transpose)
    assert heard == [7, -12, 7, 7, 24, -24]
    with pytest.raises(ParameterError, match="notes='chord' must be one of pitch, transpose"):
        player.handler.set_notes("chord")


def test_clock_sets_the_tempo_until_it_stops():
    player = Player()
    for tick in range(48):
        player.send("clock", at_s=tick * 60 / (24 * 96))
    assert player.controls.clock_bpm == 96
    player.handler.check(10.0)
    assert player.controls.clock_bpm == 0


def test_transport_programs_and_all_sound_off():
    player = Player()
    player.controls.save_scene(5)
    player.controls.turn("level", -20)
    for kind in ("start", "stop", "continue", "reset", "pitchwheel"):
        player.send(kind)
    player.send("control_change", control=120, value=0)
    assert player.controls.take_commands() == ["go", "listen", "go", "panic"]
    player.send("program_change", program=5)
    assert player.controls.knobs.level == 0
    player.send("program_change", program=6)
    assert player.told == ["MIDI: scene 6 was not saved; saved are 5"]


def test_port_that_is_gone_releases_notes_and_clock():
    player = Player()
    player.send("note_on", note=61)
    for tick in range(48):
        player.send("clock", at_s=tick * 60 / (24 * 96))
    player.handler.release()
    assert player.pitch_classes == []
    assert player.controls.clock_bpm == 0


def test_bindings_that_cannot_be_kept_are_told(tmp_path):
    player = Player(tmp_path / "gone" / "midi.json")
    player.handler.learn("go")
    player.send("control_change", control=1, value=1)
    assert "cannot be written" in player.told[-1]
    assert player.handler.bindings.controllers == {(1, 1): "go"}


def test_bindings_are_read_as_they_were_saved(tmp_path):
    path = tmp_path / "midi.json"
    assert load_bindings(path) == Bindings()
    bindings = Bindings("transpose").bound(1, 20, "freeze").bound(16, 127, "panic")
    save_bindings(bindings, path)
    assert load_bindings(path) == bindings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1, column 2"),
        ('{"version": 2}', "version=2 must be"),
        ('{"version": 1, "notes": "x"}', "one of pitch, transpose"),
        ('{"version": 1, "controllers": [{"channel": 0, "controller": 1, "name": "go"}]}', "=0"),
        ('{"version": 1, "controllers": [{"channel": 1, "controller": 1, "name": "x"}]}', "'x'"),
    ],
)
def test_damaged_bindings_are_refused(tmp_path, text, message):
    path = tmp_path / "midi.json"
    path.write_text(text)
    with pytest.raises(ParameterError, match=message):
        load_bindings(path)
