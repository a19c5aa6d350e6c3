"""Measure how long a person waits for the page: from the shell until Chromium has drawn the map.

    python scripts/measure/page_drawn.py DB [--repeats 3]

Prints seconds, the median and the first time (nothing kept in a cache yet), from the start of
`demiurge browse`, and from asking for the page once the server listens. Needs Debian's Chromium.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from playwright.sync_api import Browser, sync_playwright

from demiurge.bench.playback import own_cache
from scripts.make.screenshots import ARGUMENTS, CHROMIUM, SIZE, browsing

DRAWN = "body[data-ready]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        own_cache(Path(folder)),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        first, *later = (
            wait_for(browser, arguments.database) for _ in range(1 + arguments.repeats)
        )
        browser.close()
    print("| drawn after | median | first time |")
    print("|---|---|---|")
    for name, of_first, of_later in zip(
        ("the start of `demiurge browse`", "asking for the page"),
        first,
        zip(*later, strict=True),
        strict=True,
    ):
        print(f"| {name} | {statistics.median(of_later):.2f} s | {of_first:.2f} s |")


def wait_for(browser: Browser, database: Path) -> tuple[float, float]:
    """Return the seconds until the map is drawn: from the shell, and from asking for the page."""
    began = perf_counter()
    with browsing(str(database)) as address:
        page = browser.new_page(base_url=address, viewport=SIZE)
        asked = perf_counter()
        page.goto("/map")
        page.wait_for_selector(DRAWN)
        drawn = perf_counter()
        page.close()
    return drawn - began, drawn - asked


if __name__ == "__main__":
    main()
