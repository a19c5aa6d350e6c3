"""Every architecture with every head goes through these, at toy width."""

import numpy as np
import pytest
import torch

from files.errors import ParameterError
from sequencer.averages import SPANS, slow_averages
from sequencer.forecaster import Forecaster
from sequencer.loss import batch_loss
from sequencer.names import ARCHITECTURES as ARCHITECTURE_NAMES
from sequencer.names import HEADS as HEAD_NAMES
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.rollout import rollout
from sequencer.sampling import SamplingOptions
from sequencer.scorer import ForecasterScorer
from sequencer.train import ForecasterOptions
from sequencer.windows import Windows
from tests.sequencer.toys import (
    FORECASTING,
    generator,
    roll,
    song,
    toy,
)

# Left of the loss when one batch is overfitted; of a likelihood, 3 nats are gone.
LEFT = {"point": 0.2, "tokens": 0.3, "contrast": 0.5}
ALL = [(architecture, head) for architecture in ARCHITECTURES for head in HEADS]


@pytest.mark.parametrize(("name", "head"), ALL)
class TestConformance:
    def test_shapes(self, name, head):
        model = toy(name, head)
        x = torch.zeros(5, 11, 4)
        averages = torch.zeros(5, 11, 4 * len(SPANS))
        assert model(x, averages).shape == (5, 11, model.architecture.hidden_size)
        assert model(x, averages, 6).shape == (5, 5, model.architecture.hidden_size)

    def test_is_causal(self, name, head):
        model = toy(name, head)
        x = torch.randn(1, 20, 4, generator=generator())
        changed = x.clone()
        changed[:, 15:] += 1
        before, after = (
            model(y, torch.from_numpy(slow_averages(y.numpy(), SPANS, delay=model.head.delay)), 3)
            for y in (x, changed)
        )
        torch.testing.assert_close(before[:, :12], after[:, :12])
        assert not torch.allclose(before[:, 12:], after[:, 12:])

    def test_state_goes_on_where_it_was(self, name, head):
        model = toy(name, head)
        x = torch.randn(2, 40, model.head.input_size(4) + 4 * len(SPANS), generator=generator())
        state = model.architecture.prime(x[:, :7])
        whole, _ = model.architecture(x[:, 7:], state)
        parts = []
        for first, last in ((7, 20), (20, 21), (21, 22), (22, 40)):
            hidden, state = model.architecture(x[:, first:last], state)
            parts.append(hidden)
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)

    def test_save_and_load_give_the_same_output(self, name, head, tmp_path):
        model = toy(name, head)
        model.save(tmp_path / "m")
        loaded = Forecaster.load(tmp_path / "m")
        np.testing.assert_array_equal(*(scores(m, song(30)) for m in (model, loaded)))

    def test_one_batch_is_overfitted(self, name, head):
        model = toy(name, head)
        windows = Windows(
            [model.normalise(torch.from_numpy(song(40)[:, :4]))],
            window=19,
            batch_size=2,
            context=12,
        )
        batch = next(windows.epoch())
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(150):
            loss, n = batch_loss(model, batch)
            optimiser.zero_grad()
            (loss / n).backward()
            optimiser.step()
            losses.append(float((loss / n).detach()))
        assert losses[-1] < (LEFT[head] * losses[0] if head in LEFT else losses[0] - 3)


def scores(model, seed):
    """What a model says of some units after a seed."""
    scorer = ForecasterScorer(model)
    scorer.begin(seed, song(20, 5))
    return scorer.scores()


@pytest.mark.parametrize("head", FORECASTING)
@pytest.mark.parametrize("name", ARCHITECTURES)
class TestForecasts:
    def test_a_batch_gives_what_each_of_its_rows_gives(self, name, head):
        model = toy(name, head)
        seeds = [song(30, 1), song(30, 2), song(37, 3)]
        together = rollout(model, seeds, n_steps=9, sampling=SamplingOptions(temperature=0.0))
        for seed, rows in zip(seeds, together[:, 0], strict=True):
            np.testing.assert_allclose(roll(model, seed, 9, temperature=0.0), rows, atol=1e-3)

    def test_a_loaded_model_forecasts_the_same(self, name, head, tmp_path):
        model = toy(name, head)
        model.save(tmp_path / "m")
        loaded = Forecaster.load(tmp_path / "m")
        np.testing.assert_array_equal(*(roll(m, song(30), 9) for m in (model, loaded)))

    def test_variations_differ_with_a_distribution_only(self, name, head):
        model = toy(name, head)
        a, b = rollout(model, [song(30)], n_steps=9, variations=2)[0]
        assert (a.tobytes() == b.tobytes()) == (head == "point")


def test_attention_with_its_cache_equals_attention_over_the_whole_history():
    model = toy("transformer-encoder")
    x = torch.randn(1, 60, 4 * (1 + len(SPANS)), generator=generator())
    whole, _ = model.architecture(x)
    state = None
    parts = []
    for i in range(60):
        hidden, state = model.architecture(x[:, i : i + 1], state)
        parts.append(hidden)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert state[0].keys.shape[2] == 9  # span - 1, however long the history


def test_names_are_those_of_the_registries():
    assert list(ARCHITECTURE_NAMES) == list(ARCHITECTURES)
    assert list(HEAD_NAMES) == list(HEADS)


def test_unknown_parts_are_refused():
    with pytest.raises(
        ParameterError, match="unknown architecture 'oracle'; known are lstm, lstm-seq2seq"
    ):
        ForecasterOptions(architecture="oracle")
    with pytest.raises(
        ParameterError, match="unknown head 'oracle'; known are point, mixture, tokens, contrast"
    ):
        ForecasterOptions(head="oracle")


def test_some_excerpts_are_trained_on_without_averages():
    """With dropout off, rows differ only where their averages were dropped."""
    model = toy()
    model.training = True  # its parts are not
    x = torch.zeros(200, 3, 4)
    averages = torch.ones(200, 3, 4 * len(SPANS))
    torch.manual_seed(0)
    trained = model(x, averages)
    model.eval()
    without = torch.isclose(trained, model(x, 0 * averages)).all(dim=2).all(dim=1)
    kept = torch.isclose(trained, model(x, averages)).all(dim=2).all(dim=1)
    assert (without | kept).all()
    assert 0.2 < without.float().mean() < 0.4
