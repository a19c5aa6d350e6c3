"""The timeline in a real browser: seen, heard, changed and taken away."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Locator, Page, Route, expect

from demiurge.cli import main
from playback.plan import Plan

Pixels = Callable[[Page | Locator], np.ndarray]
TABLET = {"width": 1024, "height": 768}
PATIENCE_SECONDS = 10
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
HEARD_EVENTS = """
  const OriginalSource = EventSource;
  window.EventSource = class extends OriginalSource {
    constructor(address) {
      super(address);
      window.stream = this;
    }
  };
"""
INDEXING = """
  () => stream.dispatchEvent(new MessageEvent("index", { data: '{"done": 2, "total": 5, "what": "finding candidates"}' }))
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


@pytest.fixture
def new_tab(browser: Browser, site, problems: list[str]) -> Iterator[Callable[..., Page]]:
    """`new_tab(**options)` opens a tab of another browser window, which must have had no problems either."""
    with ExitStack() as stack:

        def open_tab(**options) -> Page:
            context = stack.enter_context(browser.new_context(base_url=site.address, **options))
            tab = context.new_page()
            tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            tab.on("pageerror", lambda error: problems.append(str(error)))
            return tab

        yield open_tab
    assert problems == []


@pytest.fixture
def timeline(page: Page) -> Page:
    """The plan that the server was opened with, its sound loaded."""
    page.goto("/")
    return loaded(page)


def loaded(page: Page) -> Page:
    page.locator("#play:enabled").wait_for()
    page.locator("#making").wait_for(state="hidden")
    return page


def plan_of(page: Page) -> dict:
    """The plan as the server has it now."""
    name = page.evaluate("location.pathname.split('/').at(-1)")
    return page.evaluate("name => fetch(`/plans/${name}.json`).then(answer => answer.json())", name)


def place_of(page: Page, step: int, *, edge: bool = False) -> tuple[float, float]:
    """Where on the page the middle of a step's block, or its right edge, is while the whole plan is seen."""
    plan, box = plan_of(page), page.locator("#stage").bounding_box()
    lane = page.locator("[data-lane=units]").bounding_box()
    assert box
    assert lane
    at = plan["steps"]["at_sample"][step] + plan["steps"]["n_samples"][step] * (1 if edge else 0.5)
    return box["x"] + box["width"] * at / plan["n_samples"], lane["y"] + lane["height"] / 2


def click_step(page: Page, step: int) -> None:
    page.mouse.click(*place_of(page, step))
    page.get_by_role("heading", name=f"Step {step}", exact=True).wait_for()


def edited(page: Page, do: Callable[[], None]) -> dict:
    """Do what sends an edit; the server's answer, once its sound is loaded."""
    with page.expect_response("**/edits") as answer:
        do()
    page.locator("#working").wait_for(state="hidden")
    return answer.value.json()


def said(page: Page, text: str) -> bool:
    """Whether screen readers are told so."""
    return until(lambda: text in page.locator("#status").inner_text())


def press(page: Page, keys: str) -> Callable[[], None]:
    return lambda: page.keyboard.press(keys)


def until(true: Callable[[], bool]) -> bool:
    """Whether it comes true soon."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_the_plan_is_drawn_within_the_window(timeline: Page, pixels: Pixels) -> None:
    stage, lane = timeline.locator("#stage").bounding_box(), timeline.locator("[data-lane=units]").bounding_box()
    assert stage
    assert lane
    seen = pixels(timeline)
    middle = seen[round(lane["y"] + lane["height"] / 2), round(stage["x"]) : round(stage["x"] + stage["width"])]
    assert len(np.unique(middle, axis=0)) >= len({*plan_of(timeline)["steps"]["source"]})
    assert pixels(timeline.locator("#wave")).std() > 30
    assert timeline.evaluate("document.scrollingElement.scrollHeight") == 720


def test_dark_is_dark(new_tab: Callable[..., Page], pixels: Pixels) -> None:
    tab = new_tab(color_scheme="dark")
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
    tracks = timeline.locator(".alternatives .stack").evaluate_all("found => found.map((track) => track.clientWidth)")
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
    for title, address in (("Hear it alone", "**/units/*/audio.wav*"), ("Hear it in place", "**/steps/5/audio.wav*unit=*")):
        button = timeline.locator(f".alternatives li:nth-child(3) button[title^='{title}']")
        with timeline.expect_response(address) as answer:
            button.click()
        assert answer.value.status in (200, 206)
        timeline.locator(f".alternatives button[title^='{title}'][aria-pressed=true]").wait_for()


def test_choosing_another_unit_changes_sound_and_picture_and_undo_brings_them_back(timeline: Page, pixels: Pixels) -> None:
    wave = timeline.locator("#wave")
    click_step(timeline, 12)
    use = timeline.locator(".alternatives li:nth-child(4)").get_by_role("button", name="Use")
    use.hover()
    before, plan = pixels(wave), plan_of(timeline)
    changed = edited(timeline, use.click)
    assert changed["revision"] > plan["revision"]
    assert changed["steps"]["unit"][12] != plan["steps"]["unit"][12]
    assert 0 < changed["changed"]["seconds_rendered"] < plan["n_samples"] / plan["sample_rate"]
    assert until(lambda: not np.array_equal(pixels(wave), before))
    undone = edited(timeline, press(timeline, "Control+z"))
    assert undone["steps"] == plan["steps"]
    assert until(lambda: np.array_equal(pixels(wave), before))


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
    assert timeline.evaluate("sounds.filter((sound) => !sound.paused).length") == 1
    timeline.evaluate("window.known = sounds.length")
    timeline.keyboard.press("r")
    assert until(lambda: timeline.evaluate("sounds.length > known && !sounds.at(-1).paused"))
    timeline.keyboard.press(" ")  # while one sound gives way to the next
    assert until(lambda: timeline.evaluate("sounds.every((sound) => sound.paused)"))
    timeline.locator("#play[aria-label=Play]").wait_for()
    timeline.keyboard.press(" ")
    timeline.evaluate("sounds.forEach((sound) => (sound.playbackRate = 1))")
    assert until(lambda: int(timeline.locator("#overview").get_attribute("aria-valuenow") or 0) > 40)
    assert until(lambda: timeline.locator("#position").inner_text() > "0:00.60")
    for _ in range(5):
        timeline.keyboard.press("Control+z")
    assert until(lambda: len(plan_of(timeline)["steps"]["unit"]) == n_steps)


def test_dragging_an_edge_to_the_right_repeats_and_to_the_left_removes(timeline: Page) -> None:
    n_steps = len(plan_of(timeline)["steps"]["unit"])
    x, y = place_of(timeline, 8, edge=True)
    width = 2 * (x - place_of(timeline, 8)[0])

    def drag(by: float) -> None:
        timeline.mouse.move(x - 2, y)
        timeline.mouse.down()
        timeline.mouse.move(x + by / 2, y)
        timeline.mouse.move(x + by, y)
        timeline.mouse.up()

    click_step(timeline, 8)
    repeated = edited(timeline, lambda: drag(2 * width))["steps"]["unit"]
    assert repeated[8:11] == [repeated[8]] * 3
    assert len(repeated) == n_steps + 2
    edited(timeline, press(timeline, "Control+z"))
    assert len(edited(timeline, lambda: drag(-1.7 * width))["steps"]["unit"]) == n_steps - 2
    edited(timeline, press(timeline, "Control+z"))

    drag(3)  # a click that slips
    timeline.mouse.click(x + 2, y)  # beside the edge, and on the next step
    timeline.get_by_role("heading", name="Step 9", exact=True).wait_for()
    timeline.set_viewport_size({"width": 900, "height": 720})
    timeline.keyboard.press("0")
    x, y = place_of(timeline, 8, edge=True)
    assert 2 * (x - place_of(timeline, 8)[0]) < 12  # pixels: too thin to be dragged
    drag(60)
    assert said(timeline, "steps selected")
    assert len(plan_of(timeline)["steps"]["unit"]) == n_steps


def test_a_unit_pinned_on_the_map_is_used_at_a_step(timeline: Page) -> None:
    unit = plan_of(timeline)["steps"]["unit"][20]
    keep = "unit => fetch('/map.json').then(answer => answer.json())"
    keep += ".then(({ database }) => localStorage.setItem(`map.pins.${database.id}`, JSON.stringify([unit])))"
    timeline.evaluate(keep, unit)
    click_step(timeline, 5)
    pinned = timeline.get_by_role("list", name="Pinned on the map")
    expect(pinned.get_by_role("listitem")).to_have_count(1)
    used = edited(timeline, pinned.get_by_role("button", name="Use").click)
    assert used["steps"]["unit"][5] == unit
    edited(timeline, press(timeline, "Control+z"))


def test_several_steps_are_heard_in_place_and_after_a_removal_one_is_selected(timeline: Page) -> None:
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


def test_choosing_the_same_again_says_so(timeline: Page) -> None:
    timeline.get_by_role("button", name="Choose again").click()
    edited(timeline, timeline.locator("#reselect-go").click)
    timeline.get_by_text("Nothing changed: another random seed").first.wait_for()
    timeline.get_by_role("button", name="Choose again").click()
    timeline.get_by_role("button", name="Another random seed").click()
    expect(timeline.locator("#temperature")).to_have_value("0.1")


def test_locked_steps_stay_when_the_rest_is_chosen_again(page: Page) -> None:
    page.add_init_script(HEARD_EVENTS)
    page.goto("/")
    timeline = loaded(page)
    click_step(timeline, 10)
    for _ in range(4):
        timeline.keyboard.press("Shift+ArrowRight")
    locked = edited(timeline, press(timeline, "l"))
    assert [i for i, is_locked in enumerate(locked["steps"]["locked"]) if is_locked] == [10, 11, 12, 13, 14]
    timeline.get_by_role("button", name="Choose again").click()
    timeline.get_by_label("Continuity").fill("3")
    timeline.get_by_label("Temperature").fill("20")
    held: list[Route] = []
    timeline.route("**/edits", lambda route: held.append(route), times=1)
    timeline.get_by_role("button", name="Choose again around 5 locked steps").click()
    expect(timeline.locator("#working")).to_have_text("Choose again… ")
    timeline.evaluate(INDEXING)
    expect(timeline.locator("#working")).to_have_text("Choose again… 40 %")
    again = edited(timeline, held[0].continue_)
    assert again["steps"]["unit"][10:15] == locked["steps"]["unit"][10:15]
    assert again["steps"]["unit"] != locked["steps"]["unit"]
    assert again["options"]["continuity"] == 3
    edited(timeline, press(timeline, "Control+z"))
    expect(timeline.locator("#continuity")).to_have_value("0.25")


def test_the_downloaded_sound_is_what_playback_makes_of_the_downloaded_plan(timeline: Page, site, tmp_path: Path) -> None:
    click_step(timeline, 3)
    edited(timeline, press(timeline, "r"))
    plan, wav = (download(timeline, kind, tmp_path) for kind in ("plan", "wav"))
    result = CliRunner().invoke(
        main, ["playback", str(plan), "--root", str(site.folder / "sounds"), "-o", str(tmp_path / "own.wav")]
    )
    assert result.exit_code == 0, result.output
    assert wav.read_bytes() == (tmp_path / "own.wav").read_bytes()
    assert len(Plan.load(plan).steps) == len(plan_of(timeline)["steps"]["unit"])


def download(page: Page, kind: str, folder: Path) -> Path:
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as started:
        page.locator(f"[data-download={kind}]").click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def newest(site) -> Path:
    return max((site.folder / "plans").glob("*.plan.json"), key=lambda path: path.stat().st_mtime_ns)


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
    timeline.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: '2', code: 'Digit2', repeat: true}))")
    assert plan_of(timeline)["revision"] == revision
    timeline.keyboard.press("?")
    assert "hear the selected steps in place" in timeline.locator("#shortcuts").inner_text()
    timeline.keyboard.press("Escape")
    assert timeline.locator("#shortcuts").is_hidden()


def test_a_plan_is_saved_under_a_name(timeline: Page, site) -> None:
    timeline.get_by_role("button", name="Save under a name").click()
    timeline.get_by_label("Name", exact=True).fill("Rain on tabla")
    with timeline.expect_response("**/save"):
        timeline.keyboard.press("Enter")
    assert until((site.folder / "plans" / "Rain on tabla.plan.json").is_file)
    assert until(lambda: timeline.locator("#name").inner_text() == "Rain on tabla")
    timeline.goto("/timeline")
    assert "Rain on tabla" in timeline.locator("#plans").inner_text()


def test_an_edit_in_another_tab_is_shown(timeline: Page, new_tab: Callable[..., Page]) -> None:
    other = new_tab()
    other.goto(timeline.url)
    click_step(loaded(other), 4)
    n_steps = len(edited(other, press(other, "r"))["steps"]["unit"])
    timeline.get_by_text(f"{n_steps} steps in").wait_for()
    edited(other, press(other, "Control+z"))


def test_fingers_on_a_tablet_tap_pan_and_pinch(new_tab: Callable[..., Page]) -> None:
    tab = new_tab(viewport=TABLET, has_touch=True)
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
def poor(site, tmp_path_factory: pytest.TempPathFactory, browse: Callable[..., str]) -> str:
    """A server whose plan has lost one of its sources, and of another database one more plan."""
    folder = tmp_path_factory.mktemp("poor")
    shutil.copytree(site.folder, folder, dirs_exist_ok=True)
    plan = Plan.load(folder / "tabla.plan.json")
    (folder / "sounds" / plan.steps[0].source).unlink()
    foreign = (folder / "tabla.plan.json").read_text().replace(plan.database["id"], "f" * 32)
    (folder / "foreign.plan.json").write_text(foreign)
    plans = ("--plan", "tabla.plan.json", "--plan", "foreign.plan.json", "--folder", "none")
    return browse(folder, "small.db", "--root", "sounds", *plans)


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
    page.get_by_text("Not all of tabla.wav can be heard").first.wait_for()


def test_a_plan_of_another_database_is_played_and_cut_but_offers_no_units(poor: str, page: Page) -> None:
    page.goto(f"{poor}/timeline")
    page.get_by_role("link", name="foreign").click()
    loaded(page)
    page.get_by_text("was made from another database").first.wait_for()
    click_step(page, 1)
    page.get_by_text("They are in the database that the plan was made from").wait_for()
    expect(page.locator("#choose-again")).to_be_disabled()
    edited(page, press(page, "Delete"))


def test_without_a_plan_the_page_says_how_to_get_one(site, browse: Callable[..., str], page: Page) -> None:
    page.goto(f"{browse(site.folder, 'small.db', '--folder', 'nothing')}/timeline")
    assert "There is no plan yet" in page.locator("#main").inner_text()
    assert page.get_by_role("link", name="Make one").get_attribute("href") == "/make"


def test_an_edit_that_is_refused_is_explained(timeline: Page, problems: list[str]) -> None:
    timeline.route("**/edits", lambda route: route.fulfill(status=422, json={"error": "the last step cannot be removed"}))
    click_step(timeline, 2)
    timeline.keyboard.press("Delete")
    timeline.get_by_text("the last step cannot be removed").first.wait_for()
    problems.clear()  # the browser notes every answer of this kind
