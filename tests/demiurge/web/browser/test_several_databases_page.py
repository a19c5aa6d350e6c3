"""A plan of three databases in a real browser: a hue for each, and a legend that names them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from demiurge.pipeline import render_mosaic
from demiurge.web.workspace import Workspace
from playback.plan import Plan
from playback.source_colours import database_colour
from query.options import PathOptions
from query.settings import SearchSettings
from tests.demiurge.three_databases import NAMES, build_three, open_three
from tests.demiurge.web.browser.conftest import Pixels, Site
from tests.demiurge.web.browser.timeline_page import click_step, loaded, place_of

SHADES = 5


@pytest.fixture(scope="module")
def site(tmp_path_factory, browse: Callable[[Workspace], str]) -> Site:
    """Three databases, and a plan of all of them."""
    folder: Path = tmp_path_factory.mktemp("site")
    build_three(folder)
    database = open_three(folder)
    out = folder / "out.wav"
    search = SearchSettings(path=PathOptions(novelty=1.0))
    render_mosaic(folder / "target.wav", database, out, search=search)
    workspace = Workspace(database, plans=[folder / "out.plan.json"], folder=folder / "plans")
    return Site(browse(workspace), folder)


def test_steps_have_the_hue_of_their_database_and_a_legend_names_it(
    timeline: Page, site: Site, pixels: Pixels
):
    legend = timeline.get_by_role("list", name="Databases").get_by_role("listitem")
    assert [text.split("\n")[0] for text in legend.all_inner_texts()] == list(NAMES)
    plan = Plan.load(site.folder / "out.plan.json")
    seen = pixels(timeline)
    for number, step in enumerate(plan.steps):
        x, y = place_of(timeline, number)
        database = NAMES.index(plan.roots.split(step.source)[0])
        shades = [database_colour(database, shade) for shade in range(SHADES)]
        off = np.abs(255 * np.array(shades) - seen[int(y) + 12, int(x)]).max(axis=1)
        assert off.min() < 2, (number, step.source)


def test_units_of_all_are_on_the_map_and_in_the_list_of_a_step(page: Page):
    page.goto("/map")
    page.locator("body[data-ready]").wait_for()
    page.locator("#colour").select_option("database")
    rows = page.locator("#legend .name")
    assert sorted(rows.all_inner_texts()) == sorted(NAMES)
    for name in NAMES:
        assert page.evaluate("name => demiurgeMap.screenPosition(`${name}:0`)", name)
    page.goto("/")
    click_step(loaded(page), 0)
    page.locator("[data-key='use 1']").wait_for()
    assert page.get_by_role("list", name="Databases").count() == 1
