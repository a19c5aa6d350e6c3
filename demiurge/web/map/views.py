"""Views of the map: every unit a point, here or there, of one colour or another."""

from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from demiurge.web.answers import json_answer, numbers_answer, page
from demiurge.web.map.points import Projection
from demiurge.web.plans import plans_of
from demiurge.web.workspace import Workspace

PATIENCE_SECONDS = 3.0  # the first layout is waited for so long; after that the page asks again


class MapViews:
    """The map of a workspace's database; all that comes in numbers is ordered as `Database.units`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.database = workspace.database
        self.layouts = workspace.layouts

    def home(self, request: Request) -> Response:
        given = plans_of(self.workspace).given
        return RedirectResponse(f"/timeline/{given[0].id}" if given else "/map", 303)

    def page(self, request: Request) -> Response:
        """With the plan that is asked for, or else the first that the server was started with."""
        plans = plans_of(self.workspace)
        asked = plans.get(request.query_params.get("plan", "")) or next(iter(plans.given), None)
        return page(request, self.workspace, "map.html", plan=asked.id if asked else None)

    def document_json(self, request: Request) -> Response:
        return json_answer(self.document())

    def document(self) -> dict[str, Any]:
        """What there is on the map, besides the numbers."""
        database = self.database
        self.layouts.start_pca()
        return {
            "database": self.database_facts(),
            "sources": self.source_facts(),
            "descriptors": list(database.settings.names),
            "layouts": self.layouts.states(),
        }

    def database_facts(self) -> dict[str, Any]:
        database = self.database
        return {
            "name": self.workspace.name,
            "id": database.id,
            "sources": len(database.sources),
            "units": database.n_units,
            "sample_rate": database.sample_rate,
            "kind": database.settings.units,
            "seconds": sum(source.n_samples for source in database.sources) / database.sample_rate,
        }

    def source_facts(self) -> list[dict[str, Any]]:
        """A source's id is its place among them."""
        missing = self.workspace.missing_sources(again=True)
        rate = self.database.sample_rate
        return [
            {
                "id": number,
                "path": source.path,
                "seconds": source.n_samples / rate,
                "n_units": source.n_units,
                "missing": missing.get(source.path),
            }
            for number, source in enumerate(self.database.sources)
        ]

    def units(self, request: Request) -> Response:
        return numbers_answer(request, self.database.units.ids.astype(np.uint32))

    def layout(self, request: Request) -> Response:
        """x of all units, then y, within [-1, 1]; 202 and how far it is while there is none."""
        name = request.path_params["name"]
        if name not in self.layouts.states():
            raise HTTPException(
                404, f"there is no layout {name}; there are {', '.join(self.layouts.states())}"
            )
        found = self._projection() if name == "pca" else self.layouts.quality
        if found is None:
            return self._not_yet(name)
        return numbers_answer(request, found.xy if isinstance(found, Projection) else found)

    def draw_quality(self, request: Request) -> Response:
        self.layouts.start_quality()
        return self._not_yet("quality")

    def values(self, request: Request) -> Response:
        """A number of each unit, float32: a descriptor, its source, cluster, start in s, or length
        in ms.
        """
        name = request.path_params["name"]
        units = self.database.units
        if name == "cluster":
            projection = self._projection()
            return (
                numbers_answer(request, projection.clusters.astype(np.float32))
                if projection
                else self._not_yet("pca")
            )
        if name in self.database.settings.names:
            return numbers_answer(request, self.database.column(name))
        rate = self.database.sample_rate
        if name == "source":
            values = units.source
        elif name == "time":
            values = units.start_sample / rate
        elif name == "length":
            values = units.n_samples * (1000 / rate)
        else:
            raise HTTPException(
                404,
                f"units have no {name}; they have source, cluster, time, length, and their"
                " descriptors",
            )
        return numbers_answer(request, values.astype(np.float32))

    def _projection(self) -> Projection | None:
        """None while it is made."""
        try:
            return self.layouts.start_pca().result(PATIENCE_SECONDS)
        except TimeoutError:
            return None

    def _not_yet(self, name: str) -> Response:
        return json_answer(self.layouts.states()[name], 202)


def routes(workspace: Workspace) -> list[Route]:
    views = MapViews(workspace)
    return [
        Route("/", views.home),
        Route("/map", views.page),
        Route("/map.json", views.document_json),
        Route("/map/units", views.units),
        Route("/map/layouts/quality", views.draw_quality, methods=["POST"]),
        Route("/map/layouts/{name}", views.layout),
        Route("/map/values/{name}", views.values),
    ]
