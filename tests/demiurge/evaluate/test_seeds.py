"""Seeds and what follows them, cut out of pieces whose samples are known."""

import os

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from demiurge.evaluate.seeds import check_unheard, cut_seeds, seed_starts
from files.errors import ParameterError

RATE = 8000


@pytest.fixture
def pieces(tmp_path):
    """A ramp of 75 s, of which each sample tells its time."""
    folder = tmp_path / "pieces"
    (folder / "album").mkdir(parents=True)
    n_samples = 75 * RATE
    ramp = np.repeat(np.arange(n_samples // 32) - n_samples // 64, 32) / 32768
    sf.write(folder / "album" / "ramp.wav", np.column_stack([ramp, -ramp]), RATE)
    return folder


def time_of(sample):
    return (round(sample * 32768) + 75 * RATE // 64) * 32 / RATE


def test_seeds_are_evenly_spaced_and_fewer_in_a_short_piece():
    assert seed_starts(200, 30) == pytest.approx([25, 75, 125])
    assert seed_starts(56, 30) == pytest.approx([1.5, 4.5])
    assert seed_starts(50, 30) == pytest.approx([0])
    assert not len(seed_starts(49.9, 30))


def test_what_follows_begins_where_the_seed_ends(pieces, tmp_path):
    found = cut_seeds(pieces, tmp_path / "out", 30)
    assert [seed.name for seed in found.seeds] == ["album_ramp-1", "album_ramp-2", "album_ramp-3"]
    assert {seed.track for seed in found.seeds} == {"album/ramp"}
    for seed, start in zip(found.seeds, seed_starts(75, 30), strict=True):
        samples, _ = sf.read(seed.path)
        following, _ = sf.read(seed.following)
        assert (samples.shape, following.shape) == ((20 * RATE, 2), (30 * RATE, 2))
        assert time_of(samples[0, 0]) == pytest.approx(start, abs=0.01)
        assert time_of(samples[-1, 0]) == pytest.approx(start + 20, abs=0.01)
        assert time_of(following[0, 0]) == pytest.approx(start + 20, abs=0.01)
        assert time_of(following[-1, 0]) == pytest.approx(start + 50, abs=0.01)


def test_seeds_are_cut_once_for_each_length(pieces, tmp_path):
    first = cut_seeds(pieces, tmp_path / "out", 30).seeds[0].path
    written = first.stat().st_mtime_ns
    assert cut_seeds(pieces, tmp_path / "out", 30).seeds[0].path == first
    assert first.stat().st_mtime_ns == written
    assert cut_seeds(pieces, tmp_path / "out", 20).seeds[0].path != first


@pytest.mark.parametrize("damage", ["", "three", "-1", "99999999999", "[]", "pipe", "lost"])
def test_seeds_that_are_not_complete_are_cut_again(pieces, tmp_path, damage):
    found = cut_seeds(pieces, tmp_path / "out", 30).seeds
    complete = found[0].path.parent / "complete"
    assert complete.read_text() == "3"
    if damage == "lost":
        found[2].following.unlink()
    else:
        complete.unlink()
    if damage == "pipe":
        os.mkfifo(complete)
        with pytest.raises(ParameterError, match="is a named pipe"):
            cut_seeds(pieces, tmp_path / "out", 30)
        return
    if damage != "lost":
        complete.write_text(damage)
    assert cut_seeds(pieces, tmp_path / "out", 30).seeds == found
    assert complete.read_text() == "3"
    assert found[2].following.is_file()


def test_pieces_that_are_too_short_or_no_audio_are_left_out(pieces, tmp_path):
    sf.write(pieces / "short.wav", np.zeros(49 * RATE), RATE)
    (pieces / "bad.wav").write_bytes(b"no audio")
    found = cut_seeds(pieces, tmp_path / "out", 30)
    assert len(found.seeds) == 3
    assert set(found.left_out) == {"short.wav", "bad.wav"}
    assert found.left_out["short.wav"].startswith("short.wav: 49.0 s are too short for a seed of")


def test_folders_without_a_usable_piece_are_refused(pieces, tmp_path):
    with pytest.raises(ParameterError, match="no such folder"):
        cut_seeds(tmp_path / "none", tmp_path / "out", 30)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="no audio files in this folder"):
        cut_seeds(tmp_path / "empty", tmp_path / "out", 30)
    with pytest.raises(ParameterError, match=r"no piece can be used:\n.*75.0 s are too short"):
        cut_seeds(pieces, tmp_path / "out", 60)


def test_a_piece_of_the_corpus_is_refused_under_any_name(pieces, tmp_path):
    build_database(pieces, tmp_path / "my.db")
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "other.wav").write_bytes((pieces / "album" / "ramp.wav").read_bytes())
    with pytest.raises(ParameterError, match=r"other.wav is album/ramp.wav"):
        check_unheard(tmp_path / "copies", Database(tmp_path / "my.db"))
    sf.write(tmp_path / "copies" / "other.wav", np.zeros(RATE), RATE)
    check_unheard(tmp_path / "copies", Database(tmp_path / "my.db"))
