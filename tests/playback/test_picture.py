from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from files.errors import AudioError, ParameterError
from playback import picture
from playback.picture import draw_waveform, save_picture
from playback.pixel_sources import find_owners, find_owners_of_voices
from playback.plan import Plan, Step
from playback.spectrogram import measure_spectrogram

RATE = 44100


def plan_of(*steps: tuple[str, int, int], rate: int = RATE, channels: int = 1) -> Plan:
    """Steps are (source, at_sample, n_samples)."""
    made = tuple(Step(i, source, 0, n, at) for i, (source, at, n) in enumerate(steps))
    return Plan(rate, channels, {"id": "", "root": ""}, made)


@pytest.fixture
def audio(tmp_path, tabla) -> Path:
    sf.write(tmp_path / "audio.wav", tabla, RATE, subtype="PCM_24")
    return tmp_path / "audio.wav"


@pytest.fixture
def axes():
    figure = Figure(figsize=(10, 4), dpi=100)
    FigureCanvasAgg(figure)
    return figure.add_axes((0.1, 0.1, 0.5, 0.8))  # 500 pixels wide


def bars(axes) -> tuple[np.ndarray, np.ndarray]:
    """Corners, shape (n, 4, 2), and colours, shape (n, 4)."""
    collection = axes.collections[0]
    return (
        np.array([path.vertices[:4] for path in collection.get_paths()]),
        collection.get_facecolors(),
    )


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_every_column_shows_its_extremes(axes, audio, tabla):
    draw_waveform(axes, audio, plan_of(("a.wav", 0, len(tabla))))
    corners, _ = bars(axes)
    assert len(corners) == 500
    edges = np.arange(501) * len(tabla) // 500
    np.testing.assert_allclose(corners[:, 0, 0], edges[:-1] / RATE)
    loud = np.maximum.reduceat(tabla, edges[:-1]) > 0.05
    np.testing.assert_allclose(
        corners[loud, 1, 1], np.maximum.reduceat(tabla, edges[:-1])[loud], rtol=1e-5
    )


@pytest.mark.parametrize("block", [1, 88, 89, 1000])
@pytest.mark.parametrize("channels", [1, 3])
def test_extremes_do_not_depend_on_the_blocks(tmp_path, tabla, channels, block):
    samples = tabla[: 1001 * channels].reshape(-1, channels)
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    edges = np.arange(8) * len(samples) // 7
    with sf.SoundFile(tmp_path / "a.wav") as file:
        lows, highs = picture._measure_extremes(file, edges, block)
    np.testing.assert_array_equal(lows, [samples[a:b].min() for a, b in pairwise(edges)])
    np.testing.assert_array_equal(highs, [samples[a:b].max() for a, b in pairwise(edges)])


def test_steps_have_the_colours_of_their_sources_and_rests_have_none(axes, audio):
    draw_waveform(
        axes, audio, plan_of(("a.wav", 0, 11025), ("b.wav", 22050, 11025), ("a.wav", 33075, 11025))
    )
    corners, colours = bars(axes)
    left = corners[:, 0, 0]
    assert ((left < 0.25) | (left >= 0.499)).all()
    first = colours[left < 0.25]
    second = colours[(left >= 0.5) & (left < 0.749)]
    third = colours[left >= 0.75]
    assert (
        len(np.unique(np.concatenate([first, third]), axis=0))
        == len(np.unique(second, axis=0))
        == 1
    )
    assert (first[0] != second[0]).any()
    assert legend(axes) == ["a", "b"]


def test_column_of_several_sources_has_the_colour_of_the_longest():
    plan = plan_of(("a", 0, 30), ("b", 30, 50), ("a", 80, 10), ("b", 110, 100))
    assert find_owners(plan, np.array([0, 40, 100, 105, 200]))[1].tolist() == [1, 0, -1, 0]
    assert find_owners(plan, np.array([0, 40]))[0] == ["b", "a"]


def test_each_voice_has_owners_of_its_own():
    first = plan_of(("a", 0, 30), ("b", 30, 50))
    second = plan_of(("b", 0, 10), ("a", 10, 25), ("b", 40, 40))
    steps = (*first.steps, *(replace(step, voice=2) for step in second.steps))
    plan = replace(first, steps=steps)
    edges = np.array([0, 20, 35, 40, 100])
    names, owners = find_owners(plan, edges)
    assert names == ["b", "a"]
    assert owners.tolist() == [1, 1, 0, 0]
    assert find_owners_of_voices(plan, names, edges).tolist() == [
        [1, 1, 0, 0],
        [-1, -1, -1, -1],
        [0, 1, -1, 0],
    ]


def test_sources_beyond_twelve_are_grey_and_counted(axes, audio):
    draw_waveform(axes, audio, plan_of(*[(f"s{i}.wav", 2000 * i, 2000 - i) for i in range(20)]))
    assert legend(axes) == [*[f"s{i}" for i in range(12)], "8 others"]
    _, colours = bars(axes)
    assert len(np.unique(colours, axis=0)) == 13
    np.testing.assert_allclose(colours[-1, :3], picture.OTHERS)


def test_legend_names_databases_and_the_most_played_of_their_sources(axes, audio):
    played = [("a:in/w.wav", 900), ("b:x.wav", 4000), ("a:y.wav", 3000)]
    plan = plan_of(*[(name, 5000 * i, length) for i, (name, length) in enumerate(played)])
    members = {name: {"id": name, "root": f"/{name}"} for name in "abc"}
    draw_waveform(axes, audio, replace(plan, database={"id": "all", "databases": members}))
    assert legend(axes) == ["a, 49%", "  y", "  w", "b, 51%", "  x", "c, 0%"]


def test_legend_tells_sources_of_one_name_apart_and_shortens(axes, audio):
    names = ["a/x.wav", "b/x.wav", "_y.wav", "$1$.wav", f"{'long' * 10}.wav"]
    draw_waveform(
        axes, audio, plan_of(*[(name, 8000 * i, 8000 - i) for i, name in enumerate(names)])
    )
    assert legend(axes) == ["a/x.wav", "b/x.wav", "_y", "$1$", "longlonglonglonglonglon…"]


@pytest.mark.parametrize(("seconds", "rate", "channels"), [(0.02, 44100, 1), (3, 8000, 8)])
def test_same_audio_gives_the_same_bytes(tmp_path, seconds, rate, channels):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    sf.write(tmp_path / "a.wav", samples, rate)
    plan = plan_of(
        ("a", 0, len(samples) // 2),
        ("b", len(samples) // 2, len(samples) // 3),
        rate=rate,
        channels=channels,
    )
    for name in ("1.png", "2.png"):
        save_picture(
            tmp_path / "a.wav", plan, tmp_path / name, joins=[len(samples) // 2], title="$2 of $3"
        )
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert imread(tmp_path / "1.png").shape == (825, 1650, 4)


@pytest.mark.parametrize("n_samples", [1, 7, 44100])
def test_silence_and_single_samples_have_a_picture(tmp_path, n_samples):
    sf.write(tmp_path / "a.wav", np.zeros(n_samples), RATE)
    save_picture(tmp_path / "a.wav", plan_of(("a", 0, 1)), tmp_path / "a.png", joins=[], title="")
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize("hz", [100, 1000, 10000])
@pytest.mark.parametrize("seconds", [0.3, 20])
def test_sine_is_in_its_band_and_its_columns(tmp_path, hz, seconds):
    time = np.arange(round(seconds * RATE)) / RATE
    sf.write(tmp_path / "a.wav", np.sin(2 * np.pi * hz * time) * (time >= seconds / 2), RATE)
    bands = np.geomspace(40, RATE / 2, 101)
    with sf.SoundFile(tmp_path / "a.wav") as file:
        power = measure_spectrogram(file, 60, bands)
    loudest = power[:, 45].argmax()
    assert bands[loudest - 1] <= hz <= bands[loudest + 2]
    assert power[:, :25].max() < 1e-6 * power[:, 45].max()


@pytest.mark.parametrize(
    ("seconds", "label", "unit"),
    [
        (90, "10", "s"),
        (150, "0:15", "min:s"),
        (300, "0:30", "min:s"),
        (3600, "5:00", "min:s"),
        (90000, "180:00", "min:s"),
    ],
)
def test_time_is_in_seconds_or_minutes(axes, seconds, label, unit):
    axes.set_xlim(0, seconds)
    picture._label_time(axes)
    labels = [
        text.get_text() for text in axes.get_xticklabels() if 0 < text.get_position()[0] <= seconds
    ]
    assert labels[0] == label
    assert len(labels) <= 12
    assert axes.get_xlabel() == f"time ({unit})"


def test_joins_are_counted_per_column(axes):
    picture._draw_joins(axes, [0, 0, RATE // 2], 1.0, RATE)
    counts = axes.images[0].get_array()
    assert counts.shape == (1, 500)
    assert (counts[0, 0], counts[0, 250], counts.sum()) == (2, 1, 3)
    assert axes.texts[0].get_text() == "3 joins"


def test_other_rate_is_refused(tmp_path, audio):
    with pytest.raises(
        ParameterError, match="audio.wav: 44100 samples at 44100 Hz; .* is at 48000 Hz"
    ):
        save_picture(
            audio, plan_of(("a", 0, 5), rate=48000), tmp_path / "a.png", joins=[], title=""
        )


def test_empty_audio_is_refused(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(0), RATE)
    with pytest.raises(ParameterError, match="a.wav: 0 samples"):
        save_picture(
            tmp_path / "a.wav", plan_of(("a", 0, 5)), tmp_path / "a.png", joins=[], title=""
        )


def test_audio_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(AudioError, match="a.wav: cannot be read"):
        save_picture(
            tmp_path / "a.wav", plan_of(("a", 0, 5)), tmp_path / "a.png", joins=[], title=""
        )


def test_other_format_is_refused(tmp_path, audio):
    with pytest.raises(
        ParameterError, match="a.pdf: a picture is a PNG; give a name that ends in .png"
    ):
        save_picture(audio, plan_of(("a", 0, 5)), tmp_path / "a.pdf", joins=[], title="")
