import csv
import errno
import json
import os
import shutil

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.interchange import export_database, import_files
from db.settings import DescriptorSettings
from db.tables import WRITERS
from db.verify import verify
from files.errors import DatabaseError, ParameterError

SUFFIX = {"csv": ".csv", "npz": ".npz", "parquet": ".parquet", "demiurge-json": ".json"}


def facts(database: Database) -> list[tuple]:
    """What an exported file keeps of each source."""
    return [
        (s.path, s.content_hash, s.sample_rate, s.channels, s.n_samples) for s in database.sources
    ]


@pytest.fixture
def database(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    return Database(tmp_path / "db")


@pytest.mark.parametrize("format", ["csv", "npz", "parquet"])
def test_round_trip_keeps_everything(database, corpus, tmp_path, format):
    file = tmp_path / f"table{SUFFIX[format]}"
    assert export_database(database, file, format=format) == database.n_units
    import_files([file], tmp_path / "copy", root=corpus)
    copy = Database(tmp_path / "copy")
    assert copy.settings == database.settings
    assert facts(copy) == facts(database)
    np.testing.assert_array_equal(copy.descriptors, database.descriptors)
    np.testing.assert_array_equal(copy.units.start_sample, database.units.start_sample)
    np.testing.assert_array_equal(copy.normaliser.std, database.normaliser.std)
    assert verify(tmp_path / "copy").ok
    assert len(build_database(corpus, tmp_path / "copy").unchanged) == 4


@pytest.mark.parametrize("format", ["csv", "npz", "parquet"])
def test_round_trip_keeps_other_descriptors_and_settings(corpus, tmp_path, format):
    settings = DescriptorSettings(
        descriptors=("loudness", "chroma"), hop_length=512, sample_rate=22050
    )
    build_database(corpus, tmp_path / "db", settings=settings)
    file = tmp_path / f"table{SUFFIX[format]}"
    export_database(Database(tmp_path / "db"), file, format=format)
    import_files([file], tmp_path / "copy", root=corpus)
    copy = Database(tmp_path / "copy")
    assert copy.settings == settings
    np.testing.assert_array_equal(copy.descriptors, Database(tmp_path / "db").descriptors)


def test_original_file_is_read_and_written_as_it_was(fixtures, tmp_path):
    (tmp_path / "audio").mkdir()
    shutil.copy(fixtures / "tabla_44k.wav", tmp_path / "audio")
    import_files([fixtures / "tabla_44k_demiurge.json"], tmp_path / "db", root=tmp_path / "audio")
    database = Database(tmp_path / "db")
    assert database.settings == DescriptorSettings(window_centre="start")
    export_database(database, tmp_path / "again.json", format="demiurge-json")
    original, again = (
        json.loads(p.read_text())
        for p in (fixtures / "tabla_44k_demiurge.json", tmp_path / "again.json")
    )
    assert list(again) == list(original)
    for name in original:
        if name.startswith("_"):
            assert again[name] == original[name]
        else:
            np.testing.assert_array_equal(np.float32(again[name]), np.float32(original[name]))


def test_frame_at_the_very_end_of_an_original_file_is_left_out(fixtures, tmp_path, tabla):
    document = json.loads((fixtures / "tabla_44k_demiurge.json").read_text())
    (tmp_path / "audio").mkdir()
    sf.write(tmp_path / "audio" / document["_id"][0], tabla[:2048], 44100)
    (tmp_path / "t.json").write_text(
        json.dumps({name: column[:3] for name, column in document.items()})
    )
    import_files([tmp_path / "t.json"], tmp_path / "db", root=tmp_path / "audio")
    assert Database(tmp_path / "db").units.n_samples.tolist() == [1024, 1024]
    assert len(Database(tmp_path / "db").descriptors) == 2
    assert verify(tmp_path / "db").ok


def test_imported_sources_join_and_replace_those_of_a_database(database, corpus, tmp_path, tabla):
    export_database(database, tmp_path / "all.npz", format="npz")
    sf.write(corpus / "new.wav", tabla, 44100)
    build_database(corpus, tmp_path / "db")
    assert len(import_files([tmp_path / "all.npz"], tmp_path / "db")) == 4
    assert len(Database(tmp_path / "db").sources) == 5
    assert verify(tmp_path / "db").ok


def test_imported_rows_of_other_audio_are_analysed_again_by_a_build(
    database, corpus, tmp_path, tabla
):
    export_database(database, tmp_path / "all.npz", format="npz")
    sf.write(corpus / "short.flac", tabla[:5000], 44100)
    import_files([tmp_path / "all.npz"], tmp_path / "copy", root=corpus)
    assert build_database(corpus, tmp_path / "copy").changed == ["short.flac"]


def test_csv_is_read_by_other_programs(database, tmp_path):
    export_database(database, tmp_path / "t.csv", format="csv")
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert (rows[1]["source"], rows[1]["start_sample"], rows[1]["n_samples"]) == (
        "a/x.wav",
        "1024",
        "1024",
    )
    np.testing.assert_array_equal(
        np.float32([r["mfcc38"] for r in rows]), database.descriptors[:, 38]
    )


def test_flucoma_dataset_has_its_columns_and_names(database, tmp_path):
    export_database(database, tmp_path / "d.json", format="flucoma")
    document = json.loads((tmp_path / "d.json").read_text())
    assert document["cols"] == 39
    assert len(document["data"]) == database.n_units
    np.testing.assert_array_equal(
        np.float32(document["data"]["b/x.wav:2048"]), database.source_descriptors(1)[2]
    )


def test_longer_units_are_written_but_not_read_back(corpus, tmp_path):
    build_database(corpus, tmp_path / "db", settings=DescriptorSettings(units="onset"))
    database = Database(tmp_path / "db")
    export_database(database, tmp_path / "t.npz", format="npz")
    assert len(np.load(tmp_path / "t.npz")["descriptors"]) == database.n_units
    with pytest.raises(
        ParameterError, match="holds onset units without their frames; build from the audio"
    ):
        import_files([tmp_path / "t.npz"], tmp_path / "copy", root=corpus)
    with pytest.raises(ParameterError, match="demiurge-json holds frames; choose another"):
        export_database(database, tmp_path / "t.json", format="demiurge-json")


def test_other_settings_do_not_mix(database, corpus, tmp_path):
    build_database(corpus, tmp_path / "other", settings=DescriptorSettings(hop_length=512))
    export_database(database, tmp_path / "t.csv", format="csv")
    with pytest.raises(DatabaseError, match="hop_length is 512 in the database .* and 1024"):
        import_files([tmp_path / "t.csv"], tmp_path / "other")


def test_files_of_different_settings_do_not_mix_and_make_nothing(database, corpus, tmp_path):
    build_database(corpus, tmp_path / "other", settings=DescriptorSettings(hop_length=512))
    export_database(database, tmp_path / "a.npz", format="npz")
    export_database(Database(tmp_path / "other"), tmp_path / "b.npz", format="npz")
    with pytest.raises(DatabaseError, match="hop_length is 1024 in .*a.npz and 512 in .*b.npz"):
        import_files([tmp_path / "a.npz", tmp_path / "b.npz"], tmp_path / "new", root=corpus)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            {"version": 1},
            "does not state its settings and sources; give a file that demiurge db export wrote",
        ),
        (
            {"version": 2, "settings": {}, "sources": []},
            "table version 2, but this Demiurge reads 1; update",
        ),
    ],
)
def test_csv_with_another_header_is_refused(database, corpus, tmp_path, header, message):
    export_database(database, tmp_path / "t.csv", format="csv")
    _, rows = (tmp_path / "t.csv").read_text().split("\n", 1)
    (tmp_path / "t.csv").write_text(f"# {json.dumps(header)}\n{rows}")
    with pytest.raises(ParameterError, match=message):
        import_files([tmp_path / "t.csv"], tmp_path / "new", root=corpus)


def test_export_to_a_full_disk_is_said_and_leaves_nothing(database, tmp_path, monkeypatch):
    def full(table, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(WRITERS, "csv", full)
    with pytest.raises(
        ParameterError, match="t.csv: cannot be written .No space left on device.; free some space"
    ):
        export_database(database, tmp_path / "t.csv", format="csv")
    assert not [file for file in tmp_path.iterdir() if file.is_file()]


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("mfcc7"), "column mfcc7 is missing"),
        (lambda d: d["mfcc3"].pop(), "not a readable .json table"),
        (lambda d: d["mfcc3"].__setitem__(5, float("nan")), "row 5 is not finite"),
        (lambda d: d["_sample"].__setitem__(5, 7), "its rows are not every 1024 samples from 0"),
        (lambda d: [column.pop() for column in d.values()], "43 rows for 44 frames"),
        (lambda d: [column.clear() for column in d.values()], "no rows"),
        (lambda d: d.update(_id=["gone.wav"] * 44), "gone.wav: its audio is not in"),
        (lambda d: d["_id"].__setitem__(20, "short.flac"), "rows"),
    ],
)
def test_bad_tables_are_refused_and_nothing_is_kept(
    database, corpus, tmp_path, tabla, change, message
):
    (tmp_path / "audio").mkdir()
    sf.write(tmp_path / "audio" / "x.wav", tabla, 44100)
    sf.write(tmp_path / "audio" / "short.flac", tabla[:1024], 44100)
    build_database(tmp_path / "audio", tmp_path / "one")
    from db.maintain import remove_sources

    remove_sources(tmp_path / "one", ["short.flac"])
    export_database(Database(tmp_path / "one"), tmp_path / "t.json", format="demiurge-json")
    edit(tmp_path / "t.json", change)
    with pytest.raises(ParameterError, match=message):
        import_files([tmp_path / "t.json"], tmp_path / "new", root=tmp_path / "audio")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npz", ".parquet"])
def test_files_that_are_something_else_are_refused(tmp_path, corpus, suffix):
    (tmp_path / f"t{suffix}").write_bytes(b"\x89PNG not a table")
    with pytest.raises(ParameterError, match=f"t{suffix}: "):
        import_files([tmp_path / f"t{suffix}"], tmp_path / "db", root=corpus)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npz", ".parquet"])
def test_pipes_devices_and_folders_are_refused_at_once(tmp_path, corpus, suffix):
    pipe, device, folder = (tmp_path / f"{name}{suffix}" for name in ("pipe", "device", "folder"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    for file, kind in ((pipe, "a named pipe"), (device, "a device"), (folder, "a folder")):
        with pytest.raises(ParameterError, match=f"{suffix}: {kind}, not a file; give a file"):
            import_files([file], tmp_path / "db", root=corpus)


def test_table_that_a_spreadsheet_has_saved_is_read(database, corpus, tmp_path):
    export_database(database, tmp_path / "t.csv", format="csv")
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text("\ufeff" + text, newline="\r\n")
    import_files([tmp_path / "t.csv"], tmp_path / "db", root=corpus)
    units = Database(tmp_path / "db").units
    np.testing.assert_array_equal(units.start_sample, database.units.start_sample)


def test_table_that_was_cut_off_is_refused_by_its_row(database, corpus, tmp_path):
    export_database(database, tmp_path / "t.csv", format="csv")
    export_database(database, tmp_path / "t.npz", format="npz")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([*lines[:4], lines[4][:30]]))
    (tmp_path / "t.npz").write_bytes((tmp_path / "t.npz").read_bytes()[:-500])
    with pytest.raises(ParameterError, match=r"t\.csv: row 5 has \d values for \d+ columns"):
        import_files([tmp_path / "t.csv"], tmp_path / "db", root=corpus)
    with pytest.raises(ParameterError, match=r"t\.npz: not a whole \.npz table; export it again"):
        import_files([tmp_path / "t.npz"], tmp_path / "db", root=corpus)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"content_hash": "x" * 129}, "source 0: content_hash=.* must be at most 128 letters"),
        ({"content_hash": "\ud800"}, "source 0: content_hash=.* must be at most 128 letters"),
        ({"sample_rate": 10**9}, "source 0: sample_rate=1000000000 must be an integer from 0"),
        ({"channels": -1}, "source 0: channels=-1 must be an integer from 0 to 65535"),
        ({"n_samples": 0}, "source 0: n_samples=0 must be an integer from 1"),
        ({"path": "../x.wav"}, "source='../x.wav' must be a path within the corpus folder"),
        ({"path": "/etc/passwd"}, "source='/etc/passwd' must be a path within the corpus folder"),
        ({"path": "a\0b"}, r"source='a\\x00b' must not contain a NUL"),
        ({"path": ""}, "source='' must be 1 to 4096 bytes"),
    ],
)
def test_facts_that_would_damage_the_database_are_refused(
    database, corpus, tmp_path, facts, message
):
    export_database(database, tmp_path / "t.npz", format="npz")
    with np.load(tmp_path / "t.npz") as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    first = header["sources"][0]["path"]
    header["sources"][0].update(facts)
    renamed = header["sources"][0]["path"]
    sources = [renamed if path == first else path for path in arrays["source"].tolist()]
    arrays |= {"header": np.array(json.dumps(header)), "source": np.array(sources)}
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(ParameterError, match=message):
        import_files([tmp_path / "t.npz"], tmp_path / "db")
    assert Database(tmp_path / "db").n_units == database.n_units


def test_table_made_to_fill_the_memory_is_refused(tmp_path, corpus):
    np.savez_compressed(tmp_path / "t.npz", descriptors=np.zeros(1 << 22, np.float32))
    with pytest.raises(ParameterError, match=r"unpacks to 16777\d+ bytes, the limit is 100 times"):
        import_files([tmp_path / "t.npz"], tmp_path / "db", root=corpus)


def test_what_is_asked_wrongly_is_refused(database, tmp_path):
    with pytest.raises(
        ParameterError, match="format='xml' is not known; choose among demiurge-json, csv"
    ):
        export_database(database, tmp_path / "t.xml", format="xml")
    export_database(database, tmp_path / "t.csv", format="csv")
    with pytest.raises(
        ParameterError, match="a new database needs the folder of its audio; give it with --root"
    ):
        import_files([tmp_path / "t.csv"], tmp_path / "new")
    with pytest.raises(
        ParameterError, match=r"t.txt: .txt is not read; give a file that ends in .json, .csv"
    ):
        import_files([tmp_path / "t.txt"], tmp_path / "new")
