"""Find the steps that an edit changed, so that only these are sent to the page.

before   |  same  | start … stop |        same        |
after    |  same  |   other steps   |  same, moved by `shift` samples  |
"""

from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter, is_

from playback.plan import Plan
from playback.steps import STEP_KEYS, Step

# all fields but the place in time, and the alternatives, which pages request for one step at a time
_CONTENT = attrgetter(*(key for key in STEP_KEYS if key not in ("at_sample", "alternatives")))


@dataclass(frozen=True)
class ChangedSteps:
    """Steps `start` to `stop` of the old plan became `start` to `new_stop` of the new one.

    The steps from there on are the same, but begin `shift` samples later.
    """

    start: int
    stop: int
    new_stop: int
    shift: int


def find_changed_steps(old: Plan, new: Plan) -> ChangedSteps:
    """Compare two plans, each of which has at least one step.

    The step after a change counts as changed as well, since it has a new predecessor.
    """
    shift = new.steps[-1].at_sample - old.steps[-1].at_sample
    fewest = min(len(old.steps), len(new.steps))
    n_front = sum(takewhile(bool, map(is_, old.steps, new.steps)))
    while n_front < fewest and _are_alike(old.steps[n_front], new.steps[n_front], 0):
        n_front += 1
    n_back = 0
    while n_back < fewest - n_front and _are_alike(
        old.steps[-1 - n_back], new.steps[-1 - n_back], shift
    ):
        n_back += 1
    n_back = max(n_back - 1, 0)
    return ChangedSteps(n_front, len(old.steps) - n_back, len(new.steps) - n_back, shift)


def _are_alike(old: Step, new: Step, shift: int) -> bool:
    if new is old:
        return shift == 0
    return new.at_sample == old.at_sample + shift and _CONTENT(new) == _CONTENT(old)
