"""The cache of decoded audio: made once, bounded, and never a part of a file in it, whatever
happens.
"""

import errno
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audio import decoded
from audio.decoded import DecodedCache
from audio.read import open_audio, read_audio
from audio.resample import resample
from files.cache import cache_folder
from files.errors import AudioError, ParameterError
from playback.plan import Plan, Step
from playback.render import render
from playback.sources import SourceReader

pytestmark = pytest.mark.accounts

RATE = 44100
ENTRY_BYTES = RATE * 4  # of a second of mono


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def decodes(monkeypatch) -> list[str]:
    """The names of the files that were decoded."""
    names = []

    def counted(path):
        names.append(Path(path).name)
        return open_audio(path)

    monkeypatch.setattr(decoded, "open_audio", counted)
    return names


@pytest.fixture
def oggs(tmp_path, tabla) -> list[Path]:
    """Three files whose decoded forms are equally large."""
    paths = [tmp_path / f"{name}.flac" for name in "abc"]
    for n, path in enumerate(paths):
        sf.write(path, np.roll(tabla, 99 * n), RATE)
    return paths


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def samples(entry: decoded.Entry, channels: int = 1) -> np.ndarray:
    return np.fromfile(entry.path, "<f4").reshape(entry.n_samples, channels)


@pytest.mark.parametrize(("rate", "wanted"), [(RATE, RATE), (48000, RATE), (22050, 48000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_entry_is_the_whole_file_at_the_rate_that_is_wanted(
    tmp_path, folder, tabla, rate, wanted, channels
):
    sf.write(tmp_path / "a.ogg", np.stack([tabla, np.roll(tabla, 999)][:channels], axis=1), rate)
    entry = DecodedCache(folder).entry(tmp_path / "a.ogg", channels, wanted)
    np.testing.assert_array_equal(
        samples(entry, channels), resample(read_audio(tmp_path / "a.ogg").samples, rate, wanted)
    )
    assert names(folder) == [entry.path.name]


def test_a_second_render_decodes_nothing(tmp_path, tabla, decodes):
    for name in ("a.ogg", "b.mp3"):
        sf.write(tmp_path / name, tabla, RATE)
    steps = tuple(Step(i, ("a.ogg", "b.mp3")[i % 2], 1000 * i, 2000, 2000 * i) for i in range(8))
    plan = Plan(RATE, 1, {"id": "x", "root": str(tmp_path)}, steps)
    for name in ("first.wav", "second.wav"):
        render(plan, tmp_path / name)
        assert sorted(decodes) == ["a.ogg", "b.mp3"]
    assert (tmp_path / "first.wav").read_bytes() == (tmp_path / "second.wav").read_bytes()


def test_a_changed_file_is_decoded_again(tmp_path, folder, tabla, decodes):
    path = tmp_path / "a.wav"  # the first two are equally large
    cache = DecodedCache(folder)
    found = []
    for samples_now, date in (
        (tabla, 10**18),
        (tabla[::-1], 2 * 10**18),
        (tabla[:9000], 2 * 10**18),
    ):
        sf.write(path, samples_now, RATE)
        os.utime(path, ns=(date, date))
        for _ in range(2):
            found.append(samples(cache.entry(path, 1, RATE)))
        np.testing.assert_array_equal(found[-1], read_audio(path).samples)
    assert decodes == ["a.wav"] * 3


def test_the_same_name_elsewhere_and_another_rate_are_other_entries(tmp_path, folder, tabla):
    cache = DecodedCache(folder)
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        sf.write(tmp_path / name / "a.flac", tabla, RATE)
        os.utime(tmp_path / name / "a.flac", ns=(10**18, 10**18))
    found = {
        cache.entry(tmp_path / name / "a.flac", 1, rate).path
        for name in ("x", "y")
        for rate in (RATE, 48000)
    }
    assert len(found) == 4


def test_a_path_through_a_link_is_the_same_file(tmp_path, folder, oggs, decodes):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert DecodedCache(folder).entry(oggs[0], 1, RATE) == DecodedCache(folder).entry(
        tmp_path / "link" / "a.flac", 1, RATE
    )
    assert decodes == ["a.flac"]


def test_what_was_not_used_for_longest_goes_first(folder, oggs):
    a, b, c = (DecodedCache(folder).entry(path, 1, RATE).path for path in oggs)
    for path, date in ((a, 3), (b, 1), (c, 2)):
        os.utime(path, ns=(date, date))
    DecodedCache(folder, max_bytes=2 * ENTRY_BYTES).prune()
    assert names(folder) == sorted([a.name, c.name])
    DecodedCache(folder, max_bytes=2 * ENTRY_BYTES - 1).prune()
    assert names(folder) == [a.name]
    DecodedCache(folder, max_bytes=0).prune()
    assert names(folder) == []


def test_using_an_entry_again_keeps_it(folder, oggs):
    a, b = (DecodedCache(folder).entry(path, 1, RATE).path for path in oggs[:2])
    for path, date in ((a, 1), (b, 2)):
        os.utime(path, ns=(date, date))
    DecodedCache(folder).entry(oggs[0], 1, RATE)
    DecodedCache(folder, max_bytes=ENTRY_BYTES).prune()
    assert names(folder) == [a.name]


def test_what_is_in_use_stays_though_it_is_too_much(folder, oggs):
    old = DecodedCache(folder).entry(oggs[0], 1, RATE).path
    cache = DecodedCache(folder, max_bytes=ENTRY_BYTES)
    used = [cache.entry(path, 1, RATE).path.name for path in oggs[1:]]
    cache.prune()
    assert names(folder) == sorted(used)
    assert not old.exists()


def test_looking_at_a_plan_removes_what_is_too_much(tmp_path, folder, oggs):
    DecodedCache(folder).entry(oggs[0], 1, 48000)
    plan = Plan(48000, 1, {"id": "x", "root": str(tmp_path)}, (Step(0, "b.flac", 0, 100, 0),))
    with SourceReader(
        tmp_path, sample_rate=48000, channels=1, cache=DecodedCache(folder, max_bytes=0)
    ) as reader:
        reader.prepare(plan)
    assert names(folder) == [DecodedCache(folder).entry(oggs[1], 1, 48000).path.name]


def test_what_a_killed_process_left_goes_after_a_day(folder):
    folder.mkdir()
    for name, days in (("old.part", 2), ("new.part", 0)):
        (folder / name).write_text("")
        os.utime(folder / name, (time.time() - days * 24 * 3600,) * 2)
    DecodedCache(folder).prune()
    assert names(folder) == ["new.part"]


def test_pruning_touches_nothing_else_and_needs_no_folder(folder, oggs):
    DecodedCache(folder, max_bytes=0).prune()
    folder.mkdir()
    (folder / "mine.txt").write_text("a note")
    DecodedCache(folder, max_bytes=0).prune()
    assert names(folder) == ["mine.txt"]


def test_an_entry_that_another_process_removes_meanwhile_is_no_error(folder, oggs, monkeypatch):
    """Two renders that end at the same time prune the same folder."""
    paths = [DecodedCache(folder).entry(path, 1, RATE).path for path in oggs]
    glob = Path.glob

    def remove_after_listing(self, pattern):
        found = list(glob(self, pattern))
        paths[0].unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "glob", remove_after_listing)
    DecodedCache(folder, max_bytes=0).prune()
    assert names(folder) == []


def test_the_folder_may_be_deleted_at_any_time(tmp_path, folder, oggs, decodes):
    plan = Plan(RATE, 1, {"id": "x", "root": str(tmp_path)}, (Step(0, "a.flac", 0, RATE, 0),))
    with SourceReader(
        tmp_path, sample_rate=48000, channels=1, cache=DecodedCache(folder)
    ) as reader:
        assert reader.prepare(plan) == {}
        shutil.rmtree(folder)
        out = np.empty((48000, 1), np.float32)
        reader.read_into(out, "a.flac", 0)
    np.testing.assert_array_equal(out, resample(read_audio(oggs[0]).samples, RATE, 48000))
    assert decodes == ["a.flac"] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_decode_leaves_nothing(folder, oggs, monkeypatch, error):
    write = decoded._write

    def stop_halfway(file, blocks):
        write(file, [next(iter(blocks))[:1000]])
        assert [Path(name).suffix for name in names(folder)] == [".part"]
        raise error

    monkeypatch.setattr(decoded, "_write", stop_halfway)
    with pytest.raises(error):
        DecodedCache(folder).entry(oggs[0], 1, RATE)
    assert names(folder) == []
    monkeypatch.undo()
    assert DecodedCache(folder).entry(oggs[0], 1, RATE).n_samples == RATE


def test_a_damaged_file_leaves_nothing(tmp_path, folder, oggs):
    whole = oggs[0].read_bytes()
    oggs[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        AudioError, match=r"a.flac: (truncated|damaged).*; copy or export the file again"
    ):
        DecodedCache(folder).entry(oggs[0], 1, RATE)
    assert names(folder) == []


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "No space left on device"), (errno.EIO, "Input/output error")],
)
def test_a_full_disk_is_named_with_the_remedy(folder, oggs, monkeypatch, number, reason):
    def fail(file, blocks):
        file.write(bytes(100))
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(decoded, "_write", fail)
    with pytest.raises(
        ParameterError,
        match=(
            rf"{folder}: cannot be written \({reason}\); free some space there, or name another "
            "folder with the environment variable DEMIURGE_CACHE"
        ),
    ):
        DecodedCache(folder).entry(oggs[0], 1, RATE)
    assert names(folder) == []


def test_a_cache_that_is_no_folder_is_told(tmp_path, oggs):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ParameterError, match=r"file: cannot be written \(File exists\).*DEMIURGE_CACHE"
    ):
        DecodedCache(tmp_path / "file").entry(oggs[0], 1, RATE)


def test_the_environment_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path))
    assert cache_folder("decoded") == tmp_path / "decoded"
    monkeypatch.setenv("DEMIURGE_CACHE", "here")
    with pytest.raises(ParameterError, match="DEMIURGE_CACHE=here must be an absolute path"):
        DecodedCache()
    for unset in ("", None):
        monkeypatch.delenv("DEMIURGE_CACHE")
        if unset is not None:
            monkeypatch.setenv("DEMIURGE_CACHE", unset)
        assert cache_folder("decoded").is_absolute()
        assert cache_folder("decoded").parts[-2:] == ("demiurge", "decoded")
        monkeypatch.setenv("DEMIURGE_CACHE", "here")


def test_tests_and_the_programs_they_start_keep_out_of_the_users_cache(decoded_folder):
    assert cache_folder("decoded") == decoded_folder
    code = "from files.cache import cache_folder; print(cache_folder('decoded'))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == f"{decoded_folder}\n"
    )


def test_threads_at_the_same_time_get_the_same(folder, oggs):
    cache = DecodedCache(folder)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: cache.entry(path, 1, 48000), oggs * 8))
    assert len(set(found)) == 3
    assert names(folder) == sorted({entry.path.name for entry in found})
    for path, entry in zip(oggs, found, strict=False):
        np.testing.assert_array_equal(
            samples(entry), resample(read_audio(path).samples, RATE, 48000)
        )


def test_processes_at_the_same_time_get_the_same(folder, oggs):
    code = (
        "import sys; from pathlib import Path; from audio.decoded import DecodedCache\n"
        "cache = DecodedCache(Path(sys.argv[1]))\n"
        "for _ in range(20):\n"
        "    for path in sys.argv[2:]: print(cache.entry(Path(path), 1, 48000).n_samples)\n"
    )
    command = [sys.executable, "-c", code, folder, *oggs]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        told, _ = process.communicate(timeout=60)
        assert (process.returncode, told.split()) == (0, ["48000"] * 60)
    assert [name for name in names(folder) if name.endswith(".part")] == []
    for path in oggs:
        np.testing.assert_array_equal(
            samples(DecodedCache(folder).entry(path, 1, 48000)),
            resample(read_audio(path).samples, RATE, 48000),
        )
