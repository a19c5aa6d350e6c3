"""The default of version 0.1.0: forecast frames without hearing them, then find units for them.

All settings are stated, so that other defaults do not change this baseline.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from db.database import Database
from db.settings import DescriptorSettings
from db.units import step_lengths
from demiurge.evaluate.continuation import Continuation, render_plan
from demiurge.evaluate.corpus import corpus_identity
from demiurge.plans.make import make_plan
from demiurge.plans.settings import PlanSettings
from demiurge.sequences import DescriptorSequence, forecast
from files.progress import Progress, no_progress
from playback.options import CrossfadeOptions, RenderOptions
from query.explain import explain
from query.options import PathOptions
from query.path import find_paths
from query.settings import SearchSettings
from sequencer.sampling import SamplingOptions

FRAMES = DescriptorSettings(
    sample_rate=44100,
    hop_length=1024,
    n_fft=2048,
    n_mels=128,
    n_mfcc=13,
    delta_width=9,
    window_centre="span",
    descriptors=("mfcc",),
    units="frame",
)
SEARCH = SearchSettings(path=PathOptions(k=32, search="viterbi", continuity=0.25))
CROSSFADE = CrossfadeOptions(
    crossfade_ms=60.0, fade="matched", align_ms=5.0, attacks=True, level_db=12.0
)
TRAINING: dict[str, Any] = {
    "architecture": "lstm",
    "head": "mixture",
    "epochs": 60,
    "minutes": 3.0,
    "patience": 6,
    "window": 128,
    "batch_size": 16,
    "random_seed": 0,
}


@dataclass(frozen=True)
class OpenLoop:
    """Forecasts of a model of `FRAMES`, found in a database of them."""

    database: Database
    model: Path
    name: str = "0.1.0"

    @property
    def identity(self) -> dict[str, Any]:
        return {
            "sources": corpus_identity(self.database),
            "settings": self.database.settings.hash,
            "training": TRAINING,
            "search": SEARCH.to_dict(),
            "crossfade": asdict(CROSSFADE),
        }

    def continue_seed(self, seed: Path, seconds: float, random_seed: int) -> Continuation:
        """Continue a seed; raises as `render_continuation` of `demiurge.pipeline`."""
        sampling = SamplingOptions(temperature=1.0, top_p=1.0, random_seed=random_seed)
        (of_seed,), _ = forecast(
            [seed], self.model, seconds=seconds, sampling=sampling, database=self.database
        )
        target = DescriptorSequence(of_seed[0], step_lengths(of_seed[0], FRAMES))
        index = SEARCH.index(self.database, target.step_samples)
        (path,) = find_paths(
            index, target.descriptors, SEARCH.path, step_samples=target.step_samples
        )
        found = explain(index.space, path)
        settings = PlanSettings(search=SEARCH, crossfade=CROSSFADE)
        plan = make_plan(path, found, self.database, target.descriptors, settings)
        return render_plan(plan, self.database.roots, seconds, RenderOptions(CROSSFADE))


def train_open_loop(
    database: Database, folder: Path, *, progress: Progress = no_progress
) -> OpenLoop:
    """Train 0.1.0's default forecaster on a database of `FRAMES`, unless it is in `folder`.

    It takes minutes, more for a large corpus; when interrupted, it goes on the next time.

    Raises
    ------
    ParameterError, TrainingError
        As `sequencer.train.train_forecaster`: the corpus may be too short.
    """
    from sequencer.train import ForecasterOptions, train_forecaster
    from training.checkpoint import holds_model

    model = folder / f"frame-{corpus_identity(database)[:16]}.model"
    unfinished = model.with_suffix(".unfinished")
    if not model.exists():
        summary = train_forecaster(
            list(database.sequences()),
            unfinished,
            settings=database.settings,
            normaliser=database.normaliser,
            options=ForecasterOptions(**TRAINING),
            resume=holds_model(unfinished),
            progress=progress,
        )
        if summary.stopped_by == "interrupt":
            raise KeyboardInterrupt
        unfinished.rename(model)
    return OpenLoop(database, model)
