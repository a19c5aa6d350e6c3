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
from tests.demiurge.web.conftest import wait_until

PATIENCE = 20.0  # seconds
RATE = 22050
LONG_CLIP = 2
WATCH = """() => {
    window.played = []; // whenever a button changes, the number of the clip that plays
    const buttons = [...document.querySelectorAll('#more-clips button')];
    const plays = (button) => button.ariaPressed === 'true';
    const note = () => played.push(buttons.flatMap((b, i) => plays(b) ? i + 1 : []));
    const options = { subtree: true, attributeFilter: ['aria-pressed'] };
    new MutationObserver(note).observe(document.querySelector('#more-clips'), options);
}"""


class Maker:
    """Stands in for the process: makes one clip, and the others when it is told to go on."""

    def __init__(self):
        self.begins = threading.Event()
        self.begins.set()
        self.goes_on = threading.Event()
        self.dies = threading.Event()
        self.sounds = ()

    def work(self, task):
        self.begins.wait(PATIENCE)
        self.sounds = [path.name for path in task.sounds]
        for number in range(1, CLIPS + 1):
            seconds = 30 if number == LONG_CLIP else 1
            noise = np.random.default_rng(number).normal(0, 0.05, seconds * RATE)
            sf.write(task.out / f"generated-00000{number}.flac", noise, RATE)
            yield Progressed(0, "generating", number, CLIPS)
            self.goes_on.wait(PATIENCE)
            if self.dies.is_set():
                return
        yield Finished()

    def kill(self):
        self.begins.set()
        self.dies.set()
        self.goes_on.set()


@pytest.fixture
def maker(page, site, toy_weights, monkeypatch):
    """Stands in for the process during a test; what it still makes at the end is cancelled."""
    made = Maker()
    monkeypatch.setattr("demiurge.shipped.WEIGHTS", toy_weights)
    monkeypatch.setattr(Worker, "work", lambda _, task: made.work(task))
    monkeypatch.setattr(Worker, "kill", lambda _: made.kill())
    yield made
    page.request.post("/generated/cancel", headers={"Origin": site.address})
    assert page.request.get("/generated.json").json()["state"] != "running"


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
    page.evaluate(WATCH)
    play.nth(LONG_CLIP - 1).click()
    expect(play.nth(LONG_CLIP - 1)).to_have_attribute("aria-pressed", "true")
    play.nth(LONG_CLIP).click()
    page.wait_for_function("() => played.length === 3")
    assert page.evaluate("() => played") == [[LONG_CLIP], [LONG_CLIP + 1], []]  # it has ended
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert download.value.suggested_filename.endswith("generated-000001.flac")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#more-clips li")).to_have_count(4)


def test_more_is_asked_for_by_key_and_cancelled(page, open_map, maker):
    open_map(1)
    before = len(page.request.get("/generated.json").json()["clips"])
    page.locator("#points").focus()
    page.keyboard.press("g")
    expect(page.locator("#more-text")).to_have_text("generating: 1 of 4")
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#more-text")).to_contain_text("Cancelled.")
    expect(cancel).to_be_hidden()
    expect(page.locator("#more-clips li")).to_have_count(before + 1)


def test_answer_that_comes_after_a_later_event_is_not_shown(page, open_map, maker):
    open_map(1)
    held = []
    page.route("**/generated", lambda route: held.append((route, route.fetch())))
    page.get_by_role("button", name="Generate more like these").click()
    page.keyboard.press("g")  # asked for already
    text = page.locator("#more-text")
    expect(text).to_have_text("generating: 1 of 4")
    [(route, answer)] = held
    assert answer.json()["what"] == "starting"
    with page.expect_event("requestfinished"):
        route.fulfill(response=answer)
    page.evaluate("() => fetch('/generated.json').then((response) => response.text())")
    assert text.text_content() == "generating: 1 of 4"


def test_what_was_made_before_the_page_hears_events_is_shown(page, open_map, maker):
    held = []
    page.route("**/events", lambda route: held.append(route))
    maker.begins.clear()
    open_map(1)
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("button", name="Generate more like these").click()
    maker.begins.set()
    wait_until(lambda: page.request.get("/generated.json").json()["done"] == 1)
    expect(page.locator("#more-text")).to_have_text("starting…")
    held.pop().continue_()
    expect(page.locator("#more-text")).to_have_text("generating: 1 of 4")


def test_nothing_is_offered_without_pins(page, open_map, maker):
    open_map(0)
    start = page.locator("#more-start")
    expect(start).to_be_hidden()
    asked = []
    page.on("request", lambda request: asked.append(request.method))
    page.keyboard.press("g")
    page.evaluate("() => fetch('/generated.json')")  # what the key asks for would go first
    assert asked == ["GET"]


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
