"""Filling masked tokens in."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError
from sequencer.infill import InfillOptions, fill_tokens
from sequencer.masked import MaskedModel
from sequencer.sampling import SamplingOptions
from tests.sequencer.masked_toys import nearest_in_pattern, periodic_song, train, untrained

MODEL = untrained()


def fill(model, codes, keep, options=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return fill_tokens(model, codes, keep, options or InfillOptions(), generator=generator)


def random_codes(n_steps, seed):
    return torch.randint(0, 8, (n_steps, 3), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(
    n_steps=st.integers(1, 30),
    seed=st.integers(0, 999),
    share=st.floats(0, 1),
    passes=st.integers(1, 6),
    temperature=st.sampled_from([0.0, 1.0]),
    mask_temperature=st.sampled_from([0.0, 10.5]),
)
def test_kept_tokens_never_change_and_all_others_are_filled_in(
    n_steps, seed, share, passes, temperature, mask_temperature
):
    codes = random_codes(n_steps, seed)
    keep = torch.rand(n_steps, 3, generator=torch.Generator().manual_seed(seed + 1)) < share
    options = InfillOptions(SamplingOptions(temperature), passes, mask_temperature)
    before = codes.clone()
    filled = fill(MODEL, codes, keep, options)
    assert torch.equal(filled[keep], codes[keep])
    assert ((filled >= 0) & (filled < MODEL.mask)).all()
    assert torch.equal(codes, before)


class Counted(torch.nn.Module):
    """A masked model that notes how many tokens were masked in each pass."""

    def __init__(self):
        super().__init__()
        self.model = untrained()
        self.masked = []

    def __getattr__(self, name):
        return super().__getattr__(name) if name == "model" else getattr(self.model, name)

    def forward(self, codes):
        self.masked.append(int((codes == self.model.mask).sum()))
        return self.model(codes)


@pytest.mark.parametrize("passes", [1, 2, 12])
def test_the_network_runs_exactly_as_often_as_asked_and_masks_by_the_cosine(passes):
    counted = Counted()
    keep = torch.zeros(40, 3, dtype=torch.bool)
    fill(counted, random_codes(40, 0), keep, InfillOptions(passes=passes))
    expected = [int(120 * np.cos(np.pi * number / passes / 2)) for number in range(passes)]
    assert counted.masked == expected


def test_fewer_tokens_than_passes_still_take_all_passes():
    counted = Counted()
    keep = torch.ones(5, 3, dtype=torch.bool)
    keep[2] = False
    filled = fill(counted, random_codes(5, 0), keep, InfillOptions(passes=6))
    assert counted.masked == [3, 2, 1, 1, 1, 1]
    assert (filled < MODEL.mask).all()


def test_one_pass_is_one_run_of_the_network():
    codes = random_codes(12, 0)
    keep = torch.rand(12, 3, generator=torch.Generator().manual_seed(3)) < 0.5
    filled = fill(MODEL, codes, keep, InfillOptions(SamplingOptions(0.0), passes=1))
    logits = MODEL(torch.where(keep, codes, MODEL.mask)[None])[0]
    assert torch.equal(filled, torch.where(keep, codes, logits.argmax(-1)))


def test_the_same_seed_gives_the_same_tokens_and_another_others():
    codes = random_codes(30, 0)
    keep = torch.zeros(30, 3, dtype=torch.bool)
    first = fill(MODEL, codes, keep, seed=1)
    assert torch.equal(first, fill(MODEL, codes, keep, seed=1))
    assert not torch.equal(first, fill(MODEL, codes, keep, seed=2))


def test_top_p_leaves_only_the_likeliest(monkeypatch):
    codes = random_codes(200, 0)
    keep = torch.zeros(200, 3, dtype=torch.bool)
    logits = torch.tensor([0.6, 0.3, 0.1]).log()
    everywhere = torch.cat([logits, torch.full((5,), -40.0)]).expand(1, 200, 3, 8)
    monkeypatch.setattr(MaskedModel, "forward", lambda *args: everywhere)
    for top_p, count in ((0.5, 1), (0.7, 2), (1.0, 3)):
        options = InfillOptions(SamplingOptions(top_p=top_p), passes=1)
        assert len(fill(untrained(), codes, keep, options).unique()) == count


def test_without_noise_the_surest_token_is_settled_first(monkeypatch):
    codes = random_codes(10, 0)
    keep = torch.zeros(10, 3, dtype=torch.bool)
    logits = torch.zeros(1, 10, 3, 8)
    logits[0, 7, 0, 5] = 50.0
    seen = []

    def forward(self, given):
        seen.append(given[0].clone())
        return logits

    monkeypatch.setattr(MaskedModel, "forward", forward)
    fill(untrained(), codes, keep, InfillOptions(passes=4, mask_temperature=0))
    assert seen[1][7, 0] == 5
    assert (seen[1] == MODEL.mask).sum() == int(30 * np.cos(np.pi / 8))


def test_lower_levels_are_settled_before_upper_ones(monkeypatch):
    codes = random_codes(20, 0)
    keep = torch.zeros(20, 3, dtype=torch.bool)
    seen = []

    def forward(self, given):
        seen.append(given[0] == self.mask)
        return torch.zeros(1, 20, 3, 8)

    monkeypatch.setattr(MaskedModel, "forward", forward)
    fill(untrained(), codes, keep, InfillOptions(passes=8))
    for masked in seen:
        n_masked = masked.sum(0)
        assert (n_masked[1:] >= n_masked[:-1]).all()
        assert ((n_masked == 0) | (n_masked == 20)).sum() >= 2


def test_a_periodic_corpus_gets_its_period_back(tmp_path, monkeypatch):
    """Every fifth step is kept, of a period of six."""
    train(tmp_path / "m", monkeypatch, epochs=30)
    model = MaskedModel.load(tmp_path / "m")
    song = torch.from_numpy(periodic_song(60, 99)[:, :4])
    codes = model.head.quantiser.quantise(model.normalise(song))
    keep = torch.zeros_like(codes, dtype=torch.bool)
    keep[::5] = True
    free = ~keep.all(1).numpy()
    restored = [
        nearest_in_pattern(model, fill(model, codes, keep, seed=seed))[free] for seed in range(4)
    ]
    assert np.mean(np.stack(restored) == nearest_in_pattern(model, codes)[free]) > 0.9


def test_options_have_their_ranges():
    with pytest.raises(ParameterError, match="passes=0 must be an integer from 1 to 1000"):
        InfillOptions(passes=0)
    with pytest.raises(ParameterError, match="mask_temperature=-1 must be a finite number"):
        InfillOptions(mask_temperature=-1)
