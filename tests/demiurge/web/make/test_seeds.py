"""Seeds: sound files are kept and can be played; anything else is refused and leaves no file."""

import asyncio
import io
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from starlette.exceptions import HTTPException
from starlette.requests import Request

from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.web.make import seeds as seeds_module
from demiurge.web.make import views as make_views
from demiurge.web.make.checking import check_audio, examine
from demiurge.web.make.seeds import Seeds, UploadLimits
from demiurge.web.make.views import MakeViews
from demiurge.web.names import shown_name
from files.errors import AudioError
from tests.audio.containers.made_files import flac_without_total
from tests.demiurge.web.conftest import serving

RATE = 44100


async def stream(*chunks: bytes, pause: float = 0.0):
    for chunk in chunks:
        await asyncio.sleep(pause)
        yield chunk


def take(seeds: Seeds, *chunks: bytes, name="a.wav", announced=None, pause=0.0):
    return asyncio.run(seeds.take(stream(*chunks, pause=pause), name, announced))


def wav(samples: np.ndarray, rate=RATE, subtype="PCM_16", kind="WAV") -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, rate, subtype, format=kind)
    return file.getvalue()


def refused(tmp_path: Path, content: bytes, shown="sound.wav") -> str:
    path = tmp_path / "upload.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=shown) as refusal:
        examine(path, shown, tmp_path / "preview.flac")
    assert "upload" not in str(refusal.value)
    return str(refusal.value)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


@pytest.fixture
def unchecked(monkeypatch):
    """Examine files in this process: as strictly, but faster."""
    monkeypatch.setattr(seeds_module, "check_audio", examine)


def test_upload_is_kept_played_and_known_again(client):
    answer = client.post("/seeds?name=../../amen%20break.ogg", content=SEED_FILE.read_bytes())
    assert answer.status_code == 201
    seed = answer.json()
    assert seed["name"] == "amen break.ogg"
    assert seed["channels"] == 2
    assert seed["sample_rate"] == RATE
    original, _ = sf.read(SEED_FILE, dtype="float32")
    assert seed["seconds"] == pytest.approx(len(original) / RATE)
    again = client.post("/seeds?name=other.ogg", content=SEED_FILE.read_bytes()).json()
    assert again == seed | {"name": "other.ogg"}
    assert client.get("/make.json").json()["seeds"] == [again]
    heard, rate = sf.read(
        io.BytesIO(client.get(f"/seeds/{seed['id']}/audio.wav").content), dtype="float32"
    )
    assert rate == RATE
    assert heard.shape == original.shape
    assert np.abs(heard - original.clip(-1, 1)).max() < 1e-4
    part = client.get(f"/seeds/{seed['id']}/audio.wav", headers={"Range": "bytes=0-3"})
    assert part.status_code == 206
    assert part.content == b"fLaC"


def test_seed_is_there_after_a_restart_unless_its_file_is_gone(tmp_path, tabla, unchecked):
    first = take(Seeds(tmp_path), wav(tabla))
    second = take(Seeds(tmp_path), wav(tabla / 2), name="b.wav")
    again = Seeds(tmp_path)
    assert [seed["id"] for seed in again.documents()] == [second.id, first.id]
    again.path(first).unlink()
    record = json.loads((tmp_path / f"{second.id}.json").read_text())
    (tmp_path / f"{first.id}.json").write_text(
        json.dumps(record | {"id": first.id, "created": "today"})
    )
    (tmp_path / f"{first.id}.wav").touch()
    assert [seed["id"] for seed in Seeds(tmp_path).documents()] == [second.id]
    (tmp_path / f"{first.id}.wav").unlink()
    (tmp_path / "broken.json").write_text("{")
    assert [seed["id"] for seed in Seeds(tmp_path).documents()] == [second.id]
    assert left(tmp_path) == sorted(
        ["broken.json", f"{first.id}.json", f"{first.id}.preview.flac"]
        + [f"{second.id}{end}" for end in (".json", ".preview.flac", ".wav")]
    )


def test_what_is_repaired_in_a_seed_or_unusual_is_told(tmp_path, tabla):
    cut = flac_without_total(wav(tabla, kind="FLAC"))[:-100]
    opposite = wav(np.stack([tabla, -tabla], axis=1))
    seeds = Seeds(tmp_path)
    told = (
        "its header states no length, and its last frame is incomplete: it may have been cut off",
    )
    assert take(seeds, cut, name="cut.flac").warnings == told
    (cancelled,) = take(seeds, opposite).warnings
    assert cancelled.startswith("its channels cancel each other in ")
    assert take(seeds, wav(tabla)).warnings == ()
    kept = {seed["name"]: seed["warnings"] for seed in Seeds(tmp_path).documents()}
    assert kept["cut.flac"] == told


def test_seed_of_version_0_1_0_has_no_warnings(tmp_path, tabla, unchecked):
    seed = take(Seeds(tmp_path), wav(tabla))
    record = tmp_path / f"{seed.id}.json"
    old = json.loads(record.read_text())
    del old["warnings"]
    record.write_text(json.dumps(old))
    assert Seeds(tmp_path).get(seed.id) == seed


def test_seed_whose_file_is_gone_can_be_sent_again(tmp_path, tabla, unchecked):
    seeds = Seeds(tmp_path)
    for gone in (seeds.path, seeds.preview):
        seed = take(seeds, wav(tabla))
        gone(seed).unlink()
        again = take(seeds, wav(tabla))
        assert again.id == seed.id
        assert gone(again).is_file()


def test_what_is_wrong_is_told_as_of_a_seed(tmp_path):
    (tmp_path / "upload.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(
        AudioError, match=r"^a\.mp3: not readable as audio \(its kind .*WAV or FLAC$"
    ):
        examine(tmp_path / "upload.mp3", "a.mp3", tmp_path / "preview.flac")
    assert "remove" not in refused(tmp_path, b"")


def test_nothing_is_left_of_what_was_refused(client, workspace):
    for content, message in ((b"", "0 bytes"), (b"just some text" * 99, "not readable as audio")):
        answer = client.post("/seeds?name=sound.wav", content=content)
        assert answer.status_code == 422
        assert message in answer.json()["error"]
        assert "sound.wav" in answer.json()["error"]
    assert left(workspace.folder / "seeds") == []
    assert client.get("/seeds/../../etc/passwd/audio.wav").status_code == 404
    assert (
        client.get(f"/seeds/{'0' * 32}/audio.wav")
        .json()["error"]
        .startswith("there is no such seed")
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("promises_gigabytes", "truncated"),
        ("truncated_ogg", "last page is incomplete"),
        ("not_finite", "NaN, infinite or beyond"),
        ("too_short", "too short"),
        ("many_channels", "32"),
        ("quick", "above 192000"),
        ("no_samples", "0 samples"),
    ],
)
def test_malformed_sound_is_refused(tmp_path, tabla, name, message):
    whole = bytearray(wav(tabla))
    promise = whole[:40] + struct.pack("<I", 3 << 30) + whole[44:]
    content = {
        "promises_gigabytes": bytes(promise),
        "truncated_ogg": SEED_FILE.read_bytes()[:20_000],
        "not_finite": wav(np.where(np.arange(len(tabla)) == 99, np.nan, tabla), subtype="FLOAT"),
        "too_short": wav(tabla[:4000]),
        "many_channels": wav(np.repeat(tabla[:8000, None], 40, axis=1)),
        "quick": wav(np.tile(tabla, 5), rate=384_000),
        "no_samples": wav(tabla[:0]),
    }[name]
    assert message in refused(tmp_path, content)


def test_a_little_file_of_hours_of_silence_is_refused(tmp_path):
    bomb = wav(np.zeros(2000 * 8000, np.int16), rate=8000, kind="FLAC")
    assert len(bomb) < 100_000
    assert "longer than 20 minutes" in refused(tmp_path, bomb)
    headless = bytearray(bomb)  # which does not say how long it is
    headless[21] &= 0xF0
    headless[22:26] = bytes(4)
    assert refused(tmp_path, bytes(headless))


def test_length_is_counted_whatever_the_header_says(tmp_path, tabla):
    vorbis = wav(np.tile(tabla, 3), kind="OGG", subtype="VORBIS")  # whose length is an estimate
    path = tmp_path / "upload.ogg"
    path.write_bytes(vorbis)
    with pytest.raises(AudioError, match=r"^a\.ogg: longer than"):
        examine(path, "a.ogg", tmp_path / "preview.flac", most_seconds=2.0)


def test_preview_is_of_two_channels_and_48_khz_at_most(tmp_path, tabla):
    (tmp_path / "a").write_bytes(wav(np.repeat(tabla[:, None], 3, axis=1), rate=96_000))
    found = examine(tmp_path / "a", "a.wav", tmp_path / "preview.flac")
    assert (found.channels, found.sample_rate, found.suffix) == (3, 96_000, ".wav")
    heard, rate = sf.read(tmp_path / "preview.flac", always_2d=True)
    assert rate == 48_000
    assert heard.shape == (len(tabla) // 2, 2)


def test_decoding_process_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(AudioError, match=r"a\.ogg: not decoded within"):
        check_audio(SEED_FILE, "a.ogg", tmp_path / "preview.flac", seconds=0.01)


def test_decoding_process_that_dies_is_an_answer():
    with pytest.raises(AudioError, match=r"a\.ogg: cannot be decoded: the decoder died"):
        check_audio(SEED_FILE, "a.ogg", None)  # an error that nobody foresaw


def test_decoding_process_gets_so_much_memory_and_time_only():
    code = (
        "import resource; from demiurge.web.make import checking; checking._limit_process();"
        " print(resource.getrlimit(resource.RLIMIT_CPU)[0],"
        " resource.getrlimit(resource.RLIMIT_CORE)[0]); bytearray(3 << 30)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.stdout.split() == ["60", "0"]
    assert ended.stderr.strip().endswith("MemoryError")


def test_upload_is_limited_in_size_whatever_it_announces(tmp_path):
    seeds = Seeds(tmp_path, UploadLimits(n_bytes=1 << 20))
    with pytest.raises(HTTPException, match="at most 1 MB") as refusal:
        take(seeds, announced=(1 << 20) + 1)
    assert refusal.value.status_code == 413
    with pytest.raises(HTTPException, match="at most 1 MB"):
        take(seeds, *[bytes(1 << 19)] * 3, announced=10)
    assert left(tmp_path) == []


def test_slow_trickle_is_refused(tmp_path):
    seeds = Seeds(tmp_path, UploadLimits(receive_seconds=0.05))
    with pytest.raises(HTTPException, match="did not arrive within") as refusal:
        take(seeds, *[b"."] * 100, pause=0.01)
    assert refusal.value.status_code == 408
    assert left(tmp_path) == []


def test_two_are_taken_at_a_time_and_others_wait_or_are_sent_away(tmp_path, tabla, unchecked):
    contents = [wav(tabla * level) for level in (1, 0.9, 0.8, 0.7)]

    async def crowd() -> list:
        seeds = Seeds(tmp_path)
        free = asyncio.Event()

        async def held(content: bytes):
            await free.wait()
            yield content

        taken = [
            asyncio.create_task(seeds.take(held(content), "a.wav", None)) for content in contents
        ]
        await asyncio.sleep(0.01)
        seeds.limits = UploadLimits(wait_seconds=0.0)
        with pytest.raises(HTTPException, match="other files are being uploaded") as refusal:
            await seeds.take(held(b""), "b.wav", None)
        assert refusal.value.status_code == 503
        assert "Retry-After" in refusal.value.headers
        free.set()
        return await asyncio.gather(*taken)

    assert len({seed.id for seed in asyncio.run(crowd())}) == 4


def test_upload_that_breaks_off_leaves_nothing(workspace):
    views = MakeViews(workspace)
    messages = [
        {"type": "http.request", "body": b"RIFF", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/seeds",
        "query_string": b"name=a.wav",
        "headers": [],
    }
    answer = asyncio.run(views.upload(Request(scope, receive)))
    assert answer.status_code == 400
    assert "end" in json.loads(answer.body)["error"]
    assert left(workspace.folder / "seeds") == []


def test_lengths_that_are_lies_over_a_real_connection(workspace, monkeypatch):
    monkeypatch.setattr(make_views, "LIMITS", UploadLimits(n_bytes=1 << 16))
    chunk = b"4000\r\n" + bytes(1 << 14) + b"\r\n"
    with serving(workspace) as address:
        for head, body, status in (
            (
                b"Content-Length: 1000",
                b"RIFF",
                b"",
            ),  # more than comes, and then nobody is there any more
            (b"Content-Length: 4", b"RIFF and more", b"422"),
            (b"Content-Length: 99999999999", b"RIFF", b"413"),
            (b"Transfer-Encoding: chunked", chunk * 5, b"413"),
        ):
            answer = send_raw(address, head, body, breaks_off=not status)
            assert answer.split(b" ")[1:2] == ([status] if status else [])
    assert left(workspace.folder / "seeds") == []


def send_raw(address: str, head: bytes, body: bytes, *, breaks_off: bool) -> bytes:
    """Send the start of a request, then nothing, or close the connection; return the answer."""
    host = address.removeprefix("http://").encode().rstrip(b"/")
    with socket.create_connection(
        ("127.0.0.1", int(host.split(b":")[1])), timeout=10
    ) as connection:
        connection.sendall(
            b"POST /seeds HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n%s\r\n\r\n%s"
            % (host, host, head, body)
        )
        if breaks_off:
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(1 << 16)


def test_names_are_for_people_only():
    assert shown_name("../../etc/passwd") == "passwd"
    assert shown_name("C:\\sounds\\kick drum.wav") == "kick drum.wav"
    assert shown_name("a\0b\nc\x1b[31m.ogg") == r"a\x00b\nc\x1b[31m.ogg"
    assert shown_name("Über größe 🎵.flac") == "Über größe 🎵.flac"
    assert shown_name("x" * 500 + ".flac") == "x" * 75 + ".flac"
    assert shown_name("") == shown_name(" / ") == "seed"


def test_bundled_sounds_of_every_format_are_taken(tmp_path, tabla):
    for kind, subtype in (
        ("WAV", "FLOAT"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
    ):
        (tmp_path / "a").write_bytes(wav(tabla, kind=kind, subtype=subtype))
        found = examine(tmp_path / "a", "a", tmp_path / "preview.flac")
        assert found.suffix == f".{kind.lower()}"
        assert found.seconds == pytest.approx(1.0, abs=0.1)
    assert examine(CORPUS_DIR / "loop_amen.ogg", "a", tmp_path / "preview.flac").suffix == ".ogg"
