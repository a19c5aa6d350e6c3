"""Windows that cover what is to be made, and clips made of them."""

import pytest
import torch
from hypothesis import given as cases
from hypothesis import strategies as st
from torch import Tensor

from synth.flow import Flow, FlowConfig
from synth.flow_windows import (
    BORDER_FRAMES,
    DRIFT_SECONDS,
    Drift,
    WindowMaker,
    bend_borders,
    windows,
)

N_MELS = 4
LENGTH = 16
CONFIG = FlowConfig(width=32, layers=1, head_width=16, style_size=3)


def mask(text: str) -> Tensor:
    """Frames that are given (#) and not (.)."""
    return torch.tensor([letter == "#" for letter in text])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("......", [(0, 6)]),  # shorter than a window
        ("." * 16, [(0, 8), (4, 12), (8, 16)]),  # each is given the half made before
        ("########" + "." * 8, [(4, 12), (8, 16)]),
        ("########" + "...." + "########", [(6, 14)]),  # a short gap lies in the middle
        ("########" + "......" + "########", [(4, 12), (9, 17)]),
        ("#.##########", [(0, 8)]),
        ("##########.#", [(4, 12)]),
        ("#" * 12, []),
        ("##..########..##", [(0, 8), (8, 16)]),
    ],
)
def test_windows(given: str, expected: list[tuple[int, int]]) -> None:
    assert list(windows(mask(given), 8, 4)) == expected


@cases(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(2, 20))
def test_windows_cover_every_gap_and_move_on(given: list[bool], length: int) -> None:
    found = list(windows(torch.tensor(given), length, length // 2))
    covered = {frame for start, stop in found for frame in range(start, stop)}
    assert all(frame in covered for frame, there in enumerate(given) if not there)
    assert all(0 <= start < stop <= len(given) for start, stop in found)
    assert all(stop - start == min(length, len(given)) for start, stop in found)
    assert [stop for _, stop in found] == sorted({stop for _, stop in found})


def maker(network: Flow, **changes: object) -> WindowMaker:
    values = {
        "network": network,
        "length": LENGTH,
        "frame_rate": 86.0,
        "styles": torch.zeros(3),
        "curves": None,
        "random_seed": 0,
        "steps": 2,
        "guidance": 1.0,
        **changes,
    }
    return WindowMaker(**values)  # type: ignore[arg-type]


@pytest.fixture
def network() -> Flow:
    torch.manual_seed(0)
    flow = Flow(N_MELS, CONFIG)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return flow.eval().requires_grad_(False)


def test_given_frames_stay_and_the_others_are_made(network: Flow) -> None:
    mel = torch.full((N_MELS, 40), 7.0)
    given = mask("#" * 10 + "." * 20 + "#" * 10)
    maker(network).fill(mel, given)
    assert (mel[:, given] == 7).all()
    assert (mel[:, ~given] != 7).all()
    assert not given[10:30].any()  # the caller's mask is left alone


def test_seed_decides(network: Flow) -> None:
    made = []
    for seed in (0, 0, 1):
        mel = torch.zeros(N_MELS, 24)
        maker(network, random_seed=seed).fill(mel, torch.zeros(24, dtype=torch.bool))
        made.append(mel)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_what_follows_does_not_change_what_came_before(network: Flow) -> None:
    short = torch.zeros(N_MELS, 24)
    maker(network).fill(short, torch.zeros(24, dtype=torch.bool))
    long = torch.zeros(N_MELS, 64)
    maker(network).fill(long, torch.zeros(64, dtype=torch.bool))
    assert torch.equal(short[:, :16], long[:, :16])


def test_curves_and_styles_change_the_clip(network: Flow) -> None:
    clips = []
    for changes in ({}, {"curves": torch.ones(2, 16)}, {"styles": torch.ones(3)}):
        mel = torch.zeros(N_MELS, 16)
        maker(network, **changes).fill(mel, torch.zeros(16, dtype=torch.bool))
        clips.append(mel)
    assert not torch.equal(clips[0], clips[1])
    assert not torch.equal(clips[0], clips[2])


def test_guidance_goes_beyond_the_style(network: Flow) -> None:
    """With one step, guidance g gives free + g (styled - free)."""
    made = {}
    for guidance, style in ((1.0, 1.0), (2.0, 1.0)):
        mel = torch.zeros(N_MELS, 16)
        styled = maker(network, styles=torch.full((3,), style), steps=1, guidance=guidance)
        styled.fill(mel, torch.zeros(16, dtype=torch.bool))
        made[guidance] = mel
    far = maker(network, styles=torch.ones(3), steps=1, guidance=3.0)
    mel = torch.zeros(N_MELS, 16)
    far.fill(mel, torch.zeros(16, dtype=torch.bool))
    torch.testing.assert_close(mel - made[2.0], made[2.0] - made[1.0], atol=1e-5, rtol=1e-3)
    assert not torch.equal(made[1.0], made[2.0])


def test_a_closed_loop_keeps_all_but_its_end(network: Flow) -> None:
    mel = torch.arange(32.0).repeat(N_MELS, 1)
    closed = maker(network).close_loop(mel)
    assert torch.equal(closed[:, :28], mel[:, :28])
    assert not (closed[:, 28:] == mel[:, 28:]).any()


def test_styles_drift_from_one_to_the_next() -> None:
    drift = Drift(torch.eye(3), random_seed=5)
    corners = [drift.at(number * DRIFT_SECONDS) for number in range(8)]
    for number, corner in enumerate(corners):
        assert corner.tolist() in torch.eye(3).tolist()
        middle = drift.at((number + 0.5) * DRIFT_SECONDS)
        following = drift.at((number + 1) * DRIFT_SECONDS)
        torch.testing.assert_close(middle, (corner + following) / 2)
    assert len({tuple(corner.tolist()) for corner in corners}) > 1
    assert torch.equal(Drift(torch.eye(3), random_seed=5).at(100.0), drift.at(100.0))


def test_steps_at_borders_are_spread_over_some_frames() -> None:
    given = mask("#" * 4 + "." * 20 + "#" * 4)
    mel = torch.where(given, 9.0, 0.0).repeat(N_MELS, 1)
    bent = bend_borders(mel, given)
    assert torch.equal(bent[:, given], mel[:, given])
    assert bent[0, 3 + BORDER_FRAMES + 1] == 0  # the middle of the gap stays
    steps = bent.diff(dim=1).abs()
    torch.testing.assert_close(steps.max(), torch.tensor(9 / (BORDER_FRAMES + 1)))
    torch.testing.assert_close(bent, bent.flip(1))


def test_borders_that_fit_stay_as_they_are() -> None:
    given = mask("####" + "." * 20)
    mel = torch.ones(N_MELS, 24)
    assert torch.equal(bend_borders(mel, given), mel)
    rough = torch.randn(N_MELS, 24, generator=torch.Generator().manual_seed(0))
    nothing_given = torch.zeros(24, dtype=torch.bool)
    assert torch.equal(bend_borders(rough, nothing_given), rough)


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_short_gaps_are_bent_from_both_sides(gap: int) -> None:
    given = mask("####" + "." * gap + "####")
    mel = torch.where(given, 1.0, 0.0).repeat(N_MELS, 1)
    bent = bend_borders(mel, given)
    assert (bent[:, ~given] > 0).all()
    assert torch.equal(bent[:, given], mel[:, given])
