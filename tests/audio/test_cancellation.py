import numpy as np
import pytest
import soundfile as sf

from audio.read import measure_mono, read_mono
from db.analyse import describe_file
from db.settings import DescriptorSettings
from db.track_beats import track_beats
from tests.audio.containers.made_files import RATE, sweep

SOUND = sweep(4)
QUIET = 0.5 * SOUND


def written(folder, *channels, subtype="PCM_16", name="x.wav"):
    sf.write(folder / name, np.stack(channels, axis=1), RATE, subtype=subtype)
    return folder / name


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize(
    ("channels", "louder", "name"),
    [
        ((SOUND, -SOUND), 0, "left channel"),
        ((-0.9 * SOUND, SOUND), 1, "right channel"),
        ((SOUND, np.zeros_like(SOUND), -SOUND), 0, "channel 1"),
        ((QUIET, QUIET, -SOUND), 2, "channel 3"),
    ],
)
def test_channels_that_cancel_are_heard_by_the_louder_one(
    tmp_path, subtype, channels, louder, name
):
    path = written(tmp_path, *channels, subtype=subtype)
    mono, info = read_mono(path)
    np.testing.assert_array_equal(mono, sf.read(path, dtype="float32")[0][:, louder])
    assert info.warnings == (
        f"its channels cancel each other in 4.0 of 4.0 s; described by its {name}",
    )


@pytest.mark.parametrize(
    "channels",
    [
        (SOUND, SOUND),
        (SOUND, SOUND[::-1]),
        (SOUND, np.zeros_like(SOUND)),
        (SOUND, -QUIET),  # 12 dB weaker than the louder one
        (1e-4 * SOUND, -1e-4 * SOUND),  # inaudible
        (SOUND, *[np.zeros_like(SOUND)] * 5),
        (SOUND,),
        (np.concatenate([SOUND[:20_000], -SOUND[20_000:]]), SOUND)[::-1][:1] * 2,
    ],
)
def test_other_channels_are_heard_by_their_mean(tmp_path, channels):
    path = written(tmp_path, *channels, subtype="FLOAT")
    mono, info = read_mono(path)
    np.testing.assert_allclose(mono, np.mean(channels, axis=0), atol=1e-6)
    assert info.warnings == ()


def test_a_stretch_that_cancels_is_told_with_its_length(tmp_path):
    inverted = SOUND.copy()
    inverted[RATE : 3 * RATE] *= -1
    mono, info = read_mono(written(tmp_path, SOUND, inverted))
    assert info.warnings[0].startswith("its channels cancel each other in 1.9 of 4.0 s")
    assert np.abs(mono).max() > 0.3


def test_a_moment_that_cancels_is_not_worth_a_word(tmp_path):
    inverted = SOUND.copy()
    inverted[RATE : RATE + RATE // 2] *= -1
    assert read_mono(written(tmp_path, SOUND, inverted))[1].warnings == ()


def test_short_sound_that_cancels(tmp_path):
    mono, info = read_mono(written(tmp_path, SOUND[:5000], -SOUND[:5000]))
    assert len(info.warnings) == 1
    assert len(mono) == 5000


def test_description_is_that_of_the_louder_channel(tmp_path):
    settings = DescriptorSettings()
    info, description = describe_file(written(tmp_path, SOUND, -SOUND), settings)
    _, expected = describe_file(written(tmp_path, SOUND, name="mono.wav"), settings)
    np.testing.assert_array_equal(description.frames, expected.frames)
    assert len(info.warnings) == 1


def test_beats_are_those_of_the_louder_channel(tmp_path):
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[:: RATE // 2] = 0.9
    settings = DescriptorSettings(units="beat")
    grid = track_beats(written(tmp_path, clicks, -clicks), settings)
    expected = track_beats(written(tmp_path, clicks, name="mono.wav"), settings)
    np.testing.assert_array_equal(grid.beats, expected.beats)


def test_every_measurement_sees_all_blocks(tmp_path):
    path = written(tmp_path, SOUND, -SOUND)
    seen = []

    def measure(_info, blocks):
        seen.append(sum(len(block) for block in blocks))
        return len(seen)

    assert measure_mono(path, measure)[0] == 2
    assert seen == [len(SOUND)] * 2


def test_where_the_louder_channel_is_silent_the_mean_is_heard(tmp_path):
    left = np.concatenate([SOUND, np.zeros(3 * RATE)])
    right = np.concatenate([-SOUND, SOUND[: 3 * RATE]])
    path = written(tmp_path, left, right)
    mono, info = read_mono(path)
    samples = sf.read(path, dtype="float32")[0]
    alone = slice(len(SOUND) + (1 << 14), None)  # past the stretch in which both are heard
    np.testing.assert_array_equal(mono[: len(SOUND)], samples[: len(SOUND), 0])
    np.testing.assert_array_equal(mono[alone], samples[alone].mean(axis=1))
    assert info.warnings[0].endswith("described by its left channel")
