"""Server-sent events, which tell every open page what happens on the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000  # until a page that lost the connection connects again


class Events:
    """Events may be published from any thread; every reader of `stream` gets them.

    A slow reader gets only the latest event per object (a job, a plan, a layout: events of one kind
    with the same "id" or "name"), so that its queue stays small.
    """

    def __init__(self) -> None:
        self._readers: list[_Reader] = []
        self._closed = False

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event to every page; `data` becomes JSON."""
        text = json.dumps(data, allow_nan=False)
        about = str(data.get("id", data.get("name", "")))
        for reader in self._readers.copy():
            reader.put((kind, about), text)

    def close(self) -> None:
        """End every stream; safe to call from any thread."""
        self._closed = True
        for reader in self._readers.copy():
            reader.end()

    async def stream(self, heartbeat: float = HEARTBEAT_SECONDS) -> AsyncIterator[str]:
        """Yield the text of one page's stream, until the page or the server ends it."""
        reader = _Reader()
        self._readers.append(reader)
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n"
            while not (self._closed or reader.ended):
                try:
                    await asyncio.wait_for(reader.woken.wait(), heartbeat)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                for kind, text in reader.take():
                    yield f"event: {kind}\ndata: {text}\n\n"
        finally:
            self._readers.remove(reader)

    async def answer(self, request: Request) -> Response:
        """Answer GET /events."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        return StreamingResponse(self.stream(), media_type="text/event-stream", headers=headers)


class _Reader:
    """One page, and its waiting events by kind and object."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[tuple[str, str], str] = {}
        self.woken = asyncio.Event()
        self.ended = False

    def put(self, key: tuple[str, str], text: str) -> None:
        self._call(self._put, key, text)

    def end(self) -> None:
        self._call(self._end)

    def take(self) -> list[tuple[str, str]]:
        """Return (kind, text) of all waiting events, oldest first."""
        waiting = self._waiting
        self._waiting = {}
        if not self.ended:
            self.woken.clear()
        return [(kind, text) for (kind, _), text in waiting.items()]

    def _put(self, key: tuple[str, str], text: str) -> None:
        self._waiting.pop(key, None)  # so that the latest event is last
        self._waiting[key] = text
        self.woken.set()

    def _end(self) -> None:
        self.ended = True
        self.woken.set()

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the server has just closed its loop
            self._loop.call_soon_threadsafe(function, *arguments)
