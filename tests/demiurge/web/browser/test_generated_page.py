"""More sounds like the pinned units, as people ask for them on the map, in Chromium."""

import json
import threading

import numpy as np
import pytest
import soundfile as sf
from playwright.sync_api import expect

from demiurge.web.generated.generating import CLIPS
from demiurge.web.make.messages import Finished, Progressed
from demiurge.web.make.worker import Worker

PATIENCE = 20.0  # seconds
RATE = 22050
PLAYS = "() => [...document.querySelectorAll('#more-clips button')].map((b) => b.ariaPressed)"


class Maker:
    """Stands in for the process: makes one clip, and the others when it is told to go on."""

    def __init__(self):
        self.goes_on = threading.Event()
        self.dies = threading.Event()
        self.sounds = ()

    def work(self, task):
        self.goes_on.clear()
        self.dies.clear()
        self.sounds = [path.name for path in task.sounds]
        for number in range(1, CLIPS + 1):
            noise = np.random.default_rng(number).normal(0, 0.05, RATE)
            sf.write(task.out / f"generated-00000{number}.flac", noise, RATE)
            yield Progressed(0, "generating", number, CLIPS)
            self.goes_on.wait(PATIENCE)
            if self.dies.is_set():
                return
        yield Finished()

    def kill(self):
        self.dies.set()
        self.goes_on.set()


@pytest.fixture
def maker(toy_weights, monkeypatch):
    made = Maker()
    monkeypatch.setattr("demiurge.shipped.WEIGHTS", toy_weights)
    monkeypatch.setattr(Worker, "work", lambda _, task: made.work(task))
    monkeypatch.setattr(Worker, "kill", lambda _: made.kill())
    return made


@pytest.fixture
def open_map(page):
    """`open_map(n)` opens the map with n units pinned; gives their ids."""

    def open_it(n):
        database = page.request.get("/map.json").json()["database"]["id"]
        units = np.frombuffer(page.request.get("/map/units").body(), "<u4")[:n].tolist()
        kept = json.dumps([f"map.pins.{database}", json.dumps(units)])
        page.add_init_script(f"localStorage.setItem(...{kept})")
        page.goto("/map?plan=")
        page.wait_for_selector("body[data-ready]")
        return units

    return open_it


def test_more_like_the_pinned_units_is_made_played_and_downloaded(page, open_map, maker):
    units = open_map(2)
    start = page.get_by_role("button", name="Generate more like these")
    expect(start).to_be_visible()
    start.click()
    text = page.locator("#more-text")
    expect(text).to_have_text("generating: 1 of 4")
    expect(start).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    expect(page.get_by_role("progressbar", name="Generating")).to_be_visible()
    expect(page.locator("#more-clips li")).to_have_count(1)
    maker.goes_on.set()
    expect(page.locator("#more-clips li")).to_have_count(4)
    expect(text).to_contain_text("demiurge db build makes units of them")
    expect(start).to_be_focused()
    assert maker.sounds == [f"unit-{unit}.wav" for unit in units]
    play = page.get_by_role("button", name="Play").and_(page.locator("#more-clips button"))
    play.nth(1).click()
    expect(play.nth(1)).to_have_attribute("aria-pressed", "true")
    play.nth(2).click()
    assert page.evaluate(PLAYS) == ["false", "false", "true", "false"]
    expect(play.nth(2)).to_have_attribute("aria-pressed", "false")  # it has ended
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert download.value.suggested_filename.endswith("generated-000001.flac")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#more-clips li")).to_have_count(4, timeout=15_000)


def test_more_is_asked_for_by_key_and_cancelled(page, open_map, maker):
    open_map(1)
    before = page.locator("#more-clips li").count()
    page.locator("#points").focus()
    page.keyboard.press("g")
    expect(page.locator("#more-text")).to_have_text("generating: 1 of 4")
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#more-text")).to_contain_text("Cancelled.")
    expect(cancel).to_be_hidden()
    expect(page.locator("#more-clips li")).to_have_count(before + 1)


def test_nothing_is_offered_without_pins(page, open_map, maker):
    open_map(0)
    start = page.locator("#more-start")
    expect(start).to_be_hidden()
    page.keyboard.press("g")
    page.wait_for_timeout(200)
    assert page.request.get("/generated.json").json()["state"] != "running"


def test_button_is_not_on_the_page_if_no_flow_is_shipped(page, open_map, tmp_path, monkeypatch):
    monkeypatch.setattr("demiurge.shipped.WEIGHTS", tmp_path)
    open_map(1)
    expect(page.locator("#pins > li")).to_have_count(1)
    expect(page.locator("#more")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).not_to_contain_text("generate more")


def test_what_goes_wrong_is_told(page, open_map, maker, problems):
    open_map(1)
    page.route(
        "**/generated",
        lambda route: route.fulfill(status=422, json={"error": "unit-1.wav: silent; give a sound"}),
    )
    page.get_by_role("button", name="Generate more like these").click()
    expect(page.locator("#toasts")).to_contain_text("unit-1.wav: silent; give a sound")
    problems.clear()  # the browser's own line about the status
