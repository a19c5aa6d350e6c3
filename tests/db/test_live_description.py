"""Descriptors of a signal that comes in, against those of the whole signal."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from db.analyse import describe_signal
from db.build import build_database
from db.columns import DESCRIPTOR_NAMES
from db.database import Database
from db.live_description import FrameStream, describe_step
from db.model_descriptor import ModelDescriptor
from db.settings import FOR_CONTINUATIONS, DescriptorSettings
from demiurge.bundled import DATA
from files.errors import ParameterError
from tests.sounds import noise

RATE = 44100
ALL = DescriptorSettings(descriptors=DESCRIPTOR_NAMES)


@pytest.fixture(scope="module")
def loop():
    """The first seconds of a drum loop, after a burst of noise that is louder than it."""
    samples, _ = sf.read(DATA / "seed" / "loop_amen_full.ogg", dtype="float32", always_2d=True)
    burst = noise(0.1, rate=RATE, level=0.3)
    return np.concatenate([burst, samples.mean(axis=1)[: 3 * RATE] / 30])


def frames_as_they_come(stream, signal, block):
    parts = [stream.add(signal[at : at + block]) for at in range(0, len(signal), block)]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    "settings",
    [
        ALL,
        replace(ALL, window_centre="start"),
        replace(ALL, hop_length=500, n_fft=2048),
        replace(ALL, hop_length=3000, n_fft=1024),
    ],
)
@pytest.mark.parametrize("block", [255, 1024, 70_000])
def test_frames_are_those_of_the_whole_signal_but_for_derivatives(loop, settings, block):
    found = frames_as_they_come(FrameStream(settings), loop, block)
    whole = describe_signal([loop], settings).frames
    centre = settings.hop_length // 2 if settings.window_centre == "span" else 0
    complete = (len(loop) - centre - settings.n_fft // 2) // settings.hop_length + 1
    assert len(found) == complete  # each as soon as its window is
    static = list(settings.frame_static)
    after_burst = slice(2 * 4410 // settings.hop_length, complete)
    np.testing.assert_allclose(
        found[after_burst][:, static], whole[after_burst][:, static], rtol=1e-4, atol=2e-3
    )


def test_blocks_of_any_length_give_the_same(loop):
    settings = FOR_CONTINUATIONS
    signal = loop[:RATE]
    expected = frames_as_they_come(FrameStream(settings), signal, len(signal))
    for block in (1, 100, 4097):
        found = frames_as_they_come(FrameStream(settings), signal[: 40 * block + 9000], block)
        np.testing.assert_array_equal(found, expected[: len(found)])


def test_derivatives_are_guessed_better_with_a_corpus(loop, tmp_path):
    """Their correlation with the true ones, which look ahead."""
    settings = DescriptorSettings()
    audio = tmp_path / "audio"
    audio.mkdir()
    for name in ("loop_mika.ogg", "loop_garzul.ogg", "ambi_piano.ogg"):
        (audio / name).symlink_to(DATA / "corpus" / name)
    build_database(audio, tmp_path / "my.db", settings=settings)
    true = describe_signal([loop], settings).frames
    derived = [i for i in range(true.shape[1]) if i not in settings.frame_static]
    n = len(derived) // 2
    found = []
    for is_fitted in (False, True):
        stream = FrameStream(settings)
        if is_fitted:
            stream.fit(Database(tmp_path / "my.db"))
        guessed = frames_as_they_come(stream, loop, 1024)
        rows = slice(20, len(guessed))
        found.append(
            [
                np.mean([np.corrcoef(guessed[rows, i], true[rows, i])[0, 1] for i in columns])
                for columns in (derived[:n], derived[n:])
            ]
        )
    assert found[0][0] > 0.4  # as if the latest frame were held
    assert found[0][1] > 0.6
    assert found[1][0] > found[0][0]
    assert found[1][1] > found[0][1]


def test_derivatives_are_revised_when_later_frames_are_known(loop):
    settings = ALL
    stream = FrameStream(settings)
    rows = frames_as_they_come(stream, loop, 1024)
    true = describe_signal([loop], settings).frames[: len(rows)]
    revised = stream.revised(rows)
    np.testing.assert_allclose(revised[20:-4], true[20:-4], rtol=1e-4, atol=2e-3)
    np.testing.assert_array_equal(revised[-1], rows[-1])
    static = list(settings.frame_static)
    np.testing.assert_array_equal(revised[:, static], rows[:, static])
    np.testing.assert_array_equal(stream.revised(rows[:1]), rows[:1])


@pytest.mark.parametrize("units", ["frame", "fixed:100", "onset", "beat/4"])
def test_a_step_is_described_as_a_unit_of_its_frames(loop, units):
    settings = replace(FOR_CONTINUATIONS, units=units)
    frames = describe_signal([loop], settings).frames[10:15]
    row = describe_step(frames, settings)
    assert row.shape == (settings.n_descriptors,)
    assert np.isfinite(row).all()
    if units == "frame":
        np.testing.assert_array_equal(row, frames[-1])
    else:
        n = len(settings.frame_names)
        np.testing.assert_allclose(row[:n], frames.mean(axis=0), rtol=1e-4, atol=1e-4)
        seconds = 2 ** row[settings.names.index("log2_duration")]
        assert seconds == pytest.approx(5 * 1024 / RATE, rel=1e-5)


def test_what_a_model_describes_is_refused():
    model = ModelDescriptor("clap", "0" * 16, 2, "x", "clap", "MIT", 48000, 0)
    settings = DescriptorSettings(descriptors=("mfcc", "clap"), models=(model,))
    with pytest.raises(ParameterError, match="cannot be described by clap"):
        FrameStream(settings)
