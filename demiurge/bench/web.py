"""Benchmark the web page over HTTP, against the usual way.

The usual way is to compute everything again, as text, from whole files.
"""

import io
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import soundfile as sf

from audio.scan import find_audio
from db.build import build_database
from db.database import Database
from demiurge.bench import Result, medians
from demiurge.bench.playback import own_cache
from demiurge.bench.query import make_database
from demiurge.bench.served import FIRST_PICTURE, Client, serve
from playback.plan import Plan, Step
from playback.render import render

UNITS = 100_000
UNITS_FULL = 1_000_000
PLAN_SECONDS = 600
PLAN_SECONDS_FULL = 3600
N_UNITS_PLAYED = 50
UNIT_SECONDS = 0.5  # played of each unit
RANDOM_SEED = 0


def bench_web(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Measure the first picture of a map, the audio of units, and an edit of a long plan."""
    with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
        folder = Path(temporary)
        make_database(folder / "large.db", audio, find_audio(audio), UNITS_FULL if full else UNITS)
        build_database(audio, folder / "corpus.db")
        return [
            bench_map(folder / "large.db", repeats),
            bench_units(folder / "corpus.db", repeats),
            bench_edit(folder / "corpus.db", repeats, PLAN_SECONDS_FULL if full else PLAN_SECONDS),
        ]


def bench_map(database: Path, repeats: int) -> Result:
    """Open a database and request all that the browser needs to draw it, with an empty cache."""
    sizes: dict[str, int] = {}
    servers = ExitStack()  # closed after measuring, since ending a server takes time

    def ours() -> None:
        folder = servers.enter_context(tempfile.TemporaryDirectory())
        servers.enter_context(own_cache(Path(folder)))
        client = servers.enter_context(serve(database))
        sizes["MB sent"] = sum(len(client.get(path)) for path in FIRST_PICTURE) // 10**6

    def theirs() -> None:
        text = map_as_text(database)
        sizes["MB of the JSON"] = len(text) // 10**6
        json.loads(text)

    with servers:
        times = medians(ours, theirs, repeats)
    what = f"first picture of {Database(database).n_units} units, PCA included"
    baseline = "scikit-learn's PCA, units as JSON"
    return Result("browse map", what, baseline, *times, repeats=repeats, facts=sizes)


def map_as_text(database: Path) -> str:
    """Lay the units out with scikit-learn; return them as JSON."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    opened = Database(database)
    scores = StandardScaler().fit_transform(opened.descriptors)
    places = PCA(2, random_state=RANDOM_SEED).fit_transform(scores).tolist()
    units = opened.units
    rows = zip(units.ids.tolist(), places, units.source.tolist(), strict=True)
    return json.dumps(
        [{"unit": unit, "x": x, "y": y, "source": source} for unit, (x, y), source in rows]
    )


def bench_units(database: Path, repeats: int) -> Result:
    """Request the audio of one unit after the other."""
    opened = Database(database)
    rng = np.random.default_rng(RANDOM_SEED)
    chosen = rng.choice(opened.n_units, N_UNITS_PLAYED, replace=False)
    waits: list[float] = []

    def theirs() -> None:
        for position in chosen:
            cut_unit(opened, position)

    with serve(database) as client:

        def ours() -> None:
            client.close()
            for unit in opened.units.ids[chosen]:
                started = perf_counter()
                client.get(f"/units/{unit}/audio.wav?context={UNIT_SECONDS}")
                waits.append(perf_counter() - started)

        times = medians(ours, theirs, repeats)
    what = f"{N_UNITS_PLAYED} units played one after another, over HTTP"
    baseline = "read the whole file, cut, write a WAV (no HTTP)"
    facts = {"longest, ms": 1000 * max(waits)}
    return Result("browse unit", what, baseline, *times, repeats=repeats, facts=facts)


def cut_unit(database: Database, position: int) -> None:
    """Read a unit's whole file, and write the unit as a WAV."""
    source = database.sources[database.units.source[position]]
    start = int(database.units.start_sample[position])
    samples, rate = sf.read(database.root / source.path)
    part = samples[start : start + round(UNIT_SECONDS * rate)]
    sf.write(io.BytesIO(), part, rate, format="WAV")


def bench_edit(database: Path, repeats: int, plan_seconds: int) -> Result:
    """Replace a unit of a long plan, and request what the page then shows."""
    opened = Database(database)
    plan = random_plan(opened, plan_seconds)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "long.plan.json"
        plan.save(file)
        with serve(database, (file,)) as client:
            edits = Edits(client, len(plan.steps), int(opened.units.ids[0]))
            rendered = Path(temporary) / "whole.wav"
            times = medians(edits.make_next, lambda: render(plan, rendered), repeats)
    facts = {
        "sound made anew, s": edits.changed["seconds_rendered"],
        "of which the sound alone, ms": edits.changed["milliseconds"],
    }
    what = (
        f"one of {len(plan.steps)} units replaced, sound and picture of {plan_seconds} s up to"
        " date, over HTTP"
    )
    baseline = "the whole plan rendered anew (no HTTP)"
    return Result("browse edit", what, baseline, *times, plan_seconds, repeats, facts)


class Edits:
    """Edits of the one open plan, which put a unit at steps in random order."""

    def __init__(self, client: Client, n_steps: int, unit: int) -> None:
        self.client = client
        self.unit = unit
        self.numbers = np.random.default_rng(RANDOM_SEED).permutation(n_steps).tolist()
        self.name, self.revision = wait_until_rendered(client)
        self.changed: dict[str, Any] = {}

    def make_next(self) -> None:
        self.client.close()
        edit = {"kind": "choose", "step": self.numbers.pop(), "unit": self.unit}
        body = {"revision": self.revision, "edit": edit}
        answer = self.client.post(f"/plans/{self.name}/edits", body)
        self.revision = answer["revision"]
        self.changed = answer["change"]
        self.client.get(f"/plans/{self.name}/peaks")


def wait_until_rendered(client: Client) -> tuple[str, int]:
    """Return the name and revision of the one open plan, once its audio is rendered."""
    name = json.loads(client.get("/plans.json"))["plans"][0]["id"]
    while True:
        document = json.loads(client.get(f"/plans/{name}.json"))
        if document["audio"]["state"] != "rendering":
            return name, document["revision"]
        sleep(0.1)


def random_plan(database: Database, seconds: int) -> Plan:
    """Return a plan of units from anywhere in the database, one after another."""
    units = database.units
    hop = database.hop_length
    rng = np.random.default_rng(RANDOM_SEED)
    chosen = rng.choice(database.n_units, seconds * database.sample_rate // hop).tolist()
    steps = []
    for number, position in enumerate(chosen):
        source = database.sources[units.source[position]].path
        start = int(units.start_sample[position])
        n_samples = int(units.n_samples[position])
        steps.append(Step(int(units.ids[position]), source, start, n_samples, number * hop))
    channels = max(source.channels for source in database.sources)
    of = {"id": database.id, "root": str(database.root)}
    return Plan(database.sample_rate, channels, of, tuple(steps))
