"""Mosaics of voices from a small corpus of notes and noise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from db.bands import Bands
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.pipeline import render_mosaic
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_units import (
    VoiceUnits,
    find_semitones,
    kept_target,
    open_voice_units,
)
from playback.plan import Plan
from query.options import PathOptions
from query.settings import SearchSettings
from query.voices.options import VoiceOptions

RATE = 22050
NOTES = (57, 60, 61, 64, 65, 69)  # MIDI


def note(number: float, seconds: float) -> np.ndarray:
    """A note of eight partials that decays."""
    times = np.arange(round(seconds * RATE)) / RATE
    f0 = 440 * 2 ** ((number - 69) / 12)
    partials = [np.sin(2 * np.pi * n * f0 * times) / n for n in range(1, 9)]
    return (0.2 * np.sum(partials, axis=0) * np.exp(-1.5 * times)).astype(np.float32)


@dataclass(frozen=True)
class Corpus:
    """A database, and a target: a chord, silence, and another one."""

    database: Database
    target: Path

    @classmethod
    def make(cls, folder: Path) -> "Corpus":
        (folder / "sounds").mkdir()
        for number in NOTES:
            sf.write(folder / "sounds" / f"{number}.wav", note(number, 1.5), RATE)
        noise = 0.1 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
        sf.write(folder / "sounds" / "noise.wav", noise, RATE)
        settings = DescriptorSettings(sample_rate=RATE)
        build_database(folder / "sounds", folder / "my.db", settings=settings)
        chords = [sum(note(n, 0.6) for n in chord) for chord in ((57, 61, 64), (62, 65, 69))]
        rest = np.zeros(RATE // 4, np.float32)
        sf.write(folder / "chords.wav", 0.7 * np.concatenate([chords[0], rest, chords[1]]), RATE)
        return cls(Database(folder / "my.db"), folder / "chords.wav")

    def mosaic(self, out: Path, *, variations: int = 1, seed: int = 0, **voices) -> list[Plan]:
        search = SearchSettings(
            path=PathOptions(k=20, temperature=0.1, random_seed=seed, max_run=0.5),
            variations=variations,
            voices=VoiceOptions(**voices),
        )
        results = render_mosaic(self.target, self.database.path, out / "out.wav", search=search)
        return [result.plan for result in results]


def units_of(plan: Plan, database: Database) -> VoiceUnits:
    """Return the units that a plan's voices may play."""
    assert plan.spectra
    search = PlanSettings.of(plan).search
    bands = Bands(database)
    target = kept_target(plan.spectra, len(bands.centres))
    semitones = find_semitones(search, bands, target)
    return open_voice_units(database, bands, semitones, search, plan.spectra.n_samples)
