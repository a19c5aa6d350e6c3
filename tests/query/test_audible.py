"""Units that can be heard."""

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from query.audible import audible_units, is_audible_throughout

RATE = 22050


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A loud sound with a second of near silence in its middle, a quiet sound, and silence."""
    folder = tmp_path_factory.mktemp("audible")
    (folder / "c").mkdir()
    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    loud = 0.1 * noise
    loud[RATE : 2 * RATE] *= 10 ** (-45 / 20)
    for name, samples in (("loud", loud), ("quiet", 0.003 * noise), ("silent", 0 * noise)):
        sf.write(folder / "c" / f"{name}.wav", samples, RATE, subtype="FLOAT")
    return folder


def build(corpus, *descriptors):
    settings = DescriptorSettings(descriptors=descriptors, sample_rate=RATE)
    path = corpus / "-".join(descriptors)
    build_database(corpus / "c", path, settings=settings)
    return Database(path)


def test_what_is_far_below_its_source_cannot_be_heard(corpus):
    database = build(corpus, "mfcc", "loudness")
    audible = audible_units(database)
    middle = (database.units.start_sample + database.units.n_samples / 2) / RATE
    loud, quiet, silent = (database.units.source == number for number in range(3))
    inside = (middle > 1.1) & (middle < 1.9)
    assert not audible[loud & inside].any()
    assert audible[loud & ((middle < 0.9) | (middle > 2.1))].all()
    assert audible[quiet].all()
    assert not audible[silent].any()


def test_a_seed_with_pauses_is_not_audible_throughout(corpus):
    database = build(corpus, "mfcc", "loudness")
    loud, quiet = database.source_descriptors(0), database.source_descriptors(1)
    for rows, expected in ((loud, False), (loud[:20], True), (quiet, True)):
        lengths = np.full(len(rows), 512)
        assert is_audible_throughout(rows, lengths, database.settings) == expected


def test_without_loudness_all_are_taken(corpus):
    database = build(corpus, "mfcc")
    assert audible_units(database).all()
    rows = database.source_descriptors(2)
    assert is_audible_throughout(rows, np.full(len(rows), 512), database.settings)
