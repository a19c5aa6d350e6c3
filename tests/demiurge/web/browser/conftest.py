"""A real browser, and real servers for it to visit."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from demiurge.pipeline import render_mosaic
from demiurge.selection import Selection

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--autoplay-policy=no-user-gesture-required",
)
SIZE = {"width": 1280, "height": 720}
TIMEOUT_MS = 15_000
SECONDS_TO_END = 15


@dataclass(frozen=True)
class Site:
    """A served corpus: `folder` holds small.db, its sounds, the plan tabla.plan.json that was opened, and plans/."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; without one these tests are skipped, but in CI they fail."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        reason = "there is no Chromium: THE WEB PAGES ARE NOT TESTED; install it, on Debian: sudo apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def browse() -> Iterator[Callable[..., str]]:
    """`browse(folder, *arguments)` runs `demiurge browse` in a folder as long as the module's tests, and gives its address."""
    with ExitStack() as stack:
        yield lambda folder, *arguments: stack.enter_context(_serving(folder, [str(argument) for argument in arguments]))


@contextmanager
def _serving(folder: Path, arguments: list[str]) -> Iterator[str]:
    command = [str(Path(sys.executable).with_name("demiurge")), "browse", *arguments, "--no-open"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS_TO_END)


@pytest.fixture(scope="module")
def site(built: Path, tmp_path_factory: pytest.TempPathFactory, browse: Callable[..., str]) -> Site:
    """The small corpus, with a plan that rebuilds a second of tabla; tests of one module share it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    seed = Path(__file__).parents[3] / "fixtures" / "tabla_44k.wav"
    render_mosaic(seed, folder / "small.db", folder / "tabla.wav", selection=Selection(), root=folder / "sounds")
    arguments = ("small.db", "--root", "sounds", "--plan", "tabla.plan.json", "--folder", "plans")
    return Site(browse(folder, *arguments), folder)


@pytest.fixture
def problems() -> list[str]:
    """What the page has complained of, violations of the security policy among it; a test that expects some clears it."""
    return []


@pytest.fixture
def tab(browser: Browser, site: Site, problems: list[str]) -> Iterator[Callable[..., Page]]:
    """`tab(**options)`: one with nothing stored, for addresses relative to the site's, as Playwright's `new_context` makes it.

    In the end none may have had problems.
    """
    usual: dict[str, Any] = {"base_url": site.address, "viewport": SIZE, "color_scheme": "light", "accept_downloads": True}
    with ExitStack() as stack:

        def open_it(**options: Any) -> Page:
            context = browser.new_context(**(usual | options))
            stack.callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            context.on("weberror", lambda error: problems.append(str(error.error)))
            return context.new_page()

        yield open_it
    assert problems == []


@pytest.fixture
def page(tab: Callable[..., Page]) -> Page:
    """A tab with the usual options."""
    return tab()


@pytest.fixture
def pixels() -> Callable[[Page | Locator], np.ndarray]:
    """`pixels(page)` or `pixels(page.locator(...))`: what is seen of it, uint8, (height, width, 3)."""

    def look(seen: Page | Locator) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(seen.screenshot())).convert("RGB"))

    return look
