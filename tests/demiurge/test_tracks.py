"""Tracks that sources go with: found in a database, learnt, and gone along with."""

import json
import re

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from db.beat_grid import BeatGrid
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.cli import main
from demiurge.sequences import DescriptorSequence
from demiurge.timing import time_steps
from demiurge.tracks import Accompanied, pair_tracks
from files.errors import ParameterError

RATE = 22050
SETTINGS = DescriptorSettings(sample_rate=RATE, n_mfcc=4, units="fixed:50")


def strokes(seconds, seed, pitch):
    """Tones of a quarter of a second with rests between them."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = (
        np.exp(-(t % 0.25) * 20) * rng.integers(2, size=len(t) * 4 // RATE + 1)[(t * 4).astype(int)]
    )
    return (0.5 * envelope * np.sin(2 * np.pi * pitch * t)).astype(np.float32)


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """A folder of three songs, each a guitar and its band, and a database of it."""
    folder = tmp_path_factory.mktemp("stems")
    for number in range(3):
        for name, pitch in (("guitar", 440), ("band", 110)):
            path = folder / "music" / f"song{number}" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, strokes(4, number, pitch), RATE)
    build_database(folder / "music", folder / "stems.db", settings=SETTINGS)
    return folder


@pytest.fixture(scope="module")
def model(stems):
    run(
        "sequencer", "train", stems / "stems.db", stems / "m", "--with", "band.wav",
        "--head", "mixture", "--epochs", 1,
    )  # fmt: skip
    return stems / "m"


def run(*arguments, fails=None):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if fails is None:
        assert result.exit_code == 0, result.output
        return result.stdout
    assert result.exit_code > 0
    assert re.search(fails, " ".join(result.stderr.split())), result.stderr
    return result.stderr


def test_sources_go_with_the_track_in_their_folder(stems):
    sequences, tracks = pair_tracks(Database(stems / "stems.db"), "b*.wav")
    assert [name for name, _ in sequences] == [f"song{i}/guitar.wav" for i in range(3)]
    opened = Database(stems / "stems.db")
    for number, source in enumerate(opened.sources):
        if source.path.endswith("band.wav"):
            frames = tracks.frames[source.path.replace("band", "guitar")]
            np.testing.assert_array_equal(frames, opened.source_frames(number))


def test_of_several_tracks_a_source_goes_with_the_one_called_most_alike(tmp_path):
    (tmp_path / "music" / "alone").mkdir(parents=True)
    for name in ("a_lead.wav", "a_drums.wav", "b_lead.wav", "b_drums.wav"):
        soundfile.write(tmp_path / "music" / name, strokes(1, ord(name[0]), 300), RATE)
    soundfile.write(tmp_path / "music" / "alone" / "c.wav", strokes(1, 5, 300), RATE)
    build_database(tmp_path / "music", tmp_path / "db", settings=SETTINGS)
    database = Database(tmp_path / "db")
    sequences, tracks = pair_tracks(database, "*_drums.wav")
    assert [name for name, _ in sequences] == ["a_lead.wav", "alone/c.wav", "b_lead.wav"]
    numbers = {source.path: number for number, source in enumerate(database.sources)}
    assert tracks.frames.keys() == {"a_lead.wav", "b_lead.wav"}
    for letter in "ab":
        expected = database.source_frames(numbers[f"{letter}_drums.wav"])
        np.testing.assert_array_equal(tracks.frames[f"{letter}_lead.wav"], expected)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("bass.wav", "--with bass.wav: no source of .* is called so; give the file name of the tr"),
        ("*.wav", "no other source of .* is in the folder of one that is called so; tracks that"),
    ],
)
def test_a_name_without_pairs_is_refused(stems, pattern, message):
    with pytest.raises(ParameterError, match=message):
        pair_tracks(Database(stems / "stems.db"), pattern)


def test_a_forecast_goes_with_a_track(stems, model, tmp_path):
    seed = tmp_path / "seed.wav"
    soundfile.write(seed, strokes(1, 0, 440), RATE)
    out = tmp_path / "next.json"
    forecasts = []
    for song in (0, 1, 0):
        band = stems / "music" / f"song{song}" / "band.wav"
        options = ("--seconds", 1, "-o", out, "--force", "--with", band)
        run("sequencer", "forecast", model, seed, *options)
        forecasts.append(json.loads(out.read_text()))
    assert forecasts[0] == forecasts[2] != forecasts[1]
    assert "band.wav" in out.read_text()


def test_a_render_goes_with_a_track_and_its_plan_says_so(stems, model, tmp_path):
    seed = tmp_path / "seed.wav"
    soundfile.write(seed, strokes(1, 0, 440), RATE)
    band = stems / "music" / "song1" / "band.wav"
    options = ("-o", tmp_path / "o.wav", "--seconds", 1, "--with", band)
    run("render", seed, stems / "stems.db", model, *options)
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert plan["settings"]["accompanied"] == str(band)


def test_a_track_that_cannot_be_gone_along_with_is_refused(stems, model, tmp_path):
    seed = tmp_path / "seed.wav"
    soundfile.write(seed, strokes(1, 0, 440), RATE)
    short = tmp_path / "short.wav"
    soundfile.write(short, strokes(0.5, 0, 110), RATE)
    forecast = ("sequencer", "forecast", model, seed, "--steps", 3, "-o", tmp_path / "next.json")
    run(*forecast, "--with", short, fails="it lasts 0.5 s and the seed 1.0 s; both begin together")
    run(*forecast)
    run(*forecast[:-1], tmp_path / "no.json", "--with", tmp_path / "next.json", fails="is no track")
    run(
        "render", seed, stems / "stems.db", model, "-o", tmp_path / "o.wav", "--with", short,
        fails="it lasts 0.5 s and the seed 1.0 s",
    )  # fmt: skip


def test_a_model_with_a_coarse_level_renders_like_any_other(stems, tmp_path):
    train = ("sequencer", "train", stems / "stems.db", tmp_path / "m", "--epochs", 1)
    told = run(*train, "--coarse", 4, "--head", "contrast")
    assert "coarse level: validation loss" in told
    band = stems / "music" / "song1" / "band.wav"
    guitar = stems / "music" / "song0" / "guitar.wav"
    render = ("render", guitar, stems / "stems.db", tmp_path / "m", "-o", tmp_path / "o.wav")
    run(*render, "--seconds", 1)
    run(*render, "--force", "--with", band, fails="was not trained to go with another track")
    run(*train, "--force", "--coarse", "bar", fails="bar is neither beats, bars nor a number of")
    run(*train, "--force", "--coarse", "bars", fails="coarse=bars needs units that are beats or")


def test_a_continuation_keeps_to_the_beats_of_a_track_that_are_surer(stems):
    """Through its changes of tempo; of two pulses the surer counts."""
    settings = DescriptorSettings(sample_rate=RATE, units="beat/4")
    database = Database(stems / "stems.db").changed(settings=settings)
    beats = RATE * np.array([0, 0.5, 1.0, 1.6, 2.2, 2.8])
    track = BeatGrid(beats, np.array([1.0, 1, 1, 1, 1, 0]), 3 * RATE, RATE)
    own = BeatGrid(beats[:3], np.array([0.4, 0.4, 0]), RATE, RATE)
    accompanied = Accompanied(None, track, 3 * RATE)
    assert accompanied.has_surer_pulse(own)
    assert not Accompanied(None, own, RATE).has_surer_pulse(track)
    assert not accompanied.has_surer_pulse(None)
    seed = DescriptorSequence(np.zeros((8, 1)), np.full(8, RATE // 8), track, "the track")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demiurge.timing.choose_level", lambda tempo, *_: (tempo, 4))
        timing = time_steps(seed, database, 1.2)
    np.testing.assert_allclose(timing.step_samples, np.full(8, 0.15 * RATE), atol=3)
    assert (timing.beats_of, timing.first_part) == ("the track", 0)
    assert timing.tempo == pytest.approx(100)
