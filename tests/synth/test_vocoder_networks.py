"""HiFi-GAN and MelGAN: the published outputs, lengths, how far a frame reaches, and weight norm."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError
from synth.hifigan import V1, V2, V3, HiFiGAN, HiFiGANConfig
from synth.melgan import MelGAN, MelGANConfig
from synth.weight_norm import add_weight_norm, plain_state

N_MELS = 4
TOYS = {
    "hifigan-v2": lambda: HiFiGAN(N_MELS, HiFiGANConfig(channels=16)),
    "hifigan-v3": lambda: HiFiGAN(
        N_MELS, HiFiGANConfig((8, 8, 4), (16, 16, 8), 8, 2, (3, 5, 7), ((1, 2), (2, 6), (3, 12)))
    ),
    "hifigan-odd": lambda: HiFiGAN(
        N_MELS, HiFiGANConfig((5, 3, 2), (11, 8, 3), 8, 1, (3,), ((1, 3),))
    ),
    "melgan": lambda: MelGAN(N_MELS, MelGANConfig(channels=2)),
    "melgan-odd": lambda: MelGAN(
        N_MELS, MelGANConfig(channels=2, rates=(3, 5, 2), n_residual_layers=4)
    ),
}
HIFIGAN_SIZES = ("upsample_rates", "upsample_kernel_sizes", "upsample_initial_channel")
BLOCK_SIZES = ("resblock_kernel_sizes", "resblock_dilation_sizes")


@pytest.fixture(params=TOYS)
def toy(request):
    """A toy network in float64 whose weights are large enough that every input is heard."""
    torch.manual_seed(0)
    network = TOYS[request.param]()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.double()


def random_mel(batch, frames):
    return torch.randn(batch, N_MELS, frames, dtype=torch.float64)


def published(name, fixtures):
    """An empty network of a fixture's sizes, and its weights as published."""
    sizes = json.loads((fixtures / f"{name}_layout.json").read_text())
    state = torch.load(fixtures / f"{name}_layout.pt", weights_only=True)
    if name == "melgan":
        return (
            MelGAN(80, MelGANConfig(sizes["ngf"], sizes["ratios"], sizes["n_residual_layers"])),
            state,
        )
    upsampling, blocks = ([sizes[key] for key in keys] for keys in (HIFIGAN_SIZES, BLOCK_SIZES))
    return (
        HiFiGAN(80, HiFiGANConfig(*upsampling, int(sizes["resblock"]), *blocks)),
        state["generator"],
    )


@pytest.mark.parametrize("name", ["hifigan_v2", "hifigan_v3", "melgan"])
def test_published_weights_give_the_published_audio(name, fixtures):
    network, state = published(name, fixtures)
    add_weight_norm(network)
    network.load_state_dict(state)
    data = np.load(fixtures / f"{name}_layout.npz")
    with torch.inference_mode():
        audio = network(torch.from_numpy(data["mel"])).numpy()
    assert np.abs(audio - data["audio"]).max() < 1e-6
    assert (
        np.abs(audio - data["audio"]).max() < 1e-2 * data["audio"].std(axis=-1).min()
    )  # one fixture is almost constant


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        ((HiFiGAN, V1), 13.92),
        ((HiFiGAN, V2), 0.92),
        ((HiFiGAN, V3), 1.46),
        ((MelGAN, MelGANConfig()), 4.26),
    ],
)
def test_presets_have_the_published_number_of_parameters(network, millions):
    kind, config = network
    with torch.device("meta"):
        model = kind(80, config)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)
    assert model.hop_length == 256


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(sorted(TOYS)), frames=st.integers(1, 14), batch=st.integers(1, 2))
def test_output_is_exactly_hop_length_samples_per_frame(name, frames, batch):
    network = TOYS[name]()
    with torch.inference_mode():
        audio = network(torch.randn(batch, N_MELS, frames))
    assert audio.shape == (batch, 1, frames * network.hop_length)
    assert audio.abs().max() <= 1


def test_batch_of_one_equals_its_row_of_many(toy):
    mel = random_mel(3, 9)
    with torch.inference_mode():
        torch.testing.assert_close(toy(mel[1:2]), toy(mel)[1:2], rtol=0, atol=1e-10)


def test_one_frame_reads_as_far_as_context_frames_and_no_further(toy):
    context = toy.context_frames
    middle = context + 3
    mel = random_mel(1, 2 * middle + 1).requires_grad_()
    span = slice(middle * toy.hop_length, (middle + 1) * toy.hop_length)
    samples = toy(mel)[0, 0, span]
    (samples * torch.randn(toy.hop_length, dtype=torch.float64)).sum().backward()
    touched = mel.grad[0].abs().sum(0).nonzero()[:, 0]
    assert max(middle - touched.min().item(), touched.max().item() - middle) == context


def test_chunk_with_context_equals_the_whole_and_with_less_does_not(toy):
    context = toy.context_frames
    hop = toy.hop_length
    mel = random_mel(1, 3 * context + 8)
    start = context + 2
    stop = context + 6

    def error(context):
        chunk = toy(mel[..., start - context : stop + context])[..., context * hop :][
            ..., : (stop - start) * hop
        ]
        return (chunk - whole).abs().max().item()

    with torch.inference_mode():
        whole = toy(mel)[..., start * hop : stop * hop]
        assert error(context) < 1e-12
        assert error(context - 1) > 1e-12


def test_melgan_holds_the_last_frame_where_reflection_needs_more():
    network = MelGAN(N_MELS, MelGANConfig(channels=2))
    mel = torch.randn(1, N_MELS, 2)
    held = torch.cat([mel, mel[..., -1:], mel[..., -1:]], dim=-1)
    assert network.min_frames == 4
    with torch.inference_mode():
        torch.testing.assert_close(network(mel), network(held)[..., :512], rtol=0, atol=0)


def test_weight_norm_changes_no_output(toy):
    mel = random_mel(1, 6)
    n_weights = sum(key.endswith(".weight") for key in toy.state_dict())
    with torch.inference_mode():
        before = toy(mel)
        add_weight_norm(toy)
        assert sum("weight.original0" in key for key in toy.state_dict()) == n_weights
        torch.testing.assert_close(toy(mel), before, rtol=0, atol=1e-10)
    assert all(parameter.requires_grad for parameter in toy.parameters())


def test_weight_norm_is_added_once(toy):
    add_weight_norm(toy)
    once = set(toy.state_dict())
    add_weight_norm(toy)
    assert set(toy.state_dict()) == once


def test_gradients_flow_with_weight_norm(toy):
    add_weight_norm(toy)
    toy(random_mel(2, 8)).square().mean().backward()
    for name, parameter in toy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_gradient_is_the_slope_despite_operations_in_place(toy):
    mel = random_mel(1, 5)
    weight = next(parameter for parameter in toy.parameters() if parameter.dim() == 3)
    audio = toy(mel)
    direction = torch.randn_like(weight)
    target = torch.randn_like(audio)
    (audio * target).sum().backward()
    with torch.no_grad():
        weight += 1e-8 * direction
        above = (toy(mel) * target).sum()
        weight -= 2e-8 * direction
        below = (toy(mel) * target).sum()
    assert (weight.grad * direction).sum().item() == pytest.approx(
        ((above - below) / 2e-8).item(), rel=1e-3
    )


def test_plain_state_equals_the_network_and_leaves_it_training(toy):
    add_weight_norm(toy)
    optimiser = torch.optim.SGD(toy.parameters(), lr=0.1)
    mel = random_mel(1, 6)
    trained = dict(toy.named_parameters())
    toy(mel).mean().backward()
    optimiser.step()
    state = plain_state(toy)
    assert dict(toy.named_parameters()).keys() == trained.keys()
    assert all(parameter is trained[name] for name, parameter in toy.named_parameters())
    plain = type(toy)(N_MELS, toy.config).double()
    plain.load_state_dict(state)
    with torch.inference_mode():
        torch.testing.assert_close(plain(mel), toy(mel), rtol=0, atol=1e-10)
    saved = {name: tensor.clone() for name, tensor in state.items()}
    optimiser.step()
    assert all(torch.equal(state[name], tensor) for name, tensor in saved.items())


@pytest.mark.parametrize("kind", ["hifigan-v2", "melgan"])
def test_same_seed_gives_the_same_weights(kind):
    torch.manual_seed(3)
    first = TOYS[kind]().state_dict()
    torch.manual_seed(3)
    second = TOYS[kind]().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_initial_weights_have_the_published_spread():
    hifigan = HiFiGAN(80, HiFiGANConfig(channels=64))
    melgan = MelGAN(80, MelGANConfig(channels=4))
    assert hifigan.ups[0].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert hifigan.resblocks[2].convs1[0].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert melgan.model[1].weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: HiFiGANConfig(
                channels=24, upsample_rates=(2,) * 4, upsample_kernel_sizes=(4,) * 4
            ),
            "channels=24 .* multiple of 16",
        ),
        (lambda: HiFiGANConfig(upsample_kernel_sizes=(16, 16, 4)), "one for each of rates"),
        (lambda: HiFiGANConfig(upsample_kernel_sizes=(16, 16, 4, 1)), "none smaller than its rate"),
        (lambda: HiFiGANConfig(upsample_rates=(), upsample_kernel_sizes=()), "at least 2"),
        (lambda: HiFiGANConfig(resblock=3), "resblock=3 must be an integer from 1 to 2"),
        (lambda: HiFiGANConfig(kernel_sizes=(3, 4, 7)), "must be odd"),
        (lambda: HiFiGANConfig(dilations=((1, 3),)), "a row of positive integers for each"),
        (
            lambda: MelGANConfig(rates=(8, 1)),
            "rates.1.=1 must be an integer from 2 to 1024",
        ),
        (lambda: MelGANConfig(channels=0), "channels=0 must be an integer from 1 to"),
        (
            lambda: MelGANConfig(n_residual_layers=0),
            "n_residual_layers=0 must be an integer from 1 to 8",
        ),
    ],
)
def test_impossible_sizes_raise(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
