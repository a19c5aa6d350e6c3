"""What all plug-ins promise: exact lengths, the same bytes of the same seed, joins, refusals."""

import numpy as np
import pytest
import torch

from files.errors import AudioError, ParameterError
from synth.plugins.open_plugin import open_plugin
from synth.plugins.plugin import Plugin

RATE = 8000


class Noise(Plugin):
    """White noise, after a copy of what it goes on from; `extra` samples too many if told so."""

    name = "noise"
    hash = "0" * 32
    sample_rate = RATE
    channels = 2
    takes_audio = True
    most_seconds = 10.0
    extra = 0

    def _generate(self, request):
        made = torch.randn(2, request.n_samples + self.extra).numpy() * 0.1
        if request.audio is not None:
            n_given = request.audio.shape[1]
            made[:, : request.lead] = request.audio[:, n_given - request.lead :]
        return made


def recording(n_samples=3000):
    return np.random.default_rng(5).normal(0, 0.1, (2, n_samples)).astype(np.float32)


@pytest.mark.parametrize("seconds", [1 / RATE, 0.0314, 1.0])
def test_a_sound_has_exactly_the_seconds_that_were_asked_for(seconds):
    made = Noise().generate(seconds, random_seed=1)
    assert made.shape == (2, round(seconds * RATE))
    assert made.dtype == np.float32


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones():
    plugin = Noise()
    first, again, other = (plugin.generate(0.1, random_seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_random_numbers_of_the_caller_are_not_touched():
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    Noise().generate(0.1, random_seed=1)
    torch.testing.assert_close(torch.randn(3), expected)


@pytest.mark.parametrize("n_given", [3000, 100, 1])
def test_a_continuation_holds_the_sound_and_then_exactly_the_seconds(n_given):
    given = recording(n_given)
    made = Noise().generate(0.5, random_seed=1, audio=given)
    assert made.shape == (2, n_given + RATE // 2)
    np.testing.assert_allclose(made[:, :n_given], given, atol=1e-6)
    assert made[:, n_given:].std() > 0.05


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"prompt": "rain"}, "noise has no use for text; leave --prompt out"),
        ({"seconds": 11}, "seconds=11 is more than noise can make at once, 10; give fewer"),
        ({"seconds": 0}, "seconds=0 must be a positive number"),
        ({"seconds": float("nan")}, "seconds=nan must be a positive number"),
    ],
)
def test_what_a_plugin_cannot_do_is_refused(request_, message):
    with pytest.raises(ParameterError, match=message):
        Noise().generate(**{"seconds": 1, "random_seed": 0, **request_})


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros((1, 10), np.float32), r"shape \(1, 10\) must be \(2, samples\) for noise"),
        (np.zeros((2, 0), np.float32), r"shape \(2, 0\) must be"),
        (np.full((2, 9), np.nan, np.float32), "must be finite"),
    ],
)
def test_sounds_that_cannot_be_continued_are_refused(audio, message):
    with pytest.raises(AudioError, match=message):
        Noise().generate(1, random_seed=0, audio=audio)


def test_a_plugin_without_a_use_for_sounds_says_so():
    plugin = Noise()
    plugin.takes_audio = False
    with pytest.raises(ParameterError, match="noise cannot go on from a sound; leave --continue"):
        plugin.generate(1, random_seed=0, audio=recording())


def test_a_model_that_makes_another_length_is_an_error():
    plugin = Noise()
    plugin.extra = 1
    with pytest.raises(AudioError, match=r"noise made audio of shape \(2, 8001\), where"):
        plugin.generate(1, random_seed=0)


@pytest.mark.parametrize("spec", ["musicgen:x", "x", "transformers:", ":x", "https://x"])
def test_a_word_that_is_no_plugin_lists_the_known_ones(spec):
    with pytest.raises(ParameterError, match="names no plug-in; give one of transformers:DIR, dif"):
        open_plugin(spec)
