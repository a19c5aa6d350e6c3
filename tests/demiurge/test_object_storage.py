"""Archives in object storage, from a real S3 server: see `tests.object_store` for which and why."""

import json
import logging

import fsspec
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.build import build_database
from db.database import Database
from db.keep_bands import keep_bands
from db.maintain import remove_sources
from db.verify import verify
from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from files import fetch, remote, remote_cache, remote_errors
from files.errors import DatabaseError, ParameterError, PlanError
from files.remote import RemoteFolder
from playback.open_plan import open_plan
from playback.plan import Plan, Step
from playback.render import render
from tests.object_store import KEY, SECRET, object_store

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto")

RATE = 44100
ROOT = "s3://archive/sounds"
SETTINGS = ("--units", "frame", "--descriptors", "mfcc")


@pytest.fixture(scope="module")
def server():
    with object_store() as (store, environment), pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(s3fs.S3FileSystem, "retries", 1)  # ours are tested
        remote._open_for.cache_clear()
        s3fs.S3FileSystem.clear_instance_cache()
        yield store
        remote._open_for.cache_clear()
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def store(server, tmp_path, monkeypatch, corpus):
    """The store with the test corpus in folder "sounds"; nothing is in the cache."""
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote_errors, "FIRST_WAIT", 0.001)
    for name in names_of(corpus):
        server.put(f"sounds/{name}", corpus / name)
    server.forget()
    yield server
    server.forget()
    fs = fsspec.filesystem("s3")
    fs.invalidate_cache()
    for key in fs.find("archive"):
        server.delete(key.removeprefix("archive/"))


def names_of(folder) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*"))


def rows_of(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "shards").iterdir())}


def build(path, root=ROOT, **options):
    return build_database(root, path, **({"executor": "threads", "jobs": 2} | options))


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_rows_are_those_of_the_same_files_on_disk(store, corpus, tmp_path):
    for file in sorted(CORPUS_DIR.glob("tabla*.ogg"))[:2]:
        (corpus / file.name).write_bytes(file.read_bytes())
        store.put(f"sounds/{file.name}", file)
    here = build(tmp_path / "here", corpus)
    there = build(tmp_path / "there")
    assert there.added == here.added
    assert len(there.added) == 6
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "here")
    opened = Database(tmp_path / "there")
    assert (opened.root, str(opened.root)) == (RemoteFolder(ROOT), ROOT)
    assert store.counts() == {"GET": 1 + 6, "HEAD": 6}  # a listing, ranges, whether they changed


def test_an_unchanged_archive_is_listed_and_nothing_else(store, tmp_path):
    build(tmp_path / "my.db")
    store.forget()
    report = build(tmp_path / "my.db")
    assert len(report.unchanged) == 4
    assert [line.partition("?")[0] for line in store.asked] == ["GET /archive"]


def test_what_changed_is_analysed_again_what_was_renamed_recognised(store, corpus, tmp_path):
    build(tmp_path / "my.db")
    store.put("sounds/a/x.wav", corpus / "b" / "x.wav")  # as long, within the same second
    store.put("sounds/c/moved.flac", corpus / "short.flac")
    store.delete("sounds/short.flac")
    report = build(tmp_path / "my.db")
    assert (report.changed, report.renamed) == (["a/x.wav"], [("short.flac", "c/moved.flac")])
    assert (len(report.unchanged), report.vanished) == (2, [])


def test_a_build_goes_on_where_it_was_interrupted(store, tmp_path):
    def interrupt(done, *_):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "my.db", executor="serial", progress=interrupt)
    report = build(tmp_path / "my.db")
    assert (len(report.unchanged), len(report.added)) == (2, 2)


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        ([503, 503], None),
        ([503, "always"], "the store answers: Try later, at byte 0 of 88244, 4 times"),
        (["cut", "cut"], None),
        (["short", "short", "cut", "short"], None),
        (["hang"], None),
        ([403, "always"], "access is denied; ask its owner for permission to list and read"),
    ],
)
def test_faults_of_one_object(store, tmp_path, monkeypatch, kinds, reason):
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.2 if "hang" in kinds else 20)
    store.faults["GET /archive/sounds/a/x.wav"] = kinds
    report = build(tmp_path / "my.db")
    assert report.failed == ([("a/x.wav", reason)] if reason else [])
    assert len(report.added) == (3 if reason else 4)
    if reason:
        store.faults = {}
        assert build(tmp_path / "my.db").added == ["a/x.wav"]


def test_reading_goes_on_from_the_byte_where_it_broke(store, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "RANGE_BYTES", 40_000)
    store.faults["GET /archive/sounds/a/x.wav"] = ["", "short"]
    build(tmp_path / "my.db")
    asked = [line.split()[-1] for line in store.asked if "sounds/a/x.wav bytes" in line]
    assert asked == ["bytes=0-39999", "bytes=40000-79999", "bytes=60000-88243"]


def test_an_object_that_vanishes_or_changes_while_it_is_read(store, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "RANGE_BYTES", 40_000)
    other = (corpus / "b" / "x.wav").read_bytes()
    store.faults["GET /archive/sounds/a/x.wav"] = ["", lambda: store.put("sounds/a/x.wav", other)]
    store.faults["GET /archive/sounds/short.flac"] = [lambda: store.delete("sounds/short.flac")]
    report = build(tmp_path / "my.db")
    assert report.failed == [("short.flac", "there is no such object or bucket")]
    sources = Database(tmp_path / "my.db").sources_by_path
    assert sources["a/x.wav"].content_hash == sources["b/x.wav"].content_hash  # what it is now


def test_a_store_that_ceases_to_answer_ends_the_build(store, corpus, tmp_path):
    for i in range(9):
        store.put(f"sounds/z{i}.flac", corpus / "short.flac")
    store.faults["GET /archive/sounds/z"] = [503, "always"]
    with pytest.raises(DatabaseError, match=r"8 objects .*Try later.*run the same command again"):
        build(tmp_path / "my.db")
    store.faults = {}
    report = build(tmp_path / "my.db")
    assert (len(report.unchanged), len(report.added)) == (4, 9)


@pytest.mark.parametrize(
    ("root", "faults", "message"),
    [
        ("s3://nowhere/sounds", {}, "s3://nowhere/sounds cannot be listed: there is no such"),
        (ROOT, {"list-type": [403, "always"]}, "cannot be listed: access is denied"),
        (ROOT, {"list-type": [503, "always"]}, r"cannot be listed: the store.*Try later \(4 tries"),
        ("s3://archive/empty", {}, "s3://archive/empty: no audio files in this folder"),
        ("zz://archive/x", {}, "zz://archive/x: the protocol zz is not known"),
    ],
)
def test_a_folder_that_cannot_be_listed(store, tmp_path, root, faults, message):
    store.faults = faults
    with pytest.raises(ParameterError, match=message):
        build(tmp_path / "my.db", root)
    result = run("db", "build", root, tmp_path / "my.db")
    assert (result.exit_code, result.stderr.count("Error: ")) == (2, 1)
    assert "Traceback" not in result.output


def test_nothing_is_pruned_when_the_listing_fails_or_is_empty(store, corpus, tmp_path):
    build(tmp_path / "my.db")
    store.faults = {"list-type": [403, "always"]}
    with pytest.raises(ParameterError, match="access is denied"):
        build(tmp_path / "my.db", prune=True)
    store.faults = {}
    for name in names_of(corpus):
        store.delete(f"sounds/{name}")
    report = build(tmp_path / "my.db", prune=True)
    assert report.vanished == []
    assert report.failed[0][1].startswith("the folder is empty, but held 4 of the sources")
    assert len(Database(tmp_path / "my.db").sources) == 4


def test_only_what_can_be_a_source_is_listed(store, corpus, tmp_path):
    for name in ("cover.jpg", ".hidden/x.wav", "my.db/manifest.sqlite", "my.db/x.wav", "x//y.wav"):
        store.put(f"sounds/{name}", corpus / "short.flac")
    report = build(tmp_path / "my.db")
    assert (len(report.added), report.own_folders) == (4, ["my.db"])
    assert [name for name, _ in report.failed] == ["x//y.wav"]


def test_the_cache_is_bounded(store, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_cache, "bound", remote_cache.Bound(300_000))
    build(tmp_path / "my.db", executor="serial")
    copies = list((tmp_path / "cache" / "fetched").iterdir())
    assert 0 < sum(copy.stat().st_size for copy in copies) <= 300_000


def test_another_corpus_is_not_taken_without_saying_so(store, corpus, tmp_path):
    build(tmp_path / "my.db", corpus)
    with pytest.raises(DatabaseError, match=f"was built from .*corpus, not {ROOT}"):
        build(tmp_path / "my.db")
    assert len(build(tmp_path / "my.db", moved=True).unchanged) == 4
    with pytest.raises(DatabaseError, match=f"was built from {ROOT}, not "):
        build(tmp_path / "my.db", corpus)
    report = build(tmp_path / "my.db", f"file://{corpus}", moved=True)
    assert len(report.unchanged) == 4
    assert Database(tmp_path / "my.db").root == corpus


def test_other_processes_fetch_for_themselves(store, tmp_path):
    build(tmp_path / "here")
    build(tmp_path / "there", executor="processes", jobs=1)
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "here")


def test_verification_and_spectra_read_the_objects(store, tmp_path):
    build(tmp_path / "my.db")
    assert verify(tmp_path / "my.db").ok
    assert len(keep_bands(Database(tmp_path / "my.db")).spans) == 4
    store.put("sounds/short.flac", b"other")
    store.delete("sounds/stereo.wav")
    problems = dict(verify(tmp_path / "my.db").files)
    assert problems == {
        "short.flac": "the file has changed since it was analysed; run demiurge db build",
        "stereo.wav": f"not in {ROOT}",
    }
    assert remove_sources(tmp_path / "my.db", ["*"])


def plan_of(root, *spans) -> Plan:
    steps = [Step(i, name, start, 4096, 4096 * i) for i, (name, start) in enumerate(spans)]
    return Plan(RATE, 1, {"id": "a database", "root": str(root)}, tuple(steps))


def heard(plan, path) -> bytes:
    render(plan, path)
    return path.read_bytes()


@pytest.fixture
def long(store, corpus, tabla):
    """Long files of the formats that are read in ranges; the second has tags after its samples."""
    sound = np.tile(tabla, 40) * np.linspace(0.2, 0.9, 40 * RATE, dtype=np.float32)
    for name, subtype in (("int.wav", "PCM_16"), ("float.wav", "FLOAT"), ("24.wav", "PCM_24")):
        with sf.SoundFile(corpus / name, "w", RATE, 1, subtype) as file:
            file.write(sound)
            file.title = "long"
        store.put(f"sounds/{name}", corpus / name)
    store.forget()
    return store


@pytest.mark.parametrize("name", ["int.wav", "float.wav"])
def test_of_plain_wav_only_what_is_played_is_read(long, corpus, tmp_path, name):
    spans = [(name, 1_000_000), (name, 500), (name, 1_700_000)]
    local = heard(plan_of(corpus, *spans), tmp_path / "here.wav")
    assert heard(plan_of(ROOT, *spans), tmp_path / "there.wav") == local
    assert long.n_bytes < (corpus / name).stat().st_size / 6
    assert not list((tmp_path / "cache" / "fetched").iterdir())


def test_other_formats_and_much_played_files_are_fetched_once(long, corpus, tmp_path):
    spans = [("24.wav", 1_000_000), ("short.flac", 0)]
    spans += [("int.wav", start) for start in range(0, 1_700_000, 40_000)]
    local = heard(plan_of(corpus, *spans), tmp_path / "here.wav")
    assert heard(plan_of(ROOT, *spans), tmp_path / "there.wav") == local
    long.forget()
    assert heard(plan_of(ROOT, *spans), tmp_path / "again.wav") == local
    assert long.counts() == {"HEAD": 3}


def test_problems_of_objects_are_told_before_anything_sounds(store, tmp_path):
    build(tmp_path / "my.db")
    stamps = Database(tmp_path / "my.db").stamps(["a/x.wav", "short.flac"])
    plan = plan_of(ROOT, ("a/x.wav", 0), ("gone.wav", 0), ("stereo.wav", 0), ("short.flac", 0))
    plan.sources.update(stamps)
    store.put("sounds/short.flac", b"other")
    store.faults = {"HEAD /archive/sounds/stereo.wav": [403, "always"]}
    with pytest.raises(PlanError) as caught:
        open_plan(plan)
    assert str(caught.value).splitlines()[1:] == [
        "  gone.wav: missing",
        "  stereo.wav: access is denied; ask its owner for permission to list and read",
        "  short.flac: not the file that the plan was made from",
    ]


def test_the_command_line_from_an_archive(store, tmp_path, caplog):
    """Build, look, mosaic and export, with everything that is logged."""
    caplog.set_level(logging.DEBUG)
    database = tmp_path / "my.db"
    assert run("db", "build", ROOT, database, *SETTINGS, "--executor", "threads").exit_code == 0
    facts = json.loads(run("db", "info", database, "--json").stdout)
    assert (facts["root"], facts["missing"]) == (ROOT, [])
    seed = tmp_path / "corpus" / "a" / "x.wav"
    made = run("mosaic", seed, database, "-o", tmp_path / "out.wav")
    assert made.exit_code == 0, made.output
    plan = next(tmp_path.glob("*.plan.json"))
    exported = run("playback", plan, "--export", "reaper", tmp_path / "out.rpp")
    written = [*database.rglob("*.sqlite*"), plan, *tmp_path.glob("*.rpp")]
    texts = [made.output, exported.output, caplog.text, *(str(p.read_bytes()) for p in written)]
    ours = [text for record in caplog.records if (text := record.getMessage()) and is_ours(record)]
    assert not any(SECRET in text for text in texts)
    assert not any(KEY in text for text in (*ours, *texts[:2], *texts[3:]))


@pytest.mark.parametrize(
    "words",
    [
        ("db", "build", "URL", "my.db"),
        ("db", "info", "my.db", "--root", "URL"),
        ("playback", "my.plan.json", "--root", "URL"),
        ("query", "URL", "my.db"),
        ("db", "compact", "URL"),
    ],
)
def test_a_url_with_a_key_is_refused_wherever_it_is_given(words):
    result = run(*(f"s3://KEY:{SECRET}@archive/x" if word == "URL" else word for word in words))
    assert (result.exit_code, result.stderr.count("Error: ")) == (2, 1)
    assert SECRET not in result.output


def is_ours(record) -> bool:
    return record.name.partition(".")[0] in ("files", "db", "playback", "demiurge")


@pytest.mark.slow
def test_build_on_a_cluster_that_loses_a_node_gives_the_same_database(store, corpus, tmp_path):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    for i in range(24):
        store.put(f"sounds/{i:02d}.wav", corpus / "a" / "x.wav")
    build(tmp_path / "here")
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20}
    )
    try:
        second = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        ray.init(address=cluster.address, log_to_driver=False)

        def kill_the_second(done, total, label):
            if done == 10:
                cluster.remove_node(second, allow_graceful=False)

        report = build(tmp_path / "there", executor="ray", progress=kill_the_second)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert (len(report.added), report.failed) == (28, [])
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "here")
