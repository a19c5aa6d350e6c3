"""What a build looks at again, and what it leaves out."""

import os
import shutil
import sqlite3
import struct
from contextlib import closing

import numpy as np
import pytest
import soundfile as sf

from audio.read import READER_VERSION
from audio.write import AudioWriter
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from db.verify import verify
from files.errors import AudioError
from files.hashing import hash_file

SETTINGS = DescriptorSettings(units="onset")


@pytest.fixture
def built(corpus, tmp_path):
    path = tmp_path / "db"
    build_database(corpus, path, settings=SETTINGS)
    return path


def refuse(*_):
    raise AudioError("x.wav: not understood yet; wait for a newer version")


def query(path, statement: str, *values) -> list[tuple]:
    with closing(sqlite3.connect(path / "manifest.sqlite")) as connection, connection:
        return connection.execute(statement, values).fetchall()


def read_by_the_first_version(path, file, name: str) -> None:
    """Let the manifest say that version 0.1.0 read `file` as it is now."""
    statement = (
        "UPDATE sources SET reader = 1, content_hash = ?, n_bytes = ?, mtime_ns = ? WHERE path = ?"
    )
    status = file.stat()
    query(path, statement, hash_file(file), status.st_size, status.st_mtime_ns, name)


def test_a_file_that_failed_is_tried_again_though_it_has_not_changed(corpus, tmp_path, monkeypatch):
    path = tmp_path / "db"
    with monkeypatch.context() as patch:
        patch.setattr("db.analyse.describe_file", refuse)
        assert len(build_database(corpus, path).failed) == 4
        again = build_database(corpus, path)
        assert len(again.failed) == 4
        assert len(Database(path).failures) == 4
    report = build_database(corpus, path)
    assert report.added == report.read_anew == ["a/x.wav", "b/x.wav", "short.flac", "stereo.wav"]
    assert (report.failed, Database(path).failures) == ([], [])


def test_a_failure_that_stays_changes_nothing_in_the_database(corpus, built):
    (corpus / "text.wav").write_text("not audio")
    build_database(corpus, built)
    before = query(built, "SELECT * FROM sources ORDER BY id")
    assert len(build_database(corpus, built).failed) == 1
    assert query(built, "SELECT * FROM sources ORDER BY id") == before


def test_what_an_earlier_version_read_to_its_end_is_kept(corpus, built, monkeypatch):
    before = {source.path: source.first_unit for source in Database(built).sources}
    query(built, "UPDATE sources SET reader = 1")
    monkeypatch.setattr("db.analyse.describe_file", refuse)
    monkeypatch.setattr("db.analyse.hash_file", refuse)
    report = build_database(corpus, built)
    assert len(report.unchanged) == 4
    assert report.failed == report.changed == report.read_anew == []
    assert {source.path: source.first_unit for source in Database(built).sources} == before
    assert query(built, "SELECT DISTINCT reader FROM sources") == [(READER_VERSION,)]


def test_what_an_earlier_version_cut_short_is_read_anew(corpus, built, tabla):
    file = corpus / "a" / "x.wav"
    sf.write(file, np.tile(tabla, 3), 44100)
    read_by_the_first_version(built, file, "a/x.wav")
    before = {source.path: source.first_unit for source in Database(built).sources}
    report = build_database(corpus, built)
    assert report.changed == report.read_anew == ["a/x.wav"]
    lengths = {source.path: source.n_samples for source in Database(built).sources}
    assert lengths["a/x.wav"] == 3 * len(tabla)
    after = {source.path: source.first_unit for source in Database(built).sources}
    assert {name for name in after if after[name] == before[name]} == before.keys() - {"a/x.wav"}


def test_what_an_earlier_version_took_for_audio_is_refused(corpus, built):
    file = corpus / "a" / "x.wav"
    file.write_bytes(b"\x7fELF" + bytes(9000))
    read_by_the_first_version(built, file, "a/x.wav")
    report = build_database(corpus, built)
    assert [name for name, _ in report.failed] == ["a/x.wav"]
    assert [failure.path for failure in Database(built).failures] == ["a/x.wav"]
    assert len(Database(built).sources) == 3


def test_a_warning_is_told_once_and_kept(corpus, built, tabla):
    file = corpus / "streamed.wav"
    sf.write(file, tabla, 44100)
    content = bytearray(file.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0x7FFFF000)
    file.write_bytes(content)
    report = build_database(corpus, built)
    ((name, warning),) = report.warnings
    assert name == "streamed.wav"
    assert "length" in warning
    assert build_database(corpus, built).warnings == []
    assert Database(built).warnings == {"streamed.wav": warning}


def test_an_empty_corpus_folder_empties_no_database(corpus, built):
    for name in os.listdir(corpus):
        file = corpus / name
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    report = build_database(corpus, built, prune=True)
    ((folder, reason),) = report.failed
    assert folder == "."
    assert "the folder is empty, but held 4 of the sources; mount its disk" in reason
    assert reason.endswith(f"demiurge db remove {built} '*'")
    assert report.vanished == []
    assert len(Database(built).sources) == 4


def test_a_link_that_leads_nowhere_keeps_its_sources(corpus, built, tmp_path):
    (corpus / "a").rename(tmp_path / "disk")
    (corpus / "a").symlink_to(tmp_path / "disk")
    assert len(build_database(corpus, built).unchanged) == 4
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    report = build_database(corpus, built, prune=True)
    assert report.vanished == []
    ((folder, reason),) = report.failed
    assert folder == "a"
    assert reason.endswith(f"demiurge db remove {built} 'a/*'")
    assert len(Database(built).sources) == 4


def write_render(path, samples) -> None:
    with AudioWriter(path, 44100, 1, n_samples=len(samples)) as writer:
        writer.write(samples[:, None])


def test_renders_are_left_out_and_said(corpus, built, tabla):
    for suffix in ("wav", "flac", "ogg"):
        write_render(corpus / f"mosaic.{suffix}", tabla)
    for name, tags in {
        "band": {"artist": "Demiurge"},
        "other": {"software": "Demiurgus 2"},
    }.items():
        with sf.SoundFile(corpus / f"{name}.flac", "w", 44100, 1, "PCM_16") as file:
            for tag, text in tags.items():
                setattr(file, tag, text)
            file.write(tabla)
    report = build_database(corpus, built)
    assert report.renders == ["mosaic.flac", "mosaic.ogg", "mosaic.wav"]
    assert report.added == ["band.flac", "other.flac"]
    assert report.failed == []
    assert build_database(corpus, built).renders == report.renders


def test_a_render_that_the_database_has_already_stays(corpus, built, tabla):
    write_render(corpus / "a" / "x.wav", tabla)
    read_by_the_first_version(built, corpus / "a" / "x.wav", "a/x.wav")
    report = build_database(corpus, built)
    assert report.renders == []
    assert len(report.unchanged) == 4


def test_folders_that_we_wrote_are_left_out(corpus, tmp_path, tabla):
    database = corpus / "my.db"
    build_database(corpus, database, settings=SETTINGS)
    for folder in ("my.plans/seeds", "my.plans/jobs", "model/samples", "band.plans", "training"):
        (corpus / folder).mkdir(parents=True)
        sf.write(corpus / folder / "s.wav", tabla, 44100)
    for name in ("config.json", "model.safetensors"):
        (corpus / "model" / name).touch()
    build_database(tmp_path / "corpus" / "a", corpus / "second.db", settings=SETTINGS)
    sf.write(corpus / "second.db" / "s.wav", tabla, 44100)
    report = build_database(corpus, database)
    assert report.own_folders == ["model", "my.plans", "second.db"]
    assert report.added == ["band.plans/s.wav", "training/s.wav"]


def test_a_file_rewritten_with_its_old_date_is_found_and_read_again(corpus, built, tabla):
    file = corpus / "a" / "x.wav"
    status = file.stat()
    sf.write(file, np.roll(tabla, 99), 44100, subtype="PCM_16")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    ((name, problem),) = verify(built).files
    assert name == "a/x.wav"
    remedy = f"run demiurge db verify --repair {built}, then demiurge db build"
    assert problem == (
        f"the file has changed since it was analysed, but not its size and date; {remedy}"
    )
    assert not verify(built, repair=True).damaged
    assert build_database(corpus, built).changed == ["a/x.wav"]
    assert verify(built).ok


@pytest.mark.accounts
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_verify_tells_unreadable_from_gone(corpus, built):
    (corpus / "short.flac").unlink()
    (corpus / "a").chmod(0)
    try:
        problems = dict(verify(built).files)
    finally:
        (corpus / "a").chmod(0o755)
    assert "cannot be read (Permission denied); check its permissions" in problems["a/x.wav"]
    assert "the file is gone" in problems["short.flac"]


def test_version_3_is_read_as_it_is(fixtures, tmp_path):
    path = shutil.copytree(fixtures / "version_0_1_0" / "frames.db", tmp_path / "old.db")
    before = (path / "manifest.sqlite").read_bytes()
    database = Database(path)
    assert len(database.sources) == 10
    assert database.warnings == {}
    assert len(database.descriptors) == len(database.units)
    assert verify(path, check_files=False).ok
    assert (path / "manifest.sqlite").read_bytes() == before
