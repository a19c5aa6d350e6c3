"""Residual vector quantisation against NumPy, and what its losses move."""

import numpy as np
import pytest
import torch

from synth.codecs.quantiser import CODE_SIZE, ResidualQuantiser
from synth.codecs.restarts import Restarts
from training.distributed import Distributed

N_LATENTS, N_CODEBOOKS, CODEBOOK_SIZE = 6, 3, 16
ALL = torch.full((2,), N_CODEBOOKS)


@pytest.fixture
def quantiser():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResidualQuantiser(N_LATENTS, N_CODEBOOKS, CODEBOOK_SIZE)


@pytest.fixture
def latents():
    return torch.from_numpy(np.random.default_rng(1).standard_normal((2, 40, N_LATENTS), "f4"))


def brute_force(quantiser, latents):
    """Codes (frames, n_codebooks) of latents (frames, n_latents), one angle after the other."""
    codes = np.zeros((len(latents), N_CODEBOOKS), int)
    for frame, whole in enumerate(latents.double().numpy()):
        residual = whole.copy()
        for number, book in enumerate(quantiser.books):
            inward, outward, entries = (
                part.detach().double().numpy()
                for part in (book.inward.weight, book.outward.weight, book.entries)
            )
            projected = inward @ residual
            cosines = [
                projected @ entry / np.linalg.norm(projected) / np.linalg.norm(entry)
                for entry in entries
            ]
            codes[frame, number] = np.argmax(cosines)
            residual -= outward @ entries[codes[frame, number]]
    return codes


def test_codes_are_those_of_the_smallest_angles(quantiser, latents):
    expected = brute_force(quantiser, latents[0])
    assert len(np.unique(expected)) > CODEBOOK_SIZE / 2
    for n_codebooks in range(1, N_CODEBOOKS + 1):
        codes = quantiser.encode(latents[0], n_codebooks).numpy()
        np.testing.assert_array_equal(codes, expected[:, :n_codebooks])
    np.testing.assert_array_equal(quantiser(latents, ALL).codes[0], expected)


def test_what_training_passes_on_is_what_codes_restore(quantiser, latents):
    n_used = torch.tensor([1, 3])
    quantised = quantiser(latents, n_used)
    for clip, number in enumerate(n_used.tolist()):
        restored = quantiser.restore(quantised.codes[clip, :, :number])
        torch.testing.assert_close(quantised.latents[clip], restored, rtol=0, atol=1e-5)


def test_each_loss_moves_its_own_side(quantiser, latents):
    latents.requires_grad_(True)
    book = quantiser.books[0]
    quantiser(latents, ALL // 3).codebook.backward()
    assert latents.grad.abs().sum() == 0
    assert book.entries.grad.abs().sum() > 0
    book.entries.grad = None
    quantiser(latents, ALL // 3).commitment.backward()
    assert latents.grad.abs().sum() > 0
    assert book.entries.grad.abs().sum() == 0


def test_gradients_pass_straight_through(quantiser, latents):
    latents.requires_grad_(True)
    quantised = quantiser(latents, ALL // 3)
    (passed,) = torch.autograd.grad(quantised.latents[0, 0, 0], latents)
    book = quantiser.books[0]
    expected = book.outward.weight[0] @ book.inward.weight
    torch.testing.assert_close(passed[0, 0], expected)
    assert passed[1].abs().sum() == 0


def test_codebooks_left_out_have_no_loss(quantiser, latents):
    one = quantiser(latents, torch.tensor([1, 1]))
    both = quantiser(latents, torch.tensor([1, 3]))
    assert both.codebook > one.codebook > 0
    one.codebook.backward()
    assert quantiser.books[1].entries.grad.abs().sum() == 0


def test_unused_entries_begin_again_where_there_is_data(quantiser, latents):
    restarts = Restarts(N_CODEBOOKS, CODEBOOK_SIZE)
    quantised = quantiser(latents, ALL)
    torch.manual_seed(3)
    n_restarted = restarts.update(quantiser, quantised, ALL, Distributed())
    entries = quantiser.books[2].entries.detach()
    is_data = (entries[:, None] == quantised.projected[:, :, 2].reshape(-1, CODE_SIZE)).all(-1)
    assert n_restarted == int(is_data.any(1).sum()) + sum(
        int((quantiser.books[number].entries[:, None] == part.reshape(-1, CODE_SIZE)).all(-1).sum())
        for number, part in enumerate(quantised.projected.unbind(2)[:2])
    )
    assert n_restarted > N_CODEBOOKS * CODEBOOK_SIZE / 2
    assert restarts.update(quantiser, quantiser(latents, ALL), ALL, Distributed()) == 0
    for _ in range(60):  # one clip over and over: most entries are unused
        quantised = quantiser(latents[:1, :1], ALL[:1])
        restarts.update(quantiser, quantised, ALL[:1], Distributed())
    same = quantised.projected[0, 0, 0]
    assert (quantiser.books[0].entries == same).all(1).sum() >= CODEBOOK_SIZE - 1


def test_codebooks_that_no_clip_uses_are_not_restarted(quantiser, latents):
    restarts = Restarts(N_CODEBOOKS, CODEBOOK_SIZE)
    torch.nn.init.ones_(restarts.use)
    before = quantiser.books[2].entries.clone()
    for _ in range(100):
        used = torch.ones_like(ALL)
        restarts.update(quantiser, quantiser(latents, used), used, Distributed())
    assert torch.equal(quantiser.books[2].entries, before)
    assert (restarts.use[1:] == 1).all()
    assert (restarts.use[0] != 1).any()
