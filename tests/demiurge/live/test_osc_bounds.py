"""What an OSC server lets pass, by a clock that the tests set."""

import math

from demiurge.live.osc_bounds import (
    MOST_ANSWERS,
    MOST_MESSAGES,
    MOST_OF_A_SENDER,
    MOST_PACKETS,
    MOST_SCHEDULED,
    WINDOW_SECONDS,
    Budget,
    Schedule,
)


def test_a_sender_has_its_part_and_all_together_theirs_in_each_window():
    budget = Budget()
    for now in (10.0, 10.0 + WINDOW_SECONDS):
        budget.pass_packet(now)
        for sender, passed in (("a", MOST_OF_A_SENDER), ("b", MOST_OF_A_SENDER), ("c", 0)):
            assert sum(budget.pass_message(sender) for _ in range(100)) == passed
    assert 2 * MOST_OF_A_SENDER == MOST_MESSAGES
    assert budget.dropped == 2 * (300 - MOST_MESSAGES)


def test_reading_pauses_until_the_window_ends():
    budget = Budget()
    for _ in range(MOST_PACKETS):
        assert budget.pause(10.0) == 0
        budget.pass_packet(10.0)
    assert math.isclose(budget.pause(10.0), WINDOW_SECONDS, rel_tol=1e-6)
    assert budget.pause(10.0 + WINDOW_SECONDS) == 0


def test_few_errors_are_answered():
    budget = Budget()
    assert sum(budget.pass_answer() for _ in range(100)) == MOST_ANSWERS


def test_a_schedule_gives_what_is_due_in_order():
    schedule: Schedule[str] = Schedule()
    for due, name in ((3.0, "c"), (1.0, "a"), (3.0, "d"), (2.0, "b")):
        assert schedule.add(due, name)
    assert schedule.seconds_left(0.25) == 0.75
    assert list(schedule.take_due(2.5)) == ["a", "b"]
    assert list(schedule.take_due(3.0)) == ["c", "d"]
    assert schedule.seconds_left(9.0) == math.inf


def test_a_schedule_is_bounded():
    schedule: Schedule[int] = Schedule()
    assert sum(schedule.add(1.0, number) for number in range(2000)) == MOST_SCHEDULED
