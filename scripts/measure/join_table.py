"""The table of docs/rooms/playback.md: what is heard at crossfade that is not in the sources, for each
way to make them.

    python scripts/measure/join_table.py CORPUS [--units 23.2 250 onset] [--crossfade 2000] [--seed 0]

Units are drawn at random from all over the corpus, so that neighbours have nothing to do with each
other: what a path search would never choose, and the hardest there is to join. Each seam is
compared with its two sides as they would sound if they simply went on, within 20 ms of the
boundary:

flux   how much the mel spectrum rises at most (dB, mean over the bands), above the more rising of the two sides
step   the largest difference of two samples next to each other, above the larger one of the two sides, in dB of it
rise   where the incoming unit begins with an attack: how much its rise (10 to 90 % of the amplitude) lasts longer or shorter
level  how far the power at the boundary lies off the course from one side's to the other's, in dB
"""

import argparse
import tempfile
from collections.abc import Iterator
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

AROUND = 0.02  # seconds
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument(
        "--units", nargs="+", default=["23.2", "250", "onset"], help="milliseconds, or onset"
    )
    parser.add_argument("--crossfade", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for units in arguments.units:
        plan = random_plan(
            arguments.corpus, units, arguments.crossfade, np.random.default_rng(arguments.seed)
        )
        print(f"\nunits: {units}{'' if units == 'onset' else ' ms'}\n")
        print("| crossfade | flux | step | rise | level |\n|---|---|---|---|---|")
        for name, way in WAYS.items():
            (flux, step, rise, level), late = measure(plan, way)
            print(
                f"| {name} | {flux:.2f} dB | {step:.2f} dB | {rise:.2f} ms, {late:.0%} over 1 |"
                f" {level:.2f} dB |",
                flush=True,
            )


def random_plan(corpus: Path, units: str, n_seams: int, rng: np.random.Generator) -> Plan:
    spans = [span for span in _spans(corpus, units) if span[2] > 0]
    rate = 44100
    steps = []
    at = 0
    for number in range(n_seams + 3):  # the first and the last seam have no sound on one side
        name, start, length = spans[rng.integers(len(spans))]
        steps.append(Step(number, name, start, length, at))
        at += length
    return Plan(rate, 1, {"id": "table", "root": str(corpus)}, tuple(steps))


def _spans(corpus: Path, units: str) -> list[tuple[str, int, int]]:
    """Every unit that has a tenth of a second of its source on either side."""
    if units == "onset":
        with tempfile.TemporaryDirectory() as folder:
            build_database(corpus, Path(folder) / "db", settings=DescriptorSettings(units="onset"))
            database = Database(Path(folder) / "db")
            all_units = database.units
            return [
                (database.sources[s].path, int(start), int(n))
                for s, start, n, room in zip(
                    all_units.source,
                    all_units.start_sample,
                    all_units.n_samples,
                    all_units.room,
                    strict=True,
                )
                if start >= 4410 and room - n >= 4410 and n <= 44100
            ]
    length = round(float(units) / 1000 * 44100)
    found = []
    for name in find_audio(corpus):
        info = probe(corpus / name)
        n_samples = info.n_samples * 44100 // info.sample_rate
        found += [(name, start, length) for start in range(4410, n_samples - 4410 - length, length)]
    return found


def measure(plan: Plan, way: CrossfadeOptions) -> tuple[list[float], float]:
    """The means of the figures, and how many of the attacks rise more than 1 ms otherwise."""
    rows = []
    with SourceReader(plan.database["root"], sample_rate=plan.sample_rate, channels=1) as reader:
        reader.prepare(plan)
        whole = np.concatenate(list(stitch(plan, reader, crossfade=way)))[:, 0]
        for heard, outgoing, incoming in _around(plan, reader, whole):
            rows.append(seam_figures(heard, outgoing, incoming, plan.sample_rate))
    figures = np.array(rows)
    rises = figures[~np.isnan(figures[:, 2]), 2]
    return np.nanmean(figures, axis=0).tolist(), float((rises > 1).mean())


def _around(
    plan: Plan, reader: SourceReader, whole: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    side = round(2 * AROUND * plan.sample_rate)
    for before, after in zip(plan.steps[1:-2], plan.steps[2:-1], strict=True):
        b = after.at_sample
        if b < side or b + side > len(whole):
            continue
        sides = []
        for source, place in (
            (before.source, before.end_sample),
            (after.source, after.start_sample),
        ):
            samples = np.empty((2 * side, 1), np.float32)
            reader.read_into(samples, source, place - side)
            sides.append(samples[:, 0])
        yield whole[b - side : b + side], *sides


def seam_figures(
    heard: np.ndarray, outgoing: np.ndarray, incoming: np.ndarray, rate: int
) -> tuple[float, ...]:
    signals = np.stack([heard, outgoing, incoming])
    near = slice(len(heard) // 4, 3 * len(heard) // 4)
    flux = _flux(signals, rate)
    steps = np.abs(np.diff(signals, axis=1))[:, near].max(axis=1) + 1e-5
    return (
        max(0.0, flux[0] - flux[1:].max()),
        max(0.0, 20 * np.log10(steps[0] / steps[1:].max())),
        _rise_change(heard, incoming, rate),
        _level_off(signals, rate),
    )


def _flux(signals: np.ndarray, rate: int) -> np.ndarray:
    """The steepest rise of the mel spectrum over 6 ms near the boundary: heard, outgoing before it,
    incoming behind it.
    """
    frames = np.lib.stride_tricks.sliding_window_view(signals, FFT, axis=1)[:, ::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FFT), axis=2)) ** 2 / FFT
    bands = np.maximum(10 * np.log10(power @ _mel_filters(rate).T + 1e-12), FLOOR_DB)
    rises = np.maximum(bands[:, LAG:] - bands[:, :-LAG], 0).mean(axis=2)
    centres = np.arange(rises.shape[1]) * HOP + (FFT + LAG * HOP) // 2 - signals.shape[1] // 2
    near = np.abs(centres) < AROUND * rate
    return np.array(
        [
            r[near & side].max()
            for r, side in zip(rises, (True, centres < 0, centres >= 0), strict=True)
        ]
    )


@lru_cache
def _mel_filters(rate: int) -> np.ndarray:
    return librosa.filters.mel(sr=rate, n_fft=FFT, n_mels=BANDS)


def _rise_change(heard: np.ndarray, incoming: np.ndarray, rate: int) -> float:
    """By how many ms the rise is off if the incoming side begins with an attack within 20 ms that
    stands out, else nan.

    From 10 %, or what else is heard before it, to 90 % of the amplitude.
    """
    window = np.hanning(
        rate // 500
    )  # of 2 ms; of the first difference, for which the swing of a bass note is no attack
    envelopes = [
        np.sqrt(np.convolve(np.gradient(x) ** 2, window, "same")) for x in (heard, incoming)
    ]
    middle = len(heard) // 2
    most = round(0.02 * rate)
    theirs = envelopes[1][middle : middle + most]
    peak = middle + int(theirs.argmax())
    quiet = envelopes[1][: peak + 1] < 0.1 * envelopes[1][peak]
    if envelopes[1][peak] < 0.02 or not quiet[middle - rate // 250 :].any():
        return np.nan
    start = int(np.flatnonzero(quiet)[-1])
    if peak - start > round(0.012 * rate):
        return np.nan  # it swells
    around = [envelope[start - rate // 500 : peak + 1] for envelope in envelopes]
    low = max(0.1, 1.3 * around[0][0] / around[0][-1])
    if low > 0.5:
        return np.nan  # masked by what went before
    return abs(_rise(around[0], low) - _rise(around[1], low)) / rate * 1000


def _rise(envelope: np.ndarray, low: float) -> int:
    """Samples from the last below `low` to the first at 90 % of the last value."""
    high = int(np.flatnonzero(envelope >= 0.9 * envelope[-1])[0])
    below = np.flatnonzero(envelope[:high] < low * envelope[-1])
    return high - (int(below[-1]) if len(below) else 0)


def _level_off(signals: np.ndarray, rate: int) -> float:
    """By how much the level over 10 ms at the boundary lies outside of what the two sides have
    around it.
    """
    half = round(0.005 * rate)
    middle = signals.shape[1] // 2
    level = 10 * np.log10(np.mean(signals[:, middle - half : middle + half] ** 2, axis=1) + 1e-7)
    low = level[1:].min()
    high = level[1:].max()
    return max(low - level[0], level[0] - high, 0.0)


if __name__ == "__main__":
    main()
