import logging
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import db.keep_bands
from db.analyse import describe_file
from db.band_filters import band_centres, band_filters
from db.band_upkeep import compact_bands, kept_bands
from db.bands import Bands, describe_bands
from db.build import build_database
from db.database import Database
from db.derived import transposed
from db.maintain import remove_sources
from db.settings import DescriptorSettings
from db.verify import verify
from files.errors import DatabaseError, ParameterError

SETTINGS = DescriptorSettings()
HALF = 2**-11  # the rounding of a float16


@pytest.fixture
def build(corpus, tmp_path):
    def build(**settings) -> Database:
        build_database(corpus, tmp_path / "db", settings=DescriptorSettings(**settings))
        return Database(tmp_path / "db")

    return build


def spectra(samples: np.ndarray, settings: DescriptorSettings = SETTINGS) -> np.ndarray:
    """The magnitudes in bands of each frame, straight from their definition."""
    hop, n_fft = settings.hop_length, settings.n_fft
    n_frames = -(-len(samples) // hop)
    before = n_fft // 2 - (hop // 2 if settings.window_centre == "span" else 0)
    padded = np.pad(samples.astype(np.float64), (before, n_fft + hop))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.array([padded[i * hop : i * hop + n_fft] for i in range(n_frames)])
    magnitudes = np.abs(np.fft.rfft(frames * window, axis=1))
    centres = band_centres(settings.sample_rate, settings.n_fft)
    bins = np.arange(n_fft // 2 + 1) * settings.sample_rate / n_fft
    edges = np.concatenate([[-np.inf], centres, [np.inf]])
    rows = np.zeros((n_frames, len(centres)))
    for band, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        rise = np.ones(len(bins)) if np.isinf(low) else (bins - low) / (centre - low)
        fall = np.ones(len(bins)) if np.isinf(high) else (high - bins) / (high - centre)
        rows[:, band] = magnitudes @ np.clip(np.minimum(np.minimum(rise, fall), 1), 0, 1)
    return rows


def all_rows(bands: Bands) -> np.ndarray:
    return bands.rows(np.arange(len(bands)))


def read(path) -> np.ndarray:
    samples = sf.read(path, dtype="float32", always_2d=True)[0]
    return samples.mean(axis=1)


def files(path: Path) -> list[Path]:
    return sorted((path / "bands").glob("rows-*"))


def test_bands_are_160_at_the_defaults_a_bin_apart_then_wider():
    centres = band_centres(44100, 2048)
    assert len(centres) == 160
    steps = np.diff(centres) * 2048 / 44100
    assert steps[:65] == pytest.approx(1)
    assert (np.diff(steps[65:]) > 0).all()
    assert centres[-1] == pytest.approx(15633, abs=1)


@pytest.mark.parametrize(
    ("rate", "n_fft"), [(44100, 2048), (22050, 512), (1000, 2), (96000, 1 << 15)]
)
def test_bands_sum_to_the_whole_spectrum(rate, n_fft):
    filters = band_filters(rate, n_fft).toarray()
    assert filters.sum(axis=0) == pytest.approx(1)
    assert (filters.sum(axis=1) > 0).all()


@pytest.mark.parametrize("centre", ["span", "start"])
def test_rows_are_the_magnitudes_in_bands(build, corpus, centre):
    database = build(window_centre=centre)
    bands = Bands(database)
    for number, source in enumerate(database.sources):
        expected = spectra(read(corpus / source.path), database.settings)
        found = bands.rows(np.flatnonzero(database.units.source == number))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=2 * HALF, atol=1e-4)


def test_rows_of_units_are_in_the_order_asked_for(build):
    database = build()
    bands = Bands(database)
    positions = np.random.default_rng(0).permutation(len(database.units))
    assert (bands.rows(positions) == all_rows(bands)[positions]).all()
    assert bands.rows(np.empty(0, np.int64)).shape == (0, len(bands.centres))


@pytest.mark.parametrize("units", ["onset", "fixed:50", "fixed:7"])
def test_a_longer_unit_is_the_mean_of_its_frames(build, corpus, units):
    database = build(units=units)
    bands = Bands(database)
    found = all_rows(bands)
    hop = database.hop_length
    for position in range(0, len(database.units), 3):
        source = database.sources[database.units.source[position]]
        rows = spectra(read(corpus / source.path))
        first = int(database.units.start_sample[position])
        samples = np.arange(first, first + database.units.n_samples[position])
        expected = rows[samples // hop].mean(axis=0)
        np.testing.assert_allclose(found[position], expected, rtol=0.002, atol=1e-4)


def test_a_targets_rows_are_those_of_the_same_source(build, corpus):
    database = build()
    bands = Bands(database)
    for number, source in enumerate(database.sources):
        rows, f0 = describe_bands(corpus / source.path, database.settings)
        own = np.flatnonzero(database.units.source == number)
        np.testing.assert_allclose(bands.rows(own), rows, rtol=HALF, atol=1e-4)
        np.testing.assert_allclose(bands.f0(own), f0, rtol=HALF)
        _, description = describe_file(corpus / source.path, database.settings)
        assert len(rows) == len(f0) == len(description.frames)


def test_samples_are_measured_as_their_file(corpus):
    rows, f0 = describe_bands(corpus / "a" / "x.wav", SETTINGS)
    from_samples = describe_bands(read(corpus / "a" / "x.wav"), SETTINGS)
    assert (rows == from_samples[0]).all()
    assert (f0 == from_samples[1]).all()


def test_no_samples_have_no_frames():
    rows, f0 = describe_bands(np.empty(0, np.float32), SETTINGS)
    assert (rows.shape, f0.shape) == ((0, 160), (0,))


def test_loud_sources_are_scaled_and_quiet_ones_keep_their_digits(tmp_path, tabla):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for name, gain in (("loud", 1e6), ("quiet", 10 ** (-90 / 20))):
        sf.write(sounds / f"{name}.wav", tabla * np.float32(gain), 44100, subtype="FLOAT")
    build_database(sounds, tmp_path / "db", settings=SETTINGS)
    database = Database(tmp_path / "db")
    bands = Bands(database)
    for number, source in enumerate(database.sources):
        found = bands.rows(np.flatnonzero(database.units.source == number))
        expected = spectra(read(sounds / source.path))
        loud = expected > expected.max() / 1000
        np.testing.assert_allclose(found[loud], expected[loud], rtol=2 * HALF)


def test_bands_are_measured_once(build):
    database = build()
    labels = []

    def progress(done: int, total: int, label: str) -> None:
        labels.append((done, total, label))

    first = all_rows(Bands(database, progress=progress))
    assert [label[:2] for label in labels] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {label for _, _, label in labels} == {source.path for source in database.sources}
    labels.clear()
    assert (all_rows(Bands(database, progress=progress)) == first).all()
    assert labels == []
    assert kept_bands(database) == (
        4,
        160,
        sum(path.stat().st_size for path in files(database.path)),
    )


def test_sources_of_one_content_are_measured_once(corpus, tmp_path):
    shutil.copy(corpus / "short.flac", corpus / "again.flac")
    build_database(corpus, tmp_path / "db", settings=SETTINGS)
    database = Database(tmp_path / "db")
    done = []
    bands = Bands(database, progress=lambda *facts: done.append(facts))
    assert len(done) == 4
    numbers = [n for n, source in enumerate(database.sources) if source.path.endswith("flac")]
    one, other = (bands.rows(np.flatnonzero(database.units.source == n)) for n in numbers)
    assert (one == other).all()


def _measure_until_killed(path: Path, n_done: int) -> None:
    db.keep_bands.FLUSH_SECONDS = 0.0

    def kill(done: int, total: int, label: str) -> None:
        if done == n_done:
            os.kill(os.getpid(), signal.SIGKILL)

    Bands(Database(path), progress=kill)


@pytest.mark.parametrize("n_done", [1, 2, 4])
def test_what_is_flushed_outlives_a_kill(build, n_done):
    database = build()
    whole = all_rows(Bands(database))
    shutil.rmtree(database.path / "bands")
    process = multiprocessing.get_context("spawn").Process(
        target=_measure_until_killed, args=(database.path, n_done)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert kept_bands(database).sources == n_done
    done = []
    assert (all_rows(Bands(database, progress=lambda *facts: done.append(facts))) == whole).all()
    assert len(done) == 4 - n_done


def test_a_failure_keeps_what_was_measured_before(build, corpus):
    database = build()
    (corpus / "stereo.wav").write_bytes(b"RIFF, but no more")
    with pytest.raises(DatabaseError, match=r"stereo\.wav: has changed since the analysis; run"):
        Bands(database)
    assert kept_bands(database).sources == 3


def test_rows_without_an_index_are_cut_off(build):
    database = build()
    whole = all_rows(Bands(database))
    remove_sources(database.path, ["short.flac"])
    with open(files(database.path)[0], "ab") as file:
        file.write(b"rows of a writer that was killed")
    build_database(database.root, database.path)
    assert (all_rows(Bands(Database(database.path))).shape) == whole.shape


def overwrite(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damage")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("harm", [overwrite, cut, Path.unlink])
def test_damaged_rows_are_told_and_measured_again(build, caplog, harm):
    database = build()
    whole = all_rows(Bands(database))
    harm(files(database.path)[0])
    with caplog.at_level(logging.WARNING):
        again = all_rows(Bands(database))
    assert "the spectra are measured again" in caplog.text
    assert (again == whole).all()
    caplog.clear()
    assert (all_rows(Bands(database)) == whole).all()
    assert caplog.text == ""


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"format": "demiurge-bands", "version": 2}', "\udcff"]
)
def test_a_damaged_index_is_told_and_made_again(build, caplog, content):
    database = build()
    whole = all_rows(Bands(database))
    index = database.path / "bands" / "index.json"
    index.write_bytes(content.encode(errors="surrogateescape"))
    with caplog.at_level(logging.WARNING):
        assert (all_rows(Bands(database)) == whole).all()
    assert "index.json" in caplog.text
    assert len(files(database.path)) == 1


def test_an_index_that_promises_more_rows_than_there_are_is_not_believed(build):
    database = build()
    whole = all_rows(Bands(database))
    index = database.path / "bands" / "index.json"
    text = index.read_text()
    n_rows = len(whole)
    index.write_text(text.replace(f'"n_rows":{n_rows}', f'"n_rows":{1 << 40}'))
    assert index.read_text() != text
    assert (all_rows(Bands(database)) == whole).all()


def test_other_settings_of_the_bands_measure_them_again(build, monkeypatch):
    database = build()
    Bands(database)
    monkeypatch.setattr(db.keep_bands, "BAND_FORMULA", "other bands")
    assert kept_bands(database).sources == 0
    done = []
    Bands(database, progress=lambda *facts: done.append(facts))
    assert len(done) == 4
    assert len(files(database.path)) == 1


def test_files_of_other_names_are_left_alone(build):
    database = build()
    (database.path / "bands").mkdir()
    other = database.path / "bands" / "rows-mine.f16"
    other.write_bytes(b"mine")
    Bands(database)
    assert other.read_bytes() == b"mine"
    assert [path.name for path in files(database.path)] == ["rows-00000.f16", "rows-mine.f16"]


def test_stale_rows_are_dropped_when_they_are_more_than_a_fifth(build, corpus, tabla):
    database = build()
    Bands(database)
    before = files(database.path)[0]
    sf.write(corpus / "short.flac", tabla[:7000], 44100)  # 5 % of the rows
    build_database(corpus, database.path)
    changed = Database(database.path)
    bands = Bands(changed)
    assert files(database.path) == [before]
    remove_sources(database.path, ["a/x.wav"])
    left = Database(database.path)
    assert (all_rows(Bands(left)) == all_rows(bands)[changed.units.source > 0]).all()
    (after,) = files(database.path)
    assert after != before
    assert after.stat().st_size == 2 * 161 * len(left.units)


def test_compact_drops_all_stale_rows(build):
    database = build()
    Bands(database)
    remove_sources(database.path, ["short.flac"])
    compact_bands(database.path)
    (file,) = files(database.path)
    assert file.stat().st_size == 2 * 161 * len(Database(database.path).units)


def test_verify_checks_bands(build):
    database = build()
    whole = all_rows(Bands(database))
    assert verify(database.path).ok
    overwrite(files(database.path)[0])
    found = verify(database.path)
    assert not found.ok
    assert not found.damaged
    ((place, problem),) = found.bands
    assert place.endswith("rows-00000.f16")
    assert "the rows of 1 of 4 sources are damaged" in problem
    verify(database.path, repair=True)
    assert verify(database.path).ok
    assert kept_bands(database).sources == 3
    assert (all_rows(Bands(database)) == whole).all()


@pytest.mark.parametrize("database_id", [None, "../../outside", "/tmp/outside"])
def test_a_folder_that_cannot_be_written_uses_the_cache(build, monkeypatch, database_id):
    database = build()
    database.id = database_id or database.id
    monkeypatch.setattr(db.keep_bands, "may_write", lambda folder: False)
    monkeypatch.setenv("DEMIURGE_CACHE", str(database.path.parent / "cache"))
    whole = all_rows(Bands(database))
    assert not (database.path / "bands").exists()
    ((folder, _, _),) = [
        found for found in os.walk(database.path.parent) if "index.json" in found[2]
    ]
    assert Path(folder).parent == database.path.parent / "cache" / "bands"
    done = []
    assert (all_rows(Bands(database, progress=lambda *facts: done.append(facts))) == whole).all()
    assert done == []


@pytest.mark.accounts
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_database_has_bands(build):
    database = build()
    database.path.chmod(0o500)
    try:
        Bands(database)
    finally:
        database.path.chmod(0o700)
    assert not (database.path / "bands").exists()


def test_a_new_date_alone_is_no_change(build, corpus):
    database = build()
    os.utime(corpus / "short.flac", (1, 1))
    assert len(all_rows(Bands(database))) == len(database.units)


def test_a_source_that_changed_or_is_missing_is_named(build, corpus, tabla):
    database = build()
    sf.write(corpus / "a" / "x.wav", tabla * 0.5, 44100, subtype="PCM_16")
    with pytest.raises(DatabaseError, match=r"a/x\.wav: has changed since the analysis; run demi"):
        Bands(database)
    (corpus / "short.flac").unlink()
    with pytest.raises(DatabaseError, match=r"1 source is not in .*: short\.flac; put it back"):
        Bands(database)


def test_transposed_sources_are_refused(build):
    database = build(descriptors=("mfcc", "chroma", "loudness"))
    shift = np.array([0, 0, 3, 0])
    with pytest.raises(ParameterError, match="give the database as it is on disk"):
        Bands(transposed(database, shift))


def tone(hz: float, seconds: float = 0.5, n_partials: int = 8) -> np.ndarray:
    time = np.arange(int(seconds * 44100)) / 44100
    partials = [np.sin(2 * np.pi * hz * n * time) / n for n in range(1, n_partials + 1)]
    return (0.1 * np.sum(partials, axis=0)).astype(np.float32)


@pytest.mark.parametrize("hz", [80.0, 110.0, 261.6, 440.0, 997.0, 1800.0])
def test_the_pitch_of_a_tone(hz):
    f0 = describe_bands(tone(hz), SETTINGS)[1][2:-2]
    assert np.abs(1200 * np.log2(f0 / hz)).max() < 10


def test_what_has_no_pitch_has_0():
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(44100)).astype(np.float32)
    chord = tone(261.63) + tone(329.63) + tone(415.3)
    for sound in (noise, chord, np.zeros(44100, np.float32)):
        assert (describe_bands(sound, SETTINGS)[1] > 0).mean() < 0.1


@pytest.mark.parametrize(("n_fft", "rate"), [(2, 1000), (64, 44100), (512, 8000), (8192, 44100)])
def test_any_window_has_rows_and_pitches(n_fft, rate):
    settings = DescriptorSettings(sample_rate=rate, n_fft=n_fft, hop_length=max(n_fft // 2, 16))
    rows, f0 = describe_bands(tone(440)[:9000], settings)
    assert np.isfinite(rows).all()
    assert np.isfinite(f0).all()
    assert len(rows) == len(f0) == -(-9000 // settings.hop_length)


def test_the_pitch_of_a_longer_unit_is_the_median_of_its_frames(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    samples = np.concatenate([tone(220), tone(220), tone(440), np.zeros(44100, np.float32)])
    sf.write(sounds / "tones.wav", samples, 44100)
    build_database(sounds, tmp_path / "db", settings=DescriptorSettings(units="fixed:1500"))
    database = Database(tmp_path / "db")
    f0 = Bands(database).f0(np.arange(2))
    assert f0[0] == pytest.approx(220, rel=0.003)
    assert f0[1] == 0
