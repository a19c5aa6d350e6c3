import numpy as np
import pytest
import torch

from files.errors import ParameterError
from synth.architectures import ARCHITECTURES
from synth.inference import for_inference
from synth.mel import PRESETS, MelSettings
from synth.upsampling import fit_rates
from synth.vocoder import Vocoder
from tests.synth.toys import toy_sizes
from training.threads import torch_threads

VOCOS = {"dim": 16, "intermediate_dim": 32, "n_layers": 2}
SMALL = toy_sizes(**VOCOS, channels=16)


def mel(settings, frames=40):
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(1, settings.n_mels, frames, generator=generator) - 5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_quick_form_gives_the_same(architecture):
    torch.manual_seed(0)
    network = Vocoder(architecture, PRESETS["22k"], config=SMALL[architecture]).eval().network
    with torch.inference_mode():
        plain = network(mel(PRESETS["22k"]))
        quick = for_inference(network)(mel(PRESETS["22k"]))
    torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))


def test_bfloat16_is_near_and_another_precision_is_refused():
    torch.manual_seed(0)
    vocoder = Vocoder("vocos-small", PRESETS["22k"], config=VOCOS).eval()
    spectrogram = mel(PRESETS["22k"], 100)[0].numpy()
    exact = vocoder.prepare().synthesise(spectrogram)
    rounded = vocoder.prepare(precision="bfloat16").synthesise(spectrogram)
    assert 0 < np.sqrt(np.mean((rounded - exact) ** 2) / np.mean(exact**2)) < 0.1
    with pytest.raises(ParameterError, match="precision='float8' must be float32 or bfloat16"):
        vocoder.prepare(precision="float8")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "settings", [PRESETS["44k"], MelSettings(n_mels=100), MelSettings(n_mels=40, hop_length=128)]
)
def test_every_architecture_takes_any_bands_and_rate(architecture, settings):
    if architecture.startswith(("hifigan", "melgan")) and settings.hop_length < 256:
        with pytest.raises(
            ParameterError, match="256 samples a frame, the mel's hop_length is 128"
        ):
            Vocoder(architecture, settings, config=SMALL[architecture])
        return
    vocoder = Vocoder(architecture, settings, config=SMALL[architecture]).eval()
    with torch.inference_mode():
        assert vocoder(mel(settings, 20)).shape == (1, 1, 20 * settings.hop_length)


def test_rates_are_doubled_from_the_smallest():
    assert fit_rates((8, 8, 2, 2), 256) == (8, 8, 2, 2)
    assert fit_rates((8, 8, 2, 2), 512) == (8, 8, 4, 2)
    assert fit_rates((8, 8, 4), 512) == (8, 8, 8)
    assert fit_rates((8, 8, 2, 2), 300) == (8, 8, 2, 2)


def test_chunks_on_several_threads_give_the_bytes_of_one():
    torch.manual_seed(0)
    vocoder = Vocoder("vocos-small", PRESETS["22k"], config=VOCOS).eval().prepare()
    spectrogram = mel(PRESETS["22k"], 2500)[0].numpy()
    found = []
    for threads in (1, 2):
        with torch_threads(threads):
            found.append(vocoder.synthesise(spectrogram))
            assert torch.get_num_threads() == threads
    np.testing.assert_array_equal(*found)
