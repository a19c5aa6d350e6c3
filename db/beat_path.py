"""The most likely beats of a signal, by dynamic programming over time and period.

A beat at tick t whose period is p follows a beat at t - p, whose period was about the same:

    score(t, p) = novelty at t + HALF · novelty at t - p/2 - costs(p)
                + max over p' of score(t - p, p') - cost of the change from p' to p

This is the bar pointer of Whiteley, Cemgil & Godsill (ISMIR 2006) with a state for each beat
instead of each frame, as in Ellis (J. New Music Research 2007), and with Krebs, Böck & Widmer's
(ISMIR 2015) choice of periods: whole ticks. Beats less than the shortest period apart do not depend
on each other, and are computed together.
"""

import numpy as np

SLOWEST = 55.0  # beats per minute; the range is two octaves, so that every pulse has its tempo
FASTEST = 215.0
LIKELY = 115.0  # beats per minute that people tap most readily
PRIOR = 0.75  # cost per second of a tempo an octave from LIKELY
HALF = 0.3  # weight of the novelty halfway between beats
NOVELTY = 0.8  # standard deviations of novelty that speak neither for nor against a beat
CHANGE = 20.0  # cost of a period that is twice the last, in proportion
MAX_CHANGE = 2  # ticks that the period can change by from one beat to the next
RESTART = 30.0  # cost of any other period
RESTARTED = 100  # stands for a restart among the changes


def likely_beats(novelty: np.ndarray, ticks_per_second: float) -> np.ndarray:
    """Return the ticks of the beats, int64, in order.

    Parameters
    ----------
    novelty : ndarray, shape (ticks,)
        How much begins at each tick, in standard deviations around a local mean.
    """
    fastest = int(60 / FASTEST * ticks_per_second)
    periods = np.arange(fastest, int(60 / SLOWEST * ticks_per_second) + 1)
    longest = int(periods[-1])
    n = len(novelty)
    halves = _half_ticks(novelty, longest)
    seconds = periods / ticks_per_second
    costs = (1 + HALF) * NOVELTY + seconds * tempo_cost(seconds)
    # the best score before a beat, by its period, for the last `longest` ticks and a block
    before = np.zeros((longest + fastest, len(periods)))
    changes = np.zeros((n, len(periods)), np.int8)
    best_periods = np.zeros(n, np.int64)
    scores = np.zeros((longest + fastest, len(periods)))
    column = np.arange(len(periods))
    for first in range(0, n, fastest):
        ticks = np.arange(first, min(first + fastest, n))
        at = 2 * (ticks + longest)[:, None]
        rows = (ticks - first + longest)[:, None]
        block = halves[at] + HALF * halves[at - periods] - costs + before[rows - periods, column]
        best = block.argmax(axis=1)
        best_periods[ticks] = best
        scores[longest : longest + len(ticks)] = block
        changed, changes[ticks] = _after_changes(block, block.max(axis=1) - RESTART, periods)
        before[longest : longest + len(ticks)] = changed
        before[:longest] = before[len(ticks) : len(ticks) + longest].copy()
        scores[:longest] = scores[len(ticks) : len(ticks) + longest].copy()
    last = scores[max(longest - n, 0) : longest]
    tick, period = np.unravel_index(last.argmax(), last.shape)
    return _trace(n - len(last) + int(tick), int(period), periods, changes, best_periods)


def tempo_cost(beat_seconds: np.ndarray | float) -> np.ndarray | float:
    """Return the cost per second of beats that last so long."""
    return PRIOR * np.log2(60 / np.asarray(beat_seconds) / LIKELY) ** 2


def _half_ticks(novelty: np.ndarray, longest: int) -> np.ndarray:
    """Return the novelty at every half tick, after `longest` ticks of nothing."""
    padded = np.concatenate([np.zeros(longest), novelty])
    return np.interp(np.arange(2 * len(padded)) / 2, np.arange(len(padded)), padded)


def _after_changes(
    scores: np.ndarray, restart: np.ndarray, periods: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best score before a beat of each period, and the change that leads to it.

    Parameters
    ----------
    scores : ndarray, shape (ticks, periods)
        Of the beats before.
    restart : ndarray, shape (ticks,)
        Score of a restart.
    """
    best = scores.copy()
    changes = np.zeros(scores.shape, np.int8)
    for step in range(1, MAX_CHANGE + 1):
        cost = CHANGE * step / periods
        for change, here, there in (
            (step, np.s_[:, :-step], np.s_[:, step:]),
            (-step, np.s_[:, step:], np.s_[:, :-step]),
        ):
            other = scores[there] - cost[here[1]]
            is_better = other > best[here]
            np.copyto(best[here], other, where=is_better)
            np.copyto(changes[here], change, where=is_better)
    is_better = restart[:, None] > best
    np.copyto(best, restart[:, None], where=is_better)
    np.copyto(changes, RESTARTED, where=is_better)
    return best, changes


def _trace(
    tick: int, period: int, periods: np.ndarray, changes: np.ndarray, best_periods: np.ndarray
) -> np.ndarray:
    """Follow the changes back from the last beat; `period` is a position in `periods`."""
    beats = [tick]
    while (tick := tick - int(periods[period])) >= 0:
        change = int(changes[tick, period])
        period = int(best_periods[tick]) if change == RESTARTED else period + change
        beats.append(tick)
    return np.array(beats[::-1], np.int64)
