"""Griffin-Lim, distances of recordings, Fréchet distance, and the network whose embeddings it
compares.
"""

import hashlib
import importlib.util
from math import prod, sqrt
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import AudioError, CheckpointError, ParameterError
from synth import musicnn
from synth.griffin_lim import griffin_lim
from synth.mel import PRESETS, MelSettings, log_mel
from synth.metrics import mel_l1, multi_resolution_stft
from synth.musicnn import ConvBlock, Musicnn, MusicnnNetwork
from synth.musicnn_weights import DATA, NOT_TRAINED, OTHERS, read_variables, variables_of
from training.frechet import frechet_distance

SETTINGS = PRESETS["22k"]
PACKAGE = importlib.util.find_spec("musicnn")


@pytest.fixture(scope="module")
def tabla_22k(tabla):
    return resample(tabla, 44100, 22050)[: 86 * 256]


@pytest.fixture(scope="module")
def synthesised(tabla_22k):
    return griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS)


# Griffin-Lim


def test_griffin_lim_is_as_long_as_its_frames_and_the_same_every_time(tabla_22k, synthesised):
    assert synthesised.shape == tabla_22k.shape
    assert synthesised.dtype == np.float32
    np.testing.assert_array_equal(griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS), synthesised)
    assert not np.array_equal(
        griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS, random_seed=1), synthesised
    )


def test_griffin_lim_gives_the_log_mel_frame_for_frame(tabla_22k, synthesised):
    wanted = log_mel(tabla_22k, SETTINGS)
    got = log_mel(synthesised, SETTINGS)
    errors = {shift: np.abs(np.roll(got, shift, axis=1) - wanted).mean() for shift in (-1, 0, 1)}
    assert errors[0] < 0.15
    assert errors[0] < 0.5 * min(errors[-1], errors[1])


def test_griffin_lim_keeps_the_envelope_in_place(tabla_22k, synthesised):
    ours, theirs = (
        np.convolve(np.abs(audio), np.ones(256) / 256, mode="same")
        for audio in (synthesised, tabla_22k)
    )
    correlation = np.correlate(ours - ours.mean(), theirs - theirs.mean(), mode="full")
    assert abs(int(correlation.argmax()) - (len(ours) - 1)) < 64


def test_more_iterations_are_nearer(tabla_22k, synthesised):
    once = griffin_lim(log_mel(tabla_22k, SETTINGS), SETTINGS, iterations=1)
    assert mel_l1(tabla_22k, synthesised, SETTINGS) < 0.5 * mel_l1(tabla_22k, once, SETTINGS)


@pytest.mark.parametrize("name", ["44k", "hifigan", "melgan"])
def test_griffin_lim_with_every_preset(tabla, name):
    settings = PRESETS[name]
    audio = resample(tabla, 44100, settings.sample_rate)[: 20 * settings.hop_length]
    synthesised = griffin_lim(log_mel(audio, settings), settings, iterations=30)
    assert len(synthesised) == len(audio)
    assert mel_l1(audio, synthesised, settings) < 0.5


def test_griffin_lim_of_silence_is_silence():
    audio = griffin_lim(np.full((80, 8), SETTINGS.silence, np.float32), SETTINGS, iterations=2)
    assert np.abs(audio).max() < 1e-3


@pytest.mark.parametrize(
    ("mel", "options", "message"),
    [
        (np.zeros((79, 8)), {}, r"log-mel of shape \(79, 8\) must be \(80, frames\)"),
        (np.zeros(80), {}, r"log-mel of shape \(80,\)"),
        (np.zeros((80, 1)), {}, "1 frames are too few for a waveform; at least 2"),
        (np.full((80, 8), np.nan), {}, "NaN or infinite"),
        (np.zeros((80, 8)), {"iterations": 0}, "iterations=0 must be a positive integer"),
    ],
)
def test_griffin_lim_refuses(mel, options, message):
    with pytest.raises(ParameterError, match=message):
        griffin_lim(mel, SETTINGS, **options)


# Distances of recordings


def test_equal_recordings_are_no_distance_apart(tabla_22k):
    assert mel_l1(tabla_22k, tabla_22k, SETTINGS) == 0
    assert multi_resolution_stft(tabla_22k, tabla_22k) == 0


def test_mel_l1_of_a_gain_is_its_logarithm_in_either_base():
    noise = np.random.default_rng(0).normal(0, 0.1, 8192).astype(np.float32)
    for settings in (SETTINGS, MelSettings(log="log10")):
        assert mel_l1(noise, noise * np.float32(0.5), settings) == pytest.approx(
            np.log(2), abs=1e-4
        )


def test_distances_grow_with_noise_and_more_when_shuffled(tabla_22k, synthesised):
    rng = np.random.default_rng(0)
    noisy = [
        tabla_22k + rng.normal(0, level, len(tabla_22k)).astype(np.float32)
        for level in (0.001, 0.01)
    ]
    shuffled = synthesised.reshape(-1, 256)[rng.permutation(86)].reshape(-1)
    for distance in (lambda a, b: mel_l1(a, b, SETTINGS), multi_resolution_stft):
        assert 0 < distance(tabla_22k, noisy[0]) < distance(tabla_22k, noisy[1])
        assert distance(tabla_22k, synthesised) < 0.7 * distance(tabla_22k, shuffled)


def test_recordings_that_cannot_be_compared(tabla_22k):
    for distance in (lambda a, b: mel_l1(a, b, SETTINGS), multi_resolution_stft):
        with pytest.raises(ParameterError, match="equally long"):
            distance(tabla_22k, tabla_22k[1:])
        with pytest.raises(ParameterError, match="mono"):
            distance(tabla_22k[None], tabla_22k[None])
        with pytest.raises(ParameterError, match="NaN"):
            distance(tabla_22k, tabla_22k * np.float32(np.nan))


# Fréchet distance


def set_of(n, d, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, (n, d)) @ np.random.default_rng(
        seed + 1
    ).normal(0, 1, (d, d))


def test_frechet_distance_of_one_dimension_in_closed_form():
    # means 1 and 5, variances 2 and 12
    a = np.array([[0.0], [2.0]])
    b = np.array([[3.0], [3.0], [9.0]])
    assert frechet_distance(a, b) == pytest.approx(
        (1 - 5) ** 2 + (sqrt(2) - sqrt(12)) ** 2, rel=1e-12
    )


def test_frechet_distance_of_uncorrelated_dimensions_is_the_sum_of_theirs():
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    a = corners * [3, 1]
    b = corners * [1, 5] + [0, 7]
    assert frechet_distance(a, b) == pytest.approx(
        7**2 + 4 / 3 * ((3 - 1) ** 2 + (1 - 5) ** 2), rel=1e-12
    )


def test_frechet_distance_agrees_with_the_root_of_the_matrix():
    a = set_of(200, 8)
    b = set_of(150, 8, seed=5, scale=2) + 0.3
    cov_a = np.cov(a.T)
    cov_b = np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 30, 300])
def test_frechet_distance_of_equal_and_of_shifted_sets_with_many_or_few_rows(n):
    a = set_of(n, 30)
    scale = np.var(a, axis=0, ddof=1).sum()
    assert frechet_distance(a, a) <= 1e-8 * scale
    assert frechet_distance(a, a[::-1]) <= 1e-8 * scale
    assert frechet_distance(a, a + 2.0) == pytest.approx(4 * 30, abs=1e-8 * scale)
    assert frechet_distance(a.astype(np.float32), a.astype(np.float32) + 100) == pytest.approx(
        1e4 * 30, rel=1e-5
    )


def test_frechet_distance_of_sets_that_span_different_subspaces():
    a = np.zeros((3, 4))
    b = np.zeros((4, 4))
    # variances 1 and 6, no common direction
    a[:, 0] = [-1, 0, 1]
    b[:, 1] = [-3, 0, 0, 3]
    assert frechet_distance(a, b) == pytest.approx(1 + 6, rel=1e-12)


def test_frechet_distance_refuses():
    with pytest.raises(ParameterError, match=r"a of shape \(1, 3\) must be \(n >= 2, d >= 1\)"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(ParameterError, match="embeddings of 3 and 4 dimensions"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ParameterError, match="b holds NaN"):
        frechet_distance(np.zeros((5, 3)), np.full((5, 3), np.nan))


# MusiCNN


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package with the layout of the real one and weights by chance."""
    rng = np.random.default_rng(0)
    shapes = {name: tensor.shape for name, tensor in variables_of(MusicnnNetwork()).items()}
    folder = tmp_path_factory.mktemp("package")
    (folder / "MTT_musicnn").mkdir()
    with open(folder / "MTT_musicnn" / DATA, "wb") as file:
        for name, shape in sorted({**shapes, **OTHERS}.items()):
            is_positive = name.endswith(("gamma", "moving_variance"))
            scale = (prod(shape[:-1]) or 1) ** -0.5
            values = rng.uniform(0.5, 1.5, shape) if is_positive else rng.normal(0, scale, shape)
            file.write(np.asarray(values, "<f4").tobytes())
            if not name.endswith(NOT_TRAINED):
                file.write(np.full((2, *shape), np.nan, "<f4").tobytes())
    return folder


@pytest.fixture(scope="module")
def sha256(package):
    return hashlib.sha256((package / "MTT_musicnn" / DATA).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def network(package, sha256):
    return Musicnn.find(package, sha256=sha256)


@pytest.fixture(scope="module")
def music():
    audio, info = read_mono(CORPUS_DIR / "loop_tabla.ogg")
    return resample(audio, info.sample_rate, 16000)


def test_weights_go_where_tensorflow_had_them(package, network, sha256):
    layers = network.network
    read = read_variables(package / "MTT_musicnn", variables_of(layers), sha256=sha256)
    assert read["conv2d_1/kernel"].shape == (7, 67, 1, 204)
    np.testing.assert_array_equal(
        layers.front[1].convolution.weight[9, 0, 2, 30], read["conv2d_1/kernel"][2, 30, 0, 9]
    )
    np.testing.assert_array_equal(
        layers.middle[0].convolution.weight[9, 500, 2, 0], read["conv2d_5/kernel"][2, 0, 500, 9]
    )
    np.testing.assert_array_equal(layers.dense.weight, read["dense/kernel"].T)
    np.testing.assert_array_equal(layers.dense_norm.bias, read["batch_normalization_10/beta"])


def test_an_even_kernel_looks_one_step_further_ahead_than_back():
    block = ConvBlock(1, 1, (4, 1)).eval()
    block.convolution.weight.data[:] = torch.tensor([1.0, 2, 3, 4])[None, None, :, None]
    block.convolution.bias.data[:] = 0
    impulse = torch.zeros(1, 1, 8, 1)
    impulse[0, 0, 4] = sqrt(1.001)  # what normalisation divides by
    torch.testing.assert_close(block(impulse).flatten(), torch.tensor([0.0, 0, 4, 3, 2, 1, 0, 0]))


def test_the_log_mel_is_librosas(network, music):
    import librosa

    audio = music[: 187 * 256 + 256]
    mel = librosa.feature.melspectrogram(
        y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96, center=False
    )
    got = network.log_mel(torch.from_numpy(audio)[None])
    assert got.shape == (1, 187, 96)
    torch.testing.assert_close(
        got[0], torch.from_numpy(np.log10(1e4 * mel + 1).T), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("n_samples", "n_windows"), [(1, 1), (16000, 1), (47616, 1), (48000, 1), (90000, 1), (96000, 2)]
)
def test_one_embedding_per_three_seconds(network, music, n_samples, n_windows):
    embeddings = network.embed(music[:n_samples], 16000)
    assert embeddings.shape == (n_windows, 200)
    assert embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all()


def test_a_short_recording_is_repeated(network, music):
    np.testing.assert_array_equal(
        network.embed(music[:16000], 16000), network.embed(np.tile(music[:16000], 3), 16000)
    )


def test_windows_do_not_depend_on_what_else_is_in_the_batch(network, music, monkeypatch):
    together = network.embed(music[:150000], 16000)
    monkeypatch.setattr(musicnn, "BATCH_WINDOWS", 1)
    np.testing.assert_allclose(network.embed(music[:150000], 16000), together, atol=1e-4)
    np.testing.assert_allclose(network.embed(music[:100000], 16000), together[:2], atol=1e-4)


def test_any_rate_is_resampled(network, music):
    upsampled = resample(music[:48000], 16000, 44100)
    got = network.embed(upsampled, 44100)
    wanted = network.embed(music[:48000], 16000)
    assert np.abs(got - wanted).mean() < 0.05 * np.abs(wanted).mean()


def test_audio_that_cannot_be_embedded(network):
    with pytest.raises(ParameterError, match="must be mono"):
        network.embed(np.zeros((2, 100), np.float32), 16000)
    with pytest.raises(ParameterError, match="0 Hz"):
        network.embed(np.zeros(100, np.float32), 0)
    with pytest.raises(AudioError, match="empty or holds NaN"):
        network.embed(np.zeros(0, np.float32), 16000)


def test_every_other_file_is_refused(package, sha256, tmp_path):
    data = (package / "MTT_musicnn" / DATA).read_bytes()
    (tmp_path / "MTT_musicnn").mkdir()
    for other in (data[:-4], data[:1000] + bytes([data[1000] ^ 4]) + data[1001:], b""):
        (tmp_path / "MTT_musicnn" / DATA).write_bytes(other)
        with pytest.raises(CheckpointError, match="damaged or of another version .SHA-256"):
            Musicnn.find(tmp_path, sha256=sha256)
    (tmp_path / "MTT_musicnn" / DATA).unlink()
    with pytest.raises(CheckpointError, match="cannot be read .No such file.*; install the pack"):
        Musicnn.find(tmp_path)


def test_without_the_package_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        CheckpointError, match="is not installed: pip install --no-deps musicnn==0.1.0"
    ):
        Musicnn.find()
    with pytest.raises(
        CheckpointError, match="no MTT_musicnn.*: pip install --no-deps musicnn==0.1.0"
    ):
        Musicnn.find(tmp_path)


@pytest.mark.skipif(PACKAGE is None, reason="needs the package musicnn")
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("loop_tabla.ogg", {5: "drums", 16: "indian"}),
        ("ambi_choir.ogg", {35: "choir", 49: "choral"}),
    ],
)
def test_the_published_weights_hear_what_is_played(file, expected):
    """The last layer, not part of `embed`, turns embeddings into 50 tags of MagnaTagATune."""
    audio, info = read_mono(CORPUS_DIR / file)
    embeddings = Musicnn.find().embed(audio, info.sample_rate)
    folder = Path(PACKAGE.submodule_search_locations[0]) / "MTT_musicnn"
    last = read_variables(folder, variables_of(MusicnnNetwork()))
    tags = (embeddings @ last["dense_1/kernel"] + last["dense_1/bias"]).mean(axis=0)
    assert set(np.argsort(-tags)[:2].tolist()) == set(expected)
