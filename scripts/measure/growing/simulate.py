"""What many machines would need, computed from what one machine was measured to need.

A corpus of N units is divided into shards, which all search at the same time. Of each figure:

time of a shard   fixed + a · vectors compared, both fitted to the measured times of the kind. How
                  many are compared follows from the numbers of cells and of cells searched, as
                  `query.proposals` chooses them, times the measured ratio of vectors compared to
                  these (full cells are searched more often than empty ones).
build of cells    in proportion to units · cells, at the rate of the largest one measured.
memory, disk      measured bytes per unit of the largest database.
merge             `query.cluster.remote_index` merges the answers of so many shards: measured.
network           the steps to each shard; positions and distances of k units from each; the pages
                  that the candidates are on, whose number per step is the measured one.
answer            time of a shard + merge + network at the given rate. Shards have the threads they
                  are given, which is taken to divide their time.

Not in it: reading descriptors that are in no memory from a disk, and waiting for other queries.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from query.cluster.remote_index import RemoteIndex
from query.proposals import n_cells, n_probed
from scripts.measure.growing.corpus import SETTINGS, STEPS
from scripts.measure.growing.search import PAGE, K, Measured

HOUR_UNITS = 3600 * SETTINGS.sample_rate / SETTINGS.hop_length
STEP_BYTES = 4 * SETTINGS.n_descriptors
CANDIDATE_BYTES = 8 + 4  # position and distance
COLUMN_BYTES = 6 * 8 + 1  # of a unit in a page, beside its descriptors
NETWORK_BYTES = 10e9 / 8  # per second: 10 Gbit/s


@dataclass(frozen=True)
class Simulated:
    """One size of corpus on so many machines.

    Attributes
    ----------
    n_units, n_shards : int
    memory, disk : float
        Bytes of a shard in memory, and of the whole on disk with its indexes.
    build_seconds, shard_seconds, merge_seconds, network_bytes, seconds : float
        For 1000 steps, but the first: for the cells of one shard, on one core.
    """

    n_units: int
    n_shards: int
    memory: float
    disk: float
    build_seconds: float
    shard_seconds: float
    merge_seconds: float
    network_bytes: float

    @property
    def seconds(self) -> float:
        return self.shard_seconds + self.merge_seconds + self.network_bytes / NETWORK_BYTES


class Model:
    """Computes the figures of a shard of any size from those of one kind of index."""

    def __init__(self, rows: list[Measured]) -> None:
        """Fit them to what was measured, for at least two numbers of units."""
        self.largest = max(rows, key=lambda row: row.n_units)
        self.exponent = exponent(rows)
        compared = np.array([row.compared for row in rows])
        seconds = np.array([row.seconds for row in rows])
        self.per_vector, self.fixed = np.polyfit(compared, seconds, 1)

    def compared(self, n_units: float) -> float:
        """Return the number of vectors that are compared with a step."""
        row = self.largest
        if not row.n_cells:
            return n_units
        return row.compared * planned(n_units) / planned(row.n_units)

    def seconds(self, n_units: float) -> float:
        """Return the time for 1000 steps on one core."""
        return self.fixed + self.per_vector * self.compared(n_units)

    def build_seconds(self, n_units: float) -> float:
        """Return the time to find the cells and sort the units into them, on one core."""
        row = self.largest
        ratio = n_units / row.n_units
        if row.n_cells:
            ratio *= n_cells(round(n_units)) / row.n_cells
        return row.build_seconds * ratio

    def memory(self, n_units: float) -> float:
        row = self.largest
        return n_units * (row.table_bytes + row.index_bytes) / row.n_units

    def disk(self, n_units: float) -> float:
        row = self.largest
        return n_units * (row.disk_bytes + row.kept_bytes) / row.n_units


def planned(n_units: float) -> float:
    """Return how many vectors would be compared with a step if all cells were alike."""
    cells = n_cells(round(n_units))
    return n_units * n_probed(cells, round(n_units)) / cells


def exponent(rows: list[Measured]) -> float:
    """Return the b of seconds = a · units^b, fitted to the logarithms."""
    logarithms = np.log([(row.n_units, row.seconds) for row in rows])
    units, seconds = logarithms.T
    return float(np.polyfit(units, seconds, 1)[0])


def simulate(model: Model, n_units: float, shard_units: float, threads: int) -> Simulated:
    """Divide a corpus into shards of at most so many units, and give each so many threads."""
    n_shards = int(np.ceil(n_units / shard_units))
    each = n_units / n_shards
    pages = STEPS * model.largest.pages * PAGE * (STEP_BYTES + COLUMN_BYTES)
    answers = STEPS * n_shards * (STEP_BYTES + K * CANDIDATE_BYTES)
    return Simulated(
        n_units=round(n_units),
        n_shards=n_shards,
        memory=model.memory(each),
        disk=model.disk(n_units),
        build_seconds=model.build_seconds(each),
        shard_seconds=model.seconds(each) / threads,
        merge_seconds=merge_seconds(n_shards),
        network_bytes=answers + pages,
    )


def merge_seconds(n_shards: int) -> float:
    """Measure how long the answers of so many shards to 1000 steps take to be merged."""
    rng = np.random.default_rng(0)
    answers = {
        number: (
            np.sort(rng.integers(1 << 40, size=(STEPS, K))),
            np.sort(rng.random((STEPS, K), np.float32)),
        )
        for number in range(n_shards)
    }
    index = RemoteIndex.__new__(RemoteIndex)
    index._found = dict.fromkeys(answers, K)
    shards = SimpleNamespace(call=lambda _method, _arguments: answers)
    index._pages = SimpleNamespace(shards=shards)  # type: ignore[assignment]
    index._asked = None  # type: ignore[assignment]
    return least_time(lambda: index._search_part(np.empty((STEPS, 1), np.float32), K))


def least_time(work: Callable[[], object], repeats: int = 2) -> float:
    """Return the seconds of one thread's work, the least of a few repeats."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)
