"""Windows: what a network with a short reach gives is that of the whole signal."""

import pytest
import torch
import torch.nn.functional as F

from synth.codecs.windows import run_in_windows

REACH = 3


def moving_sum(signal: torch.Tensor) -> torch.Tensor:
    """Sum each step and its REACH neighbours on both sides, in whole numbers."""
    return F.conv1d(F.pad(signal, (REACH, REACH)), torch.ones(1, 1, 2 * REACH + 1))


def in_windows(network, signal, window, context, to_output=lambda length: length):
    return run_in_windows(
        network, signal, window=window, before=context, after=context, to_output=to_output
    )


@pytest.mark.parametrize("length", [1, 9, 10, 11, 20, 57])
@pytest.mark.parametrize("context", [REACH, REACH + 4, 100])
def test_windows_with_enough_context_are_the_whole(length, context):
    signal = torch.arange(length, dtype=torch.float32)[None, None] ** 2
    assert torch.equal(in_windows(moving_sum, signal, 10, context), moving_sum(signal))


def test_windows_with_too_little_context_are_not():
    signal = torch.ones(1, 1, 40)
    found = in_windows(moving_sum, signal, 10, REACH - 1)
    assert (found != moving_sum(signal)).sum() == 6  # both sides of three joins


def test_network_never_gets_more_than_a_window_with_its_context():
    lengths = []

    def note(signal):
        lengths.append(signal.shape[-1])
        return signal

    in_windows(note, torch.zeros(1, 1, 45), 10, 4)
    assert lengths == [14, 18, 18, 18, 9]


@pytest.mark.parametrize("length", [5, 10, 23])
def test_network_that_changes_the_rate(length):
    signal = torch.arange(length, dtype=torch.float32)[None, None]

    def repeated(part):
        return part.repeat_interleave(4, dim=-1)

    found = in_windows(repeated, signal, 10, 2, lambda n_steps: 4 * n_steps)
    assert torch.equal(found, repeated(signal))
    assert torch.equal(
        in_windows(lambda part: part[..., ::4], found, 8, 4, lambda n_steps: n_steps // 4), signal
    )
