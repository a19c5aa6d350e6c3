"""The page "Live" as people play it: in two tabs of Chromium, with mouse and keys, and where its
connection or WebGL is missing.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from demiurge.web.workspace import Workspace
from tests.demiurge.web.browser.conftest import Site
from tests.demiurge.web.live.fake_session import FakeSession

LIGHT = """(position) => {
  const canvas = document.getElementById("overlay");
  const scale = canvas.width / canvas.clientWidth;
  const [x, y] = demiurgeLive.screenPosition(position).map((place) => Math.round(place * scale));
  return canvas.getContext("2d").getImageData(x, y, 1, 1).data[3];
}"""
KEEP_SOCKETS = """window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...rest) {
    super(...rest);
    sockets.push(this);
  }
};"""
TOO_WIDE = """[...document.querySelectorAll("main *")]
  .filter((node) => node.getClientRects().length)
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.outerHTML.slice(0, 80))"""
NAMELESS = """[...document.querySelectorAll("main :is(button, input, [role=meter])")]
  .filter((node) => !node.ariaLabel && !node.labels?.length && !node.textContent.trim())
  .filter((node) => !node.hasAttribute("aria-labelledby"))
  .map((node) => node.outerHTML.slice(0, 80))"""
NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl" ? null : get.call(this, kind, ...rest);
};"""


@pytest.fixture(scope="module")
def workspace(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    workspace = Workspace(built / "small.db", root=built / "sounds", folder=folder)
    workspace.live = FakeSession(workspace.database)
    return workspace


@pytest.fixture(scope="module")
def site(workspace, browse):
    """The small corpus, with a session."""
    return Site(browse(workspace), workspace.folder)


@pytest.fixture
def session(workspace):
    return workspace.live


@pytest.fixture
def open_live(tab: Callable[..., Page]) -> Callable[..., Page]:
    """`open_live(**options)` opens the page in a new tab, and waits until it is connected."""

    def open_it(**options) -> Page:
        page = tab(**options)
        page.goto("/")
        connected(page)
        return page

    return open_it


def connected(page: Page) -> None:
    expect(page.locator(".live[data-lost]")).to_have_count(0)


def slider(page: Page, name: str):
    return page.get_by_role("slider", name=name, exact=True)


def pressed(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True, pressed=True)


def test_two_players_turn_knobs_switch_and_save_scenes(open_live, session):
    one = open_live()
    other = open_live(color_scheme="dark")
    slider(one, "Level").focus()
    for _ in range(4):
        one.keyboard.press("ArrowLeft")
    expect(slider(other, "Level")).to_have_value("-2")
    expect(slider(other, "Level")).to_have_attribute("aria-valuetext", "−2 dB")
    assert session.controls.knobs.level == -2
    number = other.get_by_role("spinbutton", name="Max run, as a number")
    number.fill("2.5")
    number.press("Enter")
    expect(slider(one, "Max run")).to_have_attribute("aria-valuetext", "2.5 s")
    number.fill("900")  # out of range: as before
    number.press("Enter")
    expect(number).to_have_value("2.5")

    one.get_by_role("button", name="Accompany").click()
    expect(pressed(other, "Accompany")).to_be_visible()
    other.locator("main").press("m")
    expect(pressed(one, "Free")).to_be_visible()
    one.locator("main").press(" ")
    expect(pressed(other, "Freeze")).to_be_visible()
    for note in ("D♯", "C", "G", "C"):
        one.get_by_role("button", name=note, exact=True).click()
    expect(pressed(other, "G")).to_be_visible()
    expect(pressed(other, "C")).to_have_count(0)
    assert session.controls.knobs.pitch_classes == {3, 7}

    one.locator("main").press("s")
    one.locator("main").press("3")
    expect(pressed(other, "Scene 3")).to_be_visible()
    other.get_by_role("button", name="Defaults").click()
    other.get_by_role("button", name="Any", exact=True).click()
    expect(slider(one, "Level")).to_have_value("0")
    expect(pressed(one, "Scene 3")).to_have_count(0)
    other.locator("main").press("3")
    expect(slider(one, "Level")).to_have_value("-2")
    expect(slider(other, "Max run")).to_have_attribute("aria-valuetext", "2.5 s")
    expect(pressed(one, "D♯")).to_be_visible()
    one.locator("main").press("5")
    expect(one.locator(".toast.warn")).to_contain_text("Scene 5 is empty")

    for key in "jglp":
        one.locator("main").press(key)
    one.get_by_role("button", name="Panic").click()
    one.locator("main").press("m")  # its answer comes after all of them were obeyed
    expect(pressed(one, "Continue")).to_be_visible()
    assert session.controls.take_commands() == ["jump", "go", "listen", "panic", "panic"]
    assert [one.evaluate(NAMELESS), one.evaluate(TOO_WIDE)] == [[], []]


def test_what_plays_lights_up_and_filters_and_weights_are_listed(open_live, session):
    page = open_live()
    page.wait_for_selector("body[data-ready]")
    status = session.play(40, input_db=-20.25, output_db=-0.5, distance=1.234, seconds=61.5)
    expect(page.locator("#source")).to_have_text(status.source)
    expect(page.locator("#place")).to_contain_text("target cost 1.23")
    expect(page.locator("#state")).to_have_text("playing")
    expect(page.locator("#seconds")).to_have_text("1:01")
    expect(page.get_by_role("meter", name="In")).to_have_attribute("aria-valuetext", "−20.3 dB")
    expect(page.locator("#output.loud")).to_be_visible()
    page.wait_for_function(f"({LIGHT})(40) > 0")
    session.play(-1, late=2, work_ms=4.5, tempo=120.0, beat=9.5)
    expect(page.locator("#source")).to_have_text("A rest")
    expect(page.locator("#late.warn")).to_have_text("2")
    expect(page.locator("#work")).to_have_text("4.5 ms (4.5)")
    expect(page.locator("#beat")).to_have_text("9 (120.0 bpm)")
    page.wait_for_function(f"({LIGHT})(40) === 0")

    for label, text in [
        ("Pattern of sources", "tabla_*"),
        ("Pattern of sources", "drum_*"),
        ("Condition on units", "loudness>-30"),
        ("Condition on units", "nonsense"),
    ]:
        page.get_by_label(label).fill(text)
        page.get_by_label(label).press("Enter")
    expect(page.locator("#filters li")).to_have_text(["tabla_*", "drum_*", "loudness>-30"])
    expect(page.locator(".toast.warn")).to_contain_text("'nonsense' is not a condition")
    page.get_by_role("button", name="Remove tabla_*").click()
    expect(page.locator("#filters li")).to_have_text(["drum_*", "loudness>-30"])
    assert session.controls.knobs.filters.sources == ("drum_*",)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#filters li")).to_have_count(0)
    page.get_by_label("Weight", exact=True).fill("0.5")
    page.get_by_label("Weight", exact=True).press("Enter")
    expect(page.locator("#weights li")).to_have_text(["mfcc × 0.5"])
    page.get_by_role("button", name="Remove mfcc × 0.5").click()
    expect(page.locator("#weights li")).to_have_count(0)


def test_on_a_phone_without_webgl_a_lost_connection_is_told_and_made_again(tab, session):
    page = tab(viewport={"width": 390, "height": 800}, has_touch=True)
    page.add_init_script(NO_WEBGL)
    page.add_init_script(KEEP_SOCKETS)
    page.goto("/live")
    connected(page)
    expect(page.get_by_role("heading", name="The map cannot be drawn")).to_be_visible()
    assert page.evaluate(TOO_WIDE) == []
    page.evaluate("sockets[0].close()")
    expect(page.locator(".live[data-lost]")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="connection to the session")).to_be_visible()
    connected(page)
    assert page.evaluate("sockets.length") == 2
    session.controls.turn("transpose", 7)
    expect(slider(page, "Transpose")).to_have_value("7")
