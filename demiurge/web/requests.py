"""Make endpoints of views: some take a JSON object, slow ones share a few threads."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

JSON_BYTES = 1 << 18  # most bytes of a request's JSON
JSON_SECONDS = 10.0  # within which it must arrive

View = Callable[[Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def takes_json(
    view: Callable[[Request, dict[str, Any]], Response], seconds: float = JSON_SECONDS
) -> Endpoint:
    """Make an endpoint that reads a JSON object, then runs `view(request, body)` in a thread."""

    @wraps(view)
    async def endpoint(request: Request) -> Response:
        body = await read_json(request, seconds)
        return await run_in_threadpool(view, request, body)

    return endpoint


def takes_turns(view: View, limiter: CapacityLimiter) -> Endpoint:
    """Make an endpoint for a slow view; the limiter leaves threads to all other views."""

    @wraps(view)
    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(partial(view, request), limiter=limiter)

    return endpoint


async def read_json(request: Request, seconds: float = JSON_SECONDS) -> dict[str, Any]:
    """Read the JSON object that comes with a request.

    Raises
    ------
    HTTPException
        415 if it is not declared as JSON, 413 if it is too long, 408 if it arrives too slowly,
        400 if it is no JSON object.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0]
    if content_type.strip().lower() != "application/json":
        raise HTTPException(415, "send a JSON object, with Content-Type: application/json")
    try:
        async with asyncio.timeout(seconds):
            text = await _read_body(request)
    except TimeoutError:
        raise HTTPException(
            408, f"the request did not arrive within {seconds:g} s; send it again"
        ) from None
    except ClientDisconnect as error:
        raise HTTPException(400, "the request is incomplete; send it again") from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the request is not JSON; send a JSON object") from error
    if not isinstance(document, dict):
        raise HTTPException(
            400, f"the request is a JSON {type(document).__name__}; send a JSON object"
        )
    return document


async def _read_body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > JSON_BYTES:
            raise HTTPException(413, f"the request is longer than {JSON_BYTES} bytes; send less")
    return bytes(content)


def _refuse_constant(name: str) -> None:
    """Refuse NaN and infinities, which Python would read."""
    raise ValueError(f"{name} is not JSON")
