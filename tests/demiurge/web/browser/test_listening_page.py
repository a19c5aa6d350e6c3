"""The listening page in a real browser, opened from its folder without a server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from playwright.sync_api import Page, expect
from scipy.stats import binomtest

from demiurge.evaluate.listening import Sound, Trial, write_listening_page
from tests.demiurge.web.browser.conftest import Site

RATE = 22050
METHODS = ("the piece itself", "oracle", "Prüfung")
TOO_WIDE = """[...document.querySelectorAll("*")]
  .filter((node) => node.getClientRects().length && node.getBoundingClientRect().right > innerWidth)
  .map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A page with three pairs: one seed of a second, continued for two seconds by three methods."""
    folder = tmp_path_factory.mktemp("heard")
    rng = np.random.default_rng(0)
    for name, seconds in {"seed": 1, **dict.fromkeys(METHODS, 2)}.items():
        sf.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(seconds * RATE), RATE)
    sounds = tuple(Sound(method, folder / f"{method}.wav") for method in METHODS)
    index = write_listening_page(folder, [Trial(folder / "seed.wav", sounds)])
    return Site(f"{index.parent.as_uri()}/", folder)


@pytest.fixture
def page(tab: Callable[..., Page]) -> Iterator[Page]:
    """The page at its first pair; it may ask for nothing but its own files."""
    page = tab()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("index.html")
    expect(page.get_by_text("You will hear 3 pairs.")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("Pair 1 of 3")
    yield page
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []


def answer(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.keyboard.press("Enter")


def rows(page: Page) -> dict[str, list[str]]:
    """The table of results: the cells of each method."""
    found = {}
    for row in page.locator("#table tr").all():
        cells = [" ".join(text.split()) for text in row.locator("td").all_inner_texts()]
        found[row.locator("th").inner_text()] = cells
    return found


def sides(page: Page) -> list[tuple[str, str]]:
    """The methods at A and B of each pair."""
    return page.evaluate("""() => {
      const { methods } = readKey();
      return LISTENING.pairs.map(({ a, b }) => [methods[a], methods[b]]);
    }""")


def test_keys_play_change_and_pause(page):
    side_a = page.get_by_role("button", name="A Play")
    side_b = page.get_by_role("button", name="B Play")
    page.keyboard.press("a")
    expect(side_a).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("Number(document.getElementById('position').value) > 0.3")
    before = page.evaluate("player.position")
    page.keyboard.press("b")
    expect(side_b).to_have_attribute("aria-pressed", "true")
    expect(side_a).to_have_attribute("aria-pressed", "false")
    page.wait_for_function("!player.sounds.b.paused && !player.sounds.b.seeking")
    assert before <= page.evaluate("player.position") < before + 1
    assert page.evaluate("player.sounds.a.paused")
    page.keyboard.press(" ")
    expect(page.locator("#pause")).to_have_text("Play")
    at = page.evaluate("player.position")
    assert at > 0
    page.wait_for_timeout(200)
    assert page.evaluate("player.position") == at
    page.keyboard.press(" ")
    page.wait_for_function(f"player.position > {at} && player.side === 'b'")


def test_sound_ends_and_begins_again(page):
    page.evaluate("player.seek(2.8)")
    page.keyboard.press("a")
    page.wait_for_function("player.sounds.a.ended")
    expect(page.locator("#pause")).to_have_text("Play")
    page.keyboard.press("b")
    page.wait_for_function("player.position > 0 && player.position < 1 && !player.sounds.b.paused")


def test_arrows_move_the_preference(page):
    checked = page.locator("#preference input:checked")
    expect(page.locator("#next")).to_be_disabled()
    left, right = "ArrowLeft", "ArrowRight"
    for key, value in [(left, -1), (left, -2), (left, -2), (right, -1), (right, 0), ("5", 2)]:
        page.keyboard.press(key)
        expect(checked).to_have_value(str(value))
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("Pair 2 of 3")
    expect(checked).to_have_count(0)
    page.keyboard.press("Enter")  # not without an answer
    expect(page.locator("#count")).to_have_text("Pair 2 of 3")
    page.keyboard.press("Backspace")
    expect(checked).to_have_value("2")


def test_mouse_leaves_the_keys_to_the_page(page):
    page.locator("#play-a").click()
    page.wait_for_function("player.playing && player.side === 'a'")
    page.keyboard.press("b")
    page.wait_for_function("player.side === 'b'")
    page.keyboard.press(" ")
    page.wait_for_function("!player.playing && player.side === 'b'")
    page.get_by_text("No preference").first.click()
    page.locator("#next").click()
    expect(page.locator("#count")).to_have_text("Pair 2 of 3")


def test_answers_are_kept(page):
    answer(page, "1", "4")
    page.reload()
    expect(page.locator("#count")).to_have_text("Pair 3 of 3")
    checked = page.locator("#preference input:checked")
    expect(checked).to_have_count(0)
    page.keyboard.press("Backspace")
    expect(checked).to_have_value("1")
    page.keyboard.press("Backspace")
    expect(checked).to_have_value("-2")


def test_table_counts_the_answers_of_each_method(page):
    (first, _), (third, fourth), (_, last) = sides(page)
    answer(page, "1", "3", "4")
    expect(page.get_by_role("heading", name="What you preferred")).to_be_visible()
    expect(page.locator("#summary")).to_have_text(
        "3 of 3 pairs answered, 1 of them without a preference."
    )
    found = rows(page)
    assert set(found) == set(METHODS)
    for method, cells in found.items():
        much = int(method == first)
        preferred = much + (method == last)
        none = int(method in (third, fourth))
        chosen = f"{preferred} (1 much)" if much else str(preferred)
        assert cells == ["2", chosen, str(none), share(preferred, 2 - none)]
    page.reload()
    assert rows(page) == found


def share(preferred: int, decided: int) -> str:
    """A share with its Wilson interval as SciPy computes it, as the page writes it."""
    interval = binomtest(preferred, decided).proportion_ci(method="wilson")
    low, high = round(100 * interval.low), round(100 * interval.high)
    return f"{round(100 * preferred / decided)} % {low} to {high} %"


@pytest.mark.parametrize(("preferred", "decided"), [(0, 5), (7, 9), (40, 40), (13, 40)])
def test_interval_is_that_of_wilson(preferred, decided, page):
    interval = binomtest(preferred, decided).proportion_ci(method="wilson")
    found = page.evaluate(f"wilson({preferred}, {decided})")
    assert found["share"] == preferred / decided
    assert found["low"] == pytest.approx(interval.low, abs=1e-6)
    assert found["high"] == pytest.approx(interval.high, abs=1e-6)


def test_listener_can_finish_early_save_and_start_again(page, tmp_path):
    answer(page, "5")
    page.get_by_role("button", name="Finish here…").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#count")).to_have_text("Pair 2 of 3")
    page.get_by_role("button", name="Finish here…").click()
    page.get_by_role("button", name="See the results").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the answers").click()
    saved = json.loads(Path(download.value.path()).read_text())
    a, b = sides(page)[0]
    assert saved == {
        "format": "demiurge-listening",
        "version": 1,
        "page": page.evaluate("LISTENING.page"),
        "pairs": 3,
        "answers": [{"pair": 1, "seed": "seed.wav", "a": a, "b": b, "preference": 2}],
    }
    page.get_by_role("button", name="Start again…").click()
    page.get_by_role("button", name="Remove the answers").click()
    page.reload()
    expect(page.get_by_text("You will hear 3 pairs.")).to_be_visible()


def test_missing_sound_is_told(page, site, problems):
    name = page.evaluate("LISTENING.pairs[1].a")
    sound = site.folder / "listening" / "sounds" / name
    content = sound.read_bytes()
    sound.unlink()
    answer(page, "3")
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text(f"sounds/{name} cannot be played.")
    expect(page.locator("#pause")).to_have_text("Play")
    sound.write_bytes(content)
    assert any("ERR_FILE_NOT_FOUND" in problem for problem in problems)
    problems.clear()


def test_page_fits_a_phone(tab):
    page = tab(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page.goto("index.html")
    page.get_by_role("button", name="Begin").tap()
    page.locator("#play-b").tap()
    page.wait_for_function("player.playing && player.side === 'b'")
    assert page.evaluate(TOO_WIDE) == []
    for _ in range(3):
        page.get_by_text("A much better").first.tap()
        page.locator("#next").tap()
    expect(page.locator("#table tr")).to_have_count(3)
    assert page.evaluate(TOO_WIDE) == []
