"""An object store that a test starts, and a proxy before it that makes faults.

The store is Moto's server: of those that speak S3 it is the one that pip installs on every system,
with pinned versions, in pure Python. MinIO and versitygw are programs of their own, which no
package index of Python has; s3rver and CloudServer need Node.
"""

import http.client
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"
ANSWERS = {403: ("AccessDenied", "Access Denied"), 503: ("ServiceUnavailable", "Try later")}
SECRET = "geheimer/Schluessel+1234567890"
KEY = "AKIATESTTESTTEST"
# who asks without a signature may read nothing; the server does not check it
SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request"}


class Store:
    """A store with one bucket, `archive`, as clients see it through the proxy.

    Attributes
    ----------
    faults : dict
        By a part of a request's line, such as "GET /archive/a.wav": what happens to each of the
        next requests; the last of them happens for ever if it is in `lasting`. 403 and 503 are
        answered; "cut" ends the connection in the middle of the body; "short" answers with half of
        what was asked; "hang" answers at the end of the test; a function is called before the
        request goes on.
    asked : list of str
        The requests, without the host.
    n_bytes : int
        Of bodies that were sent to clients.
    """

    def __init__(self, server) -> None:
        self._address = server.get_host_and_port()
        self.faults: dict[str, list] = {}
        self.asked: list[str] = []
        self.n_bytes = 0
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Begin anew: no faults, nothing asked."""
        self.ended.set()
        self.ended = threading.Event()
        self.faults = {}
        self.asked = []
        self.n_bytes = 0

    def put(self, key: str, content: bytes | Path) -> None:
        body = content if isinstance(content, bytes) else content.read_bytes()
        assert self.pass_on("PUT", f"/archive/{key}", SIGNED, body)[0] == 200

    def delete(self, key: str) -> None:
        assert self.pass_on("DELETE", f"/archive/{key}", SIGNED, b"")[0] == 204

    def pass_on(self, method: str, path: str, headers, body: bytes):
        """Send a request to the server itself; return status, headers and body."""
        connection = http.client.HTTPConnection(*self._address)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def fault(self, line: str):
        """Return what shall happen to a request, or None."""
        with self._lock:
            self.asked.append(line)
            for part, kinds in self.faults.items():
                if part in line and kinds:
                    return kinds[0] if kinds[-1] == "always" else kinds.pop(0)
        return None

    def counts(self) -> dict[str, int]:
        """Return the number of requests of each method."""
        counts: dict[str, int] = defaultdict(int)
        for line in self.asked:
            counts[line.split()[0]] += 1
        return dict(counts)


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *_) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        fault = self.store.fault(f"{self.command} {unquote(self.path)} {wanted}")
        ended = self.store.ended
        if fault == "hang":
            ended.wait()
        if callable(fault):
            fault()
        if fault in ANSWERS:
            body = ERROR.format(*ANSWERS[fault]).encode()
            self._answer(fault, [("Content-Type", "application/xml")], body, len(body))
            return
        length = int(self.headers.get("Content-Length", 0))
        status, headers, body = self.store.pass_on(
            self.command, self.path, dict(self.headers), self.rfile.read(length)
        )
        n_bytes = len(body)
        if fault in ("cut", "short"):
            body = body[: n_bytes // 2]
        promised = len(body) if fault == "short" else n_bytes
        if self.command == "HEAD":
            promised = int(dict(headers).get("Content-Length", 0))
        self._answer(status, headers, body, promised)
        if fault == "cut":
            self.close_connection = True

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, headers, body: bytes, promised: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.store.n_bytes += len(body)


@contextmanager
def object_store() -> Iterator[tuple[Store, dict[str, str]]]:
    """Start a store and its proxy; yield it and the environment that leads clients to it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    store = Store(server)
    handler = type("Proxy", (_Proxy,), {"store": store})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        assert store.pass_on("PUT", "/archive", SIGNED, b"")[0] == 200
        yield (
            store,
            {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_port}",
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_MAX_ATTEMPTS": "1",
            },
        )
    finally:
        store.forget()
        proxy.shutdown()
        proxy.server_close()
        thread.join()
        server.stop()
