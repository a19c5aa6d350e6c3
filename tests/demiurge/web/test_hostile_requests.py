"""Whatever a request holds, the answer is never an unexpected error."""

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.demiurge.web.conftest import visit
from tests.hostile import HOSTILE, replaced

WORDS = (
    "",
    "0",
    "-1",
    "1.5",
    "nan",
    "inf",
    "1e999",
    "9" * 400,
    "\u0663",
    "\u00b2",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "%",
    "a\0b",
    "\udce9",
    "\ufffe\U0001f3b5",
    "[/red]\n\x1b[31m",
    "x" * 5000,
    "1,2,,3",
    "null",
)
QUERIES = {
    "/map": ("plan", "compile"),
    "/units/{unit}/similar.json": ("k",),
    "/units/{unit}/audio.wav": ("context",),
    "/plans/{plan}/audio.wav": ("revision", "voices"),
    "/plans/{plan}/peaks": ("samples", "voices"),
    "/plans/{plan}/steps/{step}/alternatives.json": ("k", "units"),
    "/plans/{plan}/steps/{step}/audio.wav": ("unit", "context", "revision", "voices"),
}
BODIES: dict[str, list[dict[str, Any]]] = {
    "/jobs": [
        {
            "seed": "none",
            "model": "none",
            "seconds": 1,
            "continuity": 1,
            "novelty": 0,
            "temperature": 1,
            "variations": 1,
            "voices": 1,
            "random_seed": 0,
        }
    ],
    "/plans/{plan}/edits": [
        {"revision": 0, "edit": {"kind": "choose", "step": 0, "unit": 0}},
        {"revision": 0, "edit": {"kind": "repeat", "step": 0, "times": 1}},
        {"revision": 0, "edit": {"kind": "remove", "steps": [0, 1]}},
        {"revision": 0, "edit": {"kind": "lock", "steps": [0], "locked": True}},
        {
            "revision": 0,
            "edit": {
                "kind": "reselect",
                "continuity": 1,
                "novelty": 0,
                "min_reuse": 0,
                "temperature": 0,
                "random_seed": 0,
            },
        },
        {"revision": 0, "edit": {"kind": "vary", "steps": [0], "random_seed": 0}},
        {"revision": 0, "edit": {"kind": "undo"}},
        {"revision": 0, "edit": {"kind": "redo"}},
    ],
    "/plans/{plan}/save": [{"name": "a"}],
    "/generated": [{"units": [10**9]}],
}
NO_BODY = ("/map/layouts/quality", "/jobs/{job}/cancel", "/generated/cancel", "/seeds")
JSON = {"Content-Type": "application/json"}
RAW = (
    b"",
    b"null",
    b"[]",
    b"{",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b"[" * 100_000,
    b'{"a":' * 30_000,
    b"\xff\xfe{\x00}\x00",
    b'{"seed": "\xff"}',
    b'{"seed": "\\ud800", "name": "\\ud800", "units": "\\ud800"}',
    b'{"name": 1, "name": []}',
    b"9" * 5000,
    b'{"units": [' + b"9" * 5000 + b"]}",
    b"{}" + b" " * (1 << 19),
)


@pytest.fixture
def client(workspace, rebuilt) -> Iterator[TestClient]:
    """A client of a page with one plan; the errors of the server are answers."""
    workspace.folder.mkdir()
    shutil.copyfile(rebuilt, workspace.folder / "a.plan.json")
    with visit(workspace) as client:
        client.plan = client.get("/plans.json").json()["plans"][0]["id"]
        yield client


def routes(client: TestClient, method: str) -> list[str]:
    return [
        route.path
        for route in client.app.routes
        if isinstance(route, Route) and method in (route.methods or {"GET"})
    ]


def address(client: TestClient, path: str, **given: str) -> str:
    """Return the address of a route, with parameters that exist where none are given."""
    usual = {"plan": client.plan, "unit": "0", "step": "0", "name": "mfcc0", "kind": "plan"}
    values = {**usual, **given}
    return re.sub(
        r"\{(\w+)(:path)?\}",
        lambda found: quote(values.get(found[1], "none").encode(errors="surrogateescape"), ""),
        path,
    )


def check(client: TestClient, method: str, where: str, **request: Any) -> Response:
    answer = client.request(method, where, **request)
    assert answer.status_code < 500, (method, where[:200], request, answer.text[:500])
    if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
        told = answer.json()["error"]
        assert told
        assert "\n" not in told.split(":\n")[0]
    return answer


def test_every_post_route_is_known_here(client):
    assert sorted(routes(client, "POST")) == sorted([*BODIES, *NO_BODY])


@pytest.mark.parametrize("path", BODIES)
def test_hostile_values_in_bodies(client, path):
    where = address(client, path)
    revision = client.get(f"/plans/{client.plan}.json").json()["revision"]
    for body in BODIES[path]:
        for changed in replaced(body, HOSTILE):
            if type(changed.get("revision")) is int:
                changed["revision"] += revision
            answer = check(client, "POST", where, content=json.dumps(changed), headers=JSON)
            revision = answer.json().get("revision", revision)
    for content in RAW:
        for kind in ("application/json", "application/json; charset=utf-16", "text/plain", "\xe9"):
            check(
                client,
                "POST",
                where,
                content=content,
                headers={"Content-Type": kind.encode("latin-1")},
            )


def test_hostile_uploads(client):
    for word in WORDS[-8::2]:
        name = quote(word.encode(errors="surrogateescape"), "")
        assert check(client, "POST", f"/seeds?name={name}", content=b"").status_code in (400, 422)
    for length in (b"-1", b"x", b"9" * 30):
        headers = {"Content-Length": length}
        check(client, "POST", "/seeds?name=a.wav", content=b"RIFF", headers=headers)


def test_hostile_addresses(client):
    for method in ("GET", "POST"):
        for path in routes(client, method):
            for parameter in re.findall(r"\{(\w+)", path):
                for word in WORDS:
                    check(client, method, address(client, path, **{parameter: word}))


def test_hostile_queries(client):
    for path, queries in QUERIES.items():
        for query in queries:
            for word in WORDS:
                value = quote(word.encode(errors="surrogateescape"), "")
                check(client, "GET", f"{address(client, path)}?{query}={value}")


def test_hostile_headers(client):
    where = f"/plans/{client.plan}/audio.wav"
    for name in ("Range", "If-None-Match", "Accept", "Cookie", "Sec-Fetch-Site", "If-Range"):
        for value in (
            "",
            "bytes=-",
            "bytes=5-1",
            "bytes=0-" + "9" * 30,
            "bytes=-0",
            "*",
            "\xb2",
            "x" * 999,
        ):
            check(client, "GET", where, headers={name: value.encode("latin-1")})
