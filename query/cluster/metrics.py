"""What a shard tells of its work: how many calls, how long they took, and its memory."""

import os
import time
from collections import deque
from typing import Any

import numpy as np

KEPT_CALLS = 10_000  # of each method: for percentiles
RECENT_SECONDS = 60.0  # what calls a second are counted over
BOUNDARIES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]  # seconds, of Ray's histogram
STATUS_FILE = "/proc/self/status"  # Linux


class Latencies:
    """How long the calls of one method took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._calls: deque[tuple[float, float]] = deque(maxlen=KEPT_CALLS)  # when it ended, seconds
        self._count = 0

    def add(self, seconds: float) -> None:
        """Count a call that has just ended."""
        self._calls.append((time.monotonic(), seconds))
        self._count += 1

    def summary(self) -> dict[str, float]:
        """Return the number of calls, calls a second of late, and the percentiles of their times.

        The percentiles are in milliseconds, over the last `KEPT_CALLS` calls.
        """
        now = time.monotonic()
        calls = list(self._calls)
        recent = sum(now - ended <= RECENT_SECONDS for ended, _ in calls)
        p50, p99 = np.percentile([seconds for _, seconds in calls], [50, 99]) * 1000
        return {
            "count": self._count,
            "per_second": round(recent / max(min(RECENT_SECONDS, now - self._began), 1.0), 3),
            "p50_ms": round(float(p50), 3),
            "p99_ms": round(float(p99), 3),
        }


class CallMetrics:
    """The calls of a shard by method, also for Ray's dashboard."""

    def __init__(self, tags: dict[str, str]) -> None:
        """Count for the dashboard under these tags: databases, shard and node."""
        from ray.util.metrics import Counter, Histogram

        names = (*tags, "method")
        self._latencies: dict[str, Latencies] = {}
        self._counter = Counter("demiurge_queries", "Calls of a shard.", tag_keys=names)
        self._histogram = Histogram(
            "demiurge_query_seconds", "Seconds of a call.", BOUNDARIES, tag_keys=names
        )
        self._counter.set_default_tags(tags)
        self._histogram.set_default_tags(tags)

    def add(self, method: str, seconds: float) -> None:
        """Count a call that has just ended."""
        self._latencies.setdefault(method, Latencies()).add(seconds)
        self._counter.inc(tags={"method": method})
        self._histogram.observe(seconds, tags={"method": method})

    def summary(self) -> dict[str, dict[str, float]]:
        """Return `Latencies.summary` by method."""
        return {method: one.summary() for method, one in sorted(self._latencies.items())}


def memory_bytes() -> int | None:
    """Return this process's memory without files that are mapped; None if the system hides it."""
    if not os.path.exists(STATUS_FILE):
        return None
    with open(STATUS_FILE, encoding="ascii") as status:
        facts: dict[str, Any] = dict(line.split(":", 1) for line in status)
    return int(facts["RssAnon"].split()[0]) * 1024
