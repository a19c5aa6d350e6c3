"""A small real database, and clients of its page."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from db.build import build_database
from demiurge.bundled import CORPUS_DIR
from demiurge.pipeline import render_mosaic
from demiurge.web.app import create_app
from demiurge.web.security import Security
from demiurge.web.serve import address_of, listen, make_server
from demiurge.web.workspace import Workspace
from query.settings import SearchSettings

SOUNDS = ("loop_industrial.ogg", "ambi_choir.ogg", "tabla_ghe3.ogg", "drum_heavy_kick.ogg")
ADDRESS = "http://127.0.0.1:8421"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `sounds` and `small.db`, which no test changes."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "sounds").mkdir()
    for name in SOUNDS:
        shutil.copyfile(CORPUS_DIR / name, folder / "sounds" / name)
    build_database(folder / "sounds", folder / "small.db")
    return folder


@pytest.fixture(scope="session")
def rebuilt(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan file of a second of tabla, made of the sounds in `built`; its WAV lies beside it."""
    tabla = Path(__file__).parents[2] / "fixtures" / "tabla_44k.wav"
    (rendering,) = render_mosaic(
        tabla,
        built / "small.db",
        tmp_path_factory.mktemp("rebuilt") / "tabla.wav",
        search=SearchSettings(),
    )
    return rendering.plan_file


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Path:
    """A copy of `built`, which a test may change."""
    shutil.copytree(built, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def workspace(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The small database, an empty folder for plans, and an empty cache; `client` closes it."""
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)  # where models are looked for
    return Workspace(built / "small.db", folder=tmp_path / "plans")


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """A client that sends what a browser sends from a page of this server."""
    with visit(workspace) as client:
        yield client


def visit(workspace: Workspace, security: Security | None = None) -> TestClient:
    """A client, to be used with `with`; it sends the Origin that a browser would."""
    app = create_app(workspace, security or Security())
    return TestClient(app, base_url=ADDRESS, headers={"Origin": ADDRESS}, follow_redirects=False)


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds; fail after some seconds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


@contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """Run a real server; gives its address."""
    sock = listen("127.0.0.1", None)
    security = Security("127.0.0.1", sock.getsockname()[1])
    server = make_server(workspace, security)
    thread = threading.Thread(target=server.run, args=([sock],))
    thread.start()
    try:
        yield address_of(security)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as Demiurge has them, with a toy flow and a toy vocoder in place of its own."""
    import torch

    from synth.vocoder import Vocoder
    from tests.synth.toy_flows import MEL, toy_flow

    folder = tmp_path_factory.mktemp("weights")
    toy_flow().save(folder / "flow-piano")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"dim": 16, "intermediate_dim": 16}
        Vocoder("vocos-small", MEL, config=sizes).save(folder / "vocoder")
    return folder
