"""The application: routes of all views behind the guard, and answers to errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from demiurge.web.answers import error_answer, is_known, wants_html
from demiurge.web.generated.views import GeneratedViews
from demiurge.web.live.views import LiveViews
from demiurge.web.make.views import MakeViews
from demiurge.web.map.views import MapViews
from demiurge.web.pages import page
from demiurge.web.security import Guard, Security
from demiurge.web.timeline.views import TimelineViews
from demiurge.web.units import UnitViews
from demiurge.web.workspace import Workspace
from files.errors import DemiurgeError
from files.names import printable
from files.system import SYSTEM_ERRORS, error_message

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
# answered with their message; any other error is a 500, and its traceback is in the terminal
KNOWN_ERRORS = (HTTPException, DemiurgeError, *SYSTEM_ERRORS)
TITLES = {404: "Not found", 410: "No longer there"}


def create_app(workspace: Workspace, security: Security) -> Starlette:
    """Make the application for one database; it closes the workspace when the server ends.

    Raises
    ------
    CheckpointError, DatabaseError
        If a model that the workspace was given cannot be used.
    """
    map_views = MapViews(workspace)
    routes: list[BaseRoute] = [
        *map_views.routes(),
        *UnitViews(workspace).routes(),
        *TimelineViews(workspace).routes(),
        *MakeViews(workspace).routes(),
        *GeneratedViews(workspace).routes(),
        *LiveViews(workspace).routes(),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        map_views.layouts.start_pca()
        workspace.executor.submit(workspace.missing_sources)
        yield
        await asyncio.to_thread(workspace.close)  # all threads of the views may be busy

    async def failed(request: Request, error: Exception) -> Response:
        return error_page(request, workspace, error)

    app = Starlette(
        routes=[*routes, Route("/events", workspace.events.answer), static_route()],
        middleware=[Middleware(Guard, security=security)],
        exception_handlers=dict.fromkeys(KNOWN_ERRORS, failed),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def error_page(request: Request, workspace: Workspace, error: Exception) -> Response:
    """Answer with an error, as a page for browsers and as JSON for scripts.

    All but an `HTTPException` are a 422.
    """
    status = 422
    message = error_message(error)
    headers = None
    if isinstance(error, HTTPException):
        status = error.status_code
        headers = dict(error.headers or {})
        message = error.detail
        if message == HTTPStatus(status).phrase:  # raised by Starlette
            message = f"{request.method} {request.url.path}: {message.lower()}"
    if not wants_html(request):
        return error_answer(message, status, headers)
    title = TITLES.get(status, "That is not possible")
    return page(
        request,
        workspace,
        "error.html",
        status=status,
        title=title,
        message="\n".join(map(printable, message.splitlines())),
        headers=headers,
    )


def static_route() -> Route:
    """Make the route of the files in static/, which are listed once; no other file is served.

    The answer is 304 if the page has the file already.
    """
    files = {
        path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()
    }

    def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            raise HTTPException(404, f"there is no {name}")
        path = files[name]
        answer = FileResponse(
            path, media_type=MEDIA_TYPES.get(path.suffix, "text/plain"), stat_result=path.stat()
        )
        if is_known(request, answer.headers["etag"]):
            return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
        return answer

    return Route("/static/{name:path}", static)
