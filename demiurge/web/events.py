"""What happens on the server, told to every open page as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000  # after which a page asks again when the connection was lost


class Events:
    """Publish from any thread; every reader of `stream` gets it.

    Of each thing (a job, a plan, a layout: what has the same kind and "id" or "name") a reader is
    owed the newest word only, so that one who reads slowly holds no more than there are things.
    """

    def __init__(self) -> None:
        self._readers: list[_Reader] = []
        self._closed = False

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Tell every page. `data` must fit into JSON."""
        text = json.dumps(data, allow_nan=False)
        for reader in self._readers.copy():
            reader.tell((kind, str(data.get("id", data.get("name", "")))), text)

    def close(self) -> None:
        """End every stream; from the thread of the server or any other."""
        self._closed = True
        for reader in self._readers.copy():
            reader.end()

    async def stream(self, heartbeat: float = HEARTBEAT_SECONDS) -> AsyncIterator[str]:
        """The text of one page's stream, until the page or the server ends it."""
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
        """GET /events."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        return StreamingResponse(self.stream(), media_type="text/event-stream", headers=headers)


class _Reader:
    """One page: what it has not been told yet, by kind and thing."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[tuple[str, str], str] = {}
        self.woken = asyncio.Event()
        self.ended = False

    def tell(self, about: tuple[str, str], text: str) -> None:
        self._call(self._put, about, text)

    def end(self) -> None:
        self._call(self._end)

    def take(self) -> list[tuple[str, str]]:
        """(kind, text) of all that waits, oldest first."""
        waiting = self._waiting
        self._waiting = {}
        if not self.ended:
            self.woken.clear()
        return [(kind, text) for (kind, _), text in waiting.items()]

    def _put(self, about: tuple[str, str], text: str) -> None:
        self._waiting.pop(about, None)  # the newest word comes last
        self._waiting[about] = text
        self.woken.set()

    def _end(self) -> None:
        self.ended = True
        self.woken.set()

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the server, and its loop, ended just now
            self._loop.call_soon_threadsafe(function, *arguments)
