"""Answers with JSON, arrays of numbers, and ranges of bytes."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xxhash
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse

CHUNK_BYTES = 1 << 18
UNEXPECTED = "an unexpected error; the terminal that runs demiurge browse shows more"


def json_answer(
    document: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer with JSON in ASCII, since file names may hold bytes that are not UTF-8."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Response(text, status, headers, "application/json")


def error_answer(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return json_answer({"error": message}, status, headers)


def wants_html(request: HTTPConnection) -> bool:
    """Return whether the request is for a page, and not a script's request for data."""
    return "text/html" in request.headers.get("accept", "")


def numbers_answer(request: Request, values: np.ndarray) -> Response:
    """Answer with an array, little-endian in C order; 304 if the page has it already."""
    content = bytes_of(values)
    etag = f'"{xxhash.xxh3_128_hexdigest(content)}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return bytes_answer(request, [content], "application/octet-stream", headers)


def bytes_of(values: np.ndarray) -> memoryview:
    """Return the bytes of an array, little-endian in C order."""
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return values.reshape(-1).view(np.uint8).data


def is_known(request: Request, etag: str) -> bool:
    """Return whether the page already has the content of this ETag."""
    known = request.headers.get("if-none-match", "")
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return known.strip() == "*" or etag in tags


def bytes_answer(
    request: Request,
    parts: Sequence[bytes | memoryview],
    media_type: str,
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer with parts one after another, or the range of them that a Range header asks for.

    A range that begins beyond the end is a 416.
    """
    total = sum(len(part) for part in parts)
    headers = {"Accept-Ranges": "bytes", **(headers or {})}
    start = 0
    stop = total
    status = 200
    byte_range = asked_range(request, total)
    if byte_range is not None:
        start, stop = byte_range
        if start >= stop:
            message = f"the range is not within {total} bytes"
            return error_answer(message, 416, {"Content-Range": f"bytes */{total}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(status_code=status, media_type=media_type, headers=headers)
    return StreamingResponse(chunks(parts, start, stop), status, headers, media_type)


def chunks(parts: Sequence[bytes | memoryview], start: int, stop: int) -> Iterator[bytes]:
    """Yield bytes [start, stop) of the parts, a chunk at a time."""
    before = 0
    for part in parts:
        first = max(start - before, 0)
        last = min(stop - before, len(part))
        for at in range(first, last, CHUNK_BYTES):
            yield bytes(part[at : min(at + CHUNK_BYTES, last)])
        before += len(part)


def asked_range(request: Request, total: int) -> tuple[int, int] | None:
    """Return [start, stop) of a single range, empty if it is beyond the end.

    None means everything: there is no Range header, or it is not understood.
    """
    found = re.fullmatch(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", request.headers.get("range", ""))
    if not found or found[0].endswith("=-"):
        return None
    first, last = found.groups()
    if not first:  # a suffix range: the last bytes
        return max(total - int(last), 0), total if int(last) else 0
    if not last:
        return int(first), total
    if int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, total)
