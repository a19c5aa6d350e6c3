"""MusicGen: lengths, windows and tokens against the class of transformers."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch

from synth.plugins.chroma import HOP_LENGTH, chroma_from, one_hot_chroma
from synth.plugins.musicgen_window import TokensHeard
from synth.plugins.open_plugin import open_plugin
from tests.synth.codec_toys import write_musicgen
from tests.synth.plugins.conftest import write_with_words

HOP = 640
RATE = 32000


def noise(n_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (1, n_samples)).astype(np.float32)


@pytest.mark.parametrize("n_heard", [0, 12])
def test_tokens_are_those_whose_audio_transformers_decodes(n_heard, opened):
    plugin = opened["musicgen"]
    heard = plugin._encode(noise(n_heard * HOP)) if n_heard else torch.zeros(4, 0, dtype=int)
    assert heard.shape == (4, n_heard)
    torch.manual_seed(1)
    codes, audio = plugin._window(heard, 30, plugin._text("rain"))
    assert audio.shape == (1, 30 * HOP)
    assert codes.shape == (4, 29)
    torch.testing.assert_close(codes[:, :n_heard], heard)
    assert codes.min() >= 0
    assert codes.max() < 64
    decoded = plugin.model.audio_encoder.decode(codes[None, None], [None]).audio_values[0]
    clear = slice(0, 20 * HOP)  # what the last frame cannot change
    np.testing.assert_allclose(decoded.detach().numpy()[:, clear], audio[:, clear], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 34, 35, 36, 60, 100])
def test_any_length_is_made_by_windows_that_hear_each_other(frames, opened, monkeypatch):
    plugin = opened["musicgen"]
    windows = []
    whole = plugin._window

    def watched(heard, n_frames, options):
        codes, audio = whole(heard, n_frames, options)
        windows.append((heard, codes))
        assert n_frames <= plugin.window_frames
        return codes, audio

    monkeypatch.setattr(plugin, "_window", watched)
    made = plugin.generate(frames * HOP / RATE - 1e-4, random_seed=3)
    assert made.shape == (1, frames * HOP - 3)
    assert np.isfinite(made).all()
    assert len(windows) == 1 + max(-(-(frames - 35) // 20), 0)
    for (_, before), (heard, _) in pairwise(windows):
        torch.testing.assert_close(heard, before[:, -15 - 4 : -4])


def test_stereo_has_codes_of_its_own_for_each_channel(tmp_path):
    pytest.importorskip("transformers")
    write_with_words(partial(write_musicgen, channels=2), tmp_path / "stereo")
    plugin = open_plugin(f"transformers:{tmp_path / 'stereo'}")
    assert (plugin.channels, plugin.n_codebooks) == (2, 8)
    given = np.concatenate([noise(12 * HOP), noise(12 * HOP, 1)])
    heard = plugin._encode(given)
    torch.testing.assert_close(heard[::2], plugin._encode(given[:1].repeat(2, axis=0))[::2])
    assert not torch.equal(heard[::2], heard[1::2])
    codes, audio = plugin._window(heard, 30, plugin._text(None))
    assert audio.shape == (2, 30 * HOP)
    left = plugin.model.audio_encoder.decode(codes[None, None, ::2], [None]).audio_values[0, 0]
    np.testing.assert_allclose(left.detach()[: 20 * HOP], audio[0, : 20 * HOP], atol=1e-5)
    made = plugin.generate(0.3, random_seed=1, audio=given)
    assert made.shape == (2, 12 * HOP + round(0.3 * RATE))


def test_windows_are_joined_without_a_jump(opened):
    plugin = opened["musicgen"]
    made = plugin.generate(60 * HOP / RATE, random_seed=3)[0]
    steps = np.abs(np.diff(made))
    join = (35 - 5) * HOP
    assert steps[join - HOP : join + 2 * HOP].max() <= steps.max()
    assert np.abs(made[join : join + HOP]).max() > 0.01


def test_scores_that_are_not_finite_give_a_sound_that_is_told_to_be_so(opened):
    plugin = opened["musicgen"]
    weight = plugin.model.decoder.lm_heads[0].weight
    good = weight.detach().clone()
    try:
        weight.data.fill_(torch.nan)
        assert np.isnan(plugin.generate(0.1, random_seed=0)).all()
    finally:
        weight.data.copy_(good)


def test_a_melody_and_where_it_is_change_what_is_made(opened):
    plugin = opened["musicgen-melody"]
    time = np.arange(2 * RATE) / RATE
    melodies = [np.sin(2 * np.pi * hertz * time)[None].astype(np.float32) for hertz in (262, 370)]
    low, high = (plugin.generate(0.3, random_seed=1, melody=melody) for melody in melodies)
    assert low.shape == (1, round(0.3 * RATE))
    assert not np.array_equal(low, high)


def test_chroma_are_the_strongest_pitch_class_of_each_frame():
    time = np.arange(4 * RATE) / RATE
    a_then_c = np.where(time < 2, np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 523.25 * time))
    chroma = one_hot_chroma(a_then_c.astype(np.float32), RATE, 12)
    assert chroma.shape == (1 + 4 * RATE // HOP_LENGTH, 12)
    assert chroma.sum(axis=1).tolist() == [1] * len(chroma)
    assert chroma[:12].argmax(axis=1).tolist() == [9] * 12
    assert chroma[-12:].argmax(axis=1).tolist() == [0] * 12
    np.testing.assert_array_equal(chroma_from(chroma, 2 * HOP_LENGTH, 4), chroma[2:6])
    np.testing.assert_array_equal(chroma_from(chroma, -HOP_LENGTH, 3), chroma[[0, 0, 1]])
    np.testing.assert_array_equal(chroma_from(chroma, 99 * HOP_LENGTH, 3), chroma[-1:])


def test_tokens_are_kept_as_they_were_before_the_last_step():
    heard = TokensHeard()
    scores = torch.zeros(1, 3)
    for n in (1, 2):
        assert heard(torch.arange(n)[None], scores) is scores
    assert heard.tokens.tolist() == [[0, 1]]
