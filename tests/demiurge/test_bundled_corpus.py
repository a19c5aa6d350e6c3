"""The bundled sounds against the list of their origins and licences."""

import hashlib
import re

import numpy as np
import pytest
import soundfile as sf

from demiurge.bundled import CORPUS_DIR, DATA, SEED_FILE
from demiurge.shipped import WEIGHTS

ROWS = re.findall(
    r"^\| (\S+\.ogg) \| (.*?) \| (.*?) \| (.*?) \| ([\d.]+) \| (\d) \| (corpus|seed) \|$",
    (DATA / "LICENSES.md").read_text(),
    re.M,
)


def test_list_and_folders_name_the_same_files():
    listed = {f"{role}/{name}" for name, *_, role in ROWS}
    assert listed == {path.relative_to(DATA).as_posix() for path in DATA.rglob("*.ogg")}
    assert len(ROWS) == len(listed) > 100


def test_everything_is_cc0_and_has_an_author():
    for name, author, _, licence, *_ in ROWS:
        assert licence == "CC0 1.0", name
        assert author, name


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_file_is_as_listed_and_sounds(row):
    name, _, _, _, seconds, channels, role = row
    samples, rate = sf.read(DATA / role / name, always_2d=True)
    assert samples.shape[1] == int(channels)
    assert len(samples) / rate == pytest.approx(float(seconds), abs=0.006)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() > 0.01


def test_sounds_fit_in_five_megabytes_and_weights_in_thirty_five():
    sizes = [
        (path.is_relative_to(WEIGHTS), path.stat().st_size)
        for path in DATA.rglob("*")
        if path.is_file()
    ]
    assert sum(size for is_weights, size in sizes if not is_weights) < 5e6
    assert 5e6 < sum(size for is_weights, size in sizes if is_weights) < 35e6


def test_seed_is_not_in_the_corpus():
    digest = hashlib.sha256(SEED_FILE.read_bytes()).digest()
    assert all(path.stem != SEED_FILE.stem for path in CORPUS_DIR.iterdir())
    assert all(
        hashlib.sha256(path.read_bytes()).digest() != digest for path in CORPUS_DIR.iterdir()
    )
