"""The timeline in a real browser: seen and heard, with a mouse, with keys and with fingers, and
where something is missing.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from demiurge.web.workspace import Workspace
from playback.plan import Plan
from tests.demiurge.web.browser.conftest import Pixels
from tests.demiurge.web.browser.timeline_page import (
    click_step,
    download,
    edited,
    loaded,
    place_of,
    plan_of,
    press,
    said,
    until,
)

TABLET = {"width": 1024, "height": 768}
SLOW_SOUNDS = """
  const OriginalAudio = Audio;
  window.sounds = [];
  window.Audio = class extends OriginalAudio {
    constructor() {
      super();
      this.defaultPlaybackRate = 0.1;
      sounds.push(this);
    }
    async play() {
      await super.play();
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  };
"""
CALLS_A_FRAME = """
  () => new Promise((resolve) => {
    const [request, counts] = [window.requestAnimationFrame, new Map()];
    window.requestAnimationFrame = (run) => request.call(window, (now) => {
      counts.set(now, (counts.get(now) ?? 0) + 1);
      run(now);
      if (counts.size < 15) return;
      window.requestAnimationFrame = request;
      resolve([...counts.values()].sort((a, b) => a - b)[7]);
    });
  })
"""


def test_the_plan_is_drawn_within_the_window(timeline: Page, pixels: Pixels) -> None:
    stage = timeline.locator("#stage").bounding_box()
    lane = timeline.locator("[data-lane=units]").bounding_box()
    assert stage
    assert lane
    seen = pixels(timeline)
    middle = seen[
        round(lane["y"] + lane["height"] / 2),
        round(stage["x"]) : round(stage["x"] + stage["width"]),
    ]
    assert len(np.unique(middle, axis=0)) >= len({*plan_of(timeline)["steps"]["source"]})
    assert pixels(timeline.locator("#wave")).std() > 30
    assert timeline.evaluate("document.scrollingElement.scrollHeight") == 720


def test_dark_is_dark(tab: Callable[..., Page], pixels: Pixels) -> None:
    tab = tab(color_scheme="dark")
    tab.goto("/")
    assert pixels(loaded(tab)).mean() < 90


def test_a_step_says_why_it_was_chosen_and_what_else_fits(timeline: Page) -> None:
    click_step(timeline, 5)
    timeline.locator(".alternatives li").nth(9).wait_for()
    steps = plan_of(timeline)["steps"]
    inspector = timeline.locator("#inspector").inner_text()
    assert f"{steps['distance'][5]:.2f}" in inspector
    assert timeline.locator(".alternatives li").count() == 10  # itself and nine others
    assert said(timeline, "step 5, ")
    tracks = timeline.locator(".alternatives .stack").evaluate_all(
        "found => found.map((track) => track.clientWidth)"
    )
    assert len({*tracks}) == 1  # one scale
    timeline.get_by_role("button", name="Close").focus()
    timeline.keyboard.press("Enter")
    expect(timeline.locator("#stage")).to_be_focused()
    timeline.keyboard.press("PageDown")  # the stage knows no such key
    timeline.locator("#zoom-in").click(click_count=3)
    timeline.locator("#overview").focus()
    timeline.keyboard.press("End")
    expect(timeline.locator("#overview")).to_have_attribute("aria-valuenow", "100")
    expect(timeline.get_by_role("heading", name="Sources")).to_be_visible()


def test_an_alternative_is_heard_alone_and_in_place(timeline: Page) -> None:
    click_step(timeline, 5)
    for title, address in (
        ("Hear it alone", "**/units/*/audio.wav*"),
        ("Hear it in place", "**/steps/5/audio.wav*unit=*"),
    ):
        button = timeline.locator(f".alternatives li:nth-child(3) button[title^='{title}']")
        with timeline.expect_response(address) as answer:
            button.click()
        assert answer.value.status in (200, 206)
        timeline.locator(f".alternatives button[title^='{title}'][aria-pressed=true]").wait_for()


def test_it_plays_on_through_edits_and_the_view_follows(page: Page) -> None:
    page.add_init_script(SLOW_SOUNDS)
    page.goto("/")
    timeline = loaded(page)
    box = timeline.locator("#wave").bounding_box()
    assert box
    timeline.mouse.click(box["x"] + box["width"] / 4, box["y"] + 20)
    assert timeline.locator("#position").inner_text() == "0:00.25"
    for keys in ("Home", "+", "+", "+", "+", "+", " "):
        timeline.keyboard.press(keys)
    timeline.locator("#play[aria-label=Pause]").wait_for()
    calls = timeline.evaluate(CALLS_A_FRAME)
    n_steps = len(plan_of(timeline)["steps"]["unit"])
    for _ in range(4):
        timeline.keyboard.press("r")
    assert until(lambda: len(plan_of(timeline)["steps"]["unit"]) == n_steps + 4)
    timeline.locator("#working").wait_for(state="hidden")
    assert timeline.evaluate(CALLS_A_FRAME) == calls
    assert until(lambda: timeline.evaluate("sounds.filter((sound) => !sound.paused).length") == 1)
    timeline.evaluate("window.known = sounds.length")
    timeline.keyboard.press("r")
    assert until(lambda: timeline.evaluate("sounds.length > known && !sounds.at(-1).paused"))
    timeline.keyboard.press(" ")  # while one sound gives way to the next
    assert until(lambda: timeline.evaluate("sounds.every((sound) => sound.paused)"))
    timeline.locator("#play[aria-label=Play]").wait_for()
    timeline.keyboard.press(" ")
    timeline.evaluate("sounds.forEach((sound) => (sound.playbackRate = 1))")
    assert until(
        lambda: int(timeline.locator("#overview").get_attribute("aria-valuenow") or 0) > 40
    )
    assert until(lambda: timeline.locator("#position").inner_text() > "0:00.60")
    for _ in range(5):
        timeline.keyboard.press("Control+z")
    assert until(lambda: len(plan_of(timeline)["steps"]["unit"]) == n_steps)


def test_several_steps_are_heard_in_place_and_after_a_removal_one_is_selected(
    timeline: Page,
) -> None:
    click_step(timeline, 5)
    timeline.keyboard.press("Shift+ArrowRight")
    timeline.keyboard.press("Shift+ArrowRight")
    with timeline.expect_response("**/steps/6/audio.wav*") as answer:
        timeline.keyboard.press("Enter")
    assert "context=1." in answer.value.url
    timeline.keyboard.press("Escape")
    edited(timeline, press(timeline, "Delete"))
    timeline.get_by_role("heading", name="Step 5", exact=True).wait_for()
    assert "steps selected" not in timeline.locator("#inspector").inner_text()
    edited(timeline, press(timeline, "Control+z"))


def newest(site) -> Path:
    return max(
        (site.folder / "plans").glob("*.plan.json"), key=lambda path: path.stat().st_mtime_ns
    )


def test_all_of_it_by_the_keyboard(timeline: Page, site) -> None:
    n_steps = len(plan_of(timeline)["steps"]["unit"])
    for keys in ("Home", "ArrowRight", "ArrowRight", "+", "+", "0"):
        timeline.keyboard.press(keys)
    assert said(timeline, "step 2, ")
    timeline.locator(".alternatives li").nth(9).wait_for()
    with timeline.expect_response("**/steps/2/audio.wav*"):
        timeline.keyboard.press("Enter")
    with timeline.expect_response("**/steps/2/audio.wav*unit=*"):
        timeline.keyboard.press("Shift+Digit2")
    timeline.keyboard.press("Escape")
    edited(timeline, press(timeline, "Digit2"))
    assert len(edited(timeline, press(timeline, "r"))["steps"]["unit"]) == n_steps + 1
    assert len(edited(timeline, press(timeline, "Delete"))["steps"]["unit"]) == n_steps
    assert (
        edited(timeline, press(timeline, "l"))["steps"]["locked"][2]
        != edited(timeline, press(timeline, "l"))["steps"]["locked"][2]
    )
    timeline.locator("#undo").focus()
    edited(timeline, press(timeline, "Enter"))
    expect(timeline.locator("#undo")).to_be_focused()
    edited(timeline, press(timeline, "Control+Shift+z"))
    assert timeline.locator("#unsaved").is_visible()
    address = timeline.url
    timeline.keyboard.press("s")
    timeline.locator("#unsaved").wait_for(state="hidden")
    assert (saved := timeline.url) != address
    timeline.keyboard.press("r")
    timeline.keyboard.press("s")  # what was asked for before is saved
    assert until(lambda: timeline.evaluate("location.href") not in {address, saved})
    timeline.locator("#unsaved").wait_for(state="hidden")
    assert len(Plan.load(newest(site)).steps) == n_steps + 1
    revision = plan_of(timeline)["revision"]
    timeline.get_by_role("button", name="Download").press("Enter")
    timeline.keyboard.press("2")
    timeline.keyboard.press("Escape")
    timeline.evaluate(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: '2', code: 'Digit2', repeat:"
        " true}))"
    )
    assert plan_of(timeline)["revision"] == revision
    timeline.keyboard.press("?")
    assert "hear the selected steps in place" in timeline.locator("#shortcuts").inner_text()
    timeline.keyboard.press("Escape")
    assert timeline.locator("#shortcuts").is_hidden()


def test_fingers_on_a_tablet_tap_pan_and_pinch(tab: Callable[..., Page]) -> None:
    tab = tab(viewport=TABLET, has_touch=True)
    tab.goto("/")
    loaded(tab)
    assert tab.evaluate("document.scrollingElement.scrollHeight") == TABLET["height"]
    x, y = place_of(tab, 20)
    tab.touchscreen.tap(x, y)
    tab.get_by_role("heading", name="Step 20", exact=True).wait_for()
    touch = tab.context.new_cdp_session(tab)

    def fingers(kind: str, *places: float) -> None:
        points = [{"x": place, "y": y, "id": number} for number, place in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", x - 20)
    fingers("touchStart", x - 20, x + 20)
    for apart in (40, 60, 80):
        fingers("touchMove", x - apart, x + apart)
    fingers("touchEnd")
    assert until(lambda: float(tab.locator("#zoom").input_value()) > 0.1)
    start = tab.locator("#overview").get_attribute("aria-valuenow")
    fingers("touchStart", x)
    fingers("touchMove", x - 40)
    fingers("touchMove", x - 90)
    fingers("touchEnd")
    assert until(lambda: tab.locator("#overview").get_attribute("aria-valuenow") != start)


@pytest.fixture(scope="module")
def poor(site, tmp_path_factory: pytest.TempPathFactory, browse: Callable[[Workspace], str]) -> str:
    """A server whose plan has lost one of its sources, and of another database one more plan."""
    folder = tmp_path_factory.mktemp("poor")
    shutil.copytree(site.folder, folder, dirs_exist_ok=True)
    own, foreign = (folder / f"{name}.plan.json" for name in ("tabla", "foreign"))
    plan = Plan.load(own)
    (folder / "sounds" / plan.steps[0].source).unlink()
    foreign.write_text(own.read_text().replace(plan.database["id"], "f" * 32))
    return browse(
        Workspace(
            folder / "small.db",
            root=folder / "sounds",
            plans=[own, foreign],
            folder=folder / "none",
        )
    )


def test_what_is_missing_is_said_and_the_rest_works(poor: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{poor}/")
    loaded(page)
    page.get_by_text("silent").wait_for()
    page.get_by_role("button", name="Dismiss").click()
    click_step(page, 0)
    page.get_by_text("This source is missing").wait_for()
    assert page.get_by_role("button", name="Hear the unit alone").is_disabled()
    edited(page, press(page, "l"))
    download(page, "wav", tmp_path)
    page.get_by_text("tabla.wav has silent steps").first.wait_for()


def test_a_plan_of_another_database_is_played_and_cut_but_offers_no_units(
    poor: str, page: Page
) -> None:
    page.goto(f"{poor}/timeline")
    page.get_by_role("link", name="foreign").click()
    loaded(page)
    page.get_by_text("was made from another database").first.wait_for()
    click_step(page, 1)
    page.get_by_text("They are in the database that the plan was made from").wait_for()
    expect(page.locator("#choose-again")).to_be_disabled()
    edited(page, press(page, "Delete"))


def test_without_a_plan_the_page_says_how_to_get_one(
    site, browse: Callable[[Workspace], str], page: Page
) -> None:
    page.goto(
        f"{browse(Workspace(site.folder / 'small.db', folder=site.folder / 'nothing'))}/timeline"
    )
    assert "There is no plan yet" in page.locator("#main").inner_text()
    assert page.get_by_role("link", name="Make one").get_attribute("href") == "/make"
