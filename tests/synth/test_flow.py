"""The network of a flow."""

import pytest
import torch

from files.errors import ParameterError
from synth.flow import N_CURVES, Flow, FlowConfig

N_MELS = 8
TOY = FlowConfig(width=32, layers=2, head_width=16, style_size=3)


def toy_flow(config: FlowConfig = TOY) -> Flow:
    torch.manual_seed(0)
    flow = Flow(N_MELS, config)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return flow.eval()


def inputs(batch: int = 2, frames: int = 16) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {
        "mel": torch.randn(batch, N_MELS, frames, generator=rng),
        "given": torch.zeros(batch, frames),
        "time": torch.full((batch,), 0.3),
        "curves": torch.zeros(batch, 2 * N_CURVES, frames),
        "style": torch.zeros(batch, TOY.style_size + 1),
    }


def test_output_is_mel_of_the_same_shape_in_float32() -> None:
    out = toy_flow()(**inputs())
    assert out.shape == (2, N_MELS, 16)
    assert out.dtype == torch.float32


def test_every_input_changes_the_output() -> None:
    flow = toy_flow()
    usual = flow(**inputs())
    for name in inputs():
        changed = inputs()
        changed[name] = changed[name] + 0.5
        assert (flow(**changed) - usual).abs().max() > 1e-4, name


def test_every_frame_hears_every_other() -> None:
    flow = toy_flow()
    usual = flow(**inputs(batch=1))
    changed = inputs(batch=1)
    changed["mel"][0, 0, 15] += 1
    assert ((flow(**changed) - usual).abs().amax(dim=1) > 1e-6).all()


def test_a_row_of_a_batch_is_that_row_alone() -> None:
    flow = toy_flow()
    both = flow(**inputs())
    alone = flow(**{name: value[1:] for name, value in inputs().items()})
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-5)


def test_frames_of_a_patch_stay_in_order() -> None:
    """With one token, the last layer's weights address bands of frames, frame by frame."""
    flow = toy_flow()
    torch.nn.init.zeros_(flow.out.weight)
    with torch.no_grad():
        flow.out.bias.copy_(torch.arange(4 * N_MELS).float())
    out = flow(**inputs(batch=1, frames=4))
    assert out[0, :, 0].tolist() == list(range(N_MELS))
    assert out[0, :, 3].tolist() == list(range(3 * N_MELS, 4 * N_MELS))


def test_untrained_network_predicts_the_mean() -> None:
    out = Flow(N_MELS, TOY)(**inputs())
    assert not out.any()


def test_default_has_six_to_fourteen_million_parameters() -> None:
    n = sum(parameter.numel() for parameter in Flow(80, FlowConfig()).parameters())
    assert 6e6 < n < 14e6


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 0}, "width=0 must be an integer from 1"),
        ({"layers": True}, "layers=True must be an integer from 1"),
        ({"width": 100}, "head_width=64 must be even and divide width=100"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        FlowConfig(**sizes)
