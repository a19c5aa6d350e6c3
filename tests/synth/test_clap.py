"""CLAP: windows of 10 s, unit length, texts, and models that are refused."""

import json

import numpy as np
import pytest

from files.errors import AudioError, CheckpointError
from synth.clap import open_clap, unit_length, window_starts
from tests.synth.clap_toys import write_clap

RATE = 48000


def noise(seconds, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))
    return samples.astype(np.float32)


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    pytest.importorskip("transformers")
    return open_clap(write_clap(tmp_path_factory.mktemp("published") / "my-clap"))


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    pytest.importorskip("transformers")
    return open_clap(write_clap(tmp_path_factory.mktemp("published") / "fused", is_fused=True))


def test_it_says_what_it_is(clap):
    assert (clap.name, clap.licence) == ("CLAP my-clap", "apache-2.0")
    assert (clap.n_columns, clap.sample_rate, clap.window_samples) == (24, RATE, 10 * RATE)
    assert len(clap.hash) == 32


@pytest.mark.parametrize("which", ["clap", "fused"])
def test_a_file_of_25_s_is_the_mean_of_its_windows_and_equal_twice(which, request):
    model = request.getfixturevalue(which)
    sound = noise(25)
    whole = model.audio(sound)
    windows = [model.window(sound[start * RATE :][: 10 * RATE]) for start in (0, 10, 15)]
    np.testing.assert_array_equal(whole, unit_length(np.mean(windows, axis=0)))
    np.testing.assert_array_equal(model.audio(sound), whole)
    assert np.linalg.norm(whole) == pytest.approx(1, abs=1e-6)


def test_vectors_are_those_of_transformers_where_nothing_is_random(clap):
    import torch

    sound = noise(10)
    features = clap._extractor(sound, sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        expected = clap._model.get_audio_features(**features).pooler_output[0].numpy()
    np.testing.assert_allclose(clap.window(sound), expected, atol=1e-5)


def test_short_sounds_are_repeated_and_empty_or_long_ones_no_windows(clap):
    second = noise(1)
    np.testing.assert_allclose(clap.window(second), clap.window(np.tile(second, 10)), atol=1e-5)
    with pytest.raises(AudioError, match="0 samples are no window of CLAP my-clap, which hears up"):
        clap.window(second[:0])
    with pytest.raises(AudioError, match="480001 samples are no window"):
        clap.window(np.zeros(480_001, np.float32))


def test_texts_are_vectors_of_unit_length_and_unlike(clap):
    rain, piano = clap.text("rain on glass"), clap.text("piano")
    assert rain.shape == (24,)
    assert np.linalg.norm(rain) == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(clap.text("rain on glass"), rain)
    assert rain @ piano < 0.999


def test_a_model_whose_texts_are_one_point_is_refused(tmp_path):
    pytest.importorskip("transformers")
    collapsed = open_clap(write_clap(tmp_path / "c", collapsed=True))
    assert np.linalg.norm(collapsed.audio(noise(1))) == pytest.approx(1, abs=1e-6)
    with pytest.raises(CheckpointError, match=r"vector for all texts \(mean cosine 1.0000"):
        collapsed.text("rain")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "of the type bert, which is no CLAP; give one such as laion/clap"),
        ({"model_type": "clap"}, "no weights here"),
        ({"model_type": "clap", "auto_map": {"A": "b"}}, "comes with code"),
    ],
)
def test_other_folders_are_refused(config, message, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        open_clap(tmp_path)


def test_a_name_on_a_hub_is_answered_with_the_command_that_fetches_it():
    command = "hf download laion/clap-htsat-unfused --local-dir clap-htsat-unfused, then give clap:"
    with pytest.raises(CheckpointError, match=command):
        open_clap("laion/clap-htsat-unfused")


@pytest.mark.parametrize(
    ("n_samples", "starts"),
    [(1, [0]), (10, [0]), (11, [0, 1]), (25, [0, 10, 15]), (30, [0, 10, 20])],
)
def test_the_last_window_ends_with_the_signal(n_samples, starts):
    assert window_starts(n_samples, 10, 10) == starts
