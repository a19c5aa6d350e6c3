"""The timeline in a real browser: keep these, vary the rest."""

from playwright.sync_api import Page, expect

from tests.demiurge.web.browser.timeline_page import click_step, edited, plan_of, press


def test_the_rest_is_varied_around_the_selected_steps_and_undone(timeline: Page) -> None:
    button = timeline.get_by_role("button", name="Vary the rest")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.click(force=True)  # which does nothing
    before = plan_of(timeline)
    assert not before["dirty"]
    click_step(timeline, 10)
    for _ in range(3):
        timeline.keyboard.press("Shift+ArrowRight")
    expect(button).to_have_attribute("aria-disabled", "false")
    expect(button).to_have_attribute(
        "title",
        "Keep the selected and the locked steps, choose the"
        " rest again with other random numbers (V)",
    )
    varied = edited(timeline, button.click)
    assert varied["steps"]["unit"][10:14] == before["steps"]["unit"][10:14]
    assert varied["steps"]["unit"] != before["steps"]["unit"]
    again = edited(timeline, press(timeline, "v"))
    assert again["steps"]["unit"][10:14] == before["steps"]["unit"][10:14]
    assert again["steps"]["unit"] != varied["steps"]["unit"]
    edited(timeline, press(timeline, "Control+z"))
    undone = edited(timeline, press(timeline, "Control+z"))
    assert undone["steps"] == before["steps"]
    timeline.get_by_role("button", name="Undo").hover()
    expect(timeline.get_by_role("button", name="Redo: the rest varied")).to_be_visible()
