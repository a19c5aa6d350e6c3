"""Same numbers, same bytes, wherever they lie in memory.

Kernels of MKL and oneDNN round differently where memory is not aligned to 64 bytes. NumPy's is
aligned to 16, that of a memory-mapped file to anything; torch's own always is to 64.
"""

import numpy as np
import pytest
import torch

from synth.generator import load_generator
from synth.latent import LatentNoise
from synth.mel import LogMel, log_mel
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.synth.toys import MEL, TOY
from training.threads import torch_threads

OFFSETS = (4, 16, 32, 48)  # bytes


def moved(array, offset):
    """A copy whose first byte lies `offset` bytes after a multiple of 64."""
    room = np.empty(array.nbytes + 128, np.uint8)
    start = (offset - room.ctypes.data) % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    assert copy.ctypes.data % 64 == offset
    return copy


@pytest.fixture(autouse=True)
def one_thread():
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def audio():
    return np.random.default_rng(0).normal(0, 0.1, 30_000).astype(np.float32)


@pytest.mark.parametrize("offset", OFFSETS)
def test_analysis(offset, audio):
    np.testing.assert_array_equal(log_mel(moved(audio, offset), MEL), log_mel(audio, MEL))


def test_filters_lie_in_memory_of_torch():
    assert LogMel(MEL).filters.data_ptr() % 64 == 0


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("architecture", TOY)
@pytest.mark.parametrize("prepared", [False, True])
def test_synthesis(offset, architecture, prepared, audio):
    torch.manual_seed(0)
    vocoder = Vocoder(architecture, MEL, config=TOY[architecture]).eval()
    vocoder = vocoder.prepare() if prepared else vocoder
    mel = log_mel(audio, MEL)
    expected = vocoder.synthesise(moved(mel, 0))
    np.testing.assert_array_equal(vocoder.synthesise(moved(mel, offset)), expected)


@pytest.mark.parametrize("offset", OFFSETS)
def test_weights_of_a_checkpoint(offset, tmp_path, monkeypatch):
    """The GRU's products do differ in the last bit where its weights are not aligned."""
    torch.manual_seed(0)
    UnaganGenerator(UnaganConfig(width=32), MEL, latent_order=2).eval().save(tmp_path)
    expected = load_generator(tmp_path).sample(200, random_seeds=[0])

    from synth.generator import load_weights

    def load_moved(folder):
        return {
            name: torch.from_numpy(moved(tensor.numpy(), offset))
            for name, tensor in load_weights(folder).items()
        }

    monkeypatch.setattr("synth.generator.load_weights", load_moved)
    loaded = load_generator(tmp_path)
    assert all(parameter.data_ptr() % 64 == 0 for parameter in loaded.parameters())
    assert torch.equal(loaded.sample(200, random_seeds=[0]), expected)


@pytest.mark.parametrize("offset", OFFSETS)
def test_noise(offset):
    class Moving:
        """A random generator whose numbers lie `offset` bytes beside."""

        def __init__(self, offset):
            self.rng = np.random.default_rng(0)
            self.offset = offset

        def standard_normal(self, *arguments, **options):
            return moved(self.rng.standard_normal(*arguments, **options), self.offset)

    noise = LatentNoise(20, 4)
    noise.fit([np.random.default_rng(i).normal(size=(20, 80)) for i in range(5)])
    assert torch.equal(noise.draw(Moving(offset), 60), noise.draw(Moving(0), 60))
