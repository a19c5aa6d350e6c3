"""Actions on the timeline page, and waiting for their results."""

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

PATIENCE_SECONDS = 10


def loaded(page: Page) -> Page:
    page.locator("#play:enabled").wait_for()
    page.locator("#making").wait_for(state="hidden")
    return page


def plan_of(page: Page) -> dict:
    """The plan as the server has it now."""
    name = page.evaluate("location.pathname.split('/').at(-1)")
    return page.evaluate("name => fetch(`/plans/${name}.json`).then(answer => answer.json())", name)


def place_of(page: Page, step: int, *, edge: bool = False) -> tuple[float, float]:
    """Where on the page the middle of a step's block, or its right edge, is while the whole plan is
    seen.
    """
    plan = plan_of(page)
    voices = plan["steps"]["voice"]
    box = page.locator("#stage").bounding_box()
    lane = page.locator("[data-lane=units]").bounding_box()
    assert box
    assert lane
    at = plan["steps"]["at_sample"][step] + plan["steps"]["n_samples"][step] * (1 if edge else 0.5)
    down = (voices[step] + 0.5) / (max(voices) + 1)
    return box["x"] + box["width"] * at / plan["n_samples"], lane["y"] + lane["height"] * down


def click_step(page: Page, step: int) -> None:
    page.mouse.click(*place_of(page, step))
    page.get_by_role("heading", name=f"Step {step}", exact=True).wait_for()


def edited(page: Page, do: Callable[[], None]) -> dict:
    """Do what sends an edit; return the plan as the server then has it, and its "change"."""
    with page.expect_response("**/edits") as answer:
        do()
    page.locator("#working").wait_for(state="hidden")
    return plan_of(page) | {"change": answer.value.json()["change"]}


def said(page: Page, text: str) -> bool:
    """Whether screen readers get this text soon."""
    return until(lambda: text in page.locator("#status").inner_text())


def press(page: Page, keys: str) -> Callable[[], None]:
    return lambda: page.keyboard.press(keys)


def until(true: Callable[[], bool]) -> bool:
    """Whether something becomes true soon."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def download(page: Page, kind: str, folder: Path) -> Path:
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as started:
        page.locator(f"[data-download={kind}]").click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path
