"""The page, asked over HTTP as a browser does, against the usual way: everything anew, as text,
from whole files.
"""

import io
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import numpy as np
import soundfile as sf

from audio.scan import find_audio
from db.build import build_database
from db.database import Database
from demiurge.bench import Result, medians
from demiurge.bench.playback import own_cache
from demiurge.bench.query import make_database
from files.errors import ParameterError, install_command
from playback.plan import Plan, Step
from playback.render import render

UNITS = 100_000
UNITS_FULL = 1_000_000
PLAN_SECONDS = 600
PLAN_SECONDS_FULL = 3600
HEARD = 50  # units
STARTING_SECONDS = 60  # at most
HEARD_SECONDS = 0.5
SEED = 0


def bench_web(audio: Path, repeats: int, full: bool) -> list[Result]:
    """The first picture of a map, a unit's sound, and an edit of a long plan."""
    with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
        folder = Path(temporary)
        make_database(folder / "large.db", audio, find_audio(audio), UNITS_FULL if full else UNITS)
        build_database(audio, folder / "corpus.db")
        return [
            _first_picture(folder / "large.db", repeats),
            _units_heard(folder / "corpus.db", repeats),
            _edit(folder / "corpus.db", repeats, PLAN_SECONDS_FULL if full else PLAN_SECONDS),
        ]


class Client:
    """One connection to a server, kept open until `close`; the next request begins another.

    A server ends a connection without requests after a while: close it before what comes later.
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
        self._connection.request(
            method, path, body, {"Origin": self._origin, "Content-Type": "application/json"}
        )
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return content


@contextmanager
def serve(database: Path, plans: tuple[Path, ...] = ()) -> Iterator[Client]:
    """The page of a database, in a thread.

    Raises
    ------
    ParameterError
        If what the page needs is not installed.
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


def _first_picture(database: Path, repeats: int) -> Result:
    """From opening the database to the last byte that the browser needs to draw it.

    The cache is empty each time.
    """
    sizes: dict[str, int] = {}
    servers = ExitStack()  # ended when all is measured: that takes a moment, too

    def ours() -> None:
        servers.enter_context(own_cache(Path(servers.enter_context(tempfile.TemporaryDirectory()))))
        client = servers.enter_context(serve(database))
        parts = [
            client.get(path)
            for path in ("/map", "/map/units", "/map/layouts/pca", "/map/values/source")
        ]
        sizes["MB sent"] = sum(map(len, parts)) // 10**6

    def usual() -> None:
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        opened = Database(database)
        places = PCA(2, random_state=SEED).fit_transform(
            StandardScaler().fit_transform(opened.descriptors)
        )
        columns = (opened.units.ids.tolist(), places.tolist(), opened.units.source.tolist())
        text = json.dumps(
            [
                {"unit": unit, "x": x, "y": y, "source": source}
                for unit, (x, y), source in zip(*columns, strict=True)
            ]
        )
        sizes["MB of the JSON"] = len(text) // 10**6
        json.loads(text)

    with servers:
        seconds, baseline = medians(ours, usual, repeats)
    return Result(
        "browse map",
        f"first picture of {Database(database).n_units} units, PCA included",
        "scikit-learn's PCA, units as JSON",
        seconds,
        baseline,
        0,
        repeats,
        sizes,
    )


def _units_heard(database: Path, repeats: int) -> Result:
    opened = Database(database)
    chosen = np.random.default_rng(SEED).choice(opened.n_units, HEARD, replace=False)
    longest: list[float] = []

    def usual() -> None:
        for position in chosen:
            source = opened.sources[opened.units.source[position]]
            start = int(opened.units.start_sample[position])
            samples, rate = sf.read(opened.root / source.path)
            sf.write(
                io.BytesIO(),
                samples[start : start + round(HEARD_SECONDS * rate)],
                rate,
                format="WAV",
            )

    with serve(database) as client:

        def ours() -> None:
            client.close()
            for unit in opened.units.ids[chosen]:
                started = perf_counter()
                client.get(f"/units/{unit}/audio.wav?context={HEARD_SECONDS}")
                longest.append(perf_counter() - started)

        seconds, baseline = medians(ours, usual, repeats)
    return Result(
        "browse unit",
        f"{HEARD} units heard one after another, over HTTP",
        "read the whole file, cut, write a WAV (no HTTP)",
        seconds,
        baseline,
        0,
        repeats,
        {"longest, ms": 1000 * max(longest)},
    )


def _edit(database: Path, repeats: int, seconds_long: int) -> Result:
    """Of a plan of units at random, one is replaced, and what the page then shows is asked for."""
    opened = Database(database)
    plan = _random_plan(opened, seconds_long)
    numbers = iter(np.random.default_rng(SEED).permutation(len(plan.steps)).tolist())
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "long.plan.json"
        plan.save(file)
        with serve(database, (file,)) as client:
            name = json.loads(client.get("/plans.json"))["plans"][0]["id"]
            while (document := json.loads(client.get(f"/plans/{name}.json")))["audio"][
                "state"
            ] == "rendering":
                sleep(0.1)
            revision = document["revision"]
            changed = {}

            def ours() -> None:
                nonlocal revision, changed
                client.close()
                edit = {"kind": "choose", "step": next(numbers), "unit": int(opened.units.ids[0])}
                answer = client.post(f"/plans/{name}/edits", {"revision": revision, "edit": edit})
                revision = answer["revision"]
                changed = answer["change"]
                client.get(f"/plans/{name}/peaks")

            def usual() -> None:
                render(plan, Path(temporary) / "whole.wav")

            seconds, baseline = medians(ours, usual, repeats)
    return Result(
        "browse edit",
        f"one of {len(plan.steps)} units replaced, sound and picture of {seconds_long} s up to"
        " date, over HTTP",
        "the whole plan rendered anew (no HTTP)",
        seconds,
        baseline,
        seconds_long,
        repeats,
        {
            "sound made anew, s": changed["seconds_rendered"],
            "of which the sound alone, ms": changed["milliseconds"],
        },
    )


def _random_plan(database: Database, seconds: int) -> Plan:
    """Units from anywhere in the database, one after another."""
    units = database.units
    hop = database.hop_length
    drawn = (
        np.random.default_rng(SEED)
        .choice(database.n_units, seconds * database.sample_rate // hop)
        .tolist()
    )
    steps = tuple(
        Step(
            int(units.ids[position]),
            database.sources[units.source[position]].path,
            int(units.start_sample[position]),
            int(units.n_samples[position]),
            number * hop,
        )
        for number, position in enumerate(drawn)
    )
    channels = max(source.channels for source in database.sources)
    return Plan(
        database.sample_rate, channels, {"id": database.id, "root": str(database.root)}, steps
    )
