"""Baselines on a corpus of two melodies."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.evaluate import oracle
from demiurge.evaluate.baselines import RandomPassage, TrackItself
from demiurge.evaluate.contexts import Contexts
from demiurge.evaluate.oracle import Oracle
from demiurge.evaluate.runs import measure_runs
from files.errors import ParameterError
from tests.demiurge.evaluate.conftest import melody
from tests.sounds import RATE


@pytest.fixture
def seed(melodies, tmp_path):
    """Seconds 4 to 12 of the second melody, a little quieter."""
    return cut_seed(melodies, tmp_path, 12)


def cut_seed(melodies, folder, end):
    samples, _ = sf.read(melodies / "two.wav")
    path = folder / f"until {end}.wav"
    sf.write(path, 0.9 * samples[4 * RATE : round(end * RATE)], RATE)
    return path


@pytest.mark.parametrize("units", ["frame", "beat"])
def test_distances_of_contexts_agree_with_a_sum_over_their_units(analysed, units):
    contexts = Contexts.of(analysed[units], 3)
    wanted = contexts.rows[[5, 6, 7]]
    found = contexts.distances(np.stack([wanted, wanted - 1]))
    n_columns = contexts.rows.shape[1]

    def distance(position, wanted):
        total = 0.0
        for back in range(3):
            is_there = contexts.number_in_source[position] >= back
            row = contexts.rows[position - back]
            total += ((row - wanted[2 - back]) ** 2).sum() if is_there else n_columns
        return total / 3

    first_of_second = int(np.flatnonzero(contexts.number_in_source == 0)[1])
    for position in (0, 1, 7, first_of_second, first_of_second + 1, len(contexts.rows) - 1):
        assert found[position, 0] == pytest.approx(distance(position, wanted), rel=1e-3, abs=1e-4)
        assert found[position, 1] == pytest.approx(
            distance(position, wanted - 1), rel=1e-3, abs=1e-4
        )
    assert found[:, 0].argmin() == 7


def test_contexts_need_mfcc_and_chroma(melodies, tmp_path):
    build_database(melodies, tmp_path / "mfcc", settings=DescriptorSettings())
    with pytest.raises(ParameterError, match="has no chroma; build it with --descriptors"):
        Contexts.of(Database(tmp_path / "mfcc"), 4)


@pytest.mark.parametrize(("units", "end"), [("frame", 12.2), ("beat", 12)])
def test_oracle_goes_on_where_the_moment_most_like_the_seed_goes_on(
    analysed, melodies, tmp_path, monkeypatch, units, end
):
    monkeypatch.setattr(oracle, "NEAREST", 1)
    seed = cut_seed(melodies, tmp_path, end)
    first = Oracle(analysed[units]).continue_seed(seed, 6, 0).runs[0]
    assert first.source == "two.wav"
    assert first.start == pytest.approx(end, abs=0.1 if units == "frame" else 0.6)


@pytest.mark.parametrize("units", ["frame", "beat"])
@pytest.mark.parametrize("joins", [0.3, 1.0])
def test_oracle_jumps_elsewhere_as_often_as_asked(analysed, seed, units, joins):
    found = Oracle(analysed[units], joins).continue_seed(seed, 40, 0)
    assert found.audio.shape == (40 * RATE, 1)
    measures = measure_runs(found.runs, 40)
    assert measures.joins_per_second == pytest.approx(joins, rel=0.35)
    assert measures.longest_run <= 4
    for run, following in pairwise(found.runs):
        assert run.source != following.source or abs(following.start - run.end) > 1.4


def test_oracle_depends_on_the_random_seed_alone(analysed, seed):
    first, again, other = (
        Oracle(analysed["frame"]).continue_seed(seed, 10, number) for number in (1, 1, 2)
    )
    assert np.array_equal(first.audio, again.audio)
    assert first.runs == again.runs != other.runs


@pytest.mark.parametrize("units", ["frame", "beat"])
def test_oracle_continues_tiny_seeds_with_tiny_corpora(tmp_path, units):
    (tmp_path / "hits").mkdir()
    for number in range(3):
        hit = melody(number, 1)[: RATE // 5]
        sf.write(tmp_path / "hits" / f"{number}.wav", hit, RATE)
    settings = DescriptorSettings(descriptors=("mfcc", "chroma"), units=units)
    build_database(tmp_path / "hits", tmp_path / "my.db", settings=settings)
    found = Oracle(Database(tmp_path / "my.db")).continue_seed(tmp_path / "hits" / "0.wav", 3, 0)
    assert len(found.audio) == 3 * 44100
    assert np.isfinite(found.audio).all()


def test_random_passage_is_part_of_a_source_or_of_several_short_ones(analysed, melodies, seed):
    method = RandomPassage(analysed["frame"])
    found = method.continue_seed(seed, 10, 3)
    (run,) = found.runs
    samples, _ = sf.read(melodies / run.source, dtype="float32")
    start = round(run.start * RATE)
    within = slice(RATE // 10, -RATE // 10)  # the ends are faded
    assert np.array_equal(found.mono[within], samples[start : start + 10 * RATE][within])
    starts = {method.continue_seed(seed, 10, number).runs[0].start for number in range(5)}
    assert len(starts) == 5
    chained = method.continue_seed(seed, 70, 3)
    assert len(chained.runs) == 3
    assert len(chained.audio) == 70 * RATE


def test_track_itself_is_what_follows(melodies, seed):
    following = melodies / "one.wav"
    found = TrackItself({seed: following}).continue_seed(seed, 12, 0)
    assert np.array_equal(found.mono, sf.read(following, dtype="float32")[0][: 12 * RATE])
    assert measure_runs(found.runs, 12).joins_per_second == 0
