"""Colours of sources: three databases are told apart, whatever colours one sees."""

from itertools import combinations, product

import numpy as np
import pytest

from playback.plan import Plan, Step
from playback.source_colours import OTHERS, SHADES, database_colour, shades_of

FROM_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# what is seen without one kind of cones (Machado, Oliveira and Fernandes 2009), linear RGB
SEEN = {
    "all": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
CLEAR = 0.08  # in OKLab, where 0.02 is just noticed


def oklab(colour, seen):
    encoded = np.array(colour)
    linear = np.where(encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92)
    return TO_OKLAB @ np.cbrt(FROM_RGB @ np.clip(seen @ linear, 0, 1))


@pytest.mark.parametrize("sight", SEEN)
def test_shades_of_three_databases_differ_clearly(sight):
    shades = [
        [oklab(database_colour(number, shade), SEEN[sight]) for shade in range(len(SHADES))]
        for number in range(3)
    ]
    for one, other in combinations(shades, 2):
        assert min(np.linalg.norm(a - b) for a, b in product(one, other)) > CLEAR


def test_sources_are_shades_of_their_database_and_others_are_grey():
    sources = ["b:x.wav", "a:x.wav", "b:y.wav", "/seed.wav"]
    members = {name: {"id": name, "root": f"/{name}"} for name in "ab"}
    steps = tuple(Step(0, source, 0, 1, at) for at, source in enumerate(sources))
    plan = Plan(44100, 1, {"id": "all", "databases": members}, steps)
    expected = [database_colour(1), database_colour(0), database_colour(1, 1), OTHERS]
    assert shades_of(plan, sources) == expected


def test_more_databases_than_hues_have_colours():
    colours = {database_colour(number) for number in range(20)}
    assert len(colours) == 20
    assert all(0 <= value <= 1 for colour in colours for value in colour)
