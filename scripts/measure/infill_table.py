"""Measure what a masked model gives: parts of sources it has not heard are filled in again.

    python scripts/measure/infill_table.py my.db masked.model

Each validation source of the model is a plan that plays its own units. Some steps are kept, and for
the others units of the training sources are chosen, by four kinds of target:

masked model  what the model fills in, once for each of `--samples` random seeds
… likeliest   the same at a temperature of 0
in between    straight lines between the kept steps on either side
truth         what is really there: as units are chosen again without a model, which knows it
chance        none: units at random

The columns are of the steps that are not kept, with descriptors z-scored:

rank      of the true unit among all units by distance from the target; 0 is nearest, 0.5 chance
error     mean squared difference of the chosen unit from the true one
step      mean change from step to step of the whole, as a ratio to the real one
join      mean join cost
Fréchet   distance of all windows of 1 and 8 steps of the wholes from the real sources, the mean
          over random seeds
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from db.database import Database
from db.descriptors.derived import static_columns
from demiurge.plans.infill import Kept, infill_plan, kept_of_plan
from demiurge.plans.make import make_step
from demiurge.plans.reselect import reselect
from demiurge.plans.settings import PlanSettings
from playback.plan import Plan
from playback.targets import Targets
from query.filters import Filters
from query.index import UnitIndex
from query.settings import SearchSettings
from sequencer.infill import InfillOptions
from sequencer.masked import MaskedModel
from sequencer.prompts import parse_prompts
from sequencer.sampling import SamplingOptions
from sequencer.statistics import mean_change, window_distances
from training.threads import torch_threads

AS_LEARNED = InfillOptions()
KEEPS = ("periodic:4", "random:0.5", "periodic:32/16")
WINDOWS = (1, 8)
LEAST_STEPS = 32  # of a source
COLUMNS = ("rank", "error", "step", "join", "Fréchet 1", "8")


@dataclass(frozen=True)
class Piece:
    """A validation source as a plan, and what is kept of it."""

    plan: Plan
    free: np.ndarray
    rows: np.ndarray  # raw descriptors


@dataclass(frozen=True)
class Measured:
    """Of one filled piece: ranks, errors and joins of the free steps, and the whole z-scored."""

    ranks: np.ndarray
    errors: np.ndarray
    joins: np.ndarray
    whole: np.ndarray


class Bench:
    """A database and a masked model, whose validation sources are filled in."""

    def __init__(self, database: Database, model: MaskedModel, *, most_steps: int) -> None:
        self.database = database
        self.model = model
        sources = model.config.training["sources"]
        self.names = sources["validation"]
        filters = Filters(sources=tuple(sources["train"]))
        self.search = SearchSettings(filters=filters)
        self.index = UnitIndex(self.search.space(database), filters=filters)
        self.everything = UnitIndex(self.search.space(database))
        self.columns = static_columns(database.settings)
        self.most_steps = most_steps

    def pieces(self, keep: str) -> list[Piece]:
        """Return the validation sources as plans of their own units."""
        found = []
        for name in self.names:
            plan = self.plan_of(name)
            if len(plan.steps) < LEAST_STEPS:
                continue
            kept = kept_of_plan(plan, self.database, parse_prompts([keep]), self.model.levels)
            assert plan.targets is not None
            found.append(Piece(plan, ~kept.steps, plan.targets.rows))
        return found

    def plan_of(self, name: str) -> Plan:
        database = self.database
        number = [source.path for source in database.sources].index(name)
        positions = np.flatnonzero(database.units.source == number)[: self.most_steps]
        steps = []
        at_sample = 0
        for target, position in enumerate(positions.tolist()):
            n_samples = int(database.units.n_samples[position])
            where = {"n_samples": n_samples, "at_sample": at_sample, "target": target}
            steps.append(make_step(database, position, **where))
            at_sample += n_samples
        return Plan(
            database.sample_rate,
            1,
            {"id": database.id, "root": str(database.root)},
            tuple(steps),
            PlanSettings(search=self.search).to_dict(),
            sources=database.stamps([name]),
            targets=Targets.of(database.rows_at(positions)),
        )

    def likeliest(self, piece: Piece, seed: int) -> Measured:
        return self.by_model(piece, seed, InfillOptions(SamplingOptions(temperature=0.0)))

    def by_model(self, piece: Piece, seed: int, options: InfillOptions = AS_LEARNED) -> Measured:
        tokens = np.repeat(~piece.free[:, None], self.model.levels, axis=1)
        generator = torch.Generator().manual_seed(seed)
        with torch_threads(1):
            filled = infill_plan(
                piece.plan,
                self.index,
                self.model,
                Kept(tokens, ~piece.free),
                options,
                generator=generator,
            )
        return self.measure(piece, filled)

    def in_between(self, piece: Piece, seed: int) -> Measured:
        steps = np.arange(len(piece.rows))
        known = steps[~piece.free]
        rows = np.stack([np.interp(steps, known, column[known]) for column in piece.rows.T], axis=1)
        return self.chosen_for(piece, rows)

    def by_truth(self, piece: Piece, seed: int) -> Measured:
        return self.chosen_for(piece, piece.rows)

    def chosen_for(self, piece: Piece, rows: np.ndarray) -> Measured:
        """Choose units for other targets at the free steps."""
        steps = [
            replace(step, locked=not free)
            for step, free in zip(piece.plan.steps, piece.free.tolist(), strict=True)
        ]
        plan = replace(piece.plan, steps=tuple(steps), targets=Targets.of(rows.astype(np.float32)))
        return self.measure(piece, reselect(plan, self.index, self.search.path))

    def by_chance(self, piece: Piece, seed: int) -> Measured:
        rng = np.random.default_rng(seed)
        database = self.database
        allowed = np.flatnonzero(self.index.allowed)
        steps = list(piece.plan.steps)
        for number in np.flatnonzero(piece.free).tolist():
            before = steps[number]
            position = int(rng.choice(allowed))
            where = {"n_samples": before.n_samples, "at_sample": before.at_sample}
            steps[number] = make_step(database, position, target=before.target, **where)
        return self.measure(piece, replace(piece.plan, steps=tuple(steps)), ranked=False)

    def measure(self, piece: Piece, filled: Plan, *, ranked: bool = True) -> Measured:
        database = self.database
        space = self.everything.space
        positions = database.units.find([step.unit for step in filled.steps])
        assert filled.targets is not None
        wanted = filled.targets.rows[[step.target for step in filled.steps]]
        truth = database.units.find([step.unit for step in piece.plan.steps])
        ranks = np.full(int(piece.free.sum()), 0.5)
        if ranked:
            vectors = space.sequence_vectors(wanted[piece.free])
            every = space.unit_vectors(np.arange(len(database.units)))
            own = space.unit_vectors(truth[piece.free])
            for number, vector in enumerate(vectors):
                distances = space.distances(every, vector[None])
                mine = space.distances(own[number : number + 1], vector[None])
                ranks[number] = float((distances < mine).mean())
        real, made = (
            database.normaliser.apply(database.rows_at(found))[:, self.columns]
            for found in (truth, positions)
        )
        lasted = np.array([step.n_samples for step in filled.steps])
        joins = space.joins.along(positions, lasted)
        errors = ((made - real) ** 2).mean(axis=1)
        return Measured(ranks, errors[piece.free], joins[piece.free], made)


def row(bench: Bench, pieces: list[Piece], fill: Callable[[Piece, int], Measured], n: int) -> str:
    """Return the cells of a row, over all pieces and random seeds."""
    by_seed = [[fill(piece, seed) for piece in pieces] for seed in range(n)]
    found = [one for of_seed in by_seed for one in of_seed]
    truths = [bench.database.normaliser.apply(piece.rows)[:, bench.columns] for piece in pieces]
    # seed by seed: more windows alone would bring the distances down
    frechet = [window_distances([one.whole for one in made], truths, WINDOWS) for made in by_seed]
    cells = [
        f"{np.concatenate([one.ranks for one in found]).mean():.3f}",
        f"{np.concatenate([one.errors for one in found]).mean():.2f}",
        f"{mean_change([one.whole for one in found]) / mean_change(truths):.2f}",
        f"{np.concatenate([one.joins for one in found]).mean():.2f}",
        *(f"{np.mean([distance[window] for distance in frechet]):.1f}" for window in WINDOWS),
    ]
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database")
    parser.add_argument("model")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--steps", type=int, default=256, help="at most, of each source")
    asked = parser.parse_args()
    model = MaskedModel.load(asked.model)
    bench = Bench(Database(asked.database), model, most_steps=asked.steps)
    if not bench.pieces(KEEPS[0]):
        parser.error(f"no validation source of {asked.model} has {LEAST_STEPS} units")
    print(f"| kept | targets | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    methods = {
        "masked model": (bench.by_model, asked.samples),
        "… likeliest": (bench.likeliest, 1),
        "in between": (bench.in_between, 1),
        "truth": (bench.by_truth, 1),
        "chance": (bench.by_chance, asked.samples),
    }
    for keep in KEEPS:
        pieces = bench.pieces(keep)
        for name, (fill, n) in methods.items():
            print(f"| {keep} | {name} | {row(bench, pieces, fill, n)} |", flush=True)


if __name__ == "__main__":
    main()
