"""Which requests are answered, and how hostile or broken ones are refused."""

import re
import socket

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from demiurge.web.app import STATIC, create_app
from demiurge.web.security import UNEXPECTED, Security
from files.errors import ParameterError
from tests.demiurge.web.conftest import ADDRESS, visit, wait_until

TOKEN = "correct-horse-battery"
LAN = "http://192.168.1.5:8421"


@pytest.fixture
def guarded(workspace):
    """A server that other machines can reach, and a client without its token."""
    with visit(workspace, Security("0.0.0.0", 8421, TOKEN)) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8421",
        "localhost:8421",
        "LOCALHOST:8421",
        "[::1]:8421",
        "127.0.0.2:8421",
        "localhost.:8421",
    ],
)
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/map.json", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8421",
        "evil.example",
        "127.0.0.1",
        "localhost:80",
        "localhost:8422",
        "localhost.evil.example:8421",
        "",
        "192.168.1.5:8421",
        "0.0.0.0:8421",
        "127.0.0.1.evil.example:8421",
        "localhost:8421:8421",
        "a@localhost:8421",
        "[::1",
        ":8421",
        "localhost:٨٤٢١",
        "localhost:8421 x",
    ],
)
def test_other_names_are_refused_wherever_they_lead(client, host):
    response = client.get("/map.json", headers={"Host": host.encode()})
    assert (response.status_code, list(response.json())) == (400, ["error"])


def test_of_a_server_for_others_addresses_and_its_names_are_known_and_no_other_names():
    security = Security("0.0.0.0", 8421, TOKEN)
    assert all(
        security.knows(f"{host}:8421")
        for host in ("192.168.1.5", "[2001:db8::1]", "localhost", socket.gethostname())
    )
    assert not any(
        security.knows(f"{host}:8421")
        for host in ("evil.example", "192.168.1.5.evil.example", "example")
    )
    assert Security("music.example", 80, TOKEN).knows("music.example")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "https://127.0.0.1:8421",
        "http://localhost:8421",
    ],
)
def test_posts_need_the_origin_of_this_server(workspace, origin):
    app = create_app(workspace, Security())
    client = TestClient(app, base_url=ADDRESS, headers={"Origin": origin} if origin else {})
    response = client.post("/map/layouts/quality")
    assert response.status_code == 403
    assert "Origin" in response.json()["error"]
    assert client.get("/map.json").json()["layouts"]["quality"]["state"] == "absent"


LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/map", LINK, 200),
        ("/map", LINK | {"Sec-Fetch-Dest": "iframe"}, 403),
        ("/map", {"Sec-Fetch-Mode": "no-cors"}, 403),
        ("/map.json", LINK, 403),
        ("/map.json", {}, 403),
        ("/units/0/audio.wav", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "audio"}, 403),
        ("/static/lib.js", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
        ("/events", {"Sec-Fetch-Mode": "cors"}, 403),
    ],
)
def test_pages_of_other_sites_may_link_here_and_nothing_else(client, site, path, headers, status):
    assert client.get(path, headers={"Sec-Fetch-Site": site, **headers}).status_code == status


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_own_pages_may_ask(client, site):
    assert client.get("/map.json", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_another_page_cannot_post_even_as_a_navigation(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example", **LINK}
    assert client.post("/map/layouts/quality", headers=headers).status_code == 403
    assert (
        client.post("/map", headers={"Sec-Fetch-Site": "cross-site", **LINK}).status_code == 403
    )  # whatever its origin


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/map",
        "/map.json",
        "/map/units",
        "/units/0/audio.wav",
        "/static/lib.js",
        "/events",
        "/nowhere",
    ],
)
def test_nothing_is_answered_without_the_token(guarded, path):
    response = guarded.get(path)
    assert response.status_code == 401
    assert "token" in response.json()["error"]
    assert (
        guarded.get(path, headers={"Accept": "text/html"})
        .headers["content-type"]
        .startswith("text/plain")
    )


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ż" * 16])
def test_wrong_tokens_are_refused(guarded, token):
    assert guarded.get("/map.json", params={"token": token}).status_code == 401
    assert (
        guarded.get("/map.json", headers={"Cookie": f"demiurge-8421={token}".encode()}).status_code
        == 401
    )


def test_right_token_becomes_a_cookie_and_leaves_the_address(guarded):
    response = guarded.get("/map", params={"token": TOKEN, "plan": "a b", "x": "ż"})
    assert response.status_code == 303
    assert response.headers["location"] == "/map?plan=a+b&x=%C5%BC"
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert re.search("samesite=strict", cookie, re.IGNORECASE)
    assert TOKEN not in cookie
    assert guarded.get("/map.json").status_code == 200  # the client keeps cookies
    assert guarded.get("/map.json", params={"token": TOKEN + "x"}).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/x",
        "///evil.example",
        "/\\evil.example",
        "/%5C%5Cevil.example",
        "/%09/evil.example",
    ],
)
def test_taking_the_token_never_leads_elsewhere(guarded, path):
    location = guarded.get(f"http://127.0.0.1:8421{path}?token={TOKEN}").headers["location"]
    assert re.match(r"/[^/\\\s]", location)


def test_a_token_does_not_excuse_a_wrong_host_or_origin(workspace):
    with visit(workspace, Security("0.0.0.0", 8421, TOKEN)) as client:
        client.get("/map", params={"token": TOKEN})
        assert client.get("/map.json", headers={"Host": "evil.example:8421"}).status_code == 400
        assert (
            client.post(
                "/map/layouts/quality", headers={"Origin": "http://evil.example"}
            ).status_code
            == 403
        )
        assert (
            client.get(f"{LAN}/map.json", headers={"Cookie": f"demiurge-8421={TOKEN}"}).status_code
            == 401
        )


def test_servers_for_others_need_a_token_that_cannot_be_guessed():
    with pytest.raises(
        ParameterError, match="host=0.0.0.0 can be reached by other machines; give a token"
    ):
        Security("0.0.0.0", 8421)
    with pytest.raises(ParameterError, match="the token has 5 characters; give one of 16 or more"):
        Security("127.0.0.1", 8421, "short")


@pytest.mark.parametrize(
    "path",
    [
        "/map",
        "/map.json",
        "/nowhere",
        "/static/lib.js",
        "/units/0/audio.wav",
        "/map/units",
        "/units/x.json",
    ],
)
def test_every_answer_has_the_policy(client, path):
    headers = client.get(path, headers={"Accept": "text/html"}).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert (
        headers["cross-origin-resource-policy"]
        == headers["cross-origin-opener-policy"]
        == "same-origin"
    )
    assert not any(name.startswith("access-control") for name in headers)


def test_only_a_map_that_asks_for_it_may_compile(client):
    assert "'unsafe-eval'" in client.get("/map?compile=1").headers["content-security-policy"]
    for path in ("/make?compile=1", "/map?compile=2", "/map.json?compile=1"):
        assert "unsafe" not in client.get(path).headers["content-security-policy"]
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    linked = client.get("/map?compile=1", headers=link)
    assert linked.status_code == 200
    assert "unsafe" not in linked.headers["content-security-policy"]


def test_two_origins_are_none(client):
    answer = client.post(
        "/jobs", json={}, headers=[("Origin", ADDRESS), ("Origin", "http://evil.example")]
    )
    assert answer.status_code == 403


def test_cookies_of_another_run_are_worth_nothing():
    first, second = (Security("127.0.0.1", 8421, "a" * 16) for _ in range(2))
    assert first.cookie_value == first.cookie_value != second.cookie_value


def test_pages_of_errors_keep_their_headers(client):
    answer = client.post("/map", headers={"Accept": "text/html"})
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


def test_refusals_have_the_policy_and_nonces_are_used_once(client):
    refused = client.get("/map", headers={"Host": "evil.example"})
    policies = {
        refused.headers["content-security-policy"],
        *(client.get("/map").headers["content-security-policy"] for _ in range(3)),
    }
    assert len(policies) == 4


def test_pages_have_no_inline_scripts_or_handlers_and_ask_nobody_else(client):
    for path in ("/map", "/nowhere"):
        text = client.get(path, headers={"Accept": "text/html"}).text
        for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL):
            assert any(word in attributes for word in ("src=", "nonce=", "application/json")), (
                content
            )
        assert not re.search(r"<[^>]+\s(on\w+|style)=", text)
        assert not re.search(r"(src|href)=[\"'](https?:)?//", text)


@pytest.mark.parametrize(
    "method", ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT", "BREW"]
)
def test_other_methods_are_refused(client, method):
    response = client.request(method, "/map.json")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")


def test_post_where_there_is_nothing_to_change_is_refused(client):
    assert client.post("/map.json").status_code == 405


@pytest.mark.parametrize(
    "path", ["/map", "/map.json", "/map/units", "/units/0/audio.wav", "/static/lib.js", "/events"]
)
def test_head_is_get_without_a_body(client, path):
    # the first layout is computed meanwhile, and its state is part of the map
    wait_until(lambda: client.get("/map/layouts/pca").status_code == 200)
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")
    if path != "/events":
        assert response.headers["content-length"] == client.get(path).headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/",
        "/static/lib.js/",
        "/static/.",
        "/units/..%2f..%2fsmall.db.json",
        "/units/0/../../x",
        "/map/layouts/..%2fpca",
        "/map/values/..%2f..%2fetc%2fpasswd",
        "/plans/..%2f..%2fetc%2fpasswd.json",
        "/seeds/..%2f..%2fetc%2fpasswd/audio.wav",
        "/units/%F0%9F%8E%B5.json",
        "/units/1e3.json",
        "/units/٣.json",
        "/units/-1.json",
        f"/units/{'9' * 5000}.json",
        "/units/0%00.json",
        "/%F5%F6",
        "/x" * 2000,
    ],
)
def test_paths_are_only_names_of_what_there_is(client, path):
    response = client.get(f"{ADDRESS}{path}")
    assert response.status_code == 404
    assert response.json()["error"]
    assert "root:" not in response.text


def test_static_files_are_those_of_the_program(client):
    assert client.get("/static/lib.js").content == (STATIC / "lib.js").read_bytes()
    assert client.get("/static/lib.js").headers["content-type"].startswith("text/javascript")


def test_static_files_that_the_page_has_are_not_sent_again(client):
    first = client.get("/static/lib.js")
    again = client.get("/static/lib.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (
        304,
        b"",
        first.headers["etag"],
    )
    assert (first.headers["cache-control"], again.headers["cache-control"]) == (
        "no-cache",
        "no-cache",
    )
    assert (
        client.get("/static/theme.js", headers={"If-None-Match": first.headers["etag"]}).status_code
        == 200
    )


def test_unknown_places_are_a_page_for_people_and_json_for_scripts(client):
    page = client.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, "<h1>Not found</h1>" in page.text) == (404, True)
    assert client.get("/nowhere").json() == {"error": "GET /nowhere: not found"}


def test_unexpected_errors_are_told_in_the_terminal_only(workspace, caplog):
    app = create_app(workspace, Security())

    def broken(request):
        raise RuntimeError("secret of /home/me")

    app.routes.insert(0, Route("/broken", broken))
    with TestClient(app, base_url=ADDRESS) as client:
        response = client.get("/broken")
    assert (response.status_code, response.json()) == (500, {"error": UNEXPECTED})
    assert "content-security-policy" in response.headers
    assert "secret of /home/me" in caplog.text
    assert "Traceback" in caplog.text
