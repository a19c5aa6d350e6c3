"""How much passages of the corpus sound like a seed.

The style of a passage is the mean and the standard deviation of its unit vectors. Levels are left
out, since playback can match them. The passage of a unit is what would be heard if playing began
there, and a little of what comes before. The distance from a seed is the mean of those from its
last passages: what follows often returns to any of them.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from db.columns import columns_of
from db.database import Database
from db.unit_table import Units
from query.space import LEVEL_COLUMNS, Space

BEFORE_SECONDS = 1.5  # of the passage of a unit
AFTER_SECONDS = 4.5
SEED_PASSAGES = 3  # of the end of a seed
HARMONY = 2.0  # distance of a passage whose chroma is unrelated to the seed's
WORLD = 1.0  # times the length of the continuation is chosen from the corpus to make it from
NEAREST_SECONDS = 10.0  # of a source, in style, that its transposition is chosen by
SEMITONE = 0.1  # distance that a semitone of transposition counts for
FEWEST_UNITS = 64  # that it is made from, where there are as many
LOOKED_AT = 256  # units, for the end of a passage
STRETCH_UNITS = 1 << 13  # of a source, whose styles are found at a time


def style_distances(space: Space, seed: np.ndarray, seed_samples: np.ndarray) -> np.ndarray:
    """Return the distance of each unit's passage from the seed's style, float32, (n_units,).

    Parameters
    ----------
    seed : ndarray, float32, shape (steps, n_descriptors), raw
    seed_samples : ndarray, int64, shape (steps,)
        Length of each step.
    """
    database = space.database
    keep = without_levels(database)
    of_seed = seed_styles(space.vectors(seed) * keep, seed_samples, database.sample_rate)
    distances = harmony_distances(database, seed, seed_samples)
    first = 0
    for number, source in enumerate(database.sources):
        rows = slice(first, first + source.n_units)
        descriptors = database.source_descriptors(number)
        n_samples = database.units.n_samples[rows]
        begin, end = _passages(n_samples, database.sample_rate)
        vectors = space.vectors(descriptors) * keep
        styles = _styles(vectors, n_samples, begin, end)
        distances[rows] += np.mean([_lengths(styles - style) for style in of_seed], axis=0)
        first += source.n_units
    return distances


def harmony_distances(
    database: Database, seed: np.ndarray, seed_samples: np.ndarray, weight: float = HARMONY
) -> np.ndarray:
    """Return the distance of the chroma of each unit's passage from the seed's, 0 if not known.

    Parameters are those of `style_distances`; `weight` is the distance if they are unrelated.
    """
    chroma = chroma_columns(database)
    if not chroma:
        return np.zeros(len(database.units), np.float32)
    of_seed = np.average(seed[:, chroma], axis=0, weights=seed_samples)
    means = _passage_chroma(database, chroma)
    return (weight * (1 - correlations(means, of_seed))).astype(np.float32)


def _passage_chroma(database: Database, columns: list[int]) -> np.ndarray:
    """Return the mean chroma of the passage of each unit, float64, (n_units, 12)."""
    sources = [database.source_descriptors(i)[:, columns] for i in range(len(database.sources))]
    return passage_means(database, np.concatenate(sources))


def passage_means(database: Database, values: np.ndarray) -> np.ndarray:
    """Return the mean of values (n_units, k) over the passage of each unit, float64."""
    means = np.empty(values.shape)
    first = 0
    for source in database.sources:
        rows = slice(first, first + source.n_units)
        n_samples = database.units.n_samples[rows]
        begin, end = _passages(n_samples, database.sample_rate)
        means[rows] = _styles(values[rows], n_samples, begin, end)[:, : values.shape[1]]
        first += source.n_units
    return means


def passage_styles(space: Space, positions: np.ndarray) -> np.ndarray:
    """Return the style of the passage of each unit, float32, (n, 2 * n_descriptors).

    `positions` are int64, (n,), ascending.
    """
    database = space.database
    keep = without_levels(database)
    styles = np.empty((len(positions), 2 * len(keep)), np.float32)
    for rows, first, stop in _stretches(database, positions):
        around = np.arange(first, stop)
        n_samples = database.units.n_samples[around]
        begin, end = _passages(n_samples, database.sample_rate)
        vectors = space.vectors(database.rows_at(around)) * keep
        here = positions[rows] - first
        styles[rows] = _styles(vectors, n_samples, begin[here], end[here])
    return styles


def _stretches(database: Database, positions: np.ndarray) -> Iterator[tuple[slice, int, int]]:
    """Yield rows of ascending `positions` and the ends of the stretch that holds their passages.

    No stretch is much longer than its passages, nor than `STRETCH_UNITS`.
    """
    units = database.units
    source = units.source[positions]
    start = units.start_sample[positions]
    apart = (BEFORE_SECONDS + AFTER_SECONDS) * database.sample_rate
    parted = (np.diff(source) > 0) | (np.diff(start) > apart)
    edges = [0, *(np.flatnonzero(parted) + 1).tolist(), len(positions)]
    for begin, end in pairwise(edges):
        first = begin
        while first < end:
            n_near = positions[first:end].searchsorted(positions[first] + STRETCH_UNITS)
            rows = slice(first, first + int(n_near))
            yield rows, *_with_passages(database, positions[rows])
            first = rows.stop


def _with_passages(database: Database, positions: np.ndarray) -> tuple[int, int]:
    """Return the ends, as positions, of the passages of units of one source, in its order."""
    units = database.units
    first = int(positions[0])
    last = int(positions[-1])
    begin, end = units.source_span(first)
    before = int(units.start_sample[first]) - round(BEFORE_SECONDS * database.sample_rate)
    after = int(units.start_sample[last]) + round(AFTER_SECONDS * database.sample_rate)
    return _begin_of(units, first, begin, before), _end_of(units, last, end, after)


def _begin_of(units: Units, position: int, least: int, sample: int) -> int:
    """Return the first unit, from `least` on, that starts at a sample or later."""
    n_units = LOOKED_AT
    while True:
        first = max(position - n_units, least)
        starts = units.start_sample[np.arange(first, position + 1)]
        if first == least or starts[0] < sample:
            return first + int(np.searchsorted(starts, sample))
        n_units *= 2


def _end_of(units: Units, position: int, most: int, sample: int) -> int:
    """Return the first unit after one, before `most`, that starts at a sample or later."""
    n_units = LOOKED_AT
    while True:
        last = min(position + n_units, most)
        starts = units.start_sample[np.arange(position, last)]
        if last == most or starts[-1] >= sample:
            return position + int(np.searchsorted(starts, sample))
        n_units *= 2


def choose_transpositions(
    database: Database,
    distances: np.ndarray,
    seed: np.ndarray,
    seed_samples: np.ndarray,
    *,
    most: int,
) -> np.ndarray:
    """Return how far to transpose each source towards the seed's key, int64, (n_sources,).

    Of each source those passages count that would be nearest to the seed.

    Parameters
    ----------
    distances : ndarray, float32, shape (n_units,)
        `style_distances` without transposition, or more.
    seed, seed_samples : ndarray
        As for `style_distances`.
    most : int
        Semitones, up or down.
    """
    chroma = chroma_columns(database)
    seed_chroma = np.average(seed[:, chroma], axis=0, weights=seed_samples)
    means = _passage_chroma(database, chroma)
    semitones = np.array(sorted(range(-most, most + 1), key=abs))  # of equal ones, the least
    chosen = np.zeros(len(database.sources), np.int64)
    first = 0
    for number, source in enumerate(database.sources):
        rows = slice(first, first + source.n_units)
        n_samples = database.units.n_samples[rows]
        # a passage that is raised fits the seed as well as it fits the seed lowered
        fit = np.stack(
            [correlations(means[rows], np.roll(seed_chroma, -shift)) for shift in semitones],
            axis=1,
        )
        costs = distances[rows, None] + HARMONY * (fit[:, :1] - fit) + SEMITONE * np.abs(semitones)
        n_nearest = max(round(NEAREST_SECONDS * database.sample_rate / n_samples.mean()), 1)
        chosen[number] = semitones[np.sort(costs, axis=0)[:n_nearest].mean(axis=0).argmin()]
        first += source.n_units
    return chosen


def nearest_in_style(
    distances: np.ndarray, allowed: np.ndarray, database: Database, *, seconds: float
) -> np.ndarray:
    """Return the allowed units that are nearest to a seed, nearest first, int64, `n_needed`.

    Parameters
    ----------
    distances : ndarray, shape (n_units,)
        As `style_distances`.
    allowed : ndarray, bool, shape (n_units,)
    """
    order = np.flatnonzero(allowed)
    order = order[np.argsort(distances[order], kind="stable")]
    n_samples = database.units.n_samples[order]
    return order[: n_needed(n_samples, seconds * database.sample_rate)]


def n_needed(n_samples: np.ndarray, wanted: float) -> int:
    """Return how many units of these lengths, (n,), last for `WORLD` times the `wanted` samples.

    It is `FEWEST_UNITS` at least.
    """
    return max(int(np.searchsorted(np.cumsum(n_samples), WORLD * wanted)) + 1, FEWEST_UNITS)


def with_followers(chosen: np.ndarray, database: Database, seconds: float) -> np.ndarray:
    """Return the units chosen, and those that begin within `seconds` after one in its source."""
    units = database.units
    start = units.start_sample / database.sample_rate
    positions = np.arange(len(chosen))
    latest = np.maximum.accumulate(np.where(chosen, positions, -1))
    same_source = units.source[latest] == units.source
    return (latest >= 0) & same_source & (start - start[latest] <= seconds)


def chroma_columns(database: Database) -> list[int]:
    names = database.settings.names
    return [names.index(name) for name in columns_of("chroma", n_mfcc=1).names if name in names]


def correlations(rows: np.ndarray, with_row: np.ndarray) -> np.ndarray:
    """Return the correlation of each row with one, 0 where either is constant."""
    a = rows - rows.mean(axis=1, keepdims=True)
    b = with_row - with_row.mean()
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b)
    return np.divide(a @ b, scale, out=np.zeros(len(a)), where=scale > 1e-9)


def without_levels(database: Database) -> np.ndarray:
    names = database.settings.names
    return np.array([name not in LEVEL_COLUMNS for name in names], np.float32)


def seed_styles(vectors: np.ndarray, n_samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the styles of the seed's last passages, one after the other, (passages, 2 * width)."""
    length = (BEFORE_SECONDS + AFTER_SECONDS) * sample_rate
    starts = np.cumsum(n_samples) - n_samples
    n_passages = int(np.clip(n_samples.sum() // length, 1, SEED_PASSAGES))
    begins = n_samples.sum() - length * np.arange(n_passages, 0, -1)
    first = np.minimum(np.searchsorted(starts, begins), len(starts) - 1)
    stop = np.maximum(np.append(first[1:], len(starts)), first + 1)
    return _styles(vectors, n_samples, first, stop)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt((vectors**2).sum(axis=1))


def _passages(n_samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first unit of each unit's passage in its source, and the one after the last."""
    begins = np.cumsum(n_samples) - n_samples
    first = np.searchsorted(begins, begins - round(BEFORE_SECONDS * sample_rate))
    stop = np.searchsorted(begins, begins + round(AFTER_SECONDS * sample_rate))
    return first, np.maximum(stop, np.arange(len(begins)) + 1)


def _styles(
    vectors: np.ndarray, n_samples: np.ndarray, first: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """Return mean and standard deviation of each range of units, weighted by their lengths."""
    weights = (n_samples / n_samples.mean())[:, None]
    values = vectors.astype(np.float64)
    running = _running_sums(np.concatenate([weights, weights * values, weights * values**2], 1))
    sums = running[stop] - running[first]
    width = vectors.shape[1]
    mean = sums[:, 1 : width + 1] / sums[:, :1]
    square = sums[:, width + 1 :] / sums[:, :1]
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))], axis=1)


def _running_sums(values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
