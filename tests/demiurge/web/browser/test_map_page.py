"""The corpus map as people use it: in Chromium, with a mouse, with keys, and where something is
missing.
"""

import json
import re
import shutil
import time
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile as sf
from playwright.sync_api import expect

from db.build import build_database
from demiurge.web.map import layouts
from demiurge.web.workspace import Workspace

STAGE = "#points"
INK = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value).length;
}"""
NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl" ? null : get.call(this, kind, ...rest);
};"""

COUNT_DRAWS = """window.draws = 0;
for (const name of ["drawArrays", "drawElements"]) {
  const draw = WebGLRenderingContext.prototype[name];
  WebGLRenderingContext.prototype[name] = function (...rest) {
    window.draws++;
    return draw.apply(this, rest);
  };
}"""
REFUSE = """const refused = new DOMException("", "NotAllowedError");
HTMLMediaElement.prototype.play = () => Promise.reject(refused);
Object.defineProperty(navigator, "userActivation", { value: { hasBeenActive: false } });"""
KEEP_STREAM = """window.EventSource = class extends EventSource {
  constructor(...rest) { super(...rest); window.stream = this; }
};"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
REMOVE_STEP = """async (id) => {
  const { getJson, postJson } = await import("/static/lib.js");
  const { revision } = await getJson(`/plans/${id}.json`);
  await postJson(`/plans/${id}/edits`, { revision, edit: { kind: "remove", steps: [0] } });
}"""
SAY_TWICE = """async () => {
  const { say } = await import("/static/lib.js");
  const wait = () => new Promise((resolve) => setTimeout(resolve, 150));
  say("Again.", { quiet: true });
  await wait();
  let changes = 0;
  const status = document.getElementById("status");
  new MutationObserver(() => changes++).observe(status, { childList: true });
  say("Again.", { quiet: true });
  await wait();
  return [changes, document.getElementById("status").textContent];
}"""
WORDS = """async () => {
  const { baseName, clock, counted, formatSeconds } = await import("/static/lib.js");
  const times = [clock(83.4), clock(59.999), clock(3600, { hundredths: false })];
  const lengths = [formatSeconds(0.0231), formatSeconds(3.4)];
  const counts = [counted(1, "unit"), counted(13012, "unit")];
  return [...times, ...lengths, ...counts, baseName("a/b c.ogg"), baseName("b.ogg")];
}"""
WALK = """async (places) => {
  const { walk } = await import("/static/map/walk.js");
  return walk(places.map((_, i) => i), (i) => places[i]);
}"""
MENU = """async (names) => {
  const { valueOptions } = await import("/static/map/values.js");
  return valueOptions(names).map((node) => [node.label || node.text, node.children.length]);
}"""
PITCH_COLOURS = """async (values) => {
  const { colourBy } = await import("/static/map/colours.js");
  const units = { values: async () => Float32Array.from(values) };
  const { colours, legend } = await colourBy(units, "f0");
  return [[...colours], legend.hasAbsent, legend.low];
}"""
NEAREST = """async (places) => {
  const { Grid } = await import("/static/map/nearest.js");
  const [x, y] = [0, 1].map((axis) => Float32Array.from(places, (place) => place[axis]));
  const grid = new Grid(x, y);
  return places.map(([ownX, ownY], i) => {
    return grid.nearest(ownX, ownY, 0.2, (other) => other !== i && other % 3 > 0);
  });
}"""

MIDDLE_PLACE = """() => {
  const { left, top, width, height } = document.getElementById("points").getBoundingClientRect();
  const far = ([x, y]) => Math.hypot(x - width / 2, y - height / 2);
  const places = Array.from({ length: 50 }, (_, i) => demiurgeMap.screenPosition(i + 1));
  places.sort((a, b) => far(a) - far(b));
  return [places[0][0] + left, places[0][1] + top];
}"""


@pytest.fixture
def open_map(page):
    """`open_map(query)` opens the map and waits until it is drawn; the plan the site was started
    with is not shown.
    """

    def open_it(query="?plan="):
        page.goto(f"/map{query}")
        page.wait_for_selector("body[data-ready]")

    return open_it


@pytest.fixture
def units(page):
    """The ids of all units."""
    return np.frombuffer(page.request.get("/map/units").body(), "<u4").tolist()


@pytest.fixture
def places(page):
    """`places(units)`: where units are in the window, (n, 2)."""

    def find(units):
        box = page.locator(STAGE).bounding_box()
        found = page.evaluate(
            "(units) => units.map((unit) => demiurgeMap.screenPosition(unit))", units
        )
        return np.array(found) + np.array([box["x"], box["y"]])

    return find


@pytest.fixture
def lone(page, units, places):
    """`lone(choice)`: those of some units that have no other near them on the stage, so that the
    pointer can only mean them.
    """

    def find(choice=units):
        box = page.locator(STAGE).bounding_box()
        found = places(units)
        distances = np.linalg.norm(found[:, None] - found[None], axis=-1) + 1000 * np.eye(
            len(found)
        )
        inner = (found > [box["x"] + 60, box["y"] + 90]) & (
            found < [box["x"] + box["width"] - 120, box["y"] + box["height"] - 60]
        )
        alone = np.flatnonzero(inner.all(1) & (distances.min(1) > 18))
        return [(units[i], found[i]) for i in alone if units[i] in choice]

    return find


@pytest.fixture
def lasso(page):
    """`lasso(corners)`: draw around with Shift held."""

    def draw(corners):
        page.keyboard.down("Shift")
        page.mouse.move(*corners[0])
        page.mouse.down()
        for corner in [corners[0] + 1, *corners[1:]]:
            page.mouse.move(*corner, steps=6)
            page.wait_for_timeout(30)
        page.mouse.up()
        page.keyboard.up("Shift")

    return draw


@pytest.fixture
def eventually(page):
    """`eventually(check)`: whether it comes true within ten seconds; what is drawn is animated."""

    def wait(check):
        for _ in range(100):
            if check():
                return True
            page.wait_for_timeout(100)
        return False

    return wait


def test_every_unit_is_drawn(page, open_map, units, places, pixels):
    open_map()
    seen = pixels(page).astype(int)
    ground = seen[150, 5]
    corner = (210, 95)
    box = page.locator(STAGE).bounding_box()
    stage = seen[corner[1] : int(box["y"] + box["height"]), : int(box["width"]) - 60]
    away = stage[np.abs(stage - ground).sum(-1) > 90]
    assert len(np.unique(away, axis=0)) > 40
    for x, y in places(units).round().astype(int):
        if 2 <= x < box["width"] - 60 and box["y"] + 2 < y < 700:
            assert np.abs(seen[y - 1 : y + 2, x - 1 : x + 2] - ground).sum(-1).max() > 40


def test_hover_plays_the_unit(page, open_map, lone):
    page.add_init_script(COUNT_DRAWS)
    open_map()
    unit, place = lone()[0]
    page.wait_for_timeout(200)
    drawn = page.evaluate("draws")
    with page.expect_response(re.compile(rf"/units/{unit}/audio\.wav")) as answer:
        page.mouse.move(*place, steps=3)
    assert answer.value.status in {200, 206}
    assert answer.value.headers["content-type"] == "audio/wav"
    facts = page.request.get(f"/units/{unit}.json").json()
    expect(page.locator("#tooltip")).to_contain_text(facts["source"]["path"])
    expect(page.locator("#reading")).to_contain_text(facts["source"]["path"])
    assert page.evaluate("draws") == drawn > 0, (
        "a million points would be drawn anew for each that is pointed at"
    )
    page.mouse.move(place[0], 20, steps=3)
    expect(page.locator("#tooltip")).to_be_hidden()
    sound = page.request.get(answer.value.url).body()
    assert sound[:4] == b"RIFF" and sound[8:12] == b"WAVE"  # noqa: PT018


def test_browser_that_does_not_play_yet_is_told_of_quietly(page, open_map, lone):
    page.add_init_script(REFUSE)
    open_map()
    for _, place in lone()[:2]:
        page.mouse.move(*place, steps=3)
        expect(page.locator("#sound-hint")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)
    page.click("#lasso")
    expect(page.locator("#sound-hint")).to_be_hidden()


def test_nearest_point_is_found_as_by_looking_at_all(page):
    page.goto("/make")
    places = np.random.default_rng(0).normal(size=(500, 2)).astype("f4") * [[1.0, 0.3]]
    places[::50] *= 100
    expected = []
    for i, place in enumerate(places):
        distances = np.linalg.norm(places - place, axis=1)
        distances[[i, *range(0, len(places), 3)]] = np.inf
        expected.append(int(distances.argmin()) if distances.min() < 0.2 else -1)
    assert -1 in expected
    assert page.evaluate(NEAREST, places.tolist()) == expected


def test_orders_and_colours_that_the_map_uses(page):
    page.goto("/make")
    square = [(x, y) for y in range(4) for x in range(4)]
    walked = page.evaluate(WALK, square)
    assert sorted(walked) == list(range(16))
    steps = np.linalg.norm(np.diff(np.array(square)[walked], axis=0), axis=1)
    assert steps.max() < 3.2, "no jump from one side to the other"
    names = [
        *[f"mfcc{i}" for i in range(6)],
        "centroid",
        "f0",
        "loudness",
        "chroma0",
        "mfcc0_std",
        "log2_duration",
    ]
    assert page.evaluate(MENU, names) == [
        ["loudness", 0],
        ["centroid", 0],
        ["f0", 0],
        ["time", 0],
        ["length", 0],
        ["MFCC", 2],
        ["MFCC Δ", 2],
        ["MFCC ΔΔ", 2],
        ["Chroma", 1],
        ["Deviation", 1],
        ["Others", 1],
    ]
    assert page.evaluate(PITCH_COLOURS, [0, 100, 200, 0]) == [[64, 0, 63, 64], True, 100]


def test_listen_length_is_what_is_asked_for(page, open_map, lone):
    open_map()
    _, place = lone()[0]
    page.select_option("#listen", "2")
    with page.expect_request(re.compile(r"/audio\.wav\?context=2$")):
        page.mouse.move(*place, steps=3)


def test_click_pins_and_similar_units_are_listed(page, open_map, lone, eventually):
    open_map()
    for _, place in lone()[:2]:
        page.mouse.move(*place, steps=3)
        page.mouse.click(*place)
    expect(page.locator("#pins > li")).to_have_count(2)
    before = page.locator("#overlay").evaluate(INK)
    page.get_by_label("Units similar to number 1").click()
    expect(page.locator(".similar li")).to_have_count(8)
    distances = [float(text) for text in page.locator(".similar .number").all_text_contents()]
    assert distances == sorted(distances)
    assert eventually(lambda: page.locator("#overlay").evaluate(INK) > before)
    page.reload()
    expect(page.locator("#pins > li")).to_have_count(2)
    page.get_by_label("Unpin number 1").click()
    expect(page.locator("#pins > li")).to_have_count(1)


def test_lasso_counts_what_is_in_it(page, open_map, units, places, lasso):
    open_map()
    found = places(units)
    (left, top), (right, bottom) = np.quantile(found, [0.1, 0.9], axis=0)
    inside = int(((found > [left, top]) & (found < [right, bottom])).all(1).sum())
    lasso(np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]))
    expect(page.locator("#selection")).to_be_visible()
    counts = [
        int(text.replace(",", ""))
        for text in page.locator("#selection-list .muted").all_text_contents()
    ]
    expect(page.locator("#selection-count")).to_contain_text(f"{sum(counts):,} units")
    assert sum(counts) == pytest.approx(inside, rel=0.05)  # the line goes by steps of some pixels
    page.click("#lasso")
    page.click("#selection-keep")
    expect(page.locator("#lasso")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#kept-text")).to_have_text(
        f"{sum(counts):,} of {len(units):,} units shown"
    )
    listed = [
        int(text.replace(",", "")) for text in page.locator("#legend .muted").all_text_contents()
    ]
    assert sorted(listed) == sorted(counts), "the legend counts what is shown"
    page.click("#kept-all")
    expect(page.locator("#kept")).to_be_hidden()


def test_selection_is_played_one_after_another(page, open_map, eventually):
    open_map("")
    heard = []
    page.on(
        "request",
        lambda request: heard.append(request.url) if "/audio.wav" in request.url else None,
    )
    page.select_option("#listen", "0")
    row = page.locator(".legend-row", has_text="tabla_ghe3")
    row.click()
    expect(row).to_have_attribute("aria-pressed", "true")
    page.click("#selection-play")
    expect(page.locator("#selection-progress")).to_have_text(re.compile(r"^\d+ of \d+$"))
    assert eventually(lambda: len(set(heard)) >= 3)
    page.keyboard.press("Escape")
    expect(page.locator("#selection-play")).to_contain_text("Play")
    page.click("#selection-play")
    expect(page.locator("#selection-play")).to_contain_text("Stop")
    expect(page.locator("#plan-play")).to_be_enabled()
    page.keyboard.press("k")
    expect(page.get_by_label("Pause the plan")).to_be_visible()
    expect(page.locator("#selection-play")).to_contain_text("Play")
    heard.clear()
    page.wait_for_timeout(500)
    assert [url for url in heard if "/units/" in url] == []
    page.click("#selection-play")
    expect(page.get_by_label("Play the plan", exact=True)).to_be_visible()
    expect(page.locator("#selection-play")).to_contain_text("Stop")


def test_search_fades_the_others_and_enter_goes_there(
    page, open_map, units, places, pixels, eventually
):
    open_map()
    (choir,) = [
        source
        for source in page.request.get("/map.json").json()["sources"]
        if "choir" in source["path"]
    ]
    colourful = lambda: int((np.ptp(pixels(page.locator(STAGE)).astype(int), axis=-1) > 60).sum())  # noqa: E731
    before = colourful()
    page.keyboard.press("/")
    page.keyboard.type("CHOIR")
    expect(page.locator("#search-count")).to_have_text(f"ambi_choir.ogg · {choir['n_units']} units")
    assert eventually(lambda: colourful() < before / 2)
    spread = np.ptp(places(units), axis=0).min()
    page.keyboard.press("Enter")
    assert eventually(lambda: np.ptp(places(units), axis=0).min() > 1.1 * spread)
    page.keyboard.press("Escape")
    expect(page.locator("#search-count")).to_be_empty()


def test_axes_place_the_units_by_two_descriptors(page, open_map, units, places, eventually):
    open_map()
    before = places(units)
    page.click("button[value=axes]")
    page.select_option("#axis-x", "mfcc3")
    page.select_option("#axis-y", "time")
    x, y = (
        np.frombuffer(page.request.get(f"/map/values/{name}").body(), "<f4")
        for name in ("mfcc3", "time")
    )
    assert eventually(lambda: np.corrcoef(places(units)[:, 0], x)[0, 1] > 0.999)
    assert eventually(lambda: np.corrcoef(places(units)[:, 1], y)[0, 1] < -0.999)
    found = places(units)
    assert not np.allclose(found, before, atol=3)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert eventually(lambda: np.allclose(places(units), found, atol=1))


def test_colour_by_a_descriptor(page, open_map, pixels, eventually, problems):
    open_map()
    before = pixels(page.locator(STAGE))
    page.route("**/map/values/mfcc1", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed"):
        page.select_option("#colour", "mfcc1")
    expect(page.locator(".toast")).to_be_visible()
    problems.clear()
    page.select_option("#colour", "source")
    page.select_option("#colour", "mfcc1")
    expect(page.locator(".colour-values span")).to_have_count(3)
    assert eventually(lambda: (pixels(page.locator(STAGE)) != before).any(-1).mean() > 0.01)
    page.select_option("#colour", "cluster")
    expect(page.locator(".legend-row").first).to_contain_text("Cluster")


def test_plan_is_a_path_and_plays_along_it(page, open_map, eventually):
    open_map()
    without = page.locator("#overlay").evaluate(INK)
    (plan,) = [
        plan for plan in page.request.get("/plans.json").json()["plans"] if plan["kind"] == "opened"
    ]
    page.select_option("#plan-choice", plan["id"])
    expect(page.locator("#plan-facts")).to_contain_text(f"{plan['steps']} steps")
    assert eventually(lambda: page.locator("#overlay").evaluate(INK) > without + 1000)
    assert f"plan={plan['id']}" in page.url
    expect(page.locator("#plan-link")).to_have_attribute("href", f"/timeline/{plan['id']}")
    expect(page.locator("#plan-play")).to_be_enabled()
    page.click("#plan-play")
    expect(page.locator("#plan-seek")).to_have_attribute(
        "aria-valuetext", re.compile(r"step \d\d of")
    )
    page.keyboard.press("k")
    expect(page.get_by_label("Play the plan", exact=True)).to_be_visible()
    page.focus("#plan-seek")
    for key, step in (("End", plan["steps"]), ("Home", 1)):
        page.keyboard.press(key)
        expect(page.locator("#plan-seek")).to_have_attribute(
            "aria-valuetext", f"step {step} of {plan['steps']}"
        )


@pytest.fixture
def saved(page, site):
    """`saved(name)`: the facts of a copy of the plan, saved under that name."""

    def save(name):
        (site.folder / "plans").mkdir(exist_ok=True)
        shutil.copyfile(
            site.folder / "tabla.plan.json", site.folder / "plans" / f"{name}.plan.json"
        )
        (found,) = [
            plan for plan in page.request.get("/plans.json").json()["plans"] if plan["name"] == name
        ]
        return found

    return save


def test_plan_that_is_damaged_or_comes_late(page, site, saved, eventually):
    late = saved("late")
    other = saved("other")
    (site.folder / "plans" / "damaged.plan.json").write_text("{")
    held = []
    page.route(f"**/plans/{late['id']}.json", lambda route: held.append(route))
    page.goto(f"/map?plan={late['id']}")
    expect(
        page.locator("#plan-choice option", has_text="damaged (cannot be read)")
    ).to_be_disabled()
    assert eventually(lambda: held)
    page.select_option("#plan-choice", other["id"])
    expect(page.locator("#plan-link")).to_have_attribute("href", f"/timeline/{other['id']}")
    with page.expect_response(f"**/plans/{late['id']}.json"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(page.locator("#plan-link")).to_have_attribute("href", f"/timeline/{other['id']}")


def test_plan_is_loaded_again_only_if_it_changed(page, open_map, saved, eventually):
    page.add_init_script(KEEP_STREAM)
    plan = saved("followed")
    asked = []
    assert eventually(
        lambda: page.request.get(f"/plans/{plan['id']}.json").json()["audio"]["state"] == "ready"
    )
    page.on(
        "request",
        lambda request: (
            asked.append(request.url) if request.url.endswith(f"{plan['id']}.json") else None
        ),
    )
    open_map(f"?plan={plan['id']}")
    expect(page.locator("#plan-play")).to_be_enabled()
    before = len(asked)
    facts = page.request.get(f"/plans/{plan['id']}.json").json()
    for revision in (0, 0, 0, 1):
        news = {"id": plan["id"], "revision": facts["revision"] + revision, "audio": facts["audio"]}
        page.evaluate(
            "(data) => stream.dispatchEvent(new MessageEvent('plan', { data }))", json.dumps(news)
        )
    assert eventually(lambda: len(asked) > before)
    page.wait_for_timeout(200)
    assert len(asked) == before + 1


def test_hidden_tab_gives_its_stream_back_and_catches_up(page, open_map, saved):
    plan = saved("edited")
    open_map(f"?plan={plan['id']}")
    expect(page.locator("#plan-facts")).to_contain_text(f"{plan['steps']} steps")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
        page.evaluate(HIDE, True)
    other = page.context.new_page()
    other.goto("/make")
    other.evaluate(REMOVE_STEP, plan["id"])
    other.close()
    page.wait_for_timeout(200)
    expect(page.locator("#plan-facts")).to_contain_text(f"{plan['steps']} steps")
    page.evaluate(HIDE, False)
    expect(page.locator("#plan-facts")).to_contain_text(f"{plan['steps'] - 1} steps")


def test_words_that_all_pages_use(page):
    page.goto("/make")
    times = ["1:23.40", "1:00.00", "60:00", "23 ms", "3.40 s"]
    assert page.evaluate(WORDS) == [*times, "1 unit", "13,012 units", "b c.ogg", "b.ogg"]
    changes, text = page.evaluate(SAY_TWICE)
    assert changes == 2
    assert text == "Again."


def test_fingers_hear_first_and_pin_then(tab):
    page = tab(has_touch=True, is_mobile=True)
    page.goto("/map?plan=")
    page.wait_for_selector("body[data-ready]")
    for target in ("#search", "#colour", "#lasso", "#zoom-in"):
        assert page.locator(target).bounding_box()["height"] >= 40
    place = page.evaluate(MIDDLE_PLACE)
    for pinned in (0, 1, 0):
        page.touchscreen.tap(*place)
        expect(page.locator("#tooltip")).to_be_visible()
        expect(page.locator("#pins > li")).to_have_count(pinned)


def test_map_without_a_mouse(page, open_map, units, places, eventually):
    open_map()
    page.focus(STAGE)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tooltip")).to_be_visible()
    told = page.locator("#reading").text_content()
    for key in ("ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
        expect(page.locator("#reading")).not_to_have_text(told)
        told = page.locator("#reading").text_content()
    page.keyboard.down("p")
    page.keyboard.down("p")  # held, it comes again
    page.keyboard.up("p")
    expect(page.locator("#pins > li")).to_have_count(1)
    home = places(units)
    page.keyboard.press("+")
    assert eventually(lambda: np.ptp(places(units)) > 1.2 * np.ptp(home))
    page.keyboard.press("0")
    assert eventually(lambda: np.allclose(places(units), home, atol=1))
    page.select_option("#listen", "1")
    page.focus(STAGE)
    with page.expect_request(re.compile(r"/audio\.wav\?context=1$")):
        page.keyboard.press("Enter")


def test_theme_recolours_the_map(page, open_map, pixels, eventually):
    open_map()
    assert pixels(page.locator(STAGE)).mean() > 200
    page.click("#theme")
    assert eventually(lambda: pixels(page.locator(STAGE)).mean() < 80)


def test_missing_file_is_told(page, open_map, site, units, lone):
    file = site.folder / "sounds" / "ambi_choir.ogg"
    file.rename(file.with_suffix(".away"))
    try:
        open_map()
        sources = page.request.get("/map.json").json()["sources"]
        (gone,) = [source for source in sources if source["missing"]]
        number = np.frombuffer(page.request.get("/map/values/source").body(), "<f4")
        _, place = lone(
            [unit for unit, source in zip(units, number, strict=True) if source == gone["id"]]
        )[0]
        page.mouse.move(*place, steps=3)
        expect(page.locator("#tooltip")).to_contain_text("the file is missing")
        expect(page.locator(".legend-row.missing")).to_contain_text("ambi_choir")
    finally:
        file.with_suffix(".away").rename(file)


def test_browser_that_needs_other_code_may_compile_it(page):
    page.route(
        "**/precompiled.js",
        lambda route: route.fulfill(body="export default {};", content_type="text/javascript"),
    )
    page.goto("/map?plan=")
    page.get_by_role("link", name="Compile it here").click()
    page.wait_for_selector("body[data-ready]")
    assert "compile=1" in page.url


def test_browser_without_webgl(page):
    page.add_init_script(NO_WEBGL)
    page.goto("/map")
    expect(page.get_by_role("heading", name="The map cannot be drawn")).to_be_visible()


def test_server_error_is_shown_in_the_maps_place(page, problems):
    page.route(
        "**/map/units",
        lambda route: route.fulfill(
            status=422, body=json.dumps({"error": "the shards are damaged"})
        ),
    )
    page.goto("/map")
    expect(page.locator(".message")).to_contain_text("the shards are damaged")
    problems.clear()


def test_empty_database(browse, page, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    (folder / "sounds").mkdir()
    sf.write(folder / "sounds" / "nothing.wav", np.zeros(0), 44100)
    build_database(folder / "sounds", folder / "empty.db")
    page.goto(f"{browse(Workspace(folder / 'empty.db'))}/map")
    expect(page.locator(".message")).to_contain_text("demiurge db build AUDIO_DIR empty.db")


def compute_a_circle(files, key, positions, first, connection):
    """Stands in for UMAP, which test_layouts.py tests."""
    n_units = files.open().n_units
    for share in (0.1, 0.5):
        connection.send((share, "arranging landmarks"))
        time.sleep(0.2)
    angles = np.linspace(0, 2 * np.pi, n_units)
    connection.send(np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32))


def test_quality_layout_is_computed_once(
    page, open_map, units, places, eventually, tmp_path, monkeypatch
):
    if find_spec("umap") is None:  # importing it compiles for ten seconds
        pytest.skip("there is no umap")
    monkeypatch.setattr(layouts, "compute_layout", compute_a_circle)
    monkeypatch.setenv(
        "DEMIURGE_CACHE", str(tmp_path)
    )  # where it is kept: no other test is to find it
    open_map()
    before = places(units)
    page.click("button[value=quality]")
    page.click("#quality-start")
    expect(page.locator("#quality-text")).to_contain_text("Computing")
    page.wait_for_selector("#quality", state="hidden")
    assert eventually(lambda: not np.allclose(places(units), before, atol=3))
    open_map("?plan=&layout=quality")
    expect(page.locator("#quality")).to_be_hidden()
