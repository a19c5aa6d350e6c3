"""A plan of several voices in a real browser: its lanes, what is heard, edits, and its paths."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Response, expect

from demiurge.web.workspace import Workspace
from playback.plan import Plan
from tests.demiurge.web.browser.conftest import Pixels, Site
from tests.demiurge.web.browser.test_timeline_edits import EDITED_AND_LOADED
from tests.demiurge.web.browser.test_timeline_page import SLOW_SOUNDS, TABLET
from tests.demiurge.web.browser.timeline_page import (
    click_step,
    edited,
    loaded,
    place_of,
    plan_of,
    press,
    said,
    until,
)
from tests.demiurge.web.voiced_plans import with_voices

pytest.importorskip("python_stretch")

LINES = """
  window.lines = [];
  const { moveTo, lineTo } = CanvasRenderingContext2D.prototype;
  const pens = new WeakMap();
  CanvasRenderingContext2D.prototype.moveTo = function (x, y) {
    pens.set(this, [x, y]);
    moveTo.call(this, x, y);
  };
  CanvasRenderingContext2D.prototype.lineTo = function (x, y) {
    const from = pens.get(this);
    if (from) lines.push(Math.hypot(x - from[0], y - from[1]));
    pens.set(this, [x, y]);
    lineTo.call(this, x, y);
  };
"""


@pytest.fixture(scope="module")
def site(
    built: Path,
    rebuilt: Path,
    tmp_path_factory: pytest.TempPathFactory,
    browse: Callable[[Workspace], str],
) -> Site:
    """The small corpus with a plan of three voices, one of whose steps is transposed and stretched,
    and two of other shapes.
    """
    folder = tmp_path_factory.mktemp("voices")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    plan = with_voices(Plan.load(rebuilt))
    steps = list(plan.steps)
    other = plan.voices[1][2]
    steps[other] = replace(steps[other], transpose=3.0, stretch=1.25)
    plan = replace(plan, steps=tuple(steps))
    plan.save(folder / "voiced.plan.json")
    still(plan).save(folder / "still.plan.json")
    shutil.copyfile(rebuilt, folder / "alone.plan.json")
    workspace = Workspace(
        folder / "small.db",
        root=folder / "sounds",
        plans=[folder / f"{name}.plan.json" for name in ("voiced", "still", "alone")],
        folder=folder / "plans",
    )
    return Site(browse(workspace), folder)


def still(plan: Plan) -> Plan:
    """A plan of two voices, each of which plays one unit again and again."""
    units = {step.unit: step for step in plan.steps}
    steps = [
        replace(step, voice=voice, at_sample=n * 1024, n_samples=1024, target=-1, alternatives=())
        for voice, step in enumerate([units[min(units)], units[max(units)]])
        for n in range(4)
    ]
    return replace(plan, steps=tuple(steps), targets=None, tail_samples=0)


def plan_named(page: Page, name: str) -> str:
    """The id of a plan."""
    plans = page.request.get("/plans.json").json()["plans"]
    return next(plan["id"] for plan in plans if plan["name"] == name)


def steps_of(page: Page, voice: int) -> list[int]:
    """The numbers of a voice's steps."""
    return [step for step, own in enumerate(plan_of(page)["steps"]["voice"]) if own == voice]


def act(page: Page, name: str, voice: int) -> None:
    page.get_by_role("button", name=f"{name} voice {voice}", exact=True).click()


def now_heard(page: Page, do: Callable[[], object]) -> str | None:
    """Do what changes which voices are heard; return which are asked for, None for all."""
    with page.expect_response("**/audio.wav?revision=*") as answer:
        do()
    return voices_of(answer.value)


def voices_of(answer: Response) -> str | None:
    assert answer.status in (200, 206)
    _, _, voices = answer.url.partition("voices=")
    return voices.replace("%2C", ",") if "voices=" in answer.url else None


def test_each_voice_has_a_lane(timeline: Page, pixels: Pixels) -> None:
    assert timeline.locator(".voice").count() == 3
    expect(timeline.locator("#units-head")).to_be_hidden()
    lanes = pixels(timeline.locator("#stage"))
    stage = timeline.locator("#stage").bounding_box()
    heads = [head.bounding_box() for head in timeline.locator(".voice").all()]
    assert stage
    rows = [lanes[round(head["y"] - stage["y"] + head["height"] / 2)] for head in heads if head]
    shares = [len(np.unique(row, axis=0)) for row in rows]
    assert min(shares) >= 3  # sources, and rests
    assert timeline.evaluate("document.scrollingElement.scrollHeight") == 720
    assert "and 3 voices" in timeline.locator("#inspector").inner_text()


def test_a_plan_of_one_voice_has_one_lane(page: Page) -> None:
    page.goto(f"/timeline/{plan_named(page, 'alone')}")
    loaded(page)
    expect(page.locator("#voices")).to_be_hidden()
    expect(page.locator("#units-head")).to_contain_text("Units")
    click_step(page, 5)
    assert "Voice" not in page.locator("#inspector").inner_text()
    for keys in ("PageDown", "m", "o"):
        page.keyboard.press(keys)
    expect(page.get_by_role("heading", name="Step 5", exact=True)).to_be_visible()
    assert page.locator("#gain").inner_text() == ""
    page.keyboard.press("?")
    assert "voice below" not in page.locator("#shortcuts").inner_text()


def test_a_step_of_any_voice_is_chosen_and_says_how_it_is_played(timeline: Page) -> None:
    step = steps_of(timeline, 1)[2]
    click_step(timeline, step)
    inspector = timeline.locator("#inspector").inner_text()
    for name, value in (
        ("Voice", "1"),
        ("Gain", "−6.0 dB"),
        ("Transposed", "+3 st"),
        ("Stretched", "× 1.25"),
    ):
        assert f"{name}\n{value}" in inspector
    assert said(timeline, f"step {step}, voice 1, ")
    expect(timeline.locator(".voice .name[aria-current=true]")).to_have_text("Voice 1")
    last = steps_of(timeline, 1)[-1]
    click_step(timeline, last)
    assert "Join behind\nnone" in timeline.locator("#inspector").inner_text()


def test_keys_go_along_a_voice_and_from_voice_to_voice(timeline: Page) -> None:
    first, *_, last = steps_of(timeline, 1)
    click_step(timeline, first)
    for keys, step in (
        ("ArrowLeft", first),
        ("End", last),
        ("ArrowRight", last),
        ("ArrowDown", last),
        ("Home", first),
        ("PageUp", 5),  # at the same time
        ("PageUp", 5),
        ("PageDown", first),
    ):
        timeline.keyboard.press(keys)
        timeline.get_by_role("heading", name=f"Step {step}", exact=True).wait_for()
    timeline.keyboard.press("PageDown")
    starts = plan_of(timeline)["steps"]["at_sample"]
    third = next(step for step in steps_of(timeline, 2) if starts[step] >= starts[5])
    timeline.get_by_role("heading", name=f"Step {third}", exact=True).wait_for()
    timeline.keyboard.press("Escape")
    timeline.keyboard.press("ArrowRight")  # from where it plays, in the voice that was looked at
    timeline.get_by_role("heading", name=f"Step {steps_of(timeline, 2)[0]}", exact=True).wait_for()
    timeline.keyboard.press("?")
    assert "voice above, voice below" in timeline.locator("#shortcuts").inner_text()


def test_a_selection_stays_in_its_voice(timeline: Page) -> None:
    first = steps_of(timeline, 1)[0]
    click_step(timeline, first)
    timeline.mouse.down()
    timeline.mouse.move(*place_of(timeline, 12), steps=4)  # in the lane above
    timeline.mouse.up()
    inspector = timeline.locator("#inspector")
    expect(inspector).to_contain_text("8 steps selected")
    with timeline.expect_response("**/steps/*/audio.wav*"):
        timeline.keyboard.press("Enter")
    timeline.keyboard.press("Escape")
    timeline.keyboard.down("Shift")
    timeline.mouse.click(*place_of(timeline, 2))
    timeline.keyboard.up("Shift")
    timeline.get_by_role("heading", name="Step 2", exact=True).wait_for()
    expect(inspector).not_to_contain_text("steps selected")


def test_muted_voices_are_not_heard_and_solo_ones_alone(timeline: Page, pixels: Pixels) -> None:
    whole = pixels(timeline.locator("#wave"))
    assert now_heard(timeline, lambda: act(timeline, "Mute", 0)) == "1,2"
    expect(timeline.locator("#gain")).to_contain_text("only voices 1, 2")
    assert until(lambda: not np.array_equal(pixels(timeline.locator("#wave")), whole))
    assert now_heard(timeline, lambda: act(timeline, "Solo", 2)) == "2"
    expect(timeline.locator("#gain")).to_contain_text("only voice 2")
    assert now_heard(timeline, lambda: act(timeline, "Mute", 2)) == ""
    expect(timeline.locator("#gain")).to_contain_text("no voice is heard")
    for name, voice, shown in (
        ("Mute", 2, "only voice 2"),
        ("Solo", 2, "only voices 1, 2"),
        ("Mute", 0, ""),
    ):
        act(timeline, name, voice)
        expect(timeline.locator("#gain")).to_have_text(shown)
    timeline.locator("#making").wait_for(state="hidden")
    assert until(lambda: np.array_equal(pixels(timeline.locator("#wave")), whole))
    assert not plan_of(timeline)["dirty"]


def test_a_step_is_heard_among_the_voices_that_are_heard(timeline: Page) -> None:
    act(timeline, "Solo", 0)
    step = steps_of(timeline, 1)[2]
    click_step(timeline, step)
    with timeline.expect_response(f"**/steps/{step}/audio.wav*") as answer:
        timeline.keyboard.press("Enter")
    assert voices_of(answer.value) == "0"  # and its own


def test_voices_are_muted_by_keys_while_it_plays(page: Page) -> None:
    page.add_init_script(SLOW_SOUNDS)
    page.goto("/")
    timeline = loaded(page)
    timeline.keyboard.press("PageDown")
    timeline.keyboard.press(" ")
    timeline.locator("#play[aria-label=Pause]").wait_for()
    assert now_heard(timeline, press(timeline, "m")) == "0,2"
    assert until(lambda: timeline.evaluate("sounds.filter((one) => !one.paused).length") == 1)
    assert until(lambda: timeline.evaluate("sounds.at(-1).currentTime") > 0.01)
    expect(timeline.locator("#play")).to_have_attribute("aria-label", "Pause")
    timeline.keyboard.press("m")
    expect(timeline.locator("#gain")).to_have_text("")
    assert now_heard(timeline, press(timeline, "o")) == "1"
    for name, pressed in (("Mute", "false"), ("Solo", "true")):
        button = timeline.get_by_role("button", name=f"{name} voice 1", exact=True)
        expect(button).to_have_attribute("aria-pressed", pressed)


def test_edits_in_a_voice_are_heard_in_what_is_heard(timeline: Page) -> None:
    first, *_, last = steps_of(timeline, 1)
    n_steps = len(plan_of(timeline)["steps"]["unit"])
    now_heard(timeline, lambda: act(timeline, "Solo", 1))
    click_step(timeline, first)
    timeline.locator(".alternatives li").nth(9).wait_for()
    before = plan_of(timeline)["steps"]["unit"]
    after = edited(timeline, press(timeline, "Digit2"))["steps"]
    assert {n for n in range(n_steps) if after["unit"][n] != before[n]} == {first}
    assert after["voice"][first] == 1
    expect(timeline.locator("[data-key=repeat]")).to_be_disabled()
    timeline.keyboard.press("End")
    timeline.get_by_role("heading", name=f"Step {last}", exact=True).wait_for()
    assert now_heard(timeline, lambda: edited(timeline, press(timeline, "Delete"))) == "1"
    timeline.get_by_role("heading", name=f"Step {last - 1}", exact=True).wait_for()
    repeated = edited(timeline, press(timeline, "r"))["steps"]  # into the silence that is left
    assert repeated["voice"].count(1) == last - first + 1
    edited(timeline, press(timeline, "Control+z"))
    locked = edited(timeline, press(timeline, "l"))["steps"]["locked"]
    assert [n for n, is_locked in enumerate(locked) if is_locked] == [last - 1]
    for _ in range(3):
        edited(timeline, press(timeline, "Control+z"))
    assert not plan_of(timeline)["dirty"]


def test_a_voice_may_lose_all_its_steps(timeline: Page) -> None:
    third = steps_of(timeline, 2)
    click_step(timeline, third[-1])
    for _ in third[1:]:
        timeline.keyboard.press("Shift+ArrowLeft")
    timeline.locator(".alternatives:not([aria-busy]) li").nth(9).wait_for()
    edited(timeline, press(timeline, "Delete"))
    assert timeline.locator(".voice").count() == 2
    expect(timeline.get_by_role("heading", name="Sources")).to_be_visible()
    edited(timeline, press(timeline, "Control+z"))
    assert timeline.locator(".voice").count() == 3


def test_the_edge_of_a_step_is_dragged_in_its_lane(timeline: Page) -> None:
    for voice, place, n_added in ((2, 0, 2), (1, -1, 3), (1, 5, 0)):
        numbers = steps_of(timeline, voice)
        step = numbers[place]
        click_step(timeline, step)
        x, y = place_of(timeline, step, edge=True)
        width = 2 * (x - place_of(timeline, step)[0])
        timeline.mouse.move(x - 2, y)
        timeline.mouse.down()
        timeline.mouse.move(x + 3 * width, y, steps=4)  # of the first two fit
        if not n_added:
            timeline.mouse.up()
            assert not plan_of(timeline)["dirty"]
            continue
        after = edited(timeline, timeline.mouse.up)["steps"]
        assert after["voice"].count(voice) == len(numbers) + n_added
        assert plan_of(timeline)["steps"]["at_sample"][: step + 1] == after["at_sample"][: step + 1]
        edited(timeline, press(timeline, "Control+z"))


def test_units_of_voices_cannot_be_chosen_again(timeline: Page) -> None:
    timeline.get_by_role("button", name="Choose again", exact=True).click()
    expect(timeline.locator("#reselect-go")).to_be_disabled()
    expect(timeline.locator("#reselect-note")).to_contain_text("3 voices were chosen together")


def test_the_page_makes_of_an_answer_what_it_would_load(timeline: Page) -> None:
    plan = plan_of(timeline)["steps"]
    second, third = (steps_of(timeline, voice) for voice in (1, 2))
    edits = [
        {"kind": "choose", "step": second[3], "unit": plan["unit"][third[2]]},
        {"kind": "repeat", "step": third[4], "times": 2},
        {"kind": "lock", "steps": [second[-1], second[-1] + 4], "locked": True},
        {"kind": "remove", "steps": [4, second[0], third[-1]]},
        *({"kind": "undo"} for _ in range(4)),
    ]
    for edited_plan, expected in timeline.evaluate(EDITED_AND_LOADED, edits):
        assert edited_plan == expected


def test_lanes_fit_a_narrow_window_and_fingers(tab: Callable[..., Page]) -> None:
    narrow = tab(viewport={"width": 700, "height": 720}, color_scheme="dark")
    narrow.goto("/")
    click_step(loaded(narrow), steps_of(narrow, 1)[2])
    lanes = narrow.locator(".lanes").bounding_box()
    inspector = narrow.locator("#inspector").bounding_box()
    assert lanes
    assert inspector
    assert lanes["y"] + lanes["height"] <= inspector["y"]
    tablet = tab(viewport=TABLET, has_touch=True, is_mobile=True)
    tablet.goto("/")
    loaded(tablet)
    heads = [head.bounding_box() for head in tablet.locator(".voice").all()]
    assert all(head and head["height"] >= 26 for head in heads)
    tablet.touchscreen.tap(*place_of(tablet, steps_of(tablet, 2)[3]))
    name = f"Step {steps_of(tablet, 2)[3]}"
    tablet.get_by_role("heading", name=name, exact=True).wait_for()


def test_a_path_of_each_voice_is_on_the_map(page: Page) -> None:
    page.add_init_script(LINES)
    page.goto(f"/map?plan={plan_named(page, 'still')}")
    expect(page.locator("#plan-facts")).to_contain_text("8 steps, 2 units, 2 voices")
    assert until(lambda: page.evaluate("lines.length") > 5)
    assert page.evaluate("Math.max(...lines)") == 0  # none from voice to voice
    expect(page.locator("#plan-play")).to_be_enabled()
    page.focus("#plan-seek")
    page.keyboard.press("End")
    expect(page.locator("#plan-seek")).to_have_attribute("aria-valuetext", "70 ms")
    expect(page.locator("#plan-seek")).to_have_attribute("max", "3")
