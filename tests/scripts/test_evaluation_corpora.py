"""How scripts/make/evaluation_corpora.py divides music, on files of a second."""

import numpy as np
import pytest
import soundfile as sf

from audio.renders import is_render
from scripts.make import evaluation_corpora
from scripts.make.evaluation_corpora import divide_beat, divide_loops, divide_orchestral

RATE = 8000


def write_tones(folder, names, seconds=1):
    """A tone of its own for each file."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, 0.5 * np.sin(np.arange(seconds * RATE) * (0.1 + 0.01 * number)), RATE)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def music(tmp_path):
    return tmp_path / "music"


def test_every_third_long_track_is_to_be_continued(music, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation_corpora, "ORCHESTRAL_SECONDS", 1)
    write_tones(music, [f"{letter}.ogg" for letter in "abcdefg"])
    sf.write(music / "aa.ogg", np.zeros(RATE // 2), RATE)
    divide_orchestral(tmp_path / "out", music)
    assert names(tmp_path / "out" / "pieces") == ["a.flac", "d.flac", "g.flac"]
    assert names(tmp_path / "out" / "corpus") == ["aa.flac", "b.flac", "c.flac", "e.flac", "f.flac"]
    assert not any(map(is_render, (tmp_path / "out" / "corpus").iterdir()))  # to be built of


def test_tracks_and_songs_are_in_one_part_only_and_menus_in_none(music, tmp_path):
    tracks = [f"album/track{number}.opus" for number in range(6)]
    for name in [*tracks, "album/menu_x.opus"]:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(music / name, np.zeros(48000), 48000, format="OGG", subtype="OPUS")
    write_tones(tmp_path / "songs", [f"Song {number}/song.ogg" for number in range(3)])
    divide_beat(tmp_path / "out", music, tmp_path / "songs")
    pieces = names(tmp_path / "out" / "pieces")
    assert pieces == [
        "Song_0_song.flac",
        "Song_1_song.flac",
        "album_track1.flac",
        "album_track5.flac",
    ]
    corpus = names(tmp_path / "out" / "corpus")
    assert len(corpus) == 5
    assert not set(corpus) & set(pieces)


def test_loops_to_be_continued_are_repeated(music, tmp_path):
    write_tones(music, ["loop_a.flac", "loop_b.flac", "loop_c.flac", "hit.flac"])
    divide_loops(tmp_path / "out", music)
    assert names(tmp_path / "out" / "corpus") == ["hit.flac", "loop_b.flac"]
    assert names(tmp_path / "out" / "pieces") == ["loop_a.flac", "loop_c.flac"]
    repeated, _ = sf.read(tmp_path / "out" / "pieces" / "loop_c.flac")
    loop, _ = sf.read(music / "loop_c.flac")
    assert len(repeated) == 75 * RATE
    assert np.array_equal(repeated[:RATE], loop)
    assert np.array_equal(repeated[-RATE:], loop)
