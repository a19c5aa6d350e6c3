"""Latents as descriptors: opened, measured, refused if they have changed."""

import json
import threading

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from audio.resample import resample
from db.analyse import describe_signal
from db.database import Database
from db.derived_rows import transpose_rows
from db.settings import DescriptorSettings
from demiurge.cli import main
from demiurge.model_descriptors import _stamp, describe_model, open_model
from demiurge.sequences import describe
from demiurge.web.workspace import Workspace
from files.errors import DatabaseError, ParameterError
from tests.db.rows import read_frames
from tests.demiurge.web.conftest import visit
from tests.toy_codec import ToyCodec, toys_open, write_toy

__all__ = ["toys_open"]
pytestmark = pytest.mark.usefixtures("toys_open")


@pytest.fixture
def toy(tmp_path):
    return write_toy(tmp_path / "toy", n_latents=3, hop_length=80)


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.fixture
def built(corpus, tmp_path, toy):
    run("db", "build", corpus, tmp_path / "my.db", "--descriptors", f"mfcc,codec:{toy}", "--json")
    return tmp_path / "my.db"


def test_a_model_is_described_by_its_facts(toy):
    model = describe_model("codec", str(toy))
    assert (model.kind, model.n_columns, model.sample_rate, model.hop_length) == (
        "codec",
        3,
        8000,
        80,
    )
    assert (model.name, model.licence, model.path) == ("toy-0", "CC0-1.0", str(toy))


def test_latents_are_averaged_over_the_frames_of_the_database(toy, tabla):
    model = describe_model("codec", str(toy))
    settings = DescriptorSettings(descriptors=("codec",), models=(model,))
    rows = describe_signal(np.array_split(tabla, 3), settings, open_model).frames
    latents = ToyCodec(n_latents=3, hop_length=80).latents(resample(tabla, 44100, 8000))
    first = 1024 * 8000 / 44100 / 80  # latents in a frame
    whole = int(first)
    wanted = (latents[:whole].sum(axis=0) + (first - whole) * latents[whole]) / first
    np.testing.assert_allclose(rows[0], wanted, atol=1e-5)


def test_alone_a_row_is_a_frame_of_the_codec(corpus, tmp_path, toy):
    path = tmp_path / "frames.db"
    run("db", "build", corpus, path, "--units", "frame", "--descriptors", f"codec:{toy}")
    settings = Database(path).settings
    assert (settings.sample_rate, settings.hop_length) == (8000, 80)
    audio, rate = sf.read(corpus / "a" / "x.wav", dtype="float32")
    latents = ToyCodec(n_latents=3, hop_length=80).latents(resample(audio, rate, 8000))
    np.testing.assert_allclose(read_frames(path)["a/x.wav"], latents, atol=1e-6)
    other = tmp_path / "other.db"
    asked = ("--units", "frame", "--hop-length", "100", "--descriptors", f"codec:{toy}")
    run("db", "build", corpus, other, *asked)
    assert Database(other).settings.hop_length == 100


def test_info_says_which_codec_and_its_licence(built, toy):
    told = " ".join(run("db", "info", built).split())
    assert "toy-0: 3 columns" in told
    assert "CC0-1.0" in told
    facts = json.loads(run("db", "info", built, "--json"))
    assert facts["settings"]["models"][0]["licence"] == "CC0-1.0"
    assert facts["settings"]["models"][0]["path"] == str(toy)


def test_a_target_is_described_by_the_codec_where_it_lies(built, corpus):
    database = Database(built)
    sequence = describe(corpus / "a" / "x.wav", database.settings)
    number = [source.path for source in database.sources].index("a/x.wav")
    np.testing.assert_array_equal(sequence.descriptors, database.source_descriptors(number))


def test_a_codec_that_has_gone_is_named_with_its_hash_and_the_remedy(built, corpus, toy, tmp_path):
    toy.rename(tmp_path / "new place")
    with pytest.raises(
        DatabaseError, match=f"{toy}: toy-0 .hash 0{{32}}.*not there any more.*db build"
    ):
        describe(corpus / "a" / "x.wav", Database(built).settings)
    told = run("mosaic", corpus / "a" / "x.wav", built, "-o", tmp_path / "o.wav", exit_code=1)
    assert "is not there any more; put it back (a link is enough)" in told
    run("db", "build", corpus, built, "--descriptors", f"mfcc,codec:{tmp_path / 'new place'}")
    assert len(describe(corpus / "a" / "x.wav", Database(built).settings))


def test_a_codec_that_has_changed_is_refused_with_both_hashes(built, corpus, toy):
    write_toy(toy, n_latents=3, hop_length=80, random_seed=7)
    with pytest.raises(
        DatabaseError, match=f"has the hash 0*7, but .* were measured with {'0' * 32}"
    ):
        describe(corpus / "a" / "x.wav", Database(built).settings)
    (corpus / "new.wav").write_bytes((corpus / "a" / "x.wav").read_bytes() + b"\0\0")
    assert "put that one back" in run("db", "build", corpus, built, exit_code=1)
    told = run("db", "build", corpus, built, "--descriptors", f"mfcc,codec:{toy}", exit_code=1)
    assert f"codec hash is {'0' * 32}" in told
    assert f"{7:032x} in what was asked for" in told


def test_a_file_whose_latents_are_not_numbers_fails_by_name(corpus, tmp_path):
    bad = write_toy(tmp_path / "bad", nan=True, n_latents=3)
    told = run("db", "build", corpus, tmp_path / "db", "--descriptors", f"codec:{bad}", exit_code=1)
    assert "failed: 4 files: toy-0 turns it into latents that are NaN or infinite" in told


@pytest.mark.parametrize(
    ("descriptors", "says"),
    [
        ("codec", "codec needs its model; name it as codec:PATH"),
        ("codec:", "codec needs its model"),
        ("mfcc,codec:/nowhere", "/nowhere: no codec here"),
        ("rave:{toy}", "is no export of RAVE, whose name ends in .ts; use codec:PATH"),
        ("encodec:/x", "'encodec:/x' is not known; choose among mfcc"),
        ("codec:{toy},codec:{toy}", "names one twice; name each once"),
    ],
)
def test_descriptors_that_name_no_model_are_refused(corpus, tmp_path, toy, descriptors, says):
    told = run(
        *("db", "build", corpus, tmp_path / "db"),
        *("--descriptors", descriptors.format(toy=toy)),
        exit_code=1 if "nowhere" in descriptors else 2,
    )
    assert says in told
    assert not (tmp_path / "db").exists()


def test_nothing_shipped_is_said():
    with pytest.raises(ParameterError, match="shipped"):
        describe_model("codec", "shipped:nothing")


def test_threads_take_turns_at_a_model(toy, tabla):
    model = describe_model("codec", str(toy))
    settings = DescriptorSettings(descriptors=("codec",), models=(model,))
    wanted = describe_signal([tabla], settings, open_model).frames
    found = [None] * 4

    def measure(i):
        found[i] = describe_signal(np.array_split(tabla, 50), settings, open_model).frames

    threads = [threading.Thread(target=measure, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in found:
        np.testing.assert_allclose(rows, wanted, atol=1e-6)


def test_the_page_has_latents_as_axes(built, tmp_path):
    with visit(Workspace(built, folder=tmp_path / "plans")) as client:
        assert "codec1" in client.get("/map.json").json()["descriptors"]
        values = np.frombuffer(client.get("/map/values/codec1").content, np.float32)
        np.testing.assert_array_equal(values, Database(built).column("codec1"))


def test_a_table_takes_its_model_along(corpus, tmp_path, toy):
    path = tmp_path / "frames.db"
    run("db", "build", corpus, path, "--units", "frame", "--descriptors", f"mfcc,codec:{toy}")
    for kind in ("npz", "csv"):
        table = tmp_path / f"table.{kind}"
        run("db", "export", path, table, "--format", kind)
        run("db", "import", table, tmp_path / f"{kind}.db", "--root", corpus)
        copy = Database(tmp_path / f"{kind}.db")
        assert copy.settings.models == Database(path).settings.models
        np.testing.assert_array_equal(copy.descriptors, Database(path).descriptors)


def test_units_are_weighed_and_filtered_by_latents(built, corpus):
    middle = float(np.median(Database(built).column("codec0")))
    told = json.loads(
        run(
            *("query", corpus / "a" / "x.wav", built, "-k", "1", "--json"),
            *("--where", f"codec0>{middle}", "--weight", "codec=2,codec1=0"),
        )
    )
    database = Database(built)
    allowed = set(database.units.ids[database.column("codec0") > middle].tolist())
    found = {match["unit"] for step in told["steps"] for match in step["candidates"]}
    assert found <= allowed


def test_maintenance_keeps_the_model(built, corpus, toy):
    assert json.loads(run("db", "verify", built, "--json"))["ok"]
    (corpus / "b" / "x.wav").unlink()
    run("db", "build", corpus, built, "--prune")
    run("db", "compact", built)
    assert Database(built).settings.models[0].path == str(toy)
    assert json.loads(run("db", "verify", built, "--json"))["ok"]


def test_transposed_units_keep_their_latents(built):
    rows = Database(built).descriptors
    transposed = transpose_rows(rows, 5, Database(built).settings)
    columns = [Database(built).settings.names.index(f"codec{i}") for i in range(3)]
    np.testing.assert_array_equal(transposed[:, columns], rows[:, columns])


def test_a_file_in_a_folder_inside_a_model_counts_as_a_change(tmp_path):
    inside = tmp_path / "vocoder"
    inside.mkdir()
    before = _stamp(tmp_path)
    (inside / "model.safetensors").write_bytes(b"other weights")
    assert _stamp(tmp_path) != before
