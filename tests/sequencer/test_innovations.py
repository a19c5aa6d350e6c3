"""Codes of what differs from linear prediction."""

import torch

from sequencer.innovations import code_innovations, innovations_of
from sequencer.linear import ORDER
from tests.sequencer.toys import NORMALISER, song, toy

HEAD = toy("lstm", "tokens", {"pattern": "parallel", "depth": 8, "innovations": True}).head
STEPS = torch.from_numpy(NORMALISER.apply(song(400, 3))[None, :, :4].copy())


def test_what_codes_leave_out_does_not_add_up():
    codes, said = code_innovations(HEAD.quantiser, HEAD.prediction, STEPS)
    error = (said - STEPS).square().mean(-1)[0]
    assert error.mean() < 0.05 * STEPS.var()
    assert error[200:].mean() < 2 * error[ORDER:200].mean()
    assert codes.shape == (1, 400, 3)


def test_codes_and_prediction_give_the_steps_as_they_are_said():
    codes, said = code_innovations(HEAD.quantiser, HEAD.prediction, STEPS)
    innovations = innovations_of(HEAD.prediction, said)
    restored = HEAD.quantiser.restore(codes)
    torch.testing.assert_close(innovations[:, ORDER:], restored[:, ORDER:], atol=1e-4, rtol=1e-4)


def test_innovations_of_the_first_step_are_none():
    innovations = innovations_of(HEAD.prediction, STEPS[0])
    assert innovations.shape == (400, 4)
    assert not innovations[0].any()
