"""Answers: JSON, numbers, sound with ranges, pages; and requests' JSON."""

import asyncio
import json
import re
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.templating import Jinja2Templates

if TYPE_CHECKING:
    from demiurge.web.workspace import Workspace

# a request's document may be so long, and take so long to come
JSON_BYTES = 1 << 18
JSON_SECONDS = 10.0
CHUNK_BYTES = 1 << 18
UNEXPECTED = "an unexpected error; the terminal that runs demiurge browse tells more"
View = Callable[[Request], Response]
PAGES = Jinja2Templates(Path(__file__).parent / "templates")


def json_answer(
    document: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """In ASCII: names of files may hold what is no text."""
    return Response(
        json.dumps(document, allow_nan=False, separators=(",", ":")),
        status,
        headers,
        "application/json",
    )


def error_answer(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return json_answer({"error": message}, status, headers)


def wants_html(request: Request) -> bool:
    """Whether a person looks at the answer, not a script."""
    return "text/html" in request.headers.get("accept", "")


def page(
    request: Request,
    workspace: "Workspace",
    template: str,
    *,
    plan: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    """A template as HTML; its name without suffix is the page that the navigation shows as the
    present one.
    """
    shared = {
        "page": template.removesuffix(".html"),
        "plan": plan,
        **shared_context(request, workspace),
    }
    return PAGES.TemplateResponse(request, template, shared | context, status, headers)


def shared_context(request: Request, workspace: "Workspace") -> dict[str, Any]:
    """What every template knows."""
    from importlib.metadata import version

    database = workspace.database
    facts = {"name": workspace.name, "units": database.n_units, "sources": len(database.sources)}
    return {
        "nonce": request.scope.get("nonce", ""),
        "database": facts,
        "version": version("demiurge-sequencer"),
    }


def numbers_answer(request: Request, values: np.ndarray) -> Response:
    """float32, uint32, …, little-endian in C order, with an ETag; 304 if the page has them already."""
    content = _bytes_of(values)
    etag = f'"{xxhash.xxh3_128_hexdigest(content)}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return bytes_answer(request, [content], "application/octet-stream", headers)


def is_known(request: Request, etag: str) -> bool:
    """Whether the page says that it has what this ETag stands for."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in (
        tag.strip().removeprefix("W/") for tag in known.split(",")
    )


def bytes_answer(
    request: Request,
    parts: Sequence[bytes | memoryview],
    media_type: str,
    headers: dict[str, str] | None = None,
) -> Response:
    """Parts one after another, or as much of them as a Range header asks for: 206, or 416 beyond
    the end.
    """
    total = sum(len(part) for part in parts)
    headers = {"Accept-Ranges": "bytes", **(headers or {})}
    start = 0
    stop = total
    if (span := asked_range(request, total)) is not None:
        start, stop = span
        if start >= stop:
            return error_answer(
                f"the range is not within {total} bytes", 416, {"Content-Range": f"bytes */{total}"}
            )
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    headers["Content-Length"] = str(stop - start)
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, media_type=media_type, headers=headers)
    return StreamingResponse(chunks(parts, start, stop), status, headers, media_type)


def chunks(parts: Sequence[bytes | memoryview], start: int, stop: int) -> Iterator[bytes]:
    """Bytes [start, stop) of the parts, a chunk at a time."""
    before = 0
    for part in parts:
        first = max(start - before, 0)
        last = min(stop - before, len(part))
        for at in range(first, last, CHUNK_BYTES):
            yield bytes(part[at : min(at + CHUNK_BYTES, last)])
        before += len(part)


def asked_range(request: Request, total: int) -> tuple[int, int] | None:
    """[start, stop) of a single range, empty if it cannot be had; None: everything, also for what
    is not understood.
    """
    found = re.fullmatch(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", request.headers.get("range", ""))
    if not found or found[0].endswith("=-"):
        return None
    first, last = found.groups()
    if not first:
        return max(total - int(last), 0), total if int(last) else 0
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, total) if last else total


def wav_answer(
    request: Request, samples: np.ndarray, sample_rate: int, headers: dict[str, str] | None = None
) -> Response:
    """Samples, int16 or float32, shape (n_samples, channels), as a WAV file of that kind, or the
    asked range of its bytes.
    """
    return bytes_answer(
        request, [wav_header(samples, sample_rate), _bytes_of(samples)], "audio/wav", headers
    )


def _bytes_of(values: np.ndarray) -> memoryview:
    """Little-endian, in C order."""
    return (
        np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
    )


def wav_header(samples: np.ndarray, sample_rate: int) -> bytes:
    """The 44 bytes before 16-bit samples, or the 58 before 32-bit float ones."""
    n_samples, channels = samples.shape
    is_float = samples.dtype.kind == "f"
    size = samples.itemsize
    frame = channels * size
    facts = struct.pack(
        "<HHIIHH", 3 if is_float else 1, channels, sample_rate, sample_rate * frame, frame, 8 * size
    )
    if is_float:
        facts += struct.pack("<H", 0)
    header = (
        b"WAVE"
        + _chunk(b"fmt ", facts)
        + (_chunk(b"fact", struct.pack("<I", n_samples)) if is_float else b"")
    )
    n_bytes = n_samples * frame
    return (
        struct.pack("<4sI", b"RIFF", len(header) + 8 + n_bytes)
        + header
        + struct.pack("<4sI", b"data", n_bytes)
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def takes_json(
    view: Callable[[Request, dict[str, Any]], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that reads the request's JSON object, then runs `view(request, body)` in a
    thread.
    """

    @wraps(view)
    async def endpoint(request: Request) -> Response:
        body = await read_json(request)
        return await run_in_threadpool(view, request, body)

    return endpoint


def takes_turns(view: View, limiter: CapacityLimiter) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that runs a view which takes long, so many at a time, and leaves the threads of
    all others to them.
    """

    @wraps(view)
    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(view, request, limiter=limiter)

    return endpoint


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object that came with a request.

    Raises
    ------
    HTTPException
        413, 408, 415 or 400 if it is too long, too slow, not said to be JSON, or is no JSON object.
    """
    if (
        request.headers.get("content-type", "").partition(";")[0].strip().lower()
        != "application/json"
    ):
        raise HTTPException(415, "send a JSON object, with Content-Type: application/json")
    try:
        async with asyncio.timeout(JSON_SECONDS):
            text = await _read(request, JSON_BYTES)
    except TimeoutError:
        raise HTTPException(
            408, f"the request did not come within {JSON_SECONDS:g} s; send it again"
        ) from None
    except ClientDisconnect as error:
        raise HTTPException(400, "the request did not come to its end; send it again") from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the request is no JSON; send a JSON object") from error
    if not isinstance(document, dict):
        raise HTTPException(
            400, f"the request is a JSON {type(document).__name__}; send a JSON object"
        )
    return document


async def _read(request: Request, limit: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise HTTPException(413, f"the request is longer than {limit} bytes; send less")
    return bytes(content)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
