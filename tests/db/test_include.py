"""A database with one more source, and with transposed ones, beside the database itself."""

import os

import numpy as np
import pytest
import soundfile as sf

from db.analyse import describe_file
from db.build import build_database
from db.database import Database
from db.derived import transposed
from db.include import include_file
from db.settings import DescriptorSettings
from files.errors import DatabaseError

RATE = 44100


def tone(midi: float, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    partials = 440 * 2 ** ((midi - 69) / 12) * np.arange(1, 5)
    return sum(0.2 / n * np.sin(2 * np.pi * f * t) for n, f in enumerate(partials, 1))


@pytest.fixture(scope="module", params=["frame", "fixed:200"])
def database(request, tmp_path_factory) -> Database:
    folder = tmp_path_factory.mktemp("include")
    (folder / "in").mkdir()
    for name, midi in (("a", 60), ("b", 64), ("c", 67)):
        sf.write(folder / "in" / f"{name}.wav", tone(midi), RATE)
    settings = DescriptorSettings(
        units=request.param, descriptors=("mfcc", "chroma", "spectral", "loudness")
    )
    build_database(folder / "in", folder / "db", settings=settings)
    return Database(folder / "db")


def include(database: Database, path) -> tuple[Database, int]:
    _, described = describe_file(path, database.settings)
    return include_file(database, path, described.units, described.lengths)


def test_included_file_is_the_last_source(database, tmp_path):
    sf.write(tmp_path / "seed.wav", np.stack([tone(65, 0.7)] * 2, axis=1), RATE)
    _, described = describe_file(tmp_path / "seed.wav", database.settings)
    extended, number = include(database, tmp_path / "seed.wav")
    assert number == 3
    assert extended.sources[:3] == database.sources
    source = extended.sources[3]
    assert (source.path, source.channels) == (str(tmp_path / "seed.wav"), 2)
    assert not source.is_stored
    assert extended.units.n_samples[extended.units.source == 3].sum() == round(0.7 * RATE)
    np.testing.assert_array_equal(extended.source_descriptors(3), described.units)
    np.testing.assert_array_equal(
        extended.descriptors, np.concatenate([database.descriptors, described.units])
    )
    positions = np.random.default_rng(0).permutation(len(extended.units))
    np.testing.assert_array_equal(extended.rows_at(positions), extended.descriptors[positions])
    assert list(extended.stamps([source.path])) == [source.path]


def test_including_leaves_the_database_as_it_is(database, tmp_path):
    sf.write(tmp_path / "seed.wav", tone(65), RATE)
    before = database.n_units, len(database.units), list(database.sources_by_path)
    include(database, tmp_path / "seed.wav")
    assert (database.n_units, len(database.units), list(database.sources_by_path)) == before
    assert Database(database.path).n_units == database.n_units


def test_file_that_is_a_source_is_not_added_again(database, tmp_path):
    copied = tmp_path / "copy.wav"
    copied.write_bytes((database.root / "b.wav").read_bytes())
    for path in (database.root / "b.wav", copied):
        assert include(database, path) == (database, 1)


def test_file_in_the_corpus_folder_is_named_relative_to_it(database):
    path = database.root / "new.wav"
    sf.write(path, tone(65), RATE)
    extended, number = include(database, path)
    assert extended.sources[number].path == "new.wav"
    os.remove(path)


def test_source_that_has_changed_is_refused(database):
    path = database.root / "a.wav"
    before = path.read_bytes()
    sf.write(path, tone(65), RATE)
    with pytest.raises(DatabaseError, match=r"a\.wav has changed .*; run demiurge db build again"):
        include(database, path)
    path.write_bytes(before)


def test_transposed_descriptors_are_those_of_transposed_sounds(database, tmp_path):
    shifted = transposed(database, np.array([3, 0, -2]))
    assert shifted.semitones.tolist() == [3, 0, -2]
    names = database.settings.names
    for number, midi in enumerate((63, 64, 65)):
        sf.write(tmp_path / "t.wav", tone(midi), RATE)
        _, described = describe_file(tmp_path / "t.wav", database.settings)
        rows = shifted.source_descriptors(number)
        chroma = [names.index(f"chroma{i}") for i in range(12)]
        ours, theirs = rows.mean(axis=0), described.units.mean(axis=0)
        assert ours[chroma].argmax() == theirs[chroma].argmax()
        np.testing.assert_allclose(ours[chroma], theirs[chroma], atol=0.1)
        f0 = names.index("f0")
        assert ours[f0] == pytest.approx(theirs[f0], rel=0.01)
    same = [names.index(name) for name in names if not name.startswith(("chroma", "f0"))]
    np.testing.assert_array_equal(shifted.descriptors[:, same], database.descriptors[:, same])
    positions = np.random.default_rng(0).permutation(len(database.units))
    np.testing.assert_array_equal(shifted.rows_at(positions), shifted.descriptors[positions])
