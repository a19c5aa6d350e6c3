"""Requests to the page's application, in this process."""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from demiurge.web.app import create_app
from demiurge.web.make.seeds import UploadLimits
from demiurge.web.security import Security
from demiurge.web.workspace import Workspace
from files.errors import DemiurgeError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its HTTP client
    from starlette.testclient import TestClient

ORIGIN = "http://127.0.0.1:8421"
SERVER_ERROR = 500
PATIENCE_SECONDS = 4.0  # for a job


class ServerError(Exception):
    """The page has answered with a 5xx."""


def visit(database: str, what: str, name: str) -> int:
    """Open the page of a database, and send it requests.

    Parameters
    ----------
    what : str
        What the file or folder `name` is: "requests", an "upload", a "plan", "models", or the
        "records" of seeds and jobs.

    Returns
    -------
    int
        Exit status as `demiurge browse` has it.

    Raises
    ------
    ServerError
        If an answer is a 5xx.
    """
    given = {
        "plans": [name] if what == "plan" else (),
        "models": [name] if what == "models" else (),
    }
    try:
        folder = name if what == "records" else "plans"
        workspace = Workspace(database, folder=folder, **given)
        app = create_app(workspace, Security())
    except DemiurgeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    headers = {"Origin": ORIGIN}
    with TestClient(app, base_url=ORIGIN, headers=headers, follow_redirects=False) as client:
        Visit(client).run(what, Path(name))
    return 0


class Visit:
    """A visit to the page with one client."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.values = {"{seed}": "none", "{plan}": "none"}

    def run(self, what: str, path: Path) -> None:
        plans = self.send("GET", "/plans.json").json()["plans"]
        if plans:
            self.values["{plan}"] = plans[0]["id"]
        if what == "requests":
            self.send_lines(path)
        elif what == "upload":
            self.upload(path)
        elif what == "plan":
            for address in ("/plans/{plan}.json", "/plans/{plan}/peaks", "/timeline/{plan}"):
                self.send("GET", address)
            self.edit_plan()
        else:
            for address in ("/make.json", "/jobs.json", "/make", "/timeline", "/plans/{plan}.json"):
                self.send("GET", address)

    def send(self, method: str, address: str, body: bytes | None = None) -> Any:
        """Send a request; the answer must not be a 5xx."""
        for name, value in self.values.items():
            address = address.replace(name, value)
        headers = {"Content-Type": "application/json"} if body else {}
        answer = self.client.request(method, quoted(address), content=body, headers=headers)
        if answer.status_code >= SERVER_ERROR:
            shown = f"{method} {address[:200]}: {answer.status_code} {answer.text[:300]}"
            raise ServerError(shown)
        return answer

    def send_lines(self, path: Path) -> None:
        """Send a request for each line; a plan and a seed are there for them."""
        text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.split("\n"):
            method, _, rest = line.partition(" ")
            address, _, body = rest.partition(" ")
            if method.isalpha() and address.startswith("/"):
                for name, value in self.values.items():
                    body = body.replace(name, value)
                self.send(method, address, body.encode() or None)

    def upload(self, path: Path) -> None:
        """Upload a seed; if it is taken, ask for a mosaic of it."""
        if not path.is_file():
            return
        with path.open("rb") as file:
            content = file.read(UploadLimits().n_bytes + 1)
        answer = self.client.post(f"/seeds?name={path.name}", content=content)
        if answer.status_code >= SERVER_ERROR:
            raise ServerError(f"POST /seeds: {answer.status_code} {answer.text[:300]}")

    def edit_plan(self) -> None:
        """Edit the plan in a few ways, and save it."""
        edits = (
            {"kind": "repeat", "step": 0, "times": 2},
            {"kind": "reselect"},
            {"kind": "choose", "step": 0, "unit": 1},
            {"kind": "remove", "steps": [0]},
            {"kind": "undo"},
        )
        for revision, edit in enumerate(edits):
            body = json.dumps({"revision": revision, "edit": edit}).encode()
            self.send("POST", "/plans/{plan}/edits", body)
        self.send("POST", "/plans/{plan}/save", b'{"name": "other"}')
        self.send("GET", "/plans/{plan}/audio.wav")
        time.sleep(0.05)
        self.send("GET", "/plans/{plan}/audio.wav")


def quoted(address: str) -> str:
    """Return an address with the characters that no client would send as they are in %."""
    return "".join(
        one if 0x20 < ord(one) < 0x7F else "".join(f"%{byte:02X}" for byte in one.encode())
        for one in address
    )
