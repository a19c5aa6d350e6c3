import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from playback.transform import transform
from tests.playback.rises import find_rises

RATE = 44100


def attack(samples: np.ndarray) -> float:
    """Centre of the energy, in samples."""
    energy = np.square(samples, dtype=np.float64).sum(axis=1)
    return float((energy * np.arange(len(energy))).sum() / energy.sum())


def tolerance(stretch: float) -> float:
    """Samples; beyond 2 the phases are drawn, and an attack is spread."""
    return RATE * (2e-3 if stretch <= 2 else 10e-3)


def main_frequency(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


@pytest.mark.parametrize("transpose", [-12, 0, 7, 12])
@pytest.mark.parametrize("stretch", [0.5, 0.8, 1, 1.5, 3])
@pytest.mark.parametrize("at", [0, 50, 5000, 9980])
def test_sound_at_t_is_heard_at_t_times_stretch(stretch, transpose, at):
    samples = np.zeros((10000, 1), np.float32)
    samples[at : at + 20] = 1
    out = transform(
        samples,
        sample_rate=RATE,
        stretch=stretch,
        transpose=transpose,
        n_out=round(10000 * stretch),
    )
    assert np.argmax(np.abs(out)) == pytest.approx((at + 10) * stretch, abs=tolerance(stretch))


@pytest.mark.parametrize("stretch", [0.5, 0.8, 1.5, 3])
def test_drum_stroke_stays_in_its_place(tabla, stretch):
    stroke = np.concatenate([np.zeros(9000), tabla[:3000] * np.hanning(3000)]).astype(np.float32)[
        :, None
    ]
    out = transform(
        stroke, sample_rate=RATE, stretch=stretch, transpose=0, n_out=round(12000 * stretch)
    )
    assert attack(out) == pytest.approx(attack(stroke) * stretch, abs=tolerance(stretch))


@pytest.mark.parametrize("transpose", [0, 3])
@pytest.mark.parametrize("stretch", [0.8, 0.95, 1.1, 1.25])
@pytest.mark.parametrize("loop", ["loop_breakbeat", "loop_tabla"])
def test_attacks_of_a_loop_stay_within_6_ms(loop, stretch, transpose):
    samples, rate = sf.read(CORPUS_DIR / f"{loop}.ogg", dtype="float32", always_2d=True)
    n_out = round(len(samples) * stretch)
    out = transform(samples, sample_rate=rate, stretch=stretch, transpose=transpose, n_out=n_out)
    expected = find_rises(samples.mean(axis=1), rate, ratio=8) * stretch
    found = find_rises(out.mean(axis=1), rate, ratio=4)
    assert len(expected) >= 8
    assert np.abs(found - expected[:, None]).min(axis=1).max() < 0.006


@pytest.mark.parametrize("octaves", [-1, 1])
def test_octave_doubles_or_halves_the_main_frequency(octaves):
    samples, rate = sf.read(CORPUS_DIR / "ambi_glass_hum.ogg", dtype="float32", always_2d=True)
    assert rate == RATE
    low = samples[:22050]
    out = transform(low, sample_rate=RATE, stretch=1, transpose=12 * octaves, n_out=len(low))
    assert main_frequency(out) == pytest.approx(main_frequency(low) * 2.0**octaves, rel=0.03)


def test_stretching_keeps_the_main_frequency_and_the_level(tabla):
    samples = tabla[:22050, None]
    out = transform(samples, sample_rate=RATE, stretch=2, transpose=0, n_out=44100)
    assert main_frequency(out) == pytest.approx(main_frequency(samples), rel=0.03)
    assert np.sqrt(np.mean(out**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.2)


def test_channels_are_transformed_together(tabla):
    mono = tabla[:8000, None]
    out = transform(
        np.hstack([mono, mono, mono * 0]), sample_rate=RATE, stretch=1.3, transpose=3, n_out=10400
    )
    np.testing.assert_allclose(out[:, 0], out[:, 1], atol=2e-4)
    assert not out[:, 2].any()


def test_memory_layout_of_the_input_does_not_matter(tabla):
    stereo = np.stack([tabla[:8000], tabla[8000:16000]], axis=1)
    options = {"sample_rate": RATE, "stretch": 1.3, "transpose": 3, "n_out": 10400}
    out = transform(np.asfortranarray(stereo), **options)
    np.testing.assert_array_equal(transform(stereo, **options), out)
    assert out.flags.c_contiguous
    assert out.dtype == np.float32


def test_same_bytes_again_and_in_another_process(tabla, fixtures):
    code = (
        "import sys, hashlib, soundfile as sf; from playback.transform import transform\n"
        f"x = sf.read(r'{fixtures / 'tabla_44k.wav'}', dtype='float32', always_2d=True)[0]\n"
        "y = transform(x, sample_rate=44100, stretch=5, transpose=-3, n_out=220500)\n"
        "print(hashlib.sha256(y.tobytes()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in "ab"
    }
    assert len(printed) == 1
    runs = [
        transform(tabla[:, None], sample_rate=RATE, stretch=5, transpose=-3, n_out=220500)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 3000),
    channels=st.integers(1, 8),
    stretch=st.floats(0.1, 10),
    extra=st.integers(-500, 5000),
)
def test_length_is_the_one_asked_for(n, channels, stretch, extra):
    n_out = max(1, round(n * stretch) + extra)
    samples = np.random.default_rng(n).uniform(-1, 1, (n, channels)).astype(np.float32)
    out = transform(samples, sample_rate=8000, stretch=stretch, transpose=5, n_out=n_out)
    assert out.shape == (n_out, channels)
    assert np.isfinite(out).all()


def test_silence_stays_silent():
    assert not transform(
        np.zeros((500, 2), np.float32), sample_rate=RATE, stretch=3, transpose=-7, n_out=1500
    ).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stretch": 0}, "stretch=0 must be 0.1 to 10"),
        ({"stretch": float("nan")}, "stretch=nan must be"),
        ({"transpose": 49}, "transpose=49 must be -48 to 48 semitones"),
        ({"transpose": float("inf")}, "transpose=inf must be"),
        ({"n_out": 0}, "n_out=0 must be at least 1"),
        ({"samples": np.zeros((0, 2), np.float32)}, r"shape \(0, 2\) must be"),
        ({"samples": np.zeros(5, np.float32)}, r"shape \(5,\) must be"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {
        "samples": np.zeros((5, 1), np.float32),
        "sample_rate": RATE,
        "stretch": 2,
        "transpose": 0,
        "n_out": 10,
    } | change
    with pytest.raises(ParameterError, match=message):
        transform(given.pop("samples"), **given)


def test_missing_package_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "python_stretch.Signalsmith", None)
    with pytest.raises(ParameterError, match=r'-m pip install "python-stretch>='):
        transform(np.zeros((5, 1), np.float32), sample_rate=RATE, stretch=2, transpose=0, n_out=10)
