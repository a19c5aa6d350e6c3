"""The tables: fit, attacks, melody, chord, speed."""

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audio.resample import resample
from db.database import Database
from demiurge.sequences import describe
from playback.plan import Plan
from playback.render import render
from scripts.measure.gamut import fit
from scripts.measure.voices.attacks import AttackFigures, compare_attacks
from scripts.measure.voices.chord import ChordFigures, measure_chord
from scripts.measure.voices.excerpts import RATE, read_mono
from scripts.measure.voices.fit import spectral_kl
from scripts.measure.voices.materials import Materials
from scripts.measure.voices.melody import SOLOS, pitches, share_in_tune, written
from scripts.measure.voices.programs import Concatenator, Demiurge, Outcome, Results

ONE_VOICE = Demiurge("Demiurge, one voice")
CONCATENATOR = Concatenator("Concatenator, 5 windows", 5)
PITCHED = "mfcc,chroma"  # descriptors of the databases of notes
MELODIES = (
    Demiurge("untransposed", (), PITCHED),
    Demiurge("`--transpose auto`", ("--transpose", "auto"), PITCHED),
    Demiurge(
        "`--transpose auto --follow pitch`",
        ("--transpose", "auto", "--follow", "pitch"),
        PITCHED,
    ),
)
CHORDS = ((57, 60, 66), (60, 63, 69), (60, 64, 67))  # the last with notes that must be transposed
CHORD_SECONDS = 4.0
CHORD_PROGRAMS = {"strings": 48, "organ": 19}
CHORD_MOSAICS = (
    Demiurge("one voice", (), PITCHED),
    Demiurge("`--voices 3`", ("--voices", "3"), PITCHED),
    Demiurge("`--voices 3 --transpose auto`", ("--voices", "3", "--transpose", "auto"), PITCHED),
)
K = 64


def in_voices(voices: int) -> Demiurge:
    return Demiurge(f"Demiurge, `--voices {voices}`", ("--voices", str(voices)))


def fit_table(materials: Materials, results: Results, voices: int) -> None:
    corpus, targets = materials.orchestra()
    ONE_VOICE.prepare(corpus)
    database = Database(ONE_VOICE.database(corpus))
    wanted = [
        database.normaliser.apply(describe(path, database.settings).descriptors) for path in targets
    ]
    heading("", "KL", "z-MFCC", "time", "processor time", "KL of each target", "z-MFCC of each")
    for program in (ONE_VOICE, in_voices(voices), CONCATENATOR):
        made = [results.of(program, target, corpus) for target in targets]
        outcomes = [outcome for outcome in made if outcome]
        if len(outcomes) < len(targets):
            row(program.name, *["–"] * 6)
            continue
        sounds = [read_mono(path) for path in targets]
        kl = [spectral_kl(a, b.sound) for a, b in zip(sounds, outcomes, strict=True)]
        z = [fit(b.file, a, database) for a, b in zip(wanted, outcomes, strict=True)]
        seconds = sum(map(len, sounds)) / RATE
        row(
            program.name,
            f"{np.mean(kl):.3f}",
            f"{np.mean(z):.2f}",
            f"{sum(outcome.wall_s for outcome in outcomes) / seconds:.2f} ×",
            f"{sum(outcome.processor_s for outcome in outcomes) / seconds:.2f} ×",
            ", ".join(f"{value:.3f}" for value in kl),
            ", ".join(f"{value:.2f}" for value in z),
        )


def attack_table(materials: Materials, results: Results, voices: int) -> None:
    kinds = {"drums": materials.drums()}
    if materials.midi and materials.soundfont and materials.notes:
        kinds["piano"] = materials.piano()
    if materials.music:
        kinds["orchestra"] = materials.orchestra()
    heading("target", "", "attacks", "kept", "rise within 2 ms", "of those kept", "median rise, ms")
    for kind, (corpus, targets) in kinds.items():
        for program in (ONE_VOICE, in_voices(voices), CONCATENATOR):
            made = [(results.of(program, target, corpus), target) for target in targets]
            figures = [
                compare_attacks(read_mono(target), outcome.sound, RATE)
                for outcome, target in made
                if outcome
            ]
            row(kind, program.name, *(attack_cells(figures) if figures else ["–"] * 5))


def attack_cells(figures: list[AttackFigures]) -> Iterable[str]:
    kept = np.concatenate([of_sound.kept for of_sound in figures])
    close = np.concatenate([of_sound.close for of_sound in figures])
    target = np.nanmedian(np.concatenate([of_sound.target_ms for of_sound in figures]))
    result = np.nanmedian(np.concatenate([of_sound.result_ms for of_sound in figures]))
    yield str(len(kept))
    yield f"{kept.mean():.0%}"
    yield f"{close.mean():.0%}"
    yield f"{close[kept].mean():.0%}" if kept.any() else "–"
    yield f"{target:.1f} → {result:.1f}"


def melody_table(materials: Materials, results: Results) -> None:
    notes = materials.single_notes()
    heading("solo", "frames", "on the piano", *[program.name for program in MELODIES])
    for solo in SOLOS:
        path, line, on_piano = materials.solo(solo)
        wanted = written(line, pitches(read_mono(path)))
        cells = melody_cells(wanted, path, notes, results)
        bound = f"{share_in_tune(wanted, pitches(on_piano)):.0%}"
        row(solo.instrument, str(int((~np.isnan(wanted)).sum())), bound, *cells)
    for path in materials.recordings:
        wanted = pitches(read_mono(path))
        cells = melody_cells(wanted, path, notes, results)
        row(path.stem, str(int((~np.isnan(wanted)).sum())), "", *cells)


def melody_cells(wanted: np.ndarray, target: Path, notes: Path, results: Results) -> Iterable[str]:
    """Yield the share in tune of each mosaic, and that with any octave allowed."""
    for program in MELODIES:
        outcome = results.of(program, target, notes)
        if outcome is None:
            yield "–"
            continue
        heard = pitches(outcome.sound)
        octaves = share_in_tune(wanted, heard, any_octave=True)
        yield f"{share_in_tune(wanted, heard):.0%} ({octaves:.0%})"


def chord_table(materials: Materials, results: Results) -> None:
    corpus = materials.single_notes()
    heading("chord", "", "wanted pitches, dB", "strongest other, dB")
    for keys in CHORDS:
        right = mix(materials.notes_by_key(), keys)
        row(shown(keys), "the right notes", *chord_cells(measure_chord(right, keys, RATE)))
        for name, program in CHORD_PROGRAMS.items():
            target = materials.chord(keys, program, CHORD_SECONDS)
            figures = measure_chord(read_mono(target), keys, RATE)
            row(shown(keys), f"{name}: the target", *chord_cells(figures))
            for mosaic in CHORD_MOSAICS:
                outcome = results.of(mosaic, target, corpus)
                cells = ["–", "–"]
                if outcome:
                    cells = chord_cells(measure_chord(outcome.sound, keys, RATE))
                row(shown(keys), f"{name}: {mosaic.name}", *cells)


def mix(notes: dict[int, np.ndarray], keys: tuple[int, ...]) -> np.ndarray:
    """Return notes together, each as loud, transposed by resampling where a key is missing."""
    sounds = []
    for key in keys:
        nearest = min(notes, key=lambda other: abs(other - key))
        rate = round(RATE * 2 ** ((key - nearest) / 12))
        sound = resample(notes[nearest], rate, RATE)[: round(CHORD_SECONDS * RATE)]
        sounds.append(sound / np.sqrt(np.mean(sound**2)))
    return np.sum(sounds, axis=0)


def chord_cells(figures: ChordFigures) -> list[str]:
    wanted = ", ".join(f"{value:.0f}" for value in figures.wanted)
    return [wanted, f"{figures.other:.0f} ({shown([figures.other_key])})"]


def shown(keys: Iterable[int]) -> str:
    """Return the names of MIDI keys."""
    names = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"]
    return " ".join(f"{names[key % 12]}{key // 12 - 1}" for key in keys)


def speed_table(materials: Materials, results: Results, voices: int) -> None:
    corpus, targets = materials.orchestra()
    heading(f"k = {K}", "whole command", "processor time per voice", "playback")
    for count in (1, voices):
        options = ("-k", str(K)) if count == 1 else ("-k", str(K), "--voices", str(count))
        made = [results.of(Demiurge(f"{count}", options), target, corpus) for target in targets]
        outcomes = [outcome for outcome in made if outcome]
        if not outcomes:
            row(f"{count} voices", "–", "–", "–")
            continue
        seconds = sum(len(outcome.sound) for outcome in outcomes) / RATE
        row(
            f"{count} voice{'s' if count > 1 else ''}",
            f"{sum(outcome.wall_s for outcome in outcomes) / seconds:.1%}",
            f"{sum(outcome.processor_s for outcome in outcomes) / seconds / count:.1%}",
            f"{np.mean([playback_speed(outcome) for outcome in outcomes]):.0f} × real time",
        )


def playback_speed(outcome: Outcome) -> float:
    """Return how many times faster than real time a mosaic's plan is rendered."""
    plan = Plan.load(outcome.file.with_suffix(".plan.json"))
    started = time.perf_counter()
    summary = render(plan, outcome.file.with_suffix(".again.wav"))
    return summary.n_samples / plan.sample_rate / (time.perf_counter() - started)


def heading(*cells: str) -> None:
    print()
    row(*cells)
    print("|---" * len(cells) + "|")


def row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)
