"""Runs of a continuation, counted by hand."""

import pytest

from demiurge.evaluate.runs import Run, measure_runs


def test_runs_that_go_on_in_their_source_have_no_join():
    runs = [Run("a", 10, 2), Run("a", 12, 3), Run("b", 0, 1), Run("a", 15, 4)]
    measures = measure_runs(runs, 10)
    assert measures.joins_per_second == pytest.approx(0.2)
    assert measures.longest_run == 5
    assert measures.n_sources == 2
    assert measures.verbatim_share == pytest.approx(0.5)  # 4 s are not more than 4 s


def test_a_short_jump_is_a_join_but_the_source_is_still_copied():
    measures = measure_runs([Run("a", 0, 3), Run("a", 3.02, 3)], 6)
    assert measures.joins_per_second == pytest.approx(1 / 6)
    assert measures.longest_run == 6
    assert measures.verbatim_share == 1


def test_repeating_a_moment_is_not_copying():
    measures = measure_runs([Run("a", 5, 0.04)] * 200, 8)
    assert measures.longest_run < 0.1
    assert measures.joins_per_second == pytest.approx(199 / 8)


def test_a_stretched_run_goes_on_where_its_source_ends():
    runs = [Run("a", 0, 4, stretch=2), Run("a", 2, 1), Run("a", 3, 1)]
    measures = measure_runs(runs, 6)
    assert measures.joins_per_second == 0
    assert measures.longest_run == 6


def test_no_runs():
    measures = measure_runs([], 30)
    assert (measures.joins_per_second, measures.longest_run, measures.n_sources) == (0, 0, 0)
