"""demiurge browse as people run it: where it serves, what it opens, how it ends, and what it
refuses.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from click.testing import CliRunner

from db.database import Database
from demiurge.cli import main
from demiurge.cli.browse import show
from demiurge.web.security import Security
from demiurge.web.serve import Server, address_of, listen, open_browser, secure
from demiurge.web.signals import ended_by_signals
from files.errors import ParameterError
from playback.plan import Plan, Step
from tests.demiurge.web.conftest import SOUNDS

pytestmark = pytest.mark.accounts

TOKEN = "correct-horse-battery"


def refused(*arguments, expect=2) -> str:
    result = CliRunner().invoke(main, ["browse", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return " ".join(result.output.split())


@pytest.fixture
def ended_at_once(monkeypatch):
    """The server ends at once."""
    monkeypatch.setattr(Server, "run", lambda *_, **__: None)


def start(*arguments, **environment) -> tuple[subprocess.Popen, str]:
    """The command, and the address that it prints."""
    command = [
        sys.executable,
        "-c",
        "from demiurge.cli import main; main()",
        "browse",
        *map(str, arguments),
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    if not found:
        process.kill()
        pytest.fail(line + process.communicate()[1])
    return process, found[0]


def test_it_serves_opens_a_browser_and_ends_on_ctrl_c_though_pages_listen(built, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    process, address = start(
        built / "small.db", "--folder", tmp_path / "plans", BROWSER=str(browser)
    )
    with httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/map.json").json()["database"]["name"] == "small.db"
        with client.stream("GET", "/events") as events:
            lines = events.iter_lines()
            assert next(lines).startswith("retry")
            process.send_signal(signal.SIGINT)
            for _ in lines:
                pass
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), err) == (0, "ended", "")  # no task had to be cancelled
    assert (tmp_path / "opened").read_text().strip() == address
    assert not (tmp_path / "plans").exists()


@pytest.fixture
def plan(built, tmp_path) -> Path:
    """Four steps, written by hand."""
    steps = tuple(Step(-1, SOUNDS[0], 5000 * n, 5000, 6000 * n) for n in range(4))
    origin = {"id": Database(built / "small.db").id, "root": str(built / "sounds")}
    Plan(44100, 1, origin, steps).save(tmp_path / "hand.plan.json")
    return tmp_path / "hand.plan.json"


def edit(address: str) -> None:
    """Leave out a step of each plan."""
    with httpx.Client(base_url=address, headers={"Origin": address}, trust_env=False) as client:
        for one in client.get("/plans.json").json()["plans"]:
            revision = client.get(f"/plans/{one['id']}.json").json()["revision"]
            wanted = {"revision": revision, "edit": {"kind": "remove", "steps": [0]}}
            assert client.post(f"/plans/{one['id']}/edits", json=wanted).status_code == 200


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_it_unsaved_edits_are_kept(built, plan, tmp_path, sent):
    process, address = start(
        built / "small.db", "--plan", plan, "--folder", tmp_path / "plans", "--no-open"
    )
    edit(address)
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    kept = tmp_path / "plans" / "hand-unsaved.plan.json"
    assert (process.returncode, out, err) == (
        0,
        "ended\n",
        f"hand had unsaved edits: they are in {kept}\n",
    )
    assert len(Plan.load(kept).steps) == 3


def test_unsaved_edits_are_kept_though_nobody_can_be_told(built, plan, tmp_path):
    other = plan.with_name("other.plan.json")
    shutil.copyfile(plan, other)
    process, address = start(
        built / "small.db",
        "--plan",
        plan,
        "--plan",
        other,
        "--folder",
        tmp_path / "plans",
        "--no-open",
    )
    edit(address)
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    process.wait(30)
    assert sorted(path.name for path in (tmp_path / "plans").glob("*.json")) == [
        "hand-unsaved.plan.json",
        "other-unsaved.plan.json",
    ]


@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_at_once_or_again_and_again_ends_it_without_a_traceback(built, tmp_path, times):
    process, _ = start(built / "small.db", "--folder", tmp_path / "plans", "--no-open")
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.03 * (times > 1))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "ended\n", "")


def test_what_nohup_wants_is_left_so_and_all_else_is_put_back():
    server = SimpleNamespace(should_exit=False)
    before = signal.getsignal(signal.SIGTERM)
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals(server):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert not server.should_exit
            signal.raise_signal(signal.SIGTERM)
        assert server.should_exit
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGHUP, hung_up)


def test_ctrl_c_ends_it_though_a_shell_that_runs_it_in_the_background_ignores_that():
    server = SimpleNamespace(should_exit=False)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ended_by_signals(server):
            signal.raise_signal(signal.SIGINT)
        assert server.should_exit
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_a_browser_it_says_so_and_serves(built, tmp_path):
    environment = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"), "")
    process, address = start(built / "small.db", "--folder", tmp_path / "plans", **environment)
    assert "no browser could be started" in process.stderr.readline()
    assert httpx.get(f"{address}/map.json", trust_env=False).status_code == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def test_a_browser_that_fails_is_no_browser(monkeypatch):
    monkeypatch.setenv("BROWSER", "x")
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert not open_browser("http://localhost")


def test_a_port_in_use_is_refused_and_without_one_another_is_found(built, ended_at_once):
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        port = first.getsockname()[1]
        assert port != second.getsockname()[1]
        assert f"port {port} is in use; choose another with --port" in refused(
            built / "small.db", "--port", port, "--no-open"
        )


def test_small_answers_are_sent_at_once():
    with closing(listen("127.0.0.1", None)) as sock:
        assert sock.proto == socket.IPPROTO_TCP  # where asyncio looks before it sets TCP_NODELAY


def test_many_files_may_be_open():
    code = (
        "import resource as r; from demiurge.web.serve import allow_files; most ="
        " r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (100, most));"
        " allow_files(); print(r.getrlimit(r.RLIMIT_NOFILE)[0] >= min(most, 4096));"
        " r.setrlimit(r.RLIMIT_NOFILE, (100, 100)); allow_files();"
        " print(r.getrlimit(r.RLIMIT_NOFILE) == (100, 100))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["True", "True"]


def test_a_port_that_was_left_a_moment_ago_is_taken():
    with listen("127.0.0.1", None) as sock:
        port = sock.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            sock.accept()[0].close()
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "host name"])
def test_addresses_of_other_machines_are_refused(host):
    with pytest.raises(ParameterError, match=f"host={host} is not an address of this machine"):
        listen(host, 8421)


def test_other_machines_need_a_token_that_is_printed_once_and_drawn_by_lot():
    first = secure("0.0.0.0", 8421, None)
    second = secure("0.0.0.0", 8421, None)
    assert len(first.token) >= 16
    assert first.token != second.token
    assert address_of(first).endswith(f"/?token={first.token}")
    assert secure("127.0.0.1", 8421, None).token is None
    assert secure("127.0.0.1", 8421, TOKEN).token == TOKEN


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:9"),
        ("::1", "http://[::1]:9"),
        ("localhost", "http://localhost:9"),
    ],
)
def test_addresses_are_as_a_browser_wants_them(host, address):
    assert address_of(Security(host, 9)) == address


def test_tokens_of_any_letters_are_in_the_address_as_they_must_be():
    assert address_of(Security("localhost", 9, "a&b=ż 0123456789")).endswith(
        "/?token=a%26b%3D%C5%BC+0123456789"
    )


def test_what_is_served_for_others_has_the_token_in_its_address(built, ended_at_once, tmp_path):
    arguments = [
        built / "small.db",
        "--no-open",
        "--folder",
        tmp_path / "plans",
        "--host",
        "0.0.0.0",
    ]
    result = CliRunner().invoke(main, ["browse", *map(str, arguments)])
    assert re.search(r"http://\S+:\d+/\?token=\S{16,}", result.output)
    result = CliRunner().invoke(main, ["browse", *map(str, arguments), "--token", TOKEN])
    assert f"/?token={TOKEN}" in result.output


def test_bad_input_is_refused_before_anything_is_served(built, tmp_path):
    database = built / "small.db"
    (tmp_path / "bad.plan.json").write_text("{}")
    (tmp_path / "model").mkdir()
    for arguments, message, status in (
        ((tmp_path / "nowhere",), "no database here", 1),
        ((database, "--plan", tmp_path / "no.plan.json"), "no.plan.json", 1),
        ((database, "--plan", tmp_path / "bad.plan.json"), "bad.plan.json", 1),
        ((database, "--model", tmp_path / "model"), "no model here", 1),
        ((database, "--root", tmp_path / "nowhere"), "no such folder", 1),
        ((database, "--token", "short"), "the token has 5 characters; give one of 16 or more", 2),
        ((database, "--port", 0), "0 is not in the range", 2),
        ((database, "--port", 99999), "99999 is not in the range", 2),
    ):
        assert message in refused(*arguments, "--no-open", expect=status)


def test_without_the_extra_it_says_what_to_install(built, monkeypatch):
    module = import_module("demiurge.cli.browse")  # the package has the command under this name
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "uvicorn" else object())
    said = refused(built / "small.db")
    assert f'the page needs uvicorn; install with: {sys.executable} -m pip install "anyio>=' in said
    assert '"uvicorn>=' in said


def test_over_ssh_it_says_how_to_get_there(capsys, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    show(secure("127.0.0.1", 8421, None))
    assert "on your own machine: ssh -L 8421:127.0.0.1:8421 THIS_MACHINE" in capsys.readouterr().err
    show(secure("0.0.0.0", 8421, None))  # which other machines reach as it is
    assert capsys.readouterr().err == "no browser could be started: open the address yourself\n"


def test_threads_do_not_outlive_the_command(built, ended_at_once, tmp_path):
    before = threading.active_count()
    result = CliRunner().invoke(
        main, ["browse", str(built / "small.db"), "--no-open", "--folder", str(tmp_path / "plans")]
    )
    assert (result.exit_code, threading.active_count()) == (0, before)
