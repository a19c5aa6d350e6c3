import numpy as np
import pytest

from demiurge import encode_blocks
from demiurge.encode_blocks import BlockEncoder, encode_long
from files.errors import AudioError
from tests.toy_codec import NaNCodec, ToyCodec


@pytest.fixture
def short_stretches(monkeypatch):
    monkeypatch.setattr(encode_blocks, "STRETCH_SECONDS", 0.05)  # 6 frames of the toy
    monkeypatch.setattr(encode_blocks, "CONTEXT_SECONDS", 0.01)  # 1 frame, as far as it sees


@pytest.mark.parametrize("n_samples", [1, 63, 64, 447, 448, 449, 512, 5000])
@pytest.mark.parametrize("size", [7, 64, 1000])
def test_latents_of_stretches_are_those_of_the_whole(short_stretches, n_samples, size):
    codec = ToyCodec()
    audio = np.random.default_rng(1).normal(size=n_samples).astype(np.float32)
    encoder = BlockEncoder(codec)
    for i in range(0, n_samples, size):
        encoder.add(audio[i : i + size])
    found = encoder.finish()
    assert len(found) == codec.n_frames(n_samples)
    np.testing.assert_allclose(found, codec.latents(audio), atol=1e-5)


def test_memory_is_that_of_a_stretch(short_stretches):
    codec = ToyCodec()
    longest = []
    encode = codec._latents
    codec._latents = lambda audio: (longest.append(audio.shape[1]), encode(audio))[1]
    encode_long(codec, np.zeros(8000, np.float32))
    assert max(longest) <= 64 * (1 + 6 + 1)
    assert sum(longest) < 2 * 8000


def test_latents_that_are_not_numbers_are_refused():
    with pytest.raises(AudioError, match="toy-0 turns it into latents that are NaN"):
        encode_long(NaNCodec(), np.ones(100, np.float32))
