"""docs/live_control.md says what the code does."""

import re

import msgspec

from demiurge.live.knobs import KNOBS
from demiurge.live.messages import MESSAGES, ROOT
from demiurge.live.osc import ERROR, OSC_MESSAGES
from demiurge.live.osc_status import STATUS, STREAM
from demiurge.live.scenes import load_scenes
from tests.pages import ROOT as FOLDER

PAGE = (FOLDER / "docs" / "live_control.md").read_text()


def addresses(heading: str) -> set[str]:
    """The addresses in the tables of a section."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(/.+?)` \|", section, re.M))


def test_every_message_is_described():
    known = {f"{ROOT}{path}" for path in MESSAGES} | OSC_MESSAGES.keys()
    assert addresses("Messages to a session") == known


def test_every_message_of_the_stream_is_described():
    told = {f"{STATUS}{name}" for name in (*STREAM, "unit", "costs")}
    assert addresses("The status stream") == told | {f"{ROOT}knob/NAME", f"{ROOT}mode", ERROR}


def test_every_knob_is_described_with_its_range():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE, re.M))
    assert rows == {
        name: "0 or 1" if knob.is_switch else f"{knob.least:g}–{knob.most:g} {knob.unit}".rstrip()
        for name, knob in KNOBS.items()
    }


def test_the_scenes_that_are_shown_can_be_loaded(tmp_path):
    (shown,) = re.findall(r"```json\n(.+?)```", PAGE, re.S)
    path = tmp_path / "scenes.json"
    path.write_text(shown)
    scenes = load_scenes(path)
    assert scenes.keys() == {1}
    assert scenes[1].level == -6
    assert msgspec.json.decode(shown)["scenes"]["1"]["mode"] == scenes[1].mode
