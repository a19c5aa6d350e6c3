"""A session: a corpus, its engine, and the take of what was played."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from db.database import Database
from demiurge.live.controls import Controls
from demiurge.live.corpus import Corpus
from demiurge.live.engine import Engine
from demiurge.live.knobs import Knobs
from demiurge.live.status import Status
from demiurge.live.take import Take, recover, take_lock
from demiurge.live.worlds import Worlds, forecaster_scorers
from demiurge.plans.settings import PlanSettings, normaliser_of
from files.progress import Progress, no_progress
from files.roots import Folder
from playback.lead import live_crossfade
from playback.plan import Plan
from playback.runs import joined_runs
from query.settings import SearchSettings


class Session:
    """A session that is played. As a context manager, it saves the take at the end.

    Attributes
    ----------
    controls : Controls
    engine : Engine
    recovered : Path or None
        The plan of a take of the same name whose program was killed.
    plan : Plan or None
        What was played, once the session has ended.
    """

    def __init__(
        self,
        database: str | Path | Database,
        knobs: Knobs,
        search: SearchSettings,
        *,
        plan: Path,
        model: Path | None = None,
        root: Folder | None = None,
        random_seed: int = 0,
        threaded: bool = True,
        progress: Progress = no_progress,
    ) -> None:
        """Make everything ready.

        Raises
        ------
        DemiurgeError
            If the database, the model or a knob cannot be used, or the plan cannot be written.
        """
        self.controls = Controls(knobs)
        self.plan: Plan | None = None
        with ExitStack() as stack:
            # threads of BLAS take longer to agree than the little there is to do for a unit
            stack.callback(threadpool_limits(1).restore_original_limits)
            self.corpus = Corpus(database, search, root=root, progress=progress)
            stack.callback(self.corpus.close)
            opened = self.corpus.database
            scorers = None if model is None else forecaster_scorers(model, opened)
            self.engine = Engine(
                self.corpus,
                self.controls,
                Worlds(self.corpus.space, scorers, random_seed=random_seed),
                threaded=threaded,
                random_seed=random_seed,
            )
            stack.callback(self.engine.close)
            stack.enter_context(take_lock(plan))
            self.recovered = recover(plan, opened)
            settings = self._settings(search, model)
            self._take = Take(plan, opened, self.corpus.channels, settings)
            self._closing = stack.pop_all()
        self.engine.take = self._take

    def _settings(self, search: SearchSettings, model: Path | None) -> dict[str, Any]:
        """Return what the plan keeps: how its units are joined, and with which knobs it began."""
        corpus = self.corpus
        settings = PlanSettings(
            search=search,
            crossfade=live_crossfade(corpus.step_samples, corpus.database.sample_rate),
            whole_units=corpus.database.settings.units_vary,
            normaliser=normaliser_of(corpus.database),
            model=None if model is None else str(model),
            other={"live": self.controls.knobs.to_dict()},
        )
        return settings.to_dict()

    def status(self) -> Status:
        """Return what is played now."""
        return self.engine.meters.status

    def steps_since(self, number: int) -> list[Status]:
        """Return the statuses of the steps chosen after a step, at most the last 256, in order."""
        return self.engine.meters.steps_since(number)

    def facts(self) -> dict[str, Any]:
        """Return what was played and how well the machine kept up, once the session has ended."""
        engine = self.engine
        work = np.array(engine.meters.work or [0.0])
        plan = self.plan
        return {
            "seconds": engine.played / engine.sample_rate,
            "steps": 0 if plan is None else len(plan.steps),
            "joins": 0 if plan is None else len(joined_runs(plan.steps)),
            "work_ms_p50": float(np.median(work)),
            "work_ms_p99": float(np.quantile(work, 0.99)),
            "late": engine.meters.late,
            "underruns": engine.meters.underruns,
            "clipped": engine.meters.clipped,
            "repaired": engine.meters.status.repaired,
            "dropped": self.controls.dropped,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._closing:
            self.engine.commit()
            self.plan = self._take.finish(self.engine.played)
