"""Views of the map: every unit is a point, placed by a layout and coloured by a value."""

from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from demiurge.shipped import shipped_flow
from demiurge.web.answers import json_answer, numbers_answer
from demiurge.web.map.layouts import NAMES, Layouts
from demiurge.web.pages import page
from demiurge.web.workspace import Workspace

PATIENCE_SECONDS = 3.0  # to wait for the first layout, before the page has to ask again
OTHER_VALUES = ("source", "database", "cluster", "time", "length")


class MapViews:
    """The map of a workspace's database; all arrays are in the order of `Database.units`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.database = workspace.database
        self.layouts = Layouts(workspace)

    def routes(self) -> list[Route]:
        return [
            Route("/", self.home),
            Route("/map", self.page),
            Route("/map.json", self.document_json),
            Route("/map/units", self.units),
            Route("/map/layouts/quality", self.start_quality, methods=["POST"]),
            Route("/map/layouts/{name}", self.layout),
            Route("/map/values/{name}", self.values),
        ]

    def home(self, request: Request) -> Response:
        if self.workspace.live is not None:
            return RedirectResponse("/live", 303)
        given = self.workspace.plans.given
        return RedirectResponse(f"/timeline/{given[0].id}" if given else "/map", 303)

    def page(self, request: Request) -> Response:
        """Show the map with the plan in the address, or the first one given to the server."""
        plans = self.workspace.plans
        plan = plans.get(request.query_params.get("plan", "")) or next(iter(plans.given), None)
        return page(
            request,
            self.workspace,
            "map.html",
            plan=plan.id if plan else None,
            generates=shipped_flow() is not None,
        )

    def document_json(self, request: Request) -> Response:
        return json_answer(self.document())

    def document(self) -> dict[str, Any]:
        """Describe the database and its layouts."""
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
        n_samples = sum(source.n_samples for source in database.sources)
        return {
            "name": self.workspace.name,
            "id": database.id,
            "sources": len(database.sources),
            "units": database.n_units,
            "sample_rate": database.sample_rate,
            "kind": database.settings.units,
            "seconds": n_samples / database.sample_rate,
        }

    def source_facts(self) -> list[dict[str, Any]]:
        """Describe each source; its id is its index in the list."""
        missing = self.workspace.missing_sources(again=True)
        rate = self.database.sample_rate
        return [
            {
                "id": number,
                "path": source.path,
                "number": self.workspace.source_numbers[source.path],
                "seconds": source.n_samples / rate,
                "n_units": source.n_units,
                "missing": missing.get(source.path),
            }
            for number, source in enumerate(self.database.sources)
        ]

    def units(self, request: Request) -> Response:
        """Answer with the id of every unit in its own database, uint32."""
        return numbers_answer(request, self._stored_ids().astype(np.uint32))

    def _stored_ids(self) -> np.ndarray:
        """Return the ids; those of one of several databases are all moved by the same amount."""
        ids = self.database.units.ids
        members = self.database.member_of(np.arange(len(ids)))
        firsts = np.flatnonzero(np.diff(members, prepend=-1))
        moved = [int(ids[first]) - self.database.stored_id(first) for first in firsts.tolist()]
        return ids - np.repeat(moved, np.diff([*firsts, len(ids)]))

    def layout(self, request: Request) -> Response:
        """Answer with x of all units, then y, within [-1, 1]; 202 and the state if not ready."""
        name = request.path_params["name"]
        if name not in NAMES:
            raise HTTPException(404, f"there is no layout {name}; there are {', '.join(NAMES)}")
        points = self.layouts.points(name, PATIENCE_SECONDS)
        return self._not_ready(name) if points is None else numbers_answer(request, points)

    def start_quality(self, request: Request) -> Response:
        self.layouts.start_quality()
        return self._not_ready("quality")

    def values(self, request: Request) -> Response:
        """Answer with one number per unit, float32.

        It is a descriptor, or the source, database, cluster, start in seconds or length in
        milliseconds.
        """
        values = self._values(request.path_params["name"])
        if values is None:
            return self._not_ready("pca")
        return numbers_answer(request, values.astype(np.float32, copy=False))

    def _values(self, name: str) -> np.ndarray | None:
        """Return a number for each unit; None if the values are not ready."""
        units = self.database.units
        rate = self.database.sample_rate
        if name in self.database.settings.names:
            return self.database.column(name)
        if name == "cluster":
            return self.layouts.clusters(PATIENCE_SECONDS)
        if name == "source":
            return units.source
        if name == "database":
            return self.database.member_of(np.arange(len(units)))
        if name == "time":
            return units.start_sample / rate
        if name == "length":
            return units.n_samples * (1000 / rate)
        raise HTTPException(
            404, f"units have no {name}; they have {', '.join(OTHER_VALUES)}, and their descriptors"
        )

    def _not_ready(self, name: str) -> Response:
        return json_answer(self.layouts.states()[name], 202)
