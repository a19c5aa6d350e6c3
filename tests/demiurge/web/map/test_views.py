"""The views of the map and of units: their answers, and wrong requests."""

import asyncio
import io
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import soundfile as sf

from audio.read import read_audio
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.web.wav import wav_header
from demiurge.web.workspace import Workspace
from tests.demiurge.web.conftest import SOUNDS, serving, visit

HEADER = 44  # bytes of a 16-bit WAV's


def numbers(response: httpx.Response, kind: str = "<f4") -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/octet-stream"
    return np.frombuffer(response.content, kind)


@pytest.fixture
def database(built) -> Database:
    return Database(built / "small.db")


def test_first_page_is_the_map(client):
    assert client.get("/").headers["location"] == "/map"
    page = client.get("/map")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "small.db" in page.text


def test_map_says_what_there_is(client, database):
    facts = client.get("/map.json").json()
    assert facts["database"] == {
        "name": "small.db",
        "id": database.id,
        "sources": 4,
        "units": database.n_units,
        "sample_rate": 44100,
        "kind": "frame",
        "seconds": sum(source.n_samples for source in database.sources) / 44100,
    }
    assert [source["path"] for source in facts["sources"]] == sorted(SOUNDS)
    assert [source["id"] for source in facts["sources"]] == [0, 1, 2, 3]
    assert sum(source["n_units"] for source in facts["sources"]) == database.n_units
    assert [source["missing"] for source in facts["sources"]] == [None] * 4
    assert facts["descriptors"] == [f"mfcc{i}" for i in range(39)]
    assert set(facts["layouts"]) == {"pca", "quality"}


def test_numbers_are_those_of_the_database_unit_by_unit(client, database):
    units = database.units
    assert (numbers(client.get("/map/units"), "<u4") == units.ids).all()
    assert (numbers(client.get("/map/values/mfcc3")) == database.column("mfcc3")).all()
    assert (numbers(client.get("/map/values/source")) == units.source).all()
    assert numbers(client.get("/map/values/time")) == pytest.approx(units.start_sample / 44100)
    assert numbers(client.get("/map/values/length")) == pytest.approx(units.n_samples / 44.1)
    assert set(numbers(client.get("/map/values/cluster"))) <= set(range(12))
    assert numbers(client.get("/map/layouts/pca")).shape == (2 * len(units),)


@pytest.mark.parametrize("path", ["/map/values/mfcc39", "/map/values/x", "/map/layouts/tsne"])
def test_unknown_numbers_are_named_with_those_there_are(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert path.rpartition("/")[2] in response.json()["error"]


def test_numbers_that_the_page_has_are_not_sent_again(client):
    first = client.get("/map/values/mfcc0")
    assert first.headers["cache-control"] == "no-cache"
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = client.get("/map/values/mfcc0", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert (
        client.get(
            "/map/values/mfcc1", headers={"If-None-Match": first.headers["etag"]}
        ).status_code
        == 200
    )


def test_a_unit_is_known_with_its_place_and_descriptors(client, database):
    position = database.sources[0].n_units  # the first of the second source
    unit = int(database.units.ids[position])
    facts = client.get(f"/units/{unit}.json").json()
    assert facts["source"] == {"id": 1, "path": sorted(SOUNDS)[1], "missing": None}
    assert (facts["unit"], facts["position"], facts["start_sample"], facts["n_samples"]) == (
        unit,
        position,
        0,
        1024,
    )
    assert (facts["previous"], facts["next"]) == (None, unit + 1)
    assert facts["seconds"] == pytest.approx(1024 / 44100)
    assert list(facts["descriptors"].values()) == database.descriptors[position].tolist()
    assert client.get(f"/units/{database.units.ids[-1]}.json").json()["next"] is None


def test_similar_units_are_the_nearest_others(client, database):
    unit = int(database.units.ids[40])
    found = client.get(f"/units/{unit}/similar.json").json()["units"]
    assert len(found) == 8
    assert unit not in [other["unit"] for other in found]
    distances = [other["distance"] for other in found]
    assert distances == sorted(distances)
    other = client.get(f"/units/{found[0]['unit']}.json").json()
    assert (other["source"]["path"], other["start_seconds"]) == (
        found[0]["source"],
        found[0]["start_seconds"],
    )
    places = [(one["source"], one["start_seconds"]) for one in found]
    own = client.get(f"/units/{unit}.json").json()
    places.append((own["source"]["path"], own["start_seconds"]))
    for at, (source, start) in enumerate(places):  # each of another passage
        assert all(abs(start - other) > 0.2 for name, other in places[:at] if name == source)
    three = client.get(f"/units/{unit}/similar.json", params={"k": 3}).json()["units"]
    assert three == found[:3]


@pytest.mark.parametrize("query", ["k=0", "k=65", "k=x", "k=1.5", "k=-1", "k=" + "9" * 50, "k="])
def test_impossible_numbers_of_similar_units_are_refused(client, database, query):
    response = client.get(f"/units/{database.units.ids[0]}/similar.json?{query}")
    assert response.status_code == 422
    assert "must be an integer from 1 to 64" in response.json()["error"]


@pytest.mark.parametrize(
    "path", ["/units/999999999.json", "/units/999999999/similar.json", "/units/x/audio.wav"]
)
def test_unknown_units_are_refused(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert "there is no unit" in response.json()["error"]


def test_what_is_heard_is_the_source_from_the_unit_on(client, database, built):
    position = 30
    response = client.get(f"/units/{database.units.ids[position]}/audio.wav?context=0.25")
    samples, rate = sf.read(io.BytesIO(response.content), dtype="float32", always_2d=True)
    source = database.sources[0]
    start = int(database.units.start_sample[position])
    expected = read_audio(built / "sounds" / source.path).samples[start : start + 11025]
    assert (response.headers["content-type"], rate, samples.shape) == (
        "audio/wav",
        44100,
        expected.shape,
    )
    fade = round(0.005 * 44100)
    assert samples[:-fade] == pytest.approx(np.clip(expected[:-fade], -1, 1), abs=2**-15)
    assert np.abs(samples[-1]).max() == 0


def test_what_is_heard_lasts_as_long_as_the_unit_and_ends_with_the_source(client, database):
    unit = database.units.ids[database.sources[0].n_units - 2]
    info = sf.info(io.BytesIO(client.get(f"/units/{unit}/audio.wav?context=10").content))
    assert info.frames == database.units.samples_left[database.sources[0].n_units - 2] < 2048
    info = sf.info(
        io.BytesIO(client.get(f"/units/{database.units.ids[0]}/audio.wav?context=0").content)
    )
    assert (info.frames, info.subtype) == (1024, "PCM_16")


@pytest.mark.parametrize("context", ["-1", "10.1", "nan", "inf", "x", "1e400"])
def test_impossible_lengths_are_refused(client, database, context):
    response = client.get(f"/units/{database.units.ids[0]}/audio.wav", params={"context": context})
    assert response.status_code == 422
    assert "must be a number from 0 to 10" in response.json()["error"]


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-", (0, None)),
        ("bytes=0-0", (0, 1)),
        ("bytes=100-199", (100, 200)),
        ("bytes=44-", (44, None)),
        ("bytes=-100", (-100, None)),
        ("bytes=-9999999", (0, None)),
        ("bytes=100-9999999", (100, None)),
    ],
)
def test_ranges_of_sound_are_answered_as_they_are_asked(client, database, asked, span):
    path = f"/units/{database.units.ids[5]}/audio.wav"
    whole = client.get(path)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    part = client.get(path, headers={"Range": asked})
    total = len(whole.content)
    start, stop, _ = slice(*span).indices(total)
    assert (part.status_code, part.content) == (206, whole.content[start:stop])
    assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{total}"
    assert part.headers["content-length"] == str(stop - start)
    assert client.head(path, headers={"Range": asked}).headers["content-length"] == str(
        stop - start
    )


@pytest.mark.parametrize("asked", ["bytes=999999-", "bytes=-0", "bytes=999999-9999999"])
def test_ranges_beyond_the_end_are_refused(client, database, asked):
    response = client.get(f"/units/{database.units.ids[5]}/audio.wav", headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["content-range"].startswith("bytes */")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=",
        "bytes=-",
        "bytes=5-3",
        "bytes=0-1,5-6",
        "samples=0-1",
        "bytes=a-b",
        "x",
        "bytes=" + "9" * 40 + "-",
    ],
)
def test_ranges_that_make_no_sense_give_the_whole(client, database, asked):
    response = client.get(f"/units/{database.units.ids[5]}/audio.wav", headers={"Range": asked})
    assert (response.status_code, len(response.content)) == (
        200,
        int(response.headers["content-length"]),
    )


@pytest.mark.parametrize(
    ("kind", "subtype", "channels"), [(np.int16, "PCM_16", 1), (np.float32, "FLOAT", 2)]
)
def test_headers_of_sound_say_what_follows(kind, subtype, channels):
    samples = np.arange(10 * channels).reshape(10, channels).astype(kind)
    content = wav_header(samples, 22050) + samples.tobytes()
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    info = sf.info(io.BytesIO(content))
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (
        22050,
        channels,
        10,
        subtype,
    )
    assert (
        sf.read(io.BytesIO(content), dtype=samples.dtype.name, always_2d=True)[0] == samples
    ).all()


def test_vanished_sources_are_shown_as_such_and_the_rest_works(own):
    first, second = sorted(SOUNDS)[:2]
    (own / "sounds" / first).unlink()
    workspace = Workspace(own / "small.db", folder=own / "plans", root=own / "sounds")
    with visit(workspace) as client:
        facts = client.get("/map.json").json()
        assert [bool(source["missing"]) for source in facts["sources"]] == [
            True,
            False,
            False,
            False,
        ]
        assert f"{first} is not in the corpus folder" in facts["sources"][0]["missing"]
        ids = numbers(client.get("/map/units"), "<u4")
        assert (
            "not in the corpus" in client.get(f"/units/{ids[0]}.json").json()["source"]["missing"]
        )
        response = client.get(f"/units/{ids[0]}/audio.wav")
        assert (response.status_code, first in response.json()["error"]) == (410, True)
        assert client.get(f"/units/{ids[0]}/similar.json").status_code == 200
        other = facts["sources"][0]["n_units"]
        assert client.get(f"/units/{ids[other]}/audio.wav").status_code == 200
        shutil.copyfile(own / "sounds" / second, own / "sounds" / first)
        assert client.get("/map.json").json()["sources"][0]["missing"] is None


def test_a_file_that_is_no_sound_any_more_is_refused_with_its_name(own):
    name = sorted(SOUNDS)[0]
    (own / "sounds" / name).write_bytes(b"no sound at all")
    with visit(Workspace(own / "small.db", root=own / "sounds")) as client:
        response = client.get("/units/0/audio.wav")
    assert response.status_code == 422
    assert name in response.json()["error"]


@pytest.mark.parametrize("units", ["frame", "onset"])
def test_an_empty_database_has_an_empty_map(tmp_path, units):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "broken.wav").write_bytes(b"RIFF")
    build_database(
        tmp_path / "sounds", tmp_path / "empty.db", settings=DescriptorSettings(units=units)
    )
    with visit(Workspace(tmp_path / "empty.db")) as client:
        facts = client.get("/map.json").json()
        assert (facts["database"]["units"], facts["sources"]) == (0, [])
        assert facts["layouts"]["quality"]["state"] == "unavailable"
        for path in (
            "units",
            "layouts/pca",
            "values/mfcc0",
            "values/source",
            "values/cluster",
            "values/time",
        ):
            assert numbers(client.get(f"/map/{path}")).size == 0
        assert client.get("/units/0.json").status_code == 404
        assert client.post("/map/layouts/quality").status_code == 422
        assert client.get("/map").status_code == 200


def test_damaged_descriptors_are_an_error_that_says_what_to_do(own, monkeypatch):
    monkeypatch.setenv("DEMIURGE_CACHE", str(own / "cache"))  # where no layout is kept yet
    shard = next((own / "small.db" / "shards").iterdir())
    content = bytearray(shard.read_bytes())
    content[100] ^= 255
    shard.write_bytes(content)
    with visit(Workspace(own / "small.db")) as client:
        response = client.get("/map/layouts/pca")
        assert response.status_code == 422
        assert "verify --repair" in response.json()["error"]
        assert client.get("/map.json").json()["layouts"]["pca"]["state"] == "failed"


def test_two_hundred_requests_at_once_are_all_answered(workspace, database):
    paths = [
        "/map.json",
        "/map/units",
        "/map/layouts/pca",
        "/map/values/mfcc5",
        "/map",
        "/static/lib.js",
    ]
    ids = database.units.ids
    paths += [f"/units/{unit}/audio.wav" for unit in ids[:: len(ids) // 100]]
    paths += [f"/units/{unit}/similar.json" for unit in ids[:: len(ids) // 100]]
    paths = (paths * 2)[:200]

    async def ask_all(address: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            base_url=address, limits=limits, timeout=30, trust_env=False
        ) as client:
            return await asyncio.gather(*(client.get(path) for path in paths))

    with serving(workspace) as address:
        responses = asyncio.run(ask_all(address))
    assert [response.status_code for response in responses] == [200] * 200
    answers = dict(zip(paths, responses, strict=True))
    for number, path in enumerate(paths):
        if path not in ("/map", "/map.json"):  # in which is a nonce, and how far the layouts are
            assert responses[number].content == answers[path].content
    assert (np.frombuffer(answers["/map/units"].content, "<u4") == ids).all()


def test_an_index_is_made_once_for_all_who_ask_at_the_same_time(workspace, monkeypatch):
    from query.settings import SearchSettings

    made = []
    make = SearchSettings.index
    monkeypatch.setattr(
        SearchSettings, "index", lambda *arguments: made.append(1) or make(*arguments)
    )
    with ThreadPoolExecutor(8) as pool:
        indexes = set(pool.map(lambda _: id(workspace.index(SearchSettings())), range(16)))
    assert (len(indexes), len(made)) == (1, 1)
    for other in (SearchSettings(weights={"mfcc": 2.0}), SearchSettings(metric="l1")):
        assert workspace.index(other) is not workspace.index(SearchSettings())
