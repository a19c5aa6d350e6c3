"""The Make page in a real browser: drop a seed, run a job, play the variations."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf
import torch
from playwright.sync_api import Page, Route, expect

from db.database import Database
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.web.workspace import Workspace
from sequencer.forecaster import Forecaster, ForecasterConfig
from tests.audio.containers.made_files import encoded, flac_without_total
from tests.demiurge.web.browser.conftest import Site

JOB_MS = 300_000  # seconds suffice, but not on a machine that does ten other things
DROP = """([name, text]) => {
  const dropped = new DataTransfer();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  dropped.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const options = { dataTransfer: dropped, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent(kind, options));
  }
}"""

TOO_WIDE = """[
  ...document.querySelectorAll("html, #main, #form, .fields, #results, .job, .variation"),
]
  .filter((node) => node.scrollWidth > node.clientWidth)
  .map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(
    built: Path, tmp_path_factory: pytest.TempPathFactory, browse: Callable[[Workspace], str]
) -> Site:
    """The small corpus with a forecaster beside it, which has learned nothing but goes on all the
    same.
    """
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    database = Database(folder / "small.db")
    torch.manual_seed(0)
    forecaster = Forecaster(
        ForecasterConfig("lstm", database.settings, architecture_sizes={"hidden_size": 16})
    )
    bounds = torch.full_like(forecaster.low, -2.0), torch.full_like(forecaster.high, 2.0)
    forecaster.set_statistics(database.normaliser, low=bounds[0], high=bounds[1])
    forecaster.save(folder / "untrained")
    return Site(browse(Workspace(folder / "small.db", folder=folder / "plans")), folder)


@pytest.fixture(autouse=True)
def _nothing_goes_on(page: Page, site: Site) -> Iterator[None]:
    """Cancel the jobs that a test leaves, for which the next would wait."""
    yield
    for job in page.request.get("/jobs.json").json()["jobs"]:
        if job["state"] in ("queued", "running"):
            page.request.post(f"/jobs/{job['id']}/cancel", headers={"Origin": site.address})


def drop(page: Page, path: Path) -> None:
    """Drop a file on the page."""
    page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])


def open_with_seed(page: Page, seed: Path = SEED_FILE) -> None:
    page.goto("/make")
    page.set_input_files("#seed-file", seed)
    expect(page.locator("#seed-name")).to_have_text(seed.name)


def set_knobs(
    page: Page, *, model: str = "none: rebuild the seed itself (mosaic)", **knobs: float
) -> None:
    page.select_option("#model", label=model)
    for name, value in knobs.items():
        page.fill(f"#{name}", str(value))


def make(page: Page, **knobs: Any) -> None:
    """Send a job with a model and options, and wait until it is listed."""
    set_knobs(page, **knobs)
    before = page.locator(".job").count()
    page.click("#make")
    expect(page.locator(".job")).to_have_count(before + 1)


def newest(page: Page, state: str):
    """Wait until the newest job is in this state."""
    job = page.locator(".job").first
    expect(job).to_have_attribute("data-state", state, timeout=JOB_MS)
    return job


def share_played(page: Page) -> float:
    """The position of the playing variation, in per cent."""
    return float(
        page.locator(".played:visible").evaluate("played => played.style.width").removesuffix("%")
    )


def test_seed_dropped_anywhere_becomes_variations(page):
    page.goto("/make")
    expect(page.locator("#empty")).to_be_visible()
    drop(page, SEED_FILE)
    expect(page.locator("#seed-name")).to_have_text(SEED_FILE.name)
    expect(page.locator("#seed-facts")).to_have_text("6.86 s · 44.1 kHz · stereo")
    make(page, model="untrained (lstm)", seconds=2, variations=2, random_seed=5)
    job = newest(page, "done")
    expect(page.locator("#empty")).to_be_hidden()
    expect(job.locator("h3")).to_contain_text("untrained")
    expect(job.locator(".options")).to_contain_text("2 s · 2 variations · continuity 0.5")
    expect(job.locator(".facts")).to_have_count(2)
    expect(job.locator(".facts").first).to_contain_text("2.00 s · ")


def test_what_was_repaired_in_a_seed_is_told_below_it(page, tmp_path):
    samples, rate = sf.read(SEED_FILE, dtype="float32")
    cut = tmp_path / "cut.flac"
    cut.write_bytes(flac_without_total(encoded(samples, "FLAC", rate))[:-100])
    page.goto("/make")
    drop(page, cut)
    expect(page.locator("#seed-warning")).to_have_text(
        "cut.flac: its header states no length, and its last frame is incomplete: it may have been"
        " cut off."
    )
    drop(page, SEED_FILE)
    expect(page.locator("#seed-name")).to_have_text(SEED_FILE.name)
    expect(page.locator("#seed-warning")).to_be_hidden()


def test_job_survives_a_reload(page):
    open_with_seed(page)
    make(page, model="untrained (lstm)", seconds=20, variations=2)
    running = newest(page, "running")
    name = running.get_attribute("aria-labelledby")
    page.reload()
    job = page.locator(f".job[aria-labelledby={name}]")
    assert job.get_attribute("data-state") == "running"
    expect(job.locator(".progress")).to_be_visible()
    expect(job).to_have_attribute("data-state", "done", timeout=JOB_MS)
    expect(job.locator(".variation")).to_have_count(2)
    expect(page.locator("#variations")).to_have_value("2")  # the form is as it was left
    expect(page.locator("#seed-name")).to_have_text(SEED_FILE.name)


def test_running_and_queued_jobs_are_cancelled(page):
    open_with_seed(page)
    make(page, model="untrained (lstm)", seconds=600, variations=8)
    make(page, variations=1)
    make(page, variations=2)
    waiting = page.locator(".job[data-state=queued]")
    expect(waiting).to_have_count(2)
    expect(waiting.nth(0)).to_contain_text("2 in line")
    expect(waiting.nth(1)).to_contain_text("next")
    waiting.nth(0).get_by_role("button", name="Cancel").click()
    newest(page, "cancelled")
    page.locator(".job[data-state=running]").get_by_role("button", name="Cancel").click()
    expect(page.locator(".job[data-state=done] .options").first).to_contain_text(
        "1 variation ·", timeout=JOB_MS
    )  # the one between
    expect(page.locator(".job[data-state=cancelled]")).to_have_count(2)


def test_file_that_is_no_audio_is_refused_where_it_was_dropped(page, problems, tmp_path):
    (tmp_path / "notes.txt").write_text("no sound")
    page.goto("/make")
    drop(page, tmp_path / "notes.txt")
    expect(page.get_by_role("alert")).to_contain_text("notes.txt: not readable as audio")
    assert [problem for problem in problems if "422" not in problem] == []
    problems.clear()
    page.click("#make")
    expect(page.locator("#form-error")).to_contain_text("There is no seed yet")
    expect(page.locator("#seed-choose")).to_be_focused()


def test_large_file_is_refused_before_it_is_sent(page, tmp_path):
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate((64 << 20) + 1)
    page.goto("/make")
    page.wait_for_selector("#model option", state="attached")
    page.set_input_files("#seed-file", tmp_path / "huge.wav")
    expect(page.get_by_role("alert")).to_contain_text("huge.wav: 65 MB are more than the 64 MB")


def test_wrong_knob_is_refused_with_the_servers_message(page, problems):
    open_with_seed(page)
    set_knobs(page, variations=2, continuity=-1)
    page.click("#make")
    expect(page.locator("#form-error")).to_contain_text("continuity=-1")
    problems.clear()  # the browser's own word of the 422
    page.fill("#continuity", "")
    page.click("#make")
    expect(page.locator("#form-error")).to_have_text("Continuity needs a number.")


def test_audition_goes_on_at_the_position_of_the_variation_before(page):
    open_with_seed(page)
    make(page, variations=3)
    cards = newest(page, "done").locator(".variation")
    expect(cards.nth(2).locator(".play")).to_be_enabled()
    cards.nth(0).locator(".wave").click(position={"x": 100, "y": 20})
    expect(cards.nth(0)).to_have_class("variation playing")
    at = share_played(page)
    assert at > 30
    page.keyboard.press("2")
    expect(cards.nth(1)).to_have_class("variation playing")
    expect(page.locator(".playing")).to_have_count(1)
    assert share_played(page) > at - 0.01  # positions are rounded to microseconds
    page.keyboard.press("k")
    page.keyboard.press("3")
    expect(cards.nth(2)).to_have_class("variation playing")
    assert share_played(page) < at
    page.keyboard.press(" ")
    page.wait_for_timeout(150)  # the line is drawn once more
    held = share_played(page)
    page.wait_for_timeout(150)
    assert share_played(page) == held
    page.keyboard.press("3")
    expect(page.locator(".playing")).to_have_count(0)


def test_sound_that_was_put_away_is_fetched_anew_and_plays_unless_it_is_paused_meanwhile(
    page, problems
):
    open_with_seed(page)
    make(page, variations=2)
    cards = newest(page, "done").locator(".variation")
    expect(cards.nth(1).locator(".play")).to_be_enabled()
    cards.nth(0).locator(".wave").click(position={"x": 100, "y": 20})
    expect(cards.nth(0)).to_have_class("variation playing")
    held: list[Route] = []
    second = f"**/plans/{cards.nth(1).get_attribute('data-plan')}"
    for is_paused in (False, True):
        page.route(
            f"{second}/audio.wav?*",
            lambda route: route.fulfill(status=409, json={"error": "edited"}),
            times=2,
        )
        page.route(f"{second}.json", lambda route: held.append(route), times=1)
        page.keyboard.press("2")
        expect(page.locator(".playing")).to_have_count(0)
        page.wait_for_timeout(50)
        if is_paused:
            page.keyboard.press(" ")
        with page.expect_response("**/peaks*"):
            held.pop().continue_()
        page.wait_for_timeout(100)
        expect(page.locator(".playing")).to_have_count(0 if is_paused else 1)
        page.keyboard.press("1")
        problems.clear()


def test_without_a_mouse(page):
    page.on("filechooser", lambda chooser: chooser.set_files(CORPUS_DIR / "tabla_ghe3.ogg"))
    page.goto("/make")
    page.wait_for_selector("#model option", state="attached")
    page.focus("#seed-choose")
    page.keyboard.press("Enter")
    expect(page.locator("#seed-name")).to_have_text("tabla_ghe3.ogg")
    for control in (
        "#seed-used",
        "#model",
        "#defaults",
        "#variations",
    ):  # a mosaic has no length of its own
        page.keyboard.press("Tab")
        if control == "#model":
            page.keyboard.press("End")
        expect(page.locator(control)).to_be_focused()
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    job = newest(page, "done")
    expect(page.locator("#status")).to_contain_text("done: 1 variation")
    expect(job.locator(".play")).to_be_enabled()
    page.locator("#random_seed").focus()
    for _ in ("make", "keep position", "make again", "play"):
        page.keyboard.press("Tab")
    expect(job.locator(".play")).to_be_focused()
    page.keyboard.press("Enter")
    expect(job.locator(".play")).to_have_accessible_name("Stop variation 1")


def test_knobs_of_a_job_fill_the_form(page, fixtures):
    seed = fixtures / "tabla_44k.wav"
    open_with_seed(page, seed)
    make(page, variations=2, continuity=1.5, novelty=0.7, temperature=0.4, random_seed=77)
    job = newest(page, "done")
    expect(page.locator("#make")).to_be_focused()
    page.click("#defaults")
    expect(page.locator("#temperature")).to_have_value("0")  # of the path
    expect(page.locator("#continuity")).to_have_value("0.25")
    job.get_by_role("button", name="Make again").click()
    values = {
        name: page.input_value(f"#{name}")
        for name in (
            "variations",
            "voices",
            "transpose",
            "continuity",
            "novelty",
            "temperature",
            "random_seed",
        )
    }
    assert values == {
        "variations": "2",
        "voices": "1",
        "transpose": "0",
        "continuity": "1.5",
        "novelty": "0.7",
        "temperature": "0.4",
        "random_seed": "77",
    }
    assert page.input_value("#model") == ""

    def forget(route: Route) -> None:
        offered = route.fetch().json()
        gone = {"id": "f" * 16, "name": "gone"}
        jobs = [job | {"model": gone} for job in offered["jobs"]]
        route.fulfill(json=offered | {"seeds": [], "jobs": jobs})

    page.route("**/make.json", forget)
    page.reload()
    job.get_by_role("button", name="Make again").click()
    expect(page.locator("#seed-error")).to_contain_text(f"{seed.name} is no longer there")
    expect(page.locator("#form-error")).to_contain_text("The model gone is no longer there")
    page.set_input_files("#seed-file", seed)
    expect(page.locator("#seed-name")).to_have_text(seed.name)
    page.click("#make")
    expect(page.locator("#form-error")).to_contain_text("There is no model chosen")
    expect(page.locator("#model")).to_be_focused()


def test_only_a_mosaic_has_voices(page, fixtures, problems):
    open_with_seed(page, fixtures / "tabla_44k.wav")
    page.select_option("#model", label="untrained (lstm)")
    expect(page.locator("#voices")).to_be_disabled()
    expect(page.locator("#voices-help")).to_have_text("A continuation has one voice.")
    expect(page.locator("#transpose")).to_be_disabled()
    page.select_option("#model", "")
    expect(page.locator("#voices")).to_be_enabled()
    page.fill("#voices", "3")
    page.fill("#transpose", "2")
    with page.expect_request("**/jobs") as asked:
        page.click("#make")
    assert asked.value.post_data_json["voices"] == 3
    assert asked.value.post_data_json["transpose"] == 2
    options = page.locator(".job").first.locator(".options")
    expect(options).to_contain_text("3 voices · up to 2 semitones")
    page.fill("#voices", "17")
    page.click("#make")
    expect(page.locator("#form-error")).to_contain_text("voices=17 must be an integer from 1 to 16")
    problems.clear()  # the answer 422 is in the console


def test_nothing_sticks_out(page, fixtures):
    open_with_seed(page, fixtures / "tabla_44k.wav")
    make(page, variations=2)
    newest(page, "done")
    for width, height in ((1280, 720), (1024, 768), (480, 800)):
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        page.locator(".variation").first.scroll_into_view_if_needed()
        expect(page.locator(".facts").first).to_contain_text("s · ")
        assert page.evaluate(TOO_WIDE) == [], width
