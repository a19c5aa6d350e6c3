"""Plans of passages of sources that follow one another."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.database import Database
from playback.plan import Plan
from playback.plan_document import MAX_CHANNELS
from playback.steps import NO_UNIT, Step


@dataclass(frozen=True)
class Passage:
    """`n_samples` of the source at a position in `Database.sources`, from `start_sample` on."""

    source: int
    start_sample: int
    n_samples: int


def make_plan(database: Database, passages: Sequence[Passage]) -> Plan:
    """Return the plan that plays passages one after another; there must be one at least."""
    steps = []
    at_sample = 0
    for passage in passages:
        path = database.sources[passage.source].path
        place = (path, passage.start_sample, passage.n_samples)
        steps.append(Step(NO_UNIT, *place, at_sample=at_sample))
        at_sample += passage.n_samples
    used = [database.sources[number] for number in sorted({part.source for part in passages})]
    return Plan(
        database.sample_rate,
        min(max(source.channels for source in used), MAX_CHANNELS),
        {"id": database.id, "root": str(database.root)},
        tuple(steps),
        sources=database.stamps(source.path for source in used),
    )
