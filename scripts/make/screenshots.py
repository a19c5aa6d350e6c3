"""Take the pictures of the web page: the map and the timeline of a corpus, in Chromium.

    python scripts/make/screenshots.py demo/corpus.db demo/continuation.plan.json docs/pictures

They are in docs/rooms/demiurge.md and the README.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = {"width": 1280, "height": 720}
LAYOUT_MS = 300_000  # UMAP is compiled first
SETTLED_MS = 2500  # until all animations have ended


def main(database: str, plan: str, folder: str) -> None:
    """Serve the corpus and take its pictures."""
    with browsing(database, "--plan", plan) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(base_url=address, viewport=SIZE, color_scheme="light")
        take_pictures(page, Path(folder))
        browser.close()


@contextmanager
def browsing(*arguments: str) -> Iterator[str]:
    """Run `demiurge browse` and give the address of its page."""
    command = [sys.executable, "-m", "demiurge", "browse", *arguments, "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, "the server did not start"
            yield found[0]
        finally:
            server.terminate()


def take_pictures(page: Page, folder: Path) -> None:
    """Take map.png, the quality layout with the plan, and timeline.png, a step of the plan."""
    page.goto("/map?layout=quality")
    expect(page.locator("body[data-ready]")).to_be_attached()
    if (make := page.get_by_role("button", name="Compute")).is_visible():
        make.click()
    expect(page.locator("#quality")).to_be_hidden(timeout=LAYOUT_MS)
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=folder / "map.png")
    page.goto("/")
    expect(page.locator("#play")).to_be_enabled(timeout=LAYOUT_MS)
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    for _ in range(4):
        page.keyboard.press("+")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=folder / "timeline.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
