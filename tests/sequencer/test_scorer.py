"""Scores of real units in a closed loop, against the loss of the sequences that are played."""

import numpy as np
import pytest
import torch

from files.errors import ParameterError
from sequencer.averages import slow_averages
from sequencer.loss import batch_loss
from sequencer.mixture import MIN_STD
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.sampling import SamplingOptions
from sequencer.scorer import ForecasterScorer
from sequencer.windows import Batch
from tests.sequencer.toys import generator, song, toy

ALL = [(architecture, head) for architecture in ARCHITECTURES for head in HEADS]
LIKELIHOODS = [(architecture, head) for architecture, head in ALL if head != "contrast"]
STEPS = 14  # that are played
UNITS = song(STEPS + 20, 5)


def scorer(model, seed, units=UNITS, **sampling):
    made = ForecasterScorer(model, SamplingOptions(**sampling))
    made.begin(seed, units)
    return made


def normalise(model, raw):
    return model.normalise(torch.from_numpy(np.ascontiguousarray(raw[None, :, :4])))


def log_likelihood(model, seed, played):
    """What the loss says of a sequence that is played after a seed."""
    whole = normalise(model, np.concatenate([seed, played]))
    inputs = whole[:, :-1].numpy()
    averages = slow_averages(inputs, model.config.spans, delay=model.head.delay)
    mask = torch.ones(1, len(played))
    batch = Batch(whole, torch.from_numpy(averages), mask, len(seed) - 1)
    with torch.no_grad():
        loss = float(batch_loss(model, batch)[0])
    if model.config.head == "point":  # the mean squared error of four descriptors
        return -2 * loss - len(played) * 2 * np.log(2 * np.pi)
    return -loss


def total_of(made, played):
    """Play units with one hypothesis; return its total when the last one is about to be played."""
    total = 0.0
    for unit in played[:-1]:
        total += made.scores()[0, unit]
        total += made.advance([0], [unit])[0]
    return total + made.scores()[0, played[-1]]


@pytest.mark.parametrize("seed_steps", [1, 2, 25])
@pytest.mark.parametrize(("name", "head"), LIKELIHOODS)
def test_scores_add_up_to_the_loss(name, head, seed_steps):
    model = toy(name, head)
    seed = song(40, 3)[:seed_steps]
    total = total_of(scorer(model, seed), list(range(STEPS)))
    assert total == pytest.approx(log_likelihood(model, seed, UNITS[:STEPS]), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(("name", "head"), LIKELIHOODS)
def test_hypotheses_keep_their_own_past_wherever_they_are(name, head):
    """Doubled, reordered and dropped between steps; each total is still its sequence's loss."""
    model = toy(name, head)
    seed = song(40, 3)[:9]
    rng = np.random.default_rng(0)
    made = scorer(model, seed)
    paths = [[]]
    totals = np.zeros(1)
    for _ in range(STEPS):
        rows = rng.integers(len(paths), size=5)
        units = rng.integers(len(UNITS), size=5)
        totals = totals[rows] + made.scores()[rows, units]
        paths = [[*paths[row], unit] for row, unit in zip(rows, units, strict=True)]
        gained = made.advance(rows, units)
        expected = [log_likelihood(model, seed, UNITS[path]) for path in paths]
        np.testing.assert_allclose(totals, expected, rtol=1e-4, atol=1e-3)
        totals = totals + gained


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_hypotheses_of_the_contrast_head_keep_their_own_past(name):
    model = toy(name, "contrast")
    seed = song(40, 3)[:9]
    made = scorer(model, seed)
    paths = [[]]
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        rows = rng.integers(len(paths), size=3)
        units = rng.integers(len(UNITS), size=3)
        paths = [[*paths[row], unit] for row, unit in zip(rows, units, strict=True)]
        made.advance(rows, units)
    for row, path in enumerate(paths):
        heard = scorer(model, seed)
        for unit in path:
            heard.advance([0], [unit])
        np.testing.assert_allclose(made.scores()[row], heard.scores()[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("name", "head"), ALL)
def test_a_rest_leaves_a_hypothesis_as_it_is(name, head):
    model = toy(name, head)
    seed = song(40, 3)[:9]
    made = scorer(model, seed)
    made.advance([0, 0, 0], [3, -1, 3])
    made.advance([2, 1, 0], [-1, 4, 7])
    assert made.advance([1, 0, 2], [-1, 5, -1])[0] == 0
    for row, path in enumerate([[4], [3, 5], [3, 7]]):
        alone = scorer(model, seed)
        for unit in path:
            alone.advance([0], [unit])
        np.testing.assert_allclose(made.scores()[row], alone.scores()[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_mixture_scores_are_those_of_the_plain_formula(temperature):
    """Also with the smallest standard deviations, where large terms cancel."""
    head = toy().head
    torch.nn.init.normal_(head.projection.weight, std=3.0, generator=generator())
    hidden = torch.randn(5, 16, generator=generator(1))
    recent = torch.randn(5, 8, 4, generator=generator(2))
    units = 3 * torch.randn(7, 4, generator=generator(3))
    logits, mean, std = head(hidden, head.predict(recent)[:, -1])
    assert std.min() < 1.01 * MIN_STD
    components = torch.distributions.Normal(
        mean[:, :, None].double(), temperature * std[:, :, None].double()
    )
    densities = components.log_prob(units.double()).sum(-1)  # (5, components, 7)
    weights = (logits.double() / temperature).log_softmax(-1)
    expected = (weights[..., None] + densities).logsumexp(1)
    powers = torch.cat([units**2, units], dim=1).double().T
    found = head.score(hidden, recent, powers, temperature)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-4)


def test_at_temperature_0_units_rank_by_their_distance_from_the_likeliest_mean():
    head = toy().head
    head.projection.bias.data[head.n_components + head.n * head.n_components :] = 0.0
    head.projection.weight.data[head.n_components + head.n * head.n_components :] = 0.0
    hidden = torch.randn(1, 16, generator=generator(1))
    recent = torch.randn(1, 8, 4, generator=generator(2))
    units = torch.randn(50, 4, generator=generator(3))
    logits, mean, _ = head(hidden, head.predict(recent)[:, -1])
    distance = torch.linalg.vector_norm(units - mean[0, logits[0].argmax()], dim=1)
    powers = torch.cat([units**2, units], dim=1).double().T
    scores = head.score(hidden, recent, powers, 0.0)
    assert torch.equal(scores[0].argsort(descending=True), distance.argsort())


@pytest.mark.parametrize("head", HEADS)
def test_less_temperature_parts_the_units_more(head):
    spreads = [
        scorer(toy("lstm", head), song(30), temperature=temperature).scores().std()
        for temperature in (0.0, 0.5, 1.0, 2.0)
    ]
    assert spreads == sorted(spreads, reverse=True)


def test_the_width_of_a_point_is_the_validation_error():
    model = toy("lstm", "point")
    wide = scorer(model, song(30)).scores()
    model.config.training["validation_loss"] = 0.25
    narrow = scorer(model, song(30)).scores()
    np.testing.assert_allclose(narrow - narrow.max(), 4 * (wide - wide.max()), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("seed", "units", "message"),
    [
        (song(9)[:0], UNITS, "the seed has 0 steps, but a forecast needs at least 1"),
        (song(9), UNITS[:, :5], r"units of shape \(34, 5\) do not fit the model: .*12"),
        (song(9), UNITS[:0], "at least one"),
        (song(9), np.full((3, 12), np.nan, np.float32), "unit 0 is not finite; repair it"),
    ],
)
def test_bad_seeds_and_units_are_refused(seed, units, message):
    with pytest.raises(ParameterError, match=message):
        ForecasterScorer(toy()).begin(seed, units)


@pytest.mark.parametrize(
    ("rows", "units", "message"),
    [
        ([1], [0], "row 1 is none of the 1 hypotheses"),
        ([0, -1], [0, 0], "row -1 is none"),
        ([0], [34], "unit 34 is none of the 34 units"),
        ([0], [-2], "unit -2 is none of the 34 units, counted from 0; -1 is a rest"),
        ([0, 0], [1], "must be of one length"),
    ],
)
def test_bad_moves_are_refused(rows, units, message):
    with pytest.raises(ParameterError, match=message):
        scorer(toy(), song(9)).advance(rows, units)
