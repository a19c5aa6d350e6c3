import json

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.read import read_mono
from db.analyse import describe_signal
from db.columns import DESCRIPTOR_NAMES
from db.descriptors import DESCRIPTORS
from db.descriptors.derived import complete, static_columns
from db.descriptors.mfcc import add_deltas
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError

START = DescriptorSettings(window_centre="start")
SPAN = DescriptorSettings()


def descriptors_of(samples: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    return describe_signal([samples], settings).frames


def librosa_descriptors(samples: np.ndarray, **options) -> np.ndarray:
    mfcc = librosa.feature.mfcc(
        y=samples, sr=44100, n_mfcc=13, hop_length=1024, n_fft=2048, **options
    )
    return np.concatenate(
        [mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]
    ).T


def test_start_windows_equal_librosa_on_real_audio(tabla):
    np.testing.assert_allclose(descriptors_of(tabla, START), librosa_descriptors(tabla), atol=1e-3)


def test_span_windows_equal_librosa_on_shifted_audio(tabla):
    # a window centred on the span's middle starts 512 samples before the span: librosa without
    # centring, padded by hand
    padded = np.pad(tabla, (512, 2048))
    expected = librosa_descriptors(padded, center=False)
    ours = descriptors_of(tabla, SPAN)
    assert len(ours) == 44  # 44 100 samples are 43 hops and a part
    np.testing.assert_allclose(ours[:, :13], expected[:44, :13], atol=1e-3)


def test_original_descriptor_file_is_reproduced(tabla, fixtures):
    document = json.loads((fixtures / "tabla_44k_demiurge.json").read_text())
    expected = np.array([document[name] for name in START.names]).T
    np.testing.assert_allclose(descriptors_of(tabla, START)[: len(expected)], expected, atol=1e-3)
    assert document["_sample"] == [1024 * i for i in range(len(expected))]


@settings(deadline=None, max_examples=30)
@given(n_samples=st.integers(1, 6000))
def test_every_length_gives_one_row_per_unit(n_samples):
    samples = np.sin(np.arange(n_samples, dtype=np.float32) / 20)
    assert descriptors_of(samples, SPAN).shape == (-(-n_samples // 1024), 39)
    assert descriptors_of(samples, START).shape == (-(-n_samples // 1024), 39)
    assert np.isfinite(descriptors_of(samples, SPAN)).all()


def test_silence_is_finite_and_constant():
    rows = descriptors_of(np.zeros(5000, np.float32), SPAN)
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows[:, 1:], 0, atol=1e-3)
    np.testing.assert_allclose(rows[:, 0], -100 * np.sqrt(128), rtol=1e-5)  # -100 dB in every band


def test_deltas_of_a_ramp_are_its_slope():
    ramp = 3 * np.arange(20, dtype=np.float32)[:, None]
    rows = add_deltas(ramp, width=9)
    np.testing.assert_allclose(rows[:, 1], 3, atol=1e-4)
    np.testing.assert_allclose(rows[:, 2], 0, atol=1e-4)


@pytest.mark.parametrize(("steps", "width"), [(8, 7), (7, 7), (5, 5), (4, 3), (3, 3)])
def test_short_sequence_uses_widest_odd_width_that_fits(steps, width):
    static = np.random.default_rng(0).normal(size=(steps, 2)).astype(np.float32)
    expected = librosa.feature.delta(static.T, width=width).T
    np.testing.assert_allclose(add_deltas(static, width=9)[:, 2:4], expected, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2])
def test_deltas_below_three_steps_are_zero(steps):
    assert not add_deltas(np.ones((steps, 2), np.float32), width=9)[:, 2:].any()


def test_every_window_row_is_independent_of_block_boundaries(tabla):
    long = np.tile(tabla, 8)  # 345 frames: three blocks
    np.testing.assert_allclose(descriptors_of(long, START), librosa_descriptors(long), atol=1e-3)


def columns(samples: np.ndarray, *names: str, **options) -> dict[str, np.ndarray]:
    settings = DescriptorSettings(descriptors=names, **options)
    return dict(
        zip(settings.frame_names, describe_signal([samples], settings).frames.T, strict=True)
    )


def tone(frequency: float, seconds: float = 1.0, rate: int = 44100) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def test_spectral_equals_librosa_on_real_audio(tabla):
    ours = columns(tabla, "spectral", window_centre="start")
    magnitude = np.abs(librosa.stft(tabla, hop_length=1024))
    for name, expected in {
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=44100),
        "flatness": librosa.feature.spectral_flatness(S=magnitude),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude, sr=44100),
        "rms": librosa.feature.rms(y=tabla, frame_length=2048, hop_length=1024),
    }.items():
        # float32 sums in another order may put a rolloff of thousands of Hz one bin further
        np.testing.assert_allclose(
            ours[name], expected[0], rtol=1e-3, atol=22 if name == "rolloff" else 1e-5
        )


def test_chroma_equals_librosa_on_real_audio(tabla):
    ours = np.stack(list(columns(tabla, "chroma", window_centre="start").values()))
    expected = librosa.feature.chroma_stft(y=tabla, sr=44100, hop_length=1024, tuning=0.0)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("frequency", "pitch_class"), [(440.0, 9), (261.63, 0), (110.0, 9), (987.77, 11)]
)
def test_a_tone_reads_its_frequency_and_pitch_class(frequency, pitch_class):
    ours = columns(tone(frequency), "spectral", "chroma")
    inside = slice(2, -2)
    np.testing.assert_allclose(ours["f0"][inside], frequency, rtol=1e-3)
    np.testing.assert_allclose(ours["centroid"][inside], frequency, rtol=0.05)
    np.testing.assert_allclose(ours["rolloff"][inside], frequency, atol=44)  # two bins
    np.testing.assert_allclose(ours["rms"][inside], 0.5**0.5, rtol=0.02)
    assert ours["flatness"][inside].max() < 1e-3
    chroma = np.stack([ours[f"chroma{i}"] for i in range(12)])[:, inside]
    assert (chroma.argmax(axis=0) == pitch_class).all()


@pytest.mark.parametrize("name", ["guit_em9", "bass_woodsy_c", "guit_harmonics"])
def test_pitch_of_real_notes_agrees_with_librosa(name):
    samples, info = read_mono(CORPUS_DIR / f"{name}.ogg")
    ours = columns(samples, "spectral", sample_rate=info.sample_rate, window_centre="start")
    theirs = librosa.yin(
        samples, fmin=50, fmax=2000, sr=info.sample_rate, frame_length=2048, hop_length=1024
    )
    theirs = theirs[: len(ours["f0"])]
    pitched = (ours["f0"] > 60) & (ours["rms"] > 0.1 * ours["rms"].max())
    assert pitched.sum() > 20
    ratio = ours["f0"][pitched] / theirs[pitched]
    assert (np.abs(np.log2(ratio)) < 1 / 24).mean() > 0.9  # within a quarter tone


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).normal(0, 0.1, 44100).astype(np.float32)
    ours = columns(noise, "spectral")
    assert (ours["f0"] == 0).mean() > 0.95
    assert ours["flatness"].min() > 0.3
    silent = columns(np.zeros(9000, np.float32), "mfcc", "spectral", "chroma", "loudness")
    assert all(np.isfinite(column).all() for column in silent.values())
    assert not silent["f0"].any()
    assert (silent["loudness"] == -70).all()


@pytest.mark.parametrize("rate", [44100, 48000, 22050])
def test_full_scale_997_hz_reads_minus_3_lufs(rate):
    loudness = columns(tone(997, rate=rate), "loudness", sample_rate=rate)["loudness"]
    np.testing.assert_allclose(loudness[3:-3], -3.01, atol=0.03)
    quieter = columns(0.1 * tone(997, rate=rate), "loudness", sample_rate=rate)["loudness"]
    np.testing.assert_allclose(quieter[3:-3], -23.01, atol=0.03)


def test_combined_descriptors_are_those_of_each_alone(tabla):
    both = columns(tabla, "loudness", "mfcc")
    assert list(both)[:2] == ["loudness", "mfcc0"]
    np.testing.assert_array_equal(both["loudness"], columns(tabla, "loudness")["loudness"])
    np.testing.assert_array_equal(both["mfcc38"], columns(tabla, "mfcc")["mfcc38"])


def test_dependent_columns_follow_from_the_others(tabla):
    settings = DescriptorSettings(descriptors=("chroma", "mfcc", "loudness"))
    rows = describe_signal([tabla], settings).frames
    np.testing.assert_allclose(
        complete(rows[:, static_columns(settings)], settings), rows, atol=1e-4
    )
    units = DescriptorSettings(descriptors=("mfcc",), units="onset")
    assert len(static_columns(units)) == units.n_descriptors == 39 + 13 + 1


@pytest.mark.parametrize("n_fft", [256, 1024, 4096, 1000])
@pytest.mark.parametrize("centre", ["span", "start"])
def test_windows_longer_and_shorter_than_the_hop_sit_where_they_should(tabla, n_fft, centre):
    settings = DescriptorSettings(n_fft=n_fft, descriptors=("spectral",), window_centre=centre)
    rms = describe_signal(np.array_split(tabla, 7), settings).frames[:, 3]
    padded = np.pad(tabla, n_fft + 1024)
    middle = 512 if centre == "span" else 0
    starts = [n_fft + 1024 + 1024 * t + middle - n_fft // 2 for t in range(len(rms))]
    expected = [np.sqrt(np.mean(padded[s : s + n_fft].astype(np.float64) ** 2)) for s in starts]
    np.testing.assert_allclose(rms, expected, atol=1e-6)


@pytest.mark.parametrize("names", [(), ("mfcc", "zcr"), ("mfcc", "mfcc")])
def test_unknown_descriptors_are_refused(names):
    with pytest.raises(
        ParameterError,
        match="descriptors.*(choose among mfcc, spectral, chroma, loudness|name each once)",
    ):
        DescriptorSettings(descriptors=names)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_columns_are_those_that_are_measured(tabla, name):
    settings = DescriptorSettings(descriptors=(name,), n_mfcc=5)
    frames = describe_signal([tabla], settings).frames
    assert frames.shape == (44, len(settings.columns[name].names))
    assert (DESCRIPTORS[name].derive is None) == (settings.columns[name].n_static is None)


def test_every_descriptor_has_columns_and_a_measure():
    assert tuple(DESCRIPTORS) == DESCRIPTOR_NAMES
