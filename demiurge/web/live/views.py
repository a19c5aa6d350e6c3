"""Views of a live session: its page, and a WebSocket for each page that is open."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from demiurge.live.controls import COMMANDS
from demiurge.live.knobs import KNOBS, MODES, Knobs
from demiurge.live.live_session import LiveSession
from demiurge.web.answers import json_answer
from demiurge.web.live.channel import Channel
from demiurge.web.live.messages import finite
from demiurge.web.live.news import scene_facts
from demiurge.web.pages import page
from demiurge.web.workspace import Workspace

MOST_PAGES = 16  # open at once
TRY_AGAIN = 1013  # code of a WebSocket's end: the server is busy


class LiveViews:
    """The session of a workspace, if it has one."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._n_pages = 0

    def routes(self) -> list[BaseRoute]:
        if self.workspace.live is None:
            return []
        return [
            Route("/live", self.page),
            Route("/live.json", self.document_json),
            WebSocketRoute("/live/socket", self.connect),
        ]

    @property
    def session(self) -> LiveSession:
        assert self.workspace.live is not None
        return self.workspace.live

    def page(self, request: Request) -> Response:
        return page(
            request, self.workspace, "live.html", data=self.document(), knobs=KNOBS, modes=MODES
        )

    def document_json(self, request: Request) -> Response:
        return json_answer(self.document())

    def document(self) -> dict[str, Any]:
        """Describe the knobs, and how they are set; and what is played."""
        controls = self.session.controls
        return {
            "knobs": {name: asdict(knob) for name, knob in KNOBS.items()},
            "modes": list(MODES),
            "commands": COMMANDS,
            "descriptors": list(self.workspace.database.settings.descriptors),
            "defaults": Knobs().to_dict(),
            "values": controls.knobs.to_dict(),
            "status": finite(self.session.status().to_dict()),
            **scene_facts(controls),
        }

    async def connect(self, socket: WebSocket) -> None:
        """Serve the WebSocket of a page, unless too many are open."""
        if self._n_pages >= MOST_PAGES:
            await socket.accept()
            await socket.close(TRY_AGAIN, f"{MOST_PAGES} pages are open already; close one")
            return
        self._n_pages += 1
        try:
            await Channel(self.session, socket).run()
        finally:
            self._n_pages -= 1
