"""The timeline in a real browser: edits, saving and downloads."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from playwright.sync_api import Page, Route, expect

from demiurge.cli import main
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
  () => {
    const data = JSON.stringify({ done: 2, total: 5, what: "finding candidates" });
    stream.dispatchEvent(new MessageEvent("index", { data }));
  }
"""
EDITED_AND_LOADED = """
async (edits) => {
  const { Plan } = await import("/static/timeline/plan.js");
  const address = `/plans/${location.pathname.split("/").at(-1)}`;
  const load = async () => new Plan(await (await fetch(`${address}.json`)).json());
  const send = (body) => fetch(`${address}/edits`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const seen = (plan) => {
    const { steps, starts, ends, runFirsts } = plan;
    const { lockedSpans, nLocked, n_samples, revision, undo, redo, dirty } = plan;
    const paths = steps.source.map((number) => plan.sources[number].path);
    const columns = { ...steps, source: paths, starts: [...starts], ends: [...ends] };
    const facts = { lockedSpans, nLocked, n_samples, revision, undo, redo, dirty };
    return { columns, runFirsts: [...runFirsts], ...facts };
  };
  let plan = await load();
  const pairs = [];
  for (const edit of edits) {
    const answer = await (await send({ revision: plan.revision, edit })).json();
    plan = plan.edited(answer);
    pairs.push([seen(plan), seen(await load())]);
  }
  return pairs;
}
"""


def test_the_page_makes_of_an_answer_what_it_would_load(timeline: Page) -> None:
    other = plan_of(timeline)["steps"]["unit"][20]
    edits = [
        {"kind": "choose", "step": 5, "unit": other},
        {"kind": "repeat", "step": 7, "times": 3},
        {"kind": "remove", "steps": [0, 9, 10]},
        {"kind": "lock", "steps": [2, 3], "locked": True},
        {"kind": "reselect", "temperature": 3, "random_seed": 1},
        *[{"kind": "undo"}] * 5,
        {"kind": "redo"},
        {"kind": "undo"},
    ]
    pairs = timeline.evaluate(EDITED_AND_LOADED, edits)
    assert len(pairs) == len(edits)
    for edit, (edited_plan, loaded_plan) in zip(edits, pairs, strict=True):
        assert edited_plan == loaded_plan, edit
    assert pairs[0][0]["columns"]["unit"][5] == other
    assert until(lambda: plan_of(timeline)["dirty"] is False)


def test_choosing_another_unit_changes_sound_and_picture_and_undo_brings_them_back(
    timeline: Page, pixels: Pixels
) -> None:
    wave = timeline.locator("#wave")
    click_step(timeline, 12)
    use = timeline.locator(".alternatives li:nth-child(4)").get_by_role("button", name="Use")
    use.hover()
    before = pixels(wave)
    plan = plan_of(timeline)
    changed = edited(timeline, use.click)
    assert changed["revision"] > plan["revision"]
    assert changed["steps"]["unit"][12] != plan["steps"]["unit"][12]
    assert 0 < changed["change"]["seconds_rendered"] < plan["n_samples"] / plan["sample_rate"]
    assert until(lambda: not np.array_equal(pixels(wave), before))
    undone = edited(timeline, press(timeline, "Control+z"))
    assert undone["steps"] == plan["steps"]
    assert until(lambda: np.array_equal(pixels(wave), before))


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
    keep += (
        ".then(({ database }) => localStorage.setItem(`map.pins.${database.id}`,"
        " JSON.stringify([unit])))"
    )
    timeline.evaluate(keep, unit)
    click_step(timeline, 5)
    pinned = timeline.get_by_role("list", name="Pinned on the map")
    expect(pinned.get_by_role("listitem")).to_have_count(1)
    used = edited(timeline, pinned.get_by_role("button", name="Use").click)
    assert used["steps"]["unit"][5] == unit
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
    assert [i for i, is_locked in enumerate(locked["steps"]["locked"]) if is_locked] == [
        10,
        11,
        12,
        13,
        14,
    ]
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


def test_the_downloaded_sound_is_what_playback_makes_of_the_downloaded_plan(
    timeline: Page, site, tmp_path: Path
) -> None:
    click_step(timeline, 3)
    edited(timeline, press(timeline, "r"))
    plan, wav = (download(timeline, kind, tmp_path) for kind in ("plan", "wav"))
    result = CliRunner().invoke(
        main,
        [
            "playback",
            str(plan),
            "--root",
            str(site.folder / "sounds"),
            "-o",
            str(tmp_path / "own.wav"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert wav.read_bytes() == (tmp_path / "own.wav").read_bytes()
    assert len(Plan.load(plan).steps) == len(plan_of(timeline)["steps"]["unit"])


def test_a_plan_is_saved_under_a_name(timeline: Page, site) -> None:
    timeline.get_by_role("button", name="Save under a name").click()
    timeline.get_by_label("Name", exact=True).fill("Rain on tabla")
    with timeline.expect_response("**/save"):
        timeline.keyboard.press("Enter")
    assert until((site.folder / "plans" / "Rain on tabla.plan.json").is_file)
    assert until(lambda: timeline.locator("#name").inner_text() == "Rain on tabla")
    timeline.goto("/timeline")
    assert "Rain on tabla" in timeline.locator("#plans").inner_text()


def test_an_edit_in_another_tab_is_shown(timeline: Page, tab: Callable[..., Page]) -> None:
    other = tab()
    other.goto(timeline.url)
    click_step(loaded(other), 4)
    n_steps = len(edited(other, press(other, "r"))["steps"]["unit"])
    timeline.get_by_text(f"{n_steps} steps in").wait_for()
    edited(other, press(other, "Control+z"))


def test_an_edit_that_is_refused_is_explained(timeline: Page, problems: list[str]) -> None:
    timeline.route(
        "**/edits",
        lambda route: route.fulfill(status=422, json={"error": "the last step cannot be removed"}),
    )
    click_step(timeline, 2)
    timeline.keyboard.press("Delete")
    timeline.get_by_text("the last step cannot be removed").first.wait_for()
    problems.clear()  # the browser notes every answer of this kind
