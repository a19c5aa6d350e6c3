"""The WebSocket of one page: what has changed goes out, messages come in."""

from collections import deque
from typing import Any

from anyio import CancelScope, create_task_group, fail_after, sleep
from starlette.websockets import WebSocket, WebSocketDisconnect

from demiurge.live.live_session import LiveSession
from demiurge.live.messages import obey
from demiurge.web.live.messages import parse_message, to_json
from demiurge.web.live.news import News
from files.errors import ParameterError

MOST_SENT = 30  # messages to a page in a second
MOST_TAKEN = 200  # messages from a page in a second; the others wait on its machine
MOST_BYTES = 1 << 14  # of a message from a page
MOST_ERRORS = 8  # not yet told
PATIENCE_SECONDS = 5.0  # for a page to take a message, before it is dropped


class Channel:
    """One page of a session, from its connection to its end."""

    def __init__(
        self, session: LiveSession, socket: WebSocket, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._session = session
        self._socket = socket
        self._patience_seconds = patience_seconds
        self._errors: deque[str] = deque(maxlen=MOST_ERRORS)

    async def run(self) -> None:
        """Serve the page until it leaves, or takes nothing any more."""
        await self._socket.accept()
        async with create_task_group() as group:
            group.start_soon(self._send, group.cancel_scope)
            await self._take()
            group.cancel_scope.cancel()

    async def _send(self, scope: CancelScope) -> None:
        news = News(self._session)
        try:
            while True:
                if changes := self._with_errors(news.take()):
                    with fail_after(self._patience_seconds):
                        await self._socket.send_text(to_json(changes))
                await sleep(1 / MOST_SENT)
        except (TimeoutError, WebSocketDisconnect):
            scope.cancel()

    def _with_errors(self, changes: dict[str, Any]) -> dict[str, Any]:
        if self._errors:
            changes["errors"] = list(self._errors)
            self._errors.clear()
        return changes

    async def _take(self) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            try:
                obey(self._session.controls, *parse_message(message.get("text") or ""))
            except ParameterError as error:
                self._errors.append(str(error))
            await sleep(1 / MOST_TAKEN)
