"""Measure the changes that each kind of crossfade makes to the sound, for docs/rooms/playback.md.

    python scripts/measure/join_table.py CORPUS [--units 23.2 250 onset] [--joins 2000]
        [--random-seed 0]

Units are drawn at random from all over the corpus, so that neighbours have nothing in common: the
hardest case to join, which a path search would never choose. Each join is compared, within 20 ms,
with its two sides as they would sound if they simply went on:

flux   largest rise of the mel spectrum (dB, mean over the bands), above that of the steeper side
step   largest difference of two adjacent samples, above that of the two sides, in dB
rise   if the incoming unit begins with an attack, the change in the time of its rise (from 10 to
       90 % of the amplitude)
level  how far the power at the join is outside the range of the two sides, in dB
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np

from audio.read import probe
from audio.scan import find_audio
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from playback.options import CrossfadeOptions
from playback.plan import Plan, Step
from playback.sources import SourceReader
from playback.stitch import stitch

RATE = 44100
MARGIN = RATE // 10  # samples of a source on either side of a unit
AROUND = 0.02  # seconds
REACH = round(2 * AROUND * RATE)  # samples on either side of a join that are looked at
FFT = 512
HOP = 64
BANDS = 40
FLOOR_DB = -70.0
LAG = 4  # frames, 6 ms
WAYS = {
    "hard cuts": CrossfadeOptions.plain(0),
    "**plain: linear, 22 ms**": CrossfadeOptions.plain(22, "linear"),
    "equal-power, 22 ms": CrossfadeOptions.plain(22),
    "up to 60 ms, shape by correlation": CrossfadeOptions(align_ms=0, attacks=False, level_db=0),
    "+ alignment": CrossfadeOptions(attacks=False, level_db=0),
    "+ attacks kept": CrossfadeOptions(level_db=0),
    "**+ levels matched: the default**": CrossfadeOptions(),
}

Place = tuple[str, int, int]  # source, start and length in samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    units = ["23.2", "250", "onset"]
    parser.add_argument("--units", nargs="+", default=units, help="milliseconds, or onset")
    parser.add_argument("--joins", type=int, default=2000)
    parser.add_argument("--random-seed", type=int, default=0)
    arguments = parser.parse_args()
    for units in arguments.units:
        rng = np.random.default_rng(arguments.random_seed)
        plan = random_plan(arguments.corpus, units, arguments.joins, rng)
        print(f"\nunits: {units}{'' if units == 'onset' else ' ms'}\n")
        print("| crossfade | flux | step | rise | level |\n|---|---|---|---|---|")
        for name, crossfade in WAYS.items():
            print_row(name, measure(plan, crossfade))


def print_row(name: str, row: tuple[list[float], float]) -> None:
    """Print what `means` gave."""
    (flux, step, rise, level), late = row
    attacks = "no attacks" if np.isnan(rise) else f"{rise:.2f} ms, {late:.0%} over 1"
    print(f"| {name} | {flux:.2f} dB | {step:.2f} dB | {attacks} | {level:.2f} dB |", flush=True)


def random_plan(corpus: Path, units: str, n_joins: int, rng: np.random.Generator) -> Plan:
    places = find_onsets(corpus) if units == "onset" else cut_evenly(corpus, float(units))
    places = [place for place in places if place[2] > 0]
    steps = []
    at = 0
    for number in range(n_joins + 3):  # the first and the last join have no sound on one side
        name, start, length = places[rng.integers(len(places))]
        steps.append(Step(number, name, start, length, at))
        at += length
    return Plan(RATE, 1, {"id": "table", "root": str(corpus)}, tuple(steps))


def find_onsets(corpus: Path) -> list[Place]:
    """Return every onset unit of at most a second with `MARGIN` of its source on either side."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        build_database(corpus, path, settings=DescriptorSettings(units="onset"))
        database = Database(path)
    units = database.units
    places = []
    for source, start, length, left in zip(
        units.source, units.start_sample, units.n_samples, units.samples_left, strict=True
    ):
        if start >= MARGIN and left - length >= MARGIN and length <= RATE:
            places.append((database.sources[source].path, int(start), int(length)))
    return places


def cut_evenly(corpus: Path, milliseconds: float) -> list[Place]:
    """Return every unit of a fixed length with `MARGIN` of its source on either side."""
    length = round(milliseconds / 1000 * RATE)
    places = []
    for name in find_audio(corpus):
        info = probe(corpus / name)
        end = info.n_samples * RATE // info.sample_rate - MARGIN
        places += [(name, start, length) for start in range(MARGIN, end - length, length)]
    return places


def measure(plan: Plan, crossfade: CrossfadeOptions) -> tuple[list[float], float]:
    """Return `means` of all joins."""
    with open_sources(plan) as reader:
        rendered = np.concatenate(list(stitch(plan, reader, crossfade=crossfade)))[:, 0]
        return means(around_joins(plan, reader, rendered))


def open_sources(plan: Plan) -> SourceReader:
    reader = SourceReader(plan.database["root"], sample_rate=plan.sample_rate, channels=1)
    reader.prepare(plan)
    return reader


def means(joins: Iterable[tuple[np.ndarray, ...]]) -> tuple[list[float], float]:
    """Return the means of the figures, and the share of attacks whose rise is off by over 1 ms."""
    figures = np.array([join_figures(*signals) for signals in joins])
    flux, step, _, level = figures.mean(axis=0)
    rises = figures[~np.isnan(figures[:, 2]), 2]
    if not len(rises):
        return [flux, step, np.nan, level], np.nan
    return [flux, step, rises.mean(), level], float((rises > 1).mean())


def around_joins(
    plan: Plan, reader: SourceReader, rendered: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the result, the outgoing and the incoming source around each join."""
    for before, after in joins_of(plan):
        join = after.at_sample
        outgoing, incoming = sides_of(before, after, reader, REACH)
        yield rendered[join - REACH : join + REACH], outgoing, incoming


def joins_of(plan: Plan) -> Iterator[tuple[Step, Step]]:
    """Yield the steps before and after each join that has sound around it."""
    for before, after in zip(plan.steps[1:-2], plan.steps[2:-1], strict=True):
        if REACH <= after.at_sample <= plan.n_samples - REACH:
            yield before, after


def sides_of(before: Step, after: Step, reader: SourceReader, reach: int) -> list[np.ndarray]:
    """Return both sources of a join as they go on, `reach` samples before it and after."""
    sides = []
    for source, sample in (
        (before.source, before.end_sample),
        (after.source, after.start_sample),
    ):
        samples = np.empty((2 * reach, 1), np.float32)
        reader.read_into(samples, source, sample - reach)
        sides.append(samples[:, 0])
    return sides


def join_figures(
    rendered: np.ndarray, outgoing: np.ndarray, incoming: np.ndarray
) -> tuple[float, ...]:
    """Return flux, step, rise and level, as in the module's docstring."""
    signals = np.stack([rendered, outgoing, incoming])
    near = slice(len(rendered) // 4, 3 * len(rendered) // 4)
    flux = steepest_rises(signals)
    steps = np.abs(np.diff(signals, axis=1))[:, near].max(axis=1) + 1e-5
    return (
        max(0.0, flux[0] - flux[1:].max()),
        max(0.0, 20 * np.log10(steps[0] / steps[1:].max())),
        rise_change(rendered, incoming),
        level_off(signals),
    )


def steepest_rises(signals: np.ndarray) -> np.ndarray:
    """Return the largest rise of the mel spectrum within 6 ms near the join.

    For the outgoing side it is measured before the join, for the incoming side after it.
    """
    frames = np.lib.stride_tricks.sliding_window_view(signals, FFT, axis=1)[:, ::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FFT), axis=2)) ** 2 / FFT
    bands = np.maximum(10 * np.log10(power @ mel_filters().T + 1e-12), FLOOR_DB)
    rises = np.maximum(bands[:, LAG:] - bands[:, :-LAG], 0).mean(axis=2)
    centres = np.arange(rises.shape[1]) * HOP + (FFT + LAG * HOP) // 2 - signals.shape[1] // 2
    near = np.abs(centres) < AROUND * RATE
    sides = (near, near & (centres < 0), near & (centres >= 0))
    return np.array([of_side[side].max() for of_side, side in zip(rises, sides, strict=True)])


@lru_cache
def mel_filters() -> np.ndarray:
    return librosa.filters.mel(sr=RATE, n_fft=FFT, n_mels=BANDS)


def rise_change(rendered: np.ndarray, incoming: np.ndarray) -> float:
    """Return by how many ms the rise time of the incoming attack changes; NaN without an attack.

    An attack stands out, and begins within 20 ms. Its rise is from 10 % of the amplitude, or the
    level of other sound before it, to 90 %.
    """
    changed = amplitude(rendered)
    original = amplitude(incoming)
    attack = find_attack(original)
    if attack is None:
        return np.nan
    around = slice(attack[0] - RATE // 500, attack[1] + 1)
    changed = changed[around]
    original = original[around]
    low = max(0.1, 1.3 * changed[0] / changed[-1])
    if low > 0.5:
        return np.nan  # masked by the sound before it
    return abs(rise_length(changed, low) - rise_length(original, low)) / RATE * 1000


def amplitude(signal: np.ndarray) -> np.ndarray:
    """Return the amplitude of the first difference over 2 ms.

    In the first difference, the swing of a bass note does not look like an attack.
    """
    return np.sqrt(np.convolve(np.gradient(signal) ** 2, np.hanning(RATE // 500), "same"))


def find_attack(envelope: np.ndarray) -> tuple[int, int] | None:
    """Return where an attack right after the join starts and peaks, if there is one."""
    middle = len(envelope) // 2
    peak = middle + int(envelope[middle : middle + round(AROUND * RATE)].argmax())
    quiet = envelope[: peak + 1] < 0.1 * envelope[peak]
    if envelope[peak] < 0.02 or not quiet[middle - RATE // 250 :].any():
        return None
    start = int(np.flatnonzero(quiet)[-1])
    if peak - start > round(0.012 * RATE):
        return None  # it swells
    return start, peak


def rise_length(envelope: np.ndarray, low: float) -> int:
    """Return the samples from the last below `low` to the first at 90 % of the last value."""
    high = int(np.flatnonzero(envelope >= 0.9 * envelope[-1])[0])
    below = np.flatnonzero(envelope[:high] < low * envelope[-1])
    return high - (int(below[-1]) if len(below) else 0)


def level_off(signals: np.ndarray) -> float:
    """Return by how many dB the level over 10 ms at the join is outside those of the sides."""
    half = round(0.005 * RATE)
    middle = signals.shape[1] // 2
    powers = np.mean(signals[:, middle - half : middle + half] ** 2, axis=1)
    rendered, *sides = 10 * np.log10(powers + 1e-7)
    return max(min(sides) - rendered, rendered - max(sides), 0.0)


if __name__ == "__main__":
    main()
