"""MusiCNN: its layers, its embeddings, and its weights."""

import hashlib
import importlib.util
from math import prod, sqrt

import numpy as np
import pytest
import torch

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import AudioError, CheckpointError, ParameterError
from synth import musicnn
from synth.musicnn import ConvBlock, Musicnn, MusicnnNetwork
from synth.musicnn_weights import DATA, NOT_TRAINED, OTHERS, read_variables, variables_of

PACKAGE = importlib.util.find_spec("musicnn")


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
    np.testing.assert_array_equal(layers.tags.bias, read["dense_1/bias"])
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


def test_tags_are_the_sigmoid_of_the_last_layer(network):
    embeddings = np.random.default_rng(0).standard_normal((3, 2, 200)).astype(np.float32)
    last = network.network.tags
    logits = embeddings @ last.weight.numpy().T + last.bias.numpy()
    np.testing.assert_allclose(network.tags(embeddings), 1 / (1 + np.exp(-logits)), rtol=1e-4)


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
    audio, info = read_mono(CORPUS_DIR / file)
    network = Musicnn.find()
    tags = network.tags(network.embed(audio, info.sample_rate))
    assert tags.shape[1] == 50
    assert set(np.argsort(-tags.mean(axis=0))[:2].tolist()) == set(expected)
