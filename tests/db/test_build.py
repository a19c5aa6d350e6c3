import os
import shutil
import sqlite3

import filelock
import numpy as np
import pytest
import soundfile as sf

from db.analyse import describe_file
from db.build import build_database
from db.database import Database
from db.errors import DatabaseError, ParameterError
from db.settings import DescriptorSettings


def test_database_holds_every_source_and_its_descriptors(corpus, tmp_path):
    report = build_database(corpus, tmp_path / "db")
    assert report.added == ["a/x.wav", "b/x.wav", "short.flac", "stereo.wav"]
    database = Database(tmp_path / "db")
    for i, source in enumerate(database.sources):
        expected = describe_file(corpus / source.path, database.settings)[1].frames
        np.testing.assert_array_equal(database.source_descriptors(i), expected)


def test_units_tile_every_source_from_its_first_sample_to_its_last(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    database = Database(tmp_path / "db")
    units = database.units
    for i, source in enumerate(database.sources):
        own = units.source == i
        starts, ends = units.start_sample[own], units.start_sample[own] + units.n_samples[own]
        assert (starts[0], ends[-1]) == (0, source.n_samples)
        np.testing.assert_array_equal(starts[1:], ends[:-1])


def test_same_name_in_two_folders_is_two_sources(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    database = Database(tmp_path / "db")
    a, b = (i for i, s in enumerate(database.sources) if s.path.endswith("x.wav"))
    assert not np.allclose(database.source_descriptors(a), database.source_descriptors(b))


def test_normaliser_gives_zero_mean_and_unit_variance(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    database = Database(tmp_path / "db")
    scores = database.normaliser.apply(database.descriptors)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.std(axis=0), 1, atol=1e-4)


def test_second_build_reads_nothing_and_third_only_what_changed(corpus, tmp_path, tabla):
    build_database(corpus, tmp_path / "db")
    again = build_database(corpus, tmp_path / "db")
    assert (len(again.unchanged), again.added, again.changed) == (4, [], [])
    sf.write(corpus / "short.flac", tabla[:5000], 44100)
    sf.write(corpus / "new.wav", tabla, 44100)
    os.utime(corpus / "stereo.wav")  # touched, content as before
    third = build_database(corpus, tmp_path / "db")
    assert (third.added, third.changed, len(third.unchanged)) == (["new.wav"], ["short.flac"], 3)
    short = next(s for s in Database(tmp_path / "db").sources if s.path == "short.flac")
    assert short.n_samples == 5000


def test_unit_ids_survive_a_change_of_another_source(corpus, tmp_path, tabla):
    build_database(corpus, tmp_path / "db")
    before = {s.path: s.first_unit for s in Database(tmp_path / "db").sources}
    sf.write(corpus / "a" / "x.wav", tabla[:20000], 44100)
    build_database(corpus, tmp_path / "db")
    after = {s.path: s.first_unit for s in Database(tmp_path / "db").sources}
    assert {p: i for p, i in after.items() if p != "a/x.wav"} == {p: i for p, i in before.items() if p != "a/x.wav"}


def test_vanished_source_is_kept_until_pruned(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    (corpus / "short.flac").unlink()
    assert build_database(corpus, tmp_path / "db").vanished == ["short.flac"]
    assert len(Database(tmp_path / "db").sources) == 4
    build_database(corpus, tmp_path / "db", prune=True)
    assert [s.path for s in Database(tmp_path / "db").sources] == ["a/x.wav", "b/x.wav", "stereo.wav"]


def test_bad_files_are_named_and_the_rest_is_built(corpus, tmp_path, tabla):
    (corpus / "text.wav").write_text("not audio")
    (corpus / "empty.wav").write_bytes(b"")
    (corpus / "song.m4a").write_bytes(b"ftyp")
    sf.write(corpus / "nan.wav", np.full(5000, np.nan, np.float32), 44100, subtype="FLOAT")
    sf.write(corpus / "one.wav", tabla[:1], 44100)
    sf.write(corpus / "silent.wav", np.zeros(5000), 44100)
    report = build_database(corpus, tmp_path / "db")
    assert [name for name, _ in report.failed] == ["empty.wav", "nan.wav", "song.m4a", "text.wav"]
    database = Database(tmp_path / "db")
    assert [f.path for f in database.failures] == ["empty.wav", "nan.wav", "song.m4a", "text.wav"]
    assert {"one.wav", "silent.wav"} < {s.path for s in database.sources}
    assert np.isfinite(database.descriptors).all()
    again = build_database(corpus, tmp_path / "db")
    assert again.failed == report.failed
    sf.write(corpus / "text.wav", tabla, 44100)
    assert build_database(corpus, tmp_path / "db").added == ["text.wav"]


@pytest.mark.parametrize(("executor", "jobs"), [("threads", 1), ("threads", 5), ("processes", 2)])
def test_result_does_not_depend_on_executor_or_jobs(corpus, tmp_path, executor, jobs):
    build_database(corpus, tmp_path / "one", executor="serial")
    build_database(corpus, tmp_path / "many", executor=executor, jobs=jobs)
    one, many = tmp_path / "one" / "shards" / "00000.f32", tmp_path / "many" / "shards" / "00000.f32"
    assert one.read_bytes() == many.read_bytes()


def test_interrupted_build_keeps_what_it_has_and_goes_on(corpus, tmp_path):
    def interrupt(progress):
        if progress.files == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_database(corpus, tmp_path / "db", progress=interrupt)
    assert len(Database(tmp_path / "db").sources) == 2
    report = build_database(corpus, tmp_path / "db")
    assert (len(report.added), len(report.unchanged)) == (2, 2)


def test_uncommitted_tail_of_a_shard_is_cut(corpus, tmp_path, tabla):
    build_database(corpus, tmp_path / "db")
    shard = tmp_path / "db" / "shards" / "00000.f32"
    size = shard.stat().st_size
    with open(shard, "ab") as file:
        file.write(b"half a row")
    sf.write(corpus / "new.wav", tabla, 44100)
    build_database(corpus, tmp_path / "db")
    assert shard.stat().st_size == size + 44 * 39 * 4
    expected = describe_file(corpus / "new.wav", DescriptorSettings())[1].frames
    database = Database(tmp_path / "db")
    np.testing.assert_array_equal(database.source_descriptors(len(database.sources) - 1), expected)


def test_moved_corpus_and_database_are_found_again(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    shutil.move(corpus, tmp_path / "elsewhere")
    shutil.move(tmp_path / "db", tmp_path / "other.db")
    assert Database(tmp_path / "other.db", root=tmp_path / "elsewhere").root == tmp_path / "elsewhere"
    report = build_database(tmp_path / "elsewhere", tmp_path / "other.db")
    assert len(report.unchanged) == 4
    assert Database(tmp_path / "other.db").root == tmp_path / "elsewhere"


def test_other_rate_is_resampled_and_positions_are_at_the_databases_rate(tmp_path, tabla):
    (tmp_path / "c").mkdir()
    sf.write(tmp_path / "c" / "x.wav", tabla, 22050)
    build_database(tmp_path / "c", tmp_path / "db")
    source = Database(tmp_path / "db").sources[0]
    assert (source.sample_rate, source.n_samples, source.n_units) == (22050, 88200, 87)


def test_empty_folder_is_refused_and_leaves_no_database(tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "notes.txt").write_text("no audio")
    with pytest.raises(ParameterError, match="no audio files in this folder; put some there"):
        build_database(tmp_path / "c", tmp_path / "db")
    assert not (tmp_path / "db").exists()


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="no such folder"):
        build_database(tmp_path / "c", tmp_path / "db")


def test_other_settings_are_refused_with_both_values(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    with pytest.raises(DatabaseError, match="hop_length is 1024 in the database .* and 512 in what was asked for"):
        build_database(corpus, tmp_path / "db", settings=DescriptorSettings(hop_length=512))


def test_other_corpus_is_refused(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    with pytest.raises(DatabaseError, match="was built from .*corpus, not .*corpus/a"):
        build_database(corpus / "a", tmp_path / "db")


def test_folder_with_other_things_is_not_made_a_database(corpus, tmp_path):
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "thesis.txt").write_text("mine")
    with pytest.raises(ParameterError, match="not empty and holds no database"):
        build_database(corpus, tmp_path / "db")


def test_second_writer_is_refused(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    with (
        filelock.FileLock(tmp_path / "db" / "writer.lock"),
        pytest.raises(DatabaseError, match="being written by another process; wait"),
    ):
        build_database(corpus, tmp_path / "db")


def test_missing_newer_and_damaged_databases_are_refused(corpus, tmp_path):
    with pytest.raises(DatabaseError, match="no database here"):
        Database(tmp_path / "db")
    build_database(corpus, tmp_path / "db")
    connection = sqlite3.connect(tmp_path / "db" / "manifest.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DatabaseError, match="version 99, this Demiurge knows versions up to 2; update"):
        Database(tmp_path / "db")
    (tmp_path / "db" / "manifest.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(DatabaseError, match="not a readable Demiurge manifest"):
        Database(tmp_path / "db")


def test_shard_cut_short_is_refused(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    shard = tmp_path / "db" / "shards" / "00000.f32"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(DatabaseError, match="1000 bytes long where .* were committed"):
        Database(tmp_path / "db").descriptors  # noqa: B018


def test_database_in_a_file_is_refused(corpus, tmp_path):
    (tmp_path / "db").write_text("a file")
    with pytest.raises(ParameterError, match="cannot make this folder"):
        build_database(corpus, tmp_path / "db")
