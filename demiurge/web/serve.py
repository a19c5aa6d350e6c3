"""The server: a socket to listen on, its address, a browser to open, and uvicorn."""

import errno
import os
import secrets
import socket
import sys
import webbrowser
from contextlib import AbstractContextManager, nullcontext
from urllib.parse import urlencode

import uvicorn

from demiurge.web.app import create_app
from demiurge.web.security import Security, is_loopback
from demiurge.web.workspace import Workspace
from files.errors import ParameterError

USUAL_PORT = 8421
BACKLOG = 2048  # connections that may wait
GRACE_SECONDS = 3  # for answers that are on their way when the server ends
TOKEN_BYTES = 24
WINDOWS = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "BROWSER",
)  # one of these is set where a browser can show itself
OPEN_FILES = (
    4096  # that may be open at a time, where the system allows it: of the plans that are open
)
EVERYWHERE = ("", "0.0.0.0", "::")


def listen(host: str, port: int | None) -> socket.socket:
    """A socket at a port; without one at the usual port, or any other if that is in use.

    Raises
    ------
    ParameterError
        If the port is in use or not allowed, or the host is not this machine.
    """
    if port is not None:
        return _bind(host, port)
    try:
        return _bind(host, USUAL_PORT)
    except PortInUseError:
        return _bind(host, 0)


class PortInUseError(ParameterError):
    """Somebody else listens there."""


def _bind(host: str, port: int) -> socket.socket:
    sock = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or "0.0.0.0", port, type=socket.SOCK_STREAM
        )[0]
        sock = socket.socket(family, kind, protocol)  # without it asyncio sends small answers late
        if os.name == "posix":  # where it means no more than: a port that was left a moment ago
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        if sock:
            sock.close()
        raise _refused(host, port, error) from error
    return sock


def _refused(host: str, port: int, error: OSError | UnicodeError) -> ParameterError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return PortInUseError(
            f"port {port} is in use; give another with --port, or none to let one be found"
        )
    if number == errno.EACCES:
        return ParameterError(
            f"port {port} may not be used by this user; give one from 1024 on with --port"
        )
    return ParameterError(
        f"host={host} is no address of this machine ({error}); give one with --host, or none"
    )


def allow_files() -> None:
    """Let this process open as many files as the plans that are open may play."""
    if os.name != "posix":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def secure(host: str, port: int, token: str | None) -> Security:
    """The security of a server there; where other machines reach it, with a token, drawn by lot if
    none is given.

    Raises
    ------
    ParameterError
        If the token is too short.
    """
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(TOKEN_BYTES)
    return Security(host, port, token)


def address_of(security: Security) -> str:
    """What to type into a browser."""
    host = socket.gethostname() if security.host in EVERYWHERE else security.host
    token = f"/?{urlencode({'token': security.token})}" if security.token else ""
    return f"http://{f'[{host}]' if ':' in host else host}:{security.port}{token}"


def open_browser(address: str) -> bool:
    """Whether there is one with a window: one in the terminal would take the place of what is told
    there.
    """
    if sys.platform not in ("darwin", "win32") and not any(
        os.environ.get(name) for name in WINDOWS
    ):
        return False
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


class Server(uvicorn.Server):
    """Ends at once, though pages listen to events and work goes on in the background."""

    def __init__(self, config: uvicorn.Config, workspace: Workspace) -> None:
        super().__init__(config)
        self._workspace = workspace

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Not here, where it begins late and ends with a traceback: `signals.ended_by_signals` does
        it.
        """
        return nullcontext()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._workspace.give_up()
        await super().shutdown(sockets)


def make_server(workspace: Workspace, security: Security) -> Server:
    """Run it with `run(sockets=[sock])`, until its `should_exit`; then it closes the workspace."""
    config = uvicorn.Config(
        create_app(workspace, security),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws="none",
        lifespan="on",
    )
    return Server(config, workspace)
