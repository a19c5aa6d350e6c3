"""A flow with its statistics and checkpoint: what is asked for, and what is refused."""

import pytest
import torch

from files.errors import ParameterError
from synth.flow import FlowConfig
from synth.flow_conditions import curves_of
from synth.flow_generator import FlowGenerator, FlowRequest
from synth.generator import load_generator
from tests.synth.toys import MEL

FRAMES = 100
WINDOW = 64


@pytest.fixture(scope="module")
def generator() -> FlowGenerator:
    torch.manual_seed(0)
    made = FlowGenerator(FlowConfig(width=64, layers=1), MEL, window_frames=WINDOW)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    made.set_statistics(torch.full((MEL.n_mels,), -4.0), torch.full((MEL.n_mels,), 2.0))
    styles = torch.randn(len(made.styles), made.config.style_size)
    made.set_condition_statistics(styles, torch.randn(4, 2, 50))
    return made.eval()


@pytest.fixture(scope="module")
def mel() -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return -4 + 2 * torch.randn(MEL.n_mels, FRAMES, generator=rng)


def test_same_seed_same_clip(generator: FlowGenerator) -> None:
    first = generator.sample(FRAMES, random_seeds=[3, 4])
    assert first.shape == (2, MEL.n_mels, FRAMES)
    assert first.min() >= MEL.silence
    assert torch.equal(first[:1], generator.sample(FRAMES, random_seeds=[3]))
    assert not torch.equal(first[0], first[1])


def test_given_frames_stay(generator: FlowGenerator, mel: torch.Tensor) -> None:
    given = torch.zeros(FRAMES, dtype=torch.bool)
    given[:30] = True
    given[60:] = True
    made = generator.sample(FRAMES, random_seeds=[0], request=FlowRequest(mel=mel, given=given))[0]
    torch.testing.assert_close(made[:, given], mel[:, given].clamp_min(MEL.silence))
    assert not torch.isclose(made[:, ~given], mel[:, ~given]).any(dim=0).all()


def test_given_frames_are_heard(generator: FlowGenerator, mel: torch.Tensor) -> None:
    given = torch.zeros(FRAMES, dtype=torch.bool)
    given[:30] = True
    clips = [
        generator.sample(FRAMES, random_seeds=[0], request=FlowRequest(mel=heard, given=given))
        for heard in (mel, mel - 1)
    ]
    assert not torch.equal(clips[0][..., 30:], clips[1][..., 30:])


def test_styles_curves_and_guidance_are_heard(generator: FlowGenerator, mel: torch.Tensor) -> None:
    style = generator.style_of(mel)
    requests = [
        FlowRequest(style=style),
        FlowRequest(style=style, guidance=2.0),
        FlowRequest(style=style, curves=curves_of(mel, MEL)),
        FlowRequest(style=style + 1),
        FlowRequest(style=style, steps=4),
    ]
    clips = [generator.sample(FRAMES, random_seeds=[0], request=request) for request in requests]
    assert len({clip.sum().item() for clip in clips}) == len(clips)


def test_style_of_the_mean_is_the_mean_style_for_equal_lengths(
    generator: FlowGenerator, mel: torch.Tensor
) -> None:
    long = mel.repeat(1, 3)[:, :256]
    assert generator.style_of(long).shape == (generator.config.style_size,)
    torch.testing.assert_close(
        generator.standard_style(generator.style_mean), torch.zeros(generator.config.style_size)
    )


def test_a_loop_is_whole_patches(generator: FlowGenerator) -> None:
    loop = generator.sample(96, random_seeds=[0], request=FlowRequest(loop=True))
    line = generator.sample(96, random_seeds=[0])
    gap = WINDOW // 4
    assert torch.equal(loop[..., : 96 - gap], line[..., : 96 - gap])
    assert not torch.equal(loop[..., 96 - gap :], line[..., 96 - gap :])
    with pytest.raises(ParameterError, match="frames=97 of a loop must be a multiple of 4"):
        generator.sample(97, random_seeds=[0], request=FlowRequest(loop=True))


def test_a_checkpoint_gives_the_same_clips(generator: FlowGenerator, tmp_path) -> None:
    generator.save(tmp_path / "flow")
    again = load_generator(tmp_path / "flow")
    assert isinstance(again, FlowGenerator)
    assert again.architecture == "flow"
    clips = [made.sample(FRAMES, random_seeds=[7]) for made in (generator, again)]
    assert torch.equal(clips[0], clips[1])


@pytest.mark.parametrize(
    ("request_values", "message"),
    [
        ({"mel": torch.zeros(MEL.n_mels, FRAMES)}, "mel and given belong together"),
        ({"steps": 0}, "steps=0 must be at least 1"),
        ({"guidance": 0.5}, "guidance=0.5 must be 1 to 10"),
        ({"guidance": float("nan")}, "guidance=nan must be 1 to 10"),
        ({"style": torch.full((48,), torch.nan)}, "style holds NaN or infinite values"),
        ({"curves": torch.full((2, FRAMES), torch.inf)}, "curves holds NaN or infinite values"),
    ],
)
def test_bad_requests_are_refused(request_values, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        FlowRequest(**request_values)


@pytest.mark.parametrize(
    ("request_values", "message"),
    [
        ({"style": torch.zeros(3)}, r"style of shape \(3,\) must be \(48,\)"),
        ({"curves": torch.zeros(2, 5)}, r"curves of shape \(2, 5\) must be \(2, 100\)"),
        (
            {"mel": torch.zeros(80, FRAMES), "given": torch.ones(FRAMES, dtype=torch.bool)},
            r"mel of shape \(80, 100\) must be \(20, 100\)",
        ),
    ],
)
def test_requests_of_another_shape_are_refused(generator, request_values, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        generator.sample(FRAMES, random_seeds=[0], request=FlowRequest(**request_values))


@pytest.mark.parametrize(("window", "rule"), [(0, "an integer from 1 to"), (6, "a multiple")])
def test_windows_that_are_not_whole_patches_are_refused(window: int, rule: str) -> None:
    with pytest.raises(ParameterError, match=f"window_frames={window} must be {rule}"):
        FlowGenerator(FlowConfig(width=64, layers=1), MEL, window_frames=window)
