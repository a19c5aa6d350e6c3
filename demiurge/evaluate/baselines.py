"""Baselines without a search: the piece itself, and a random passage of the corpus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio.read import read_audio
from db.database import Database
from demiurge.evaluate.continuation import Continuation, fit_length, render_plan
from demiurge.evaluate.corpus import corpus_identity
from demiurge.evaluate.plans import Passage, make_plan
from demiurge.evaluate.runs import Run


@dataclass(frozen=True)
class TrackItself:
    """The true continuation of each seed, by the seed's file."""

    following: Mapping[Path, Path]
    name: str = "the track itself"
    identity: dict[str, Any] = field(default_factory=dict)

    def continue_seed(self, seed: Path, seconds: float, random_seed: int) -> Continuation:
        audio = read_audio(self.following[seed])
        samples = fit_length(audio.samples, round(seconds * audio.sample_rate))
        return Continuation(samples, audio.sample_rate, (Run(seed.stem, 0.0, seconds),))


@dataclass(frozen=True)
class RandomPassage:
    """A passage of the corpus, at a random place; of several sources if none is long enough."""

    database: Database
    name: str = "random passage"

    @property
    def identity(self) -> dict[str, Any]:
        return {"sources": corpus_identity(self.database)}

    def continue_seed(self, seed: Path, seconds: float, random_seed: int) -> Continuation:
        random = np.random.default_rng(random_seed)
        n_samples = round(seconds * self.database.sample_rate)
        passages: list[Passage] = []
        while n_samples > 0:
            passages.append(self._draw(random, n_samples))
            n_samples -= passages[-1].n_samples
        return render_plan(make_plan(self.database, passages), self.database.roots, seconds)

    def _draw(self, random: np.random.Generator, n_samples: int) -> Passage:
        """Draw a place at which `n_samples` can begin, or a whole source if all are shorter."""
        lengths = np.array([source.n_samples for source in self.database.sources])
        places = np.maximum(lengths - n_samples + 1, 0)
        if not places.any():
            number = int(random.integers(len(lengths)))
            return Passage(number, 0, int(lengths[number]))
        number = int(random.choice(len(lengths), p=places / places.sum()))
        start = int(random.integers(places[number]))
        return Passage(number, start, n_samples)
