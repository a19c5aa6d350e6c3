"""The application: the routes of all views, what stands before them, and errors as answers."""

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
from starlette.routing import Route

from demiurge.web import units
from demiurge.web.answers import error_answer, is_known, page, wants_html
from demiurge.web.make import views as make
from demiurge.web.map import views as map
from demiurge.web.security import Guard, Security
from demiurge.web.timeline import views as timeline
from demiurge.web.values import printable
from demiurge.web.workspace import Workspace
from files.errors import DemiurgeError

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
TITLES = {404: "Not found", 410: "No longer there"}


def create_app(workspace: Workspace, security: Security) -> Starlette:
    """The page of one database. The workspace is closed when the server ends."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        workspace.layouts.start_pca()
        workspace.executor.submit(workspace.missing_sources)
        yield
        await asyncio.to_thread(workspace.close)  # the threads of the views may all be busy

    async def failed(request: Request, error: Exception) -> Response:
        return error_page(request, workspace, error)

    routes = [route for views in (map, units, timeline, make) for route in views.routes(workspace)]
    app = Starlette(
        routes=[*routes, Route("/events", workspace.events.answer), static_route()],
        middleware=[Middleware(Guard, security=security)],
        exception_handlers={HTTPException: failed, DemiurgeError: failed},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def error_page(request: Request, workspace: Workspace, error: Exception) -> Response:
    """What went wrong, as JSON, or as a page for people. An error that a user can meet is a 422."""
    status = 422
    message = str(error)
    headers = None
    if isinstance(error, HTTPException):
        status = error.status_code
        message = error.detail
        headers = dict(error.headers or {})
        if message == HTTPStatus(status).phrase:  # Starlette's own
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
        message=printable(message),
        headers=headers,
    )


def static_route() -> Route:
    """The files that come with the program, by name: only these, looked up once. 304 if the page
    has what is asked for.
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
