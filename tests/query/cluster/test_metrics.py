"""Counts and times of a shard's calls."""

import pytest

from query.cluster import metrics
from query.cluster.metrics import Latencies


def test_percentiles_and_calls_a_second(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(metrics.time, "monotonic", lambda: next(now))
    latencies = Latencies()
    for number in range(100):  # one a second
        latencies.add((number + 1) / 1000)
    summary = latencies.summary()
    assert summary["count"] == 100
    assert summary["per_second"] == pytest.approx(1.0)
    assert summary["p50_ms"] == pytest.approx(50.5)
    assert summary["p99_ms"] == pytest.approx(99.01)


def test_calls_of_long_ago_are_not_a_second(monkeypatch):
    times = iter([0, 1, 1000])
    monkeypatch.setattr(metrics.time, "monotonic", lambda: next(times))
    latencies = Latencies()
    latencies.add(0.5)
    assert latencies.summary() == {"count": 1, "per_second": 0.0, "p50_ms": 500.0, "p99_ms": 500.0}
