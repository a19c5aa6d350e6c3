"""Write a module with the functions that regl compiles in the browser.

    python scripts/make/precompiled_regl.py --chromium /usr/bin/chromium

The page's content security policy forbids compiling code at run time, which regl does for every
drawing command. This script opens the map in Chromium without that policy, on made-up units and
without a server. It uses everything that draws once, and writes the functions that regl has
compiled to demiurge/web/static/vendor/regl/precompiled.js. Run it again after changing regl,
regl-scatterplot or static/map/plot.js.
"""

import argparse
import json
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import numpy as np
from playwright.sync_api import Page, Route, sync_playwright

WEB = Path(__file__).parents[2] / "demiurge" / "web"
MODULE = WEB / "static" / "vendor" / "regl" / "precompiled.js"
ORIGIN = "http://localhost"
COUNTS = (500, 450_000)  # units; large numbers are drawn in another way
# Collects regl's instances as the page creates them.
CATCH = """(() => {
  let create;
  window.devices = [];
  Object.defineProperty(window, "createREGL", {
    get: () => (options) => {
      const device = create(options);
      devices.push(device);
      return device;
    },
    set: (value) => { create = value; },
  });
})()"""
COLLECT = (
    "() => Object.assign({}, ...devices.map((device) => Object.fromEntries("
    "Object.entries(device.getCachedCode()).map(([key, value]) => [key, value.toString()]))))"
)
HEAD = (
    "// Written by scripts/make/precompiled_regl.py: what regl compiles for the map, by the SHA-256"
    " of its source.\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", help="the browser's program; default: Playwright's own")
    options = parser.parse_args()
    found: dict[str, str] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium,
            args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        for count in COUNTS:
            page = browser.new_page(viewport={"width": 1000, "height": 700})
            page.route("**/*", MadeUpCorpus(count).answer)
            page.add_init_script(CATCH)
            draw_everything(page)
            found |= page.evaluate(COLLECT)
            page.close()
        browser.close()
    functions = "".join(f'  "{key}": {source},\n' for key, source in sorted(found.items()))
    MODULE.write_text(f"{HEAD}export default {{\n{functions}}};\n")
    print(f"{MODULE}: {len(found)} functions")


def describe_corpus(count: int) -> dict[str, Any]:
    """Return the description of the corpus that the page loads first."""
    n_units = count // 3
    sources = [
        {"id": i, "path": f"{i}.wav", "seconds": 1, "n_units": n_units, "missing": None}
        for i in (1, 2, 3)
    ]
    database = {"name": "made up", "id": "0", "sources": 3, "units": count, "kind": "frame"}
    layouts = {
        "pca": {"state": "ready", "done": 1},
        "quality": {"state": "absent", "done": 0, "note": ""},
    }
    return {
        "database": database,
        "sources": sources,
        "layouts": layouts,
        "descriptors": ["a", "b"],
        "plans": [],
    }


class MadeUpCorpus:
    """Answers the requests of the page with made-up units."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self.units = np.arange(1, count + 1, dtype="<u4")
        self.columns = {
            "source": np.arange(count) % 3 + 1,
            "time": np.arange(count),
            "length": np.full(count, 23.2),
            "a": rng.standard_normal(count),
            "b": rng.standard_normal(count),
        }
        self.document = describe_corpus(count)

    def answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/static/vendor/regl/precompiled.js":
            route.fulfill(body="export default {};", content_type="text/javascript")
        elif path.startswith("/static/"):
            file = WEB / path.lstrip("/")
            kind = mimetypes.guess_type(file.name)[0] or "text/plain"
            route.fulfill(body=file.read_bytes(), content_type=kind)
        elif (body := self.body(path)) is not None:
            kind = "text/html" if path == "/map" else "application/octet-stream"
            route.fulfill(body=body, content_type=kind)
        else:
            route.abort()

    def body(self, path: str) -> bytes | str | None:
        if path == "/map":
            return self.html()
        if path == "/map.json":
            return json.dumps(self.document)
        if path == "/plans.json":
            return json.dumps({"plans": []})
        if path == "/map/units":
            return self.units.tobytes()
        if path == "/map/layouts/pca":
            values = [*self.columns["a"], *self.columns["b"]]
        elif path.startswith("/map/values/"):
            values = self.columns[path.rpartition("/")[2]]
        else:
            return None
        return np.asarray(values, "<f4").tobytes()

    def html(self) -> str:
        loader = jinja2.FileSystemLoader(WEB / "templates")
        template = jinja2.Environment(loader=loader, autoescape=True).get_template("map.html")
        database = self.document["database"]
        return template.render(page="map", nonce="", plan=None, database=database)


def draw_everything(page: Page) -> None:
    """Use everything that draws with WebGL."""
    page.goto(f"{ORIGIN}/map")
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    page.click("button[value=axes]")
    page.select_option("#colour", "a")
    page.wait_for_timeout(1500)
    page.mouse.move(350, 380, steps=5)  # a unit under the pointer
    page.mouse.wheel(0, -300)
    draw_lasso(page)
    page.click("#selection-keep")
    page.fill("#search", "1")
    page.set_viewport_size({"width": 900, "height": 650})
    page.keyboard.press("Escape")
    page.click("#zoom-home")
    page.wait_for_timeout(1500)


def draw_lasso(page: Page) -> None:
    page.click("#lasso")
    page.mouse.move(250, 250)
    page.mouse.down()
    for x, y in ((450, 250), (450, 500), (250, 500)):
        page.mouse.move(x, y, steps=8)
        page.wait_for_timeout(100)
    page.mouse.up()


if __name__ == "__main__":
    main()
