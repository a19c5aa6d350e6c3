"""Serve the page of a database in a thread, and send requests to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from files.errors import ParameterError, install_command

STARTING_SECONDS = 60  # at most
# all that the browser asks for to draw a database
FIRST_PICTURE = ("/map", "/map/units", "/map/layouts/pca", "/map/values/source")


class Client:
    """One connection to a server, kept open until `close`; the next request begins another.

    The server ends idle connections after a while, so close this one before a long pause.
    """

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._origin = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return json.loads(self._ask("POST", path, json.dumps(body)))

    def _ask(self, method: str, path: str, body: str | None) -> bytes:
        headers = {"Origin": self._origin, "Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return content


@contextmanager
def serve(database: Path, plans: tuple[Path, ...] = ()) -> Iterator[Client]:
    """Serve the page of a database in a thread.

    Raises
    ------
    ParameterError
        If a package that the page needs is not installed.
    """
    try:
        from demiurge.web.serve import listen, make_server, secure
        from demiurge.web.workspace import Workspace
    except ImportError as error:
        raise ParameterError(
            f"the page needs {error.name}; install with: {install_command('web')}"
        ) from error

    with closing(listen("127.0.0.1", None)) as sock:
        port = sock.getsockname()[1]
        server = make_server(Workspace(database, plans=plans), secure("127.0.0.1", port, None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            deadline = monotonic() + STARTING_SECONDS
            while not server.started and monotonic() < deadline:
                sleep(0.001)
            with closing(Client(port)) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
