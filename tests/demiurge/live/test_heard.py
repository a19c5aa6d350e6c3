"""What a continuation goes on from: the input, then what was played lately."""

import numpy as np

from demiurge.live.heard import MOST_STEPS, OWN_SECONDS, Heard

RATE = 1000
STEP = 500


def row(value):
    return np.full(2, value, np.float32)


def values(heard):
    rows, lengths = heard.until_now()
    assert len(rows) == len(lengths)
    assert set(lengths.tolist()) <= {STEP}
    return rows[:, 0].tolist()


def test_the_input_without_the_silence_at_its_end():
    heard = Heard(2, RATE)
    assert values(heard) == []
    for number, is_quiet in enumerate((False, True, False, True, True)):
        heard.add_input(row(number), STEP, is_quiet=is_quiet)
    assert values(heard) == [0, 1, 2]


def test_what_was_played_follows_but_does_not_supersede_the_input():
    heard = Heard(2, RATE)
    heard.add_input(row(1), STEP, is_quiet=False)
    for number in range(100, 160):
        heard.add_own(row(number), STEP)
    most = round(OWN_SECONDS * RATE / STEP)
    found = values(heard)
    assert found[0] == 1
    assert found[1:] == list(range(160 - len(found) + 1, 160))
    assert most - 1 <= len(found) - 1 <= most
    heard.listen_again()
    assert values(heard) == [1]


def test_without_an_input_all_of_what_was_played_counts():
    heard = Heard(2, RATE)
    for number in range(60):
        heard.add_own(row(number), STEP)
    assert values(heard) == list(range(60))
    heard.clear()
    assert values(heard) == []


def test_memory_does_not_grow():
    heard = Heard(2, RATE)
    for number in range(3 * MOST_STEPS):
        heard.add_input(row(number), STEP, is_quiet=False)
        heard.add_own(row(number), STEP)
    assert len(values(heard)) < 2 * MOST_STEPS
