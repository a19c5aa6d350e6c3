"""Access control: only browsers on this machine or with the token, and no pages of other sites.

A page of another site can make the browser send requests here, and can let its own name resolve to
this address (DNS rebinding). Against the first, a request that changes something, and a WebSocket,
must have this server's Origin, which pages cannot forge. Against the second, Host must be an
address, or a name that belongs to this machine alone.
"""

import hmac
import logging
import re
import secrets
import socket
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demiurge.hosts import check_access, ip_address, is_loopback, is_same
from demiurge.web.answers import UNEXPECTED, error_answer, wants_html

METHODS = ("GET", "HEAD", "POST")
WITH_MAP = ("/map", "/live")
PAGES = re.compile(r"/(live|map|make|timeline(/[^/]+)?)?")
SCHEMES = {"ws": "http", "wss": "https"}  # of the page that opens a WebSocket
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'{compiling}; style-src 'self'"
    " 'nonce-{nonce}'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self';"
    " worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
OWN_SITES = ("", "none", "same-origin")  # Sec-Fetch-Site of requests not caused by other sites
WRONG_HOST = "this is not the page's address; open the one that demiurge printed"
WRONG_ORIGIN = "changes are taken only from this server's own pages (Origin must be theirs)"
NO_TOKEN = "a token is needed; open the address that demiurge printed, token included"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Security:
    """Where the page is served, and which requests it answers.

    Attributes
    ----------
    host : str
        The address or name that the server listens on.
    port : int
    token : str, optional
        Required from clients, if given.
    salt : bytes
        For the cookie; random for each server.
    """

    host: str = "127.0.0.1"
    port: int = 8421
    token: str | None = None
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    def __post_init__(self) -> None:
        check_access(self.host, self.token)

    def knows(self, host: str) -> bool:
        """Return whether a Host header names this server.

        It must have the server's port, and an address or a name that no other site can use.
        """
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+)(?::(\d{1,5}))?", host, re.ASCII)
        if not found or int(found[2] or 80) != self.port:
            return False
        name = found[1].strip("[]").lower().rstrip(".")
        if name == "localhost" or is_loopback(name):
            return True
        own = {
            self.host.lower(),
            socket.gethostname().lower(),
            f"{socket.gethostname().lower()}.local",
        }
        return not is_loopback(self.host) and (name in own or ip_address(name) is not None)

    @property
    def cookie(self) -> str:
        """The cookie's name, with the port, since all ports of a host share cookies."""
        return f"demiurge-{self.port}"

    @property
    def cookie_value(self) -> str:
        """A hash of the token, in characters that a cookie can hold."""
        return hmac.new(self.salt, f"demiurge {self.token}".encode(), sha256).hexdigest()


class Guard:
    """The outermost layer: refuses requests, and adds security headers to every answer."""

    def __init__(self, app: ASGIApp, security: Security) -> None:
        self.app = app
        self.security = security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await (self._socket_refusal(HTTPConnection(scope)) or self.app)(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["nonce"] = secrets.token_urlsafe(16)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(message, _policy(request, scope["nonce"]))
            await send(message)

        request = Request(scope)
        try:
            await (self._refusal(request) or self.app)(scope, receive, send_with_headers)
        except Exception:
            log.exception("%s %.200r", scope["method"], scope["path"])
            if started:
                raise  # the answer is cut off; the connection must be closed
            await _refuse(request, UNEXPECTED, 500)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a refused request, or to one with a token; None if it may pass."""
        if not self._knows_host(request):
            return _refuse(request, WRONG_HOST, 400)
        if request.method not in METHODS:
            return _refuse(
                request,
                f"{request.method} requests are not answered here",
                405,
                {"Allow": ", ".join(METHODS)},
            )
        if request.method == "POST" and not _is_from_own_page(request):
            return _refuse(request, WRONG_ORIGIN, 403)
        if _is_from_elsewhere(request):
            return _refuse(
                request,
                "pages of other sites may not send requests; open the address in a tab of its own",
                403,
            )
        return self._check_token(request) if self.security.token else None

    def _socket_refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the answer to a refused WebSocket, None if it may be opened."""
        if not self._knows_host(connection):
            return _refuse(connection, WRONG_HOST, 400)
        if not _is_from_own_page(connection):
            return _refuse(connection, WRONG_ORIGIN, 403)
        if self.security.token and not self._has_cookie(connection):
            return _refuse(connection, NO_TOKEN, 401)
        return None

    def _knows_host(self, connection: HTTPConnection) -> bool:
        hosts = connection.headers.getlist("host")
        return len(hosts) == 1 and self.security.knows(hosts[0])

    def _has_cookie(self, connection: HTTPConnection) -> bool:
        given = connection.cookies.get(self.security.cookie, "")
        return is_same(given, self.security.cookie_value)

    def _check_token(self, request: Request) -> Response | None:
        given = request.query_params.get("token")
        if given is not None and is_same(given, self.security.token or ""):
            answer = RedirectResponse(_without_token(request), 303)
            answer.set_cookie(
                self.security.cookie, self.security.cookie_value, httponly=True, samesite="strict"
            )
            return answer
        if given is None and self._has_cookie(request):
            return None
        return _refuse(request, NO_TOKEN, 401)


def _is_from_own_page(connection: HTTPConnection) -> bool:
    """Return whether the Origin is this server's."""
    scheme = connection.url.scheme
    own = f"{SCHEMES.get(scheme, scheme)}://{connection.headers['host']}"
    return connection.headers.getlist("origin") == [own]


def _is_from_elsewhere(request: Request) -> bool:
    """Return whether the request comes from a page of another site or port.

    Following a link to one of the pages is allowed.
    """
    headers = request.headers
    if headers.get("sec-fetch-site", "") in OWN_SITES:
        return False
    is_navigation = headers.get("sec-fetch-mode") == "navigate"
    is_link = is_navigation and headers.get("sec-fetch-dest") == "document"
    return not (is_link and request.method in ("GET", "HEAD") and PAGES.fullmatch(request.url.path))


def _without_token(request: Request) -> str:
    """Return the same address on this server, without the token."""
    rest = urlencode(
        [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
    )
    return "/" + quote(request.scope["path"].lstrip("/\\")) + (f"?{rest}" if rest else "")


def _refuse(
    request: HTTPConnection, message: str, status: int, headers: dict[str, str] | None = None
) -> Response:
    if wants_html(request):
        return PlainTextResponse(message, status, headers)
    return error_answer(message, status, headers)


def _policy(request: Request, nonce: str) -> str:
    """Return the Content-Security-Policy of an answer.

    A map with ?compile=1 may compile code, for graphics drivers that lack precompiled code
    (static/map/gl.js), unless it was reached by a link from another site.
    """
    compiles = request.url.path in WITH_MAP and request.query_params.get("compile") == "1"
    compiles = compiles and request.headers.get("sec-fetch-site", "") in OWN_SITES
    return POLICY.format(nonce=nonce, compiling=" 'unsafe-eval'" if compiles else "")


def _add_headers(message: Message, policy: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["Content-Security-Policy"] = policy
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-cache")
