"""What keys ask of a session, and how the bytes of a terminal are read as keys."""

import io
import sys
from types import SimpleNamespace

import pytest

from demiurge.live.controls import Controls
from demiurge.live.display import Display, knob_text
from demiurge.live.keyboard import WindowsKeyboard, split_keys
from demiurge.live.keys import KEYS, NAMES, KeyHandler
from demiurge.live.knobs import KNOBS, Knobs
from demiurge.live.status import Status
from tests.pages import ROOT


class Player:
    def __init__(self, learn=None):
        self.controls = Controls()
        self.told = []
        self.handler = KeyHandler(self.controls, tell=self.told.append, learn=learn)

    def press(self, *keys):
        for key in keys:
            self.handler.press(key)


def test_letters_are_commands():
    player = Player()
    player.press(*"jglpqx")
    assert player.controls.take_commands() == ["jump", "go", "listen", "panic", "stop"]


def test_space_freezes_and_goes_on():
    player = Player()
    player.press(" ")
    assert player.controls.knobs.freeze is True
    player.press(" ")
    assert player.controls.knobs.freeze is False


def test_m_goes_through_all_modes():
    player = Player()
    modes = []
    for _ in range(4):
        player.press("m")
        modes.append(player.controls.knobs.mode)
    assert modes == ["accompany", "free", "continue", "mosaic"]


def test_s_and_a_digit_save_a_scene_that_the_digit_recalls():
    player = Player()
    player.press("s", "3", "right", "3")
    assert player.controls.knobs == Knobs()
    player.press("s", "j", "4")  # s was for the j
    assert player.told[-1] == "scene 4 was not saved; saved are 3"


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("level", "right", 1.0),
        ("level", "shift-left", -10.0),
        ("transpose", "left", -1.0),
        ("voices", "right", 2),
        ("voices", "left", 1),
        ("freeze", "right", True),
        ("continuity", "right", 0.625),
        ("min_reuse", "right", 0.0146),
        ("level", "far", 12.0),
    ],
)
def test_arrows_turn_the_selected_knob(name, key, value):
    player = Player()
    player.press(*["down"] * NAMES.index(name))
    assert player.handler.selected == name
    player.press(*(["shift-right"] * 9 if key == "far" else [key]))
    assert getattr(player.controls.knobs, name) == value


@pytest.mark.parametrize("name", KNOBS)
def test_knobs_go_to_both_ends_and_back_within_their_range(name):
    player = Player()
    player.handler.selected = name
    player.press(*["shift-right"] * 40)
    assert getattr(player.controls.knobs, name) == KNOBS[name].most
    player.press(*["shift-left"] * 40)
    assert getattr(player.controls.knobs, name) == KNOBS[name].least
    assert player.told == []


def test_up_from_the_first_knob_is_the_last():
    player = Player()
    player.press("up")
    assert player.handler.selected == NAMES[-1]


def test_b_binds_the_selected_knob():
    learned = []
    Player(learned.append).press("down", "b")
    assert learned == [NAMES[1]]
    player = Player()
    player.press("b")
    assert player.told == ["no MIDI port is open"]


def test_help_tells_all_keys():
    player = Player()
    player.press("?")
    assert len(player.told) == len(KEYS)


@pytest.mark.parametrize(
    ("data", "keys", "waiting"),
    [
        (b"a1 ", ["a", "1", " "], b""),
        (b"\x1b[A\x1bOBq", ["up", "down", "q"], b""),
        (b"\x1b[1;2C\x1b[1;2D", ["shift-right", "shift-left"], b""),
        (b"j\x1b", ["j"], b"\x1b"),
        (b"j\x1b[1;2", ["j"], b"\x1b[1;2"),
        (b"\x1b[15~\x1b[3~\x1bOPx", ["x"], b""),  # F5, delete, F1
        (b"\x1bj", [], b""),  # Alt-j
        ("é日".encode(), ["é", "日"], b""),
        (b"\xff\xfep", ["p"], b""),
    ],
)
def test_bytes_are_split_into_keys(data, keys, waiting):
    assert split_keys(data) == (keys, waiting)


def test_keys_of_a_windows_console(monkeypatch):
    letters = list("q\xe0H\x00;j")  # q, up, F1, j
    console = SimpleNamespace(kbhit=lambda: bool(letters), getwch=lambda: letters.pop(0))
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    with WindowsKeyboard() as keyboard:
        assert keyboard.read(5) == ["q", "up", "j"]
        assert keyboard.read(0) == []


class Screen(io.StringIO):
    encoding = "utf-8"

    def fileno(self):
        raise OSError


def test_status_fits_two_lines_of_80_columns_whatever_the_names():
    screen = Screen()
    status = Status("continue", "listening", source="日本\x1b[2J\n" * 40, input_db=-30, late=3)
    Display(screen).draw(status, Knobs(), "follow_loudness")
    first, second = screen.getvalue().split("\n")
    assert "\x1b[2J" not in first
    assert r"日本\x1b[2J\n日本" in first
    assert len(first) < 80
    assert second == (
        "in ██░░  -30  out ░░░░ -120 dB  late 3  underruns 0  0.0 ms  follow_loudness 0\x1b[K"
    )


def test_told_line_stands_above_the_status():
    screen = Screen()
    display = Display(screen)
    display.draw(Status(), Knobs(), "level")
    display.tell("hello")
    display.draw(Status(), Knobs(), "level")
    display.close()
    assert "\r\x1b[1A\x1b[Jhello\n\r:" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[K\n")


def test_knobs_are_shown_with_their_units():
    assert knob_text(Knobs(), "max_run") == "max_run 8 s"
    assert knob_text(Knobs(freeze=True), "freeze") == "freeze on"


def test_documented_keys_are_those_that_exist():
    page = (ROOT / "docs" / "live_midi.md").read_text()
    for key, meaning in KEYS.items():
        assert f"| {key} | {meaning} |" in page
