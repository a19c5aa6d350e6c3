"""What the system refuses is told in its words, with advice that works."""

import os

import numpy as np
import pytest
import soundfile as sf

from audio.read import probe, read_audio
from files.errors import AudioError


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
@pytest.mark.accounts
def test_permission_is_named(tmp_path, tabla):
    sf.write(tmp_path / "x.wav", tabla, 44100)
    (tmp_path / "x.wav").chmod(0)
    with pytest.raises(AudioError, match=r"x\.wav: cannot be read \(Permission denied\); change"):
        probe(tmp_path / "x.wav")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(AudioError, match=r"x\.wav: no such audio file; check the name"):
        probe(tmp_path / "x.wav")
    (tmp_path / "a").touch()
    with pytest.raises(AudioError, match=r"cannot be read \(Not a directory\); a part of the path"):
        probe(tmp_path / "a" / "x.wav")
    with pytest.raises(AudioError, match=r"cannot be read \(File name too long\); use shorter"):
        probe(tmp_path / ("x" * 300))


def test_path_that_is_too_long_for_libsndfile_is_read(tmp_path, tabla):
    folder = tmp_path
    for _ in range(6):
        folder = folder / ("d" * 200)
    folder.mkdir(parents=True)
    for name in ("x.wav", "x.mp3", "x.flac"):
        sf.write(tmp_path / name, tabla, 44100)
        (tmp_path / name).rename(folder / name)
        assert len(os.fsencode(folder / name)) > 1024
        assert len(read_audio(folder / name).samples) == len(tabla)
    (folder / "x.wav").write_bytes((folder / "x.wav").read_bytes()[:999])
    with pytest.raises(AudioError, match=r"^x\.wav: truncated"):
        read_audio(folder / "x.wav")


def test_read_error_of_the_disk_is_told(tmp_path, tabla, monkeypatch):
    sf.write(tmp_path / "x.wav", np.concatenate([tabla] * 3), 44100)
    content = bytearray((tmp_path / "x.wav").read_bytes())
    content[40:44] = b"\xff" * 4  # read through a view of the file
    (tmp_path / "x.wav").write_bytes(content)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("audio.containers.view.View._read_piece", fail)
    with pytest.raises(AudioError, match=r"x\.wav: cannot be read \(Input/output error\); check"):
        read_audio(tmp_path / "x.wav")
