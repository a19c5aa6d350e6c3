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

from demiurge.hosts import is_loopback
from demiurge.web.app import create_app
from demiurge.web.live.channel import MOST_BYTES
from demiurge.web.security import Security
from demiurge.web.workspace import Workspace
from files.errors import ParameterError

USUAL_PORT = 8421
BACKLOG = 2048  # connections that may wait
GRACE_SECONDS = 3  # for requests still being answered when the server ends
TOKEN_BYTES = 24
DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")  # one is set if windows can be shown
OPEN_FILES = 4096  # at most, of the sources that open plans play, if the system allows it
EVERYWHERE = ("", "0.0.0.0", "::")


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens at a port.

    Without a port it is the usual one, or any other if that is in use.

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
    """Another program listens at the port."""


def _bind(host: str, port: int) -> socket.socket:
    sock = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or "0.0.0.0", port, type=socket.SOCK_STREAM
        )[0]
        # with protocol=0, asyncio would not set TCP_NODELAY, which delays small answers
        sock = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere it would allow two servers at one port
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
        return PortInUseError(f"port {port} is in use; choose another with --port, or leave it out")
    if number == errno.EACCES:
        return ParameterError(
            f"port {port} may not be used by this user; choose one from 1024 up with --port"
        )
    return ParameterError(
        f"host={host} is not an address of this machine ({error}); choose one with --host, or leave"
        " it out"
    )


def allow_files() -> None:
    """Raise the limit of open files, since each open plan keeps its sources open."""
    if os.name != "posix":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def secure(host: str, port: int, token: str | None) -> Security:
    """Return the security settings of a server.

    If other machines can reach it and no token is given, the token is random.

    Raises
    ------
    ParameterError
        If the token is too short.
    """
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(TOKEN_BYTES)
    return Security(host, port, token)


def address_of(security: Security) -> str:
    """Return the address to open in a browser, with the token if there is one."""
    host = socket.gethostname() if security.host in EVERYWHERE else security.host
    token = f"/?{urlencode({'token': security.token})}" if security.token else ""
    return f"http://{f'[{host}]' if ':' in host else host}:{security.port}{token}"


def open_browser(address: str) -> bool:
    """Open a graphical browser; return whether there is one.

    A text browser would hide the messages in the terminal.
    """
    if sys.platform not in ("darwin", "win32") and not any(
        os.environ.get(name) for name in DISPLAY_VARIABLES
    ):
        return False
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


class Server(uvicorn.Server):
    """A server that ends at once, despite open event streams and background work."""

    def __init__(self, config: uvicorn.Config, workspace: Workspace) -> None:
        super().__init__(config)
        self._workspace = workspace

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Do nothing: uvicorn's own handling starts late and ends with a traceback.

        `signals.ended_by_signals` takes its place.
        """
        return nullcontext()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._workspace.cancel_work()
        await super().shutdown(sockets)


def make_server(workspace: Workspace, security: Security) -> Server:
    """Make a server, to be run with `run(sockets=[sock])`; at its end it closes the workspace."""
    config = uvicorn.Config(
        create_app(workspace, security),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws="none" if workspace.live is None else "auto",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
    )
    return Server(config, workspace)
