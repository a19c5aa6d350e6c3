import numpy as np
import pytest
from scipy.spatial.distance import cdist

from files.errors import ParameterError
from query.metrics import parse_metric
from query.proposals import choose_kind

NAMES = {"l2": "euclidean", "l1": "cityblock", "linf": "chebyshev", "lp:3": "minkowski"}


@pytest.mark.parametrize("name", NAMES)
def test_distances_are_scipys(name):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, 7)).astype(np.float32)
    b = rng.normal(size=(9, 7)).astype(np.float32)
    expected = cdist(a, b, NAMES[name], **({"p": 3} if name == "lp:3" else {}))
    metric = parse_metric(name)
    np.testing.assert_allclose(
        metric.between(metric.prepare(a), metric.prepare(b)), expected, rtol=1e-4
    )
    np.testing.assert_allclose(metric.of_differences(a[:, None] - b), expected, rtol=1e-5)


def test_cosine_orders_as_the_angle_does_and_level_makes_no_difference():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, 7)).astype(np.float32)
    b = rng.normal(size=(9, 7)).astype(np.float32)
    metric = parse_metric("cosine")
    found = metric.between(metric.prepare(a), metric.prepare(b * 5))
    np.testing.assert_allclose(found, np.sqrt(2 * cdist(a, b, "cosine")), rtol=1e-3)
    np.testing.assert_array_equal(metric.prepare(np.zeros((1, 7), np.float32)), np.zeros((1, 7)))


def test_names_and_what_an_index_cannot_measure_are_refused():
    for text in ("l3", "", "lp", "lp:0.5", "lp:x", "lp:inf", "lp:11"):
        with pytest.raises(ParameterError, match=f"metric='{text}'"):
            parse_metric(text)
    for name in ("l1", "linf", "lp:3"):
        with pytest.raises(
            ParameterError,
            match="index=pq cannot measure .*FAISS compresses for l2 and cosine only; use ivf or",
        ):
            choose_kind("pq", parse_metric(name), 10, 39)
    with pytest.raises(ParameterError, match="index='tree' must be one of auto, flat, ivf, pq"):
        choose_kind("tree", parse_metric("l2"), 10, 39)


def test_auto_is_exact_where_that_is_quick():
    l1 = parse_metric("l1")
    l2 = parse_metric("l2")
    chosen = [
        choose_kind("auto", metric, n, width)
        for metric, n, width in ((l2, 500_000, 39), (l2, 500_001, 39), (l2, 10**6, 4))
    ]
    assert chosen == ["flat", "pq", "ivf"]
    assert choose_kind("auto", l1, 10**7, 39) == "ivf"
