"""A real browser, and real servers for it to visit."""

import io
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from demiurge.web.workspace import Workspace
from tests.demiurge.web.browser.timeline_page import loaded
from tests.demiurge.web.conftest import serving

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",  # pages are put together twice as fast where the GPU is a program
    "--autoplay-policy=no-user-gesture-required",
)
SIZE = {"width": 1280, "height": 720}
TIMEOUT_MS = 15_000

Pixels = Callable[[Page | Locator], np.ndarray]


@dataclass(frozen=True)
class Site:
    """A served corpus: `folder` holds small.db, its sounds, the plan tabla.plan.json that was
    opened, and plans/.
    """

    address: str
    folder: Path


@pytest.fixture(
    scope="module"
)  # while Playwright is open, no other test can run an event loop of its own
def browser() -> Iterator[Browser]:
    """Chromium without a window. If it is not installed, tests are skipped; in CI they fail."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        reason = (
            "there is no Chromium: THE WEB PAGES ARE NOT TESTED; install it, on Debian: sudo"
            " apt-get install chromium"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT_MS)
        opened = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def browse() -> Iterator[Callable[[Workspace], str]]:
    """`browse(workspace)` serves it as long as the module's tests, as `demiurge browse` does, and
    gives its address.
    """
    with ExitStack() as stack:
        yield lambda workspace: stack.enter_context(serving(workspace))


@pytest.fixture(scope="module")
def site(
    built: Path,
    rebuilt: Path,
    tmp_path_factory: pytest.TempPathFactory,
    browse: Callable[[Workspace], str],
) -> Site:
    """The small corpus, with a plan of a second of tabla; the tests of a module share it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    plan = Path(shutil.copy(rebuilt, folder))
    workspace = Workspace(
        folder / "small.db", root=folder / "sounds", plans=[plan], folder=folder / "plans"
    )
    return Site(browse(workspace), folder)


@pytest.fixture
def problems() -> list[str]:
    """What the page has complained of, violations of the security policy among it; a test that
    expects some clears it.
    """
    return []


@pytest.fixture
def tab(browser: Browser, site: Site, problems: list[str]) -> Iterator[Callable[..., Page]]:
    """`tab(**options)`: one with nothing stored, for addresses relative to the site's, as
    Playwright's `new_context` makes it.

    In the end none may have had problems.
    """
    usual: dict[str, Any] = {
        "base_url": site.address,
        "viewport": SIZE,
        "color_scheme": "light",
        "accept_downloads": True,
    }
    with ExitStack() as stack:

        def open_it(**options: Any) -> Page:
            context = browser.new_context(**(usual | options))
            stack.callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            context.on(
                "console",
                lambda message: problems.append(message.text) if message.type == "error" else None,
            )
            context.on("weberror", lambda error: problems.append(str(error.error)))
            return context.new_page()

        yield open_it
    assert problems == []


@pytest.fixture
def page(tab: Callable[..., Page]) -> Page:
    """A tab with the default options."""
    return tab()


@pytest.fixture
def timeline(page: Page) -> Page:
    """The timeline of the plan that the server was opened with, its sound loaded."""
    page.goto("/")
    return loaded(page)


@pytest.fixture
def pixels() -> Pixels:
    """`pixels(page)` or `pixels(page.locator(...))`: its picture, uint8, (height, width, 3)."""

    def look(seen: Page | Locator) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(seen.screenshot())).convert("RGB"))

    return look
