import os
import re
import shutil
import sqlite3
from contextlib import closing

import filelock
import numpy as np
import pytest
import soundfile as sf

from db.analyse import describe_file
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.verify import verify
from files.errors import DatabaseError, ParameterError
from tests.db.rows import read_frames

pytestmark = pytest.mark.accounts


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
        starts = units.start_sample[own]
        ends = units.start_sample[own] + units.n_samples[own]
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
    assert {p: i for p, i in after.items() if p != "a/x.wav"} == {
        p: i for p, i in before.items() if p != "a/x.wav"
    }


def test_vanished_source_is_kept_until_pruned(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    (corpus / "short.flac").unlink()
    assert build_database(corpus, tmp_path / "db").vanished == ["short.flac"]
    assert len(Database(tmp_path / "db").sources) == 4
    build_database(corpus, tmp_path / "db", prune=True)
    assert [s.path for s in Database(tmp_path / "db").sources] == [
        "a/x.wav",
        "b/x.wav",
        "stereo.wav",
    ]


def test_renamed_file_keeps_its_rows_and_unit_ids(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    before = {s.path: s.first_unit for s in Database(tmp_path / "db").sources}
    (corpus / "c").mkdir()
    (corpus / "b" / "x.wav").rename(corpus / "c" / "y.wav")
    report = build_database(corpus, tmp_path / "db")
    assert (report.renamed, report.added, report.vanished) == ([("b/x.wav", "c/y.wav")], [], [])
    after = {s.path: s.first_unit for s in Database(tmp_path / "db").sources}
    assert after == {
        "c/y.wav" if path == "b/x.wav" else path: unit for path, unit in before.items()
    }


def test_two_copies_of_a_vanished_file_are_one_renamed_and_one_new(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    shutil.copy(corpus / "short.flac", corpus / "one.flac")
    shutil.move(corpus / "short.flac", corpus / "two.flac")
    report = build_database(corpus, tmp_path / "db")
    assert (report.renamed, report.added) == ([("short.flac", "one.flac")], ["two.flac"])
    database = Database(tmp_path / "db")
    one, two = (
        next(i for i, s in enumerate(database.sources) if s.path == name)
        for name in ("one.flac", "two.flac")
    )
    np.testing.assert_array_equal(
        database.source_descriptors(one), database.source_descriptors(two)
    )


def test_files_that_swap_names_are_analysed_again(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    a = corpus / "a" / "x.wav"
    b = corpus / "b" / "x.wav"
    a.rename(corpus / "swap")
    b.rename(a)
    (corpus / "swap").rename(b)
    os.utime(a, ns=(1, 1))
    os.utime(b, ns=(1, 1))
    assert build_database(corpus, tmp_path / "db").changed == ["a/x.wav", "b/x.wav"]
    assert verify(tmp_path / "db").ok


def test_file_that_cannot_be_read_now_keeps_what_was_known(corpus, tmp_path, monkeypatch):
    build_database(corpus, tmp_path / "db")
    os.utime(corpus / "stereo.wav", ns=(1, 1))

    def deny(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("db.analyse.hash_file", deny)
    report = build_database(corpus, tmp_path / "db", executor="serial")
    assert report.failed == [
        ("stereo.wav", "cannot be read (Permission denied); check the file and its permissions")
    ]
    assert "stereo.wav" in {s.path for s in Database(tmp_path / "db").sources}
    monkeypatch.undo()
    assert len(build_database(corpus, tmp_path / "db").unchanged) == 4


def test_link_to_nothing_is_named(corpus, tmp_path):
    (corpus / "gone.wav").symlink_to("nowhere.wav")
    failed = dict(build_database(corpus, tmp_path / "db").failed)
    assert failed["gone.wav"] == (
        "cannot be read (No such file or directory): it links to nowhere.wav; mend or remove the"
        " link"
    )


def test_file_that_changes_while_being_read_is_named_and_tried_again(corpus, tmp_path, monkeypatch):
    from db import analyse

    describe = analyse.describe_file

    def grow(path, settings, open_model):
        result = describe(path, settings, open_model)
        if path.endswith("short.flac"):
            os.utime(path, ns=(5, 5))
        return result

    monkeypatch.setattr("db.analyse.describe_file", grow)
    report = build_database(corpus, tmp_path / "db", executor="serial")
    assert report.failed == [
        ("short.flac", "changed while it was being read; build again when it is complete")
    ]
    monkeypatch.undo()
    assert build_database(corpus, tmp_path / "db").added == ["short.flac"]


def test_file_that_vanishes_while_the_folder_is_read_is_named(corpus, tmp_path):
    def vanish(done, total, label):
        (corpus / "stereo.wav").unlink(missing_ok=True)

    many = [shutil.copy(corpus / "short.flac", corpus / f"s{i}.flac") for i in range(9)]
    report = build_database(corpus, tmp_path / "db", executor="serial", progress=vanish)
    assert [name for name, _ in report.failed] == ["stereo.wav"]
    assert len(report.added) == 3 + len(many)


def test_progress_says_how_far_how_fast_and_what_failed(corpus, tmp_path):
    (corpus / "text.wav").write_text("not audio")
    seen = []
    sf.write(corpus / "long.wav", np.zeros(40 * 8000), 8000)
    build_database(corpus, tmp_path / "db", progress=lambda *call: seen.append(call))
    assert [call[:2] for call in seen] == [(i, 6) for i in range(1, 7)]
    assert re.fullmatch(r"0\.01 h, \d+ × real time, 1 failed  text\.wav", seen[-1][2])
    assert all("failed" not in label for _, _, label in seen[:-1])


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
    one = tmp_path / "one" / "shards" / "00000.f32"
    many = tmp_path / "many" / "shards" / "00000.f32"
    assert one.read_bytes() == many.read_bytes()


def test_interrupted_build_keeps_what_it_has_and_goes_on(corpus, tmp_path):
    def interrupt(done, total, label):
        if done == 2:
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


def test_rows_are_on_disk_before_the_manifest_knows_of_them(corpus, tmp_path, monkeypatch):
    shard = tmp_path / "db/shards/00000.f32"
    manifest = tmp_path / "db/manifest.sqlite"
    seen = []
    fsync = os.fsync

    def watch(handle):
        fsync(handle)
        with closing(sqlite3.connect(manifest)) as connection:
            seen.append(
                (
                    shard.stat().st_size,
                    connection.execute("SELECT count(*) FROM spans").fetchone()[0],
                )
            )

    monkeypatch.setattr("os.fsync", watch)
    shutil.copy(
        corpus / "short.flac", corpus / "z.flac"
    )  # so few rows at the end that they wait in the file's buffer
    build_database(corpus, tmp_path / "db")
    assert seen[0] == (shard.stat().st_size, 0)
    assert len(Database(tmp_path / "db").sources) == 5


def test_moved_corpus_and_database_are_found_again(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    shutil.move(corpus, tmp_path / "elsewhere")
    shutil.move(tmp_path / "db", tmp_path / "other.db")
    assert (
        Database(tmp_path / "other.db", root=tmp_path / "elsewhere").root == tmp_path / "elsewhere"
    )
    report = build_database(tmp_path / "elsewhere", tmp_path / "other.db")
    assert len(report.unchanged) == 4
    assert Database(tmp_path / "other.db").root == tmp_path / "elsewhere"


def test_corpus_and_database_that_move_together_find_each_other(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    (tmp_path / "stick").mkdir()
    for name in ("corpus", "db"):
        shutil.move(tmp_path / name, tmp_path / "stick" / name)
    assert Database(tmp_path / "stick" / "db").root == tmp_path / "stick" / "corpus"
    assert (
        len(build_database(tmp_path / "stick" / "corpus", tmp_path / "stick" / "db").unchanged) == 4
    )


def test_copy_of_the_corpus_is_taken_when_said(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    shutil.copytree(corpus, tmp_path / "copy")
    with pytest.raises(DatabaseError, match="say --moved if the corpus is here now"):
        build_database(tmp_path / "copy", tmp_path / "db")
    assert len(build_database(tmp_path / "copy", tmp_path / "db", moved=True).unchanged) == 4
    assert Database(tmp_path / "db").root == tmp_path / "copy"


@pytest.mark.parametrize("units", ["frame", "onset", "fixed:200"])
def test_some_units_are_read_without_the_others(corpus, tmp_path, units):
    build_database(corpus, tmp_path / "db", settings=DescriptorSettings(units=units))
    database = Database(tmp_path / "db")
    order = np.random.default_rng(0).permutation(len(database.units))
    np.testing.assert_array_equal(
        database.rows_at(database.units.find(database.units.ids[order])),
        database.descriptors[order],
    )


@pytest.mark.parametrize("units", ["onset", "beat", "beat/4", "fixed:200"])
def test_long_units_tile_their_sources_and_their_frames_are_kept(corpus, tmp_path, units):
    settings = DescriptorSettings(units=units, descriptors=("mfcc", "loudness"))
    build_database(corpus, tmp_path / "db", settings=settings)
    database = Database(tmp_path / "db")
    assert database.settings == settings
    frames = read_frames(tmp_path / "db")
    for i, source in enumerate(database.sources):
        own = database.units.source == i
        description = describe_file(corpus / source.path, settings)[1]
        np.testing.assert_array_equal(database.units.n_samples[own], description.lengths)
        np.testing.assert_array_equal(
            database.units.start_sample[own], np.cumsum(description.lengths) - description.lengths
        )
        np.testing.assert_array_equal(
            database.units.samples_left[own], source.n_samples - database.units.start_sample[own]
        )
        np.testing.assert_array_equal(database.source_descriptors(i), description.units)
        np.testing.assert_array_equal(frames[source.path], description.frames)


def test_a_source_larger_than_a_shard_opens_the_next(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "db.shards.SHARD_BYTES", 60 * 39 * 4
    )  # 60 rows: one source of a second each
    build_database(corpus, tmp_path / "db")
    assert len(list((tmp_path / "db" / "shards").iterdir())) == 3
    database = Database(tmp_path / "db")
    capacity = rows_per_shard(39)
    assert len({source.first_unit // capacity for source in database.sources}) == 3
    for i, source in enumerate(database.sources):
        np.testing.assert_array_equal(
            database.source_descriptors(i),
            describe_file(corpus / source.path, database.settings)[1].frames,
        )
    assert verify(tmp_path / "db").ok


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
    with pytest.raises(
        DatabaseError, match="hop_length is 1024 in the database .* and 512 in what was asked for"
    ):
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


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_a_lock_that_is_no_regular_file_is_named(corpus, tmp_path, kind):
    lock = tmp_path / "db" / "writer.lock"
    build_database(corpus, tmp_path / "db")
    lock.unlink(missing_ok=True)
    if kind == "folder":
        lock.mkdir()
    elif kind == "link":
        lock.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(lock)
    with pytest.raises(DatabaseError, match=rf"{lock} is not a regular file, .*; remove it"):
        build_database(corpus, tmp_path / "db")
    assert not (tmp_path / "elsewhere").exists()


def test_missing_newer_and_damaged_databases_are_refused(corpus, tmp_path):
    with pytest.raises(DatabaseError, match="no database here"):
        Database(tmp_path / "db")
    build_database(corpus, tmp_path / "db")
    connection = sqlite3.connect(tmp_path / "db" / "manifest.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(
        DatabaseError, match="version 99, but this Demiurge knows versions up to 4; update"
    ):
        Database(tmp_path / "db")
    (tmp_path / "db" / "manifest.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(DatabaseError, match="not a readable Demiurge manifest"):
        Database(tmp_path / "db")


def test_shard_cut_short_is_refused(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    shard = tmp_path / "db" / "shards" / "00000.f32"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(DatabaseError, match="1000 bytes long, but .* were committed"):
        Database(tmp_path / "db").descriptors  # noqa: B018


def test_database_in_a_file_is_refused(corpus, tmp_path):
    (tmp_path / "db").write_text("a file")
    with pytest.raises(
        ParameterError, match=r"db: cannot be written \(File exists\); give another name"
    ):
        build_database(corpus, tmp_path / "db")


def test_a_failed_file_that_was_renamed_fails_under_its_new_name(corpus, tmp_path):
    (corpus / "text.wav").write_text("not audio")
    build_database(corpus, tmp_path / "db")
    (corpus / "text.wav").rename(corpus / "other.wav")
    report = build_database(corpus, tmp_path / "db", prune=True)
    assert (report.renamed, report.vanished) == ([], ["text.wav"])
    assert [name for name, _ in report.failed] == ["other.wav"]
    assert [failure.path for failure in Database(tmp_path / "db").failures] == ["other.wav"]


def test_a_source_longer_than_a_shard_is_refused(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("db.shards.SHARD_BYTES", 43 * 39 * 4)
    report = build_database(corpus, tmp_path / "db")
    assert report.added == ["short.flac"]
    reason = "44 frames are too many; split the file or choose a longer hop"
    assert report.failed == [(name, reason) for name in ("a/x.wav", "b/x.wav", "stereo.wav")]
    monkeypatch.setattr("db.shards.SHARD_BYTES", 44 * 39 * 4)
    assert len(build_database(corpus, tmp_path / "exact").added) == 4


def test_units_of_several_shards_are_read_at_once(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("db.shards.SHARD_BYTES", 60 * 39 * 4)
    build_database(corpus, tmp_path / "db")
    database = Database(tmp_path / "db")
    positions = np.random.default_rng(0).permutation(len(database.units))
    np.testing.assert_array_equal(database.rows_at(positions), database.descriptors[positions])


def test_the_normaliser_is_that_of_all_rows_after_every_change(corpus, tmp_path, tabla):
    path = tmp_path / "db"
    for change in (
        lambda: None,
        lambda: sf.write(corpus / "new.wav", tabla[::3], 44100),
        lambda: (corpus / "stereo.wav").unlink(),
    ):
        change()
        build_database(corpus, path, prune=True)
        database = Database(path)
        mean = database.descriptors.mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(database.normaliser.mean, mean, rtol=1e-4, atol=1e-5)


def test_nothing_has_vanished_from_a_folder_that_cannot_be_read(corpus, tmp_path, monkeypatch):
    path = tmp_path / "db"
    build_database(corpus, path)

    def find_nothing(root, *, unreadable, **_):
        unreadable(".", PermissionError(13, "Permission denied"))
        return []

    monkeypatch.setattr("db.corpus_files.find_audio", find_nothing)
    report = build_database(corpus, path, prune=True)
    reason = "the folder cannot be read (Permission denied); check its permissions"
    assert (report.vanished, report.failed) == ([], [(".", reason)])
    assert len(Database(path).sources) == 4
