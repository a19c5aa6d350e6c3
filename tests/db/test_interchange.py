import csv
import errno
import json
import os
import re
import shutil
import zipfile
from functools import partial

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
from tests.hostile import HOSTILE, replaced, value_or_error

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
            "its header: settings is missing; give a file that demiurge db export wrote",
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
        (lambda d: d["mfcc3"].pop(), "column mfcc3 has 43 values, mfcc0 has 44"),
        (lambda d: d["mfcc3"].__setitem__(5, float("nan")), "NaN is no number in JSON"),
        (lambda d: d["mfcc3"].__setitem__(5, 1e39), "row 5 is not finite"),
        (lambda d: d["_sample"].__setitem__(5, -1), "_sample: .5.=-1 must be an integer from 0"),
        (lambda d: d.update(_id=["../x.wav"] * 44), "source .../x.wav. must be the path of a file"),
        (lambda d: d.update(_id=[5] * 44), "_id: .0.=5 must be text"),
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


@pytest.fixture
def small(tmp_path, tabla):
    """A database of one source with three frames of three columns, and its corpus."""
    (tmp_path / "audio").mkdir()
    sf.write(tmp_path / "audio" / "x.wav", tabla[:3000], 44100)
    settings = DescriptorSettings(n_mfcc=1)
    build_database(tmp_path / "audio", tmp_path / "small", settings=settings)
    return Database(tmp_path / "small")


def imports_or_says(file, tmp_path):
    """Import a file: it makes a sound database, or nothing and one line."""
    new = tmp_path / "new"
    load = partial(import_files, [file], new, root=tmp_path / "audio")
    if value_or_error(load, (ParameterError, DatabaseError)) is None:
        assert not new.exists()
    else:
        assert np.isfinite(Database(new).descriptors).all()
        shutil.rmtree(new)


def test_changed_headers_and_values_of_csv_are_right_or_refused(small, tmp_path):
    file = tmp_path / "t.csv"
    export_database(small, file, format="csv")
    first, names, *rows = file.read_text().splitlines()
    for header in replaced(json.loads(first[2:]), HOSTILE):
        file.write_text("\n".join([f"# {json.dumps(header)}", names, *rows, ""]))
        imports_or_says(file, tmp_path)
    for column in range(6):
        for value in ("", "nan", "-1", "1e999", "9" * 5000, "a\0b", "../x", "\udce9", '"', "0.5"):
            cells = rows[1].split(",")
            cells[column] = value
            text = "\n".join([first, names, rows[0], ",".join(cells), *rows[2:], ""])
            file.write_bytes(text.encode(errors="surrogateescape"))
            imports_or_says(file, tmp_path)
    file.write_text("\n".join([first, names, rows[0] + ",1", *rows[1:], ""]))
    with pytest.raises(ParameterError, match="t.csv: line 3 has 7 values, the first has 6"):
        import_files([file], tmp_path / "new", root=tmp_path / "audio")


@pytest.mark.parametrize("n_samples", [0, -5, 7, 1 << 40])
def test_lengths_that_frames_do_not_have_are_refused(small, tmp_path, n_samples):
    file = tmp_path / "t.npz"
    export_database(small, file, format="npz")
    arrays = dict(np.load(file))
    arrays["n_samples"][1] = n_samples
    np.savez(file, **arrays)
    with pytest.raises(ParameterError, match="x.wav: its n_samples are not 1024 for each row but"):
        import_files([file], tmp_path / "new", root=tmp_path / "audio")


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "array",
    [
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000000, 1)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (3, 3)}", b"\x80\x04." * 8),
        npy("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (9,)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 'a')}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (nan,)}"),
        npy("{" * 300),
        npy("-" * 9000 + "1"),
        b"\x93NUMPY\x09\x00",
        b"",
        b"not an array",
    ],
)
@pytest.mark.parametrize("name", ["names", "source", "start_sample", "descriptors", "header"])
def test_hostile_arrays_are_refused_before_they_are_read(small, tmp_path, name, array):
    file = tmp_path / "t.npz"
    export_database(small, file, format="npz")
    with zipfile.ZipFile(file) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for one, content in {**members, f"{name}.npy": array}.items():
            archive.writestr(one, content)
    with pytest.raises(ParameterError, match="t.npz: ") as refusal:
        import_files([file], tmp_path / "new", root=tmp_path / "audio")
    assert " object at 0x" not in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_an_archive_that_would_grow_without_bound_is_refused(small, tmp_path):
    file = tmp_path / "t.npz"
    export_database(small, file, format="npz")
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3)}"
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("descriptors.npy", npy(shape % 12_000_000, bytes(144_000_000)))
    with pytest.raises(
        ParameterError, match="descriptors would take 144000[0-9]* bytes, 1[0-9]* are"
    ):
        import_files([file], tmp_path / "new", root=tmp_path / "audio")


def test_parquet_of_other_columns_is_refused(small, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    file = tmp_path / "t.parquet"
    export_database(small, file, format="parquet")
    whole = arrow.parquet.read_table(file)
    numbers = whole["mfcc0"]
    gaps = arrow.array([None, 1.0, 2.0], arrow.float32())
    changes = {
        "there must be one column source": whole.drop_columns(["source"]),
        "column start_sample must hold integers": whole.set_column(
            1, "start_sample", whole["mfcc0"]
        ),
        "column source must hold text": whole.set_column(0, "source", numbers),
        "column mfcc0 must hold numbers, and no gaps": whole.set_column(3, "mfcc0", gaps),
        "its columns are not those of its settings": whole.drop_columns(["mfcc0"]),
        "it has no rows": whole.slice(0, 0),
        "its header: version is missing": whole.replace_schema_metadata({}),
    }
    for message, table in changes.items():
        arrow.parquet.write_table(table, file)
        with pytest.raises(ParameterError, match=message):
            import_files([file], tmp_path / "new", root=tmp_path / "audio")


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npz", ".parquet"])
def test_what_is_no_regular_file_is_refused(small, tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"folder{suffix}").mkdir()
    for name, kind in {"pipe": "named pipe", "zero": "device", "folder": "folder"}.items():
        with pytest.raises(ParameterError, match=f"{name}{suffix}: a {kind}, not a file"):
            import_files([tmp_path / f"{name}{suffix}"], tmp_path / "new", root=tmp_path / "audio")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (1, "1.5", "line 3: start_sample='1.5' must be an integer; export it again"),
        (2, "", "line 3: n_samples='' must be an integer"),
        (4, "../etc", "line 3: mfcc1='../etc' must be a number"),
        (4, "x" * 90, f"line 3: mfcc1='{'x' * 60}' must be a number"),
    ],
)
def test_a_csv_value_that_is_no_number_is_named(database, corpus, tmp_path, column, value, message):
    export_database(database, tmp_path / "t.csv", format="csv")
    lines = (tmp_path / "t.csv").read_text().split("\n")
    cells = lines[2].split(",")
    cells[column] = value
    lines[2] = ",".join(cells)
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(ParameterError, match=re.escape(message)):
        import_files([tmp_path / "t.csv"], tmp_path / "new", root=corpus)
