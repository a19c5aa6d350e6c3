"""The head that chooses among units, and the augmentation it is trained with."""

import math

import numpy as np
import pytest
import torch

from db.descriptors.derived import static_columns
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from files.errors import ParameterError
from sequencer.augmentation import Augmentation
from sequencer.averages import slow_averages
from sequencer.evaluate import evaluate
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.loss import batch_loss
from sequencer.rollout import rollout
from sequencer.scorer import ForecasterScorer
from sequencer.windows import Batch, Windows
from tests.sequencer.toys import NORMALISER, SONGS, TOY, generator, song, toy, train

N_FOLLOWING = 4


def model():
    return toy("lstm", "contrast")


def followers(rows):
    """The rows after each, NaN past the end."""
    ended = np.full((N_FOLLOWING, rows.shape[1]), np.nan, np.float32)
    padded = np.concatenate([rows, ended])
    return np.stack([padded[i + 1 : i + 1 + N_FOLLOWING] for i in range(len(rows))])


def batch(rows, n_context=0, mask=None):
    """Sequences (batch, steps, n) as a batch."""
    averages = torch.from_numpy(slow_averages(rows[:, :-1].numpy(), (64, 512, "all")))
    mask = torch.ones(len(rows), rows.shape[1] - 1 - n_context) if mask is None else mask
    return Batch(rows, averages, mask, n_context)


def test_scores_are_the_log_probability_of_being_chosen():
    units = song(30, 5)
    scorer = ForecasterScorer(model())
    assert scorer.n_following == N_FOLLOWING
    scorer.begin(song(9), units, followers(units))
    np.testing.assert_allclose(np.exp(scorer.scores()).sum(axis=1), 1, rtol=1e-5)


def test_scores_are_by_what_follows_a_unit_but_not_by_what_precedes_it():
    units = song(30, 5)
    after = followers(units)
    scorer = ForecasterScorer(model())
    scorer.begin(song(9), units, after)
    scores = scorer.scores()[0]
    scorer.begin(song(9), units[10:], after[10:])
    alone = scorer.scores()[0]
    np.testing.assert_allclose(alone - alone[0], scores[10:] - scores[10], atol=1e-4)
    after[12] += 1.0
    scorer.begin(song(9), units, after)
    changed = np.abs(scorer.scores()[0] - scores - (scorer.scores()[0] - scores)[0]) > 1e-4
    assert np.flatnonzero(changed).tolist() == [12]


def test_affinities_in_parts_are_those_of_all():
    units = song(30, 5)
    after = followers(units)
    scorer = ForecasterScorer(model())
    assert scorer.has_affinities
    whole = scorer.affinities(song(9), units, after)
    parts = [
        scorer.affinities(song(9), units[rows], after[rows]) for rows in (slice(11), slice(11, 30))
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert whole.std() > 0.01
    assert not np.allclose(scorer.affinities(song(9, 2), units, after), whole, atol=1e-3)
    assert not ForecasterScorer(toy()).has_affinities


def test_following_units_must_fit():
    with pytest.raises(ParameterError, match=r"\(30, 3, 12\) do not fit .* must be \(30, 4, 12\)"):
        ForecasterScorer(model()).begin(song(9), song(30), followers(song(30))[:, :3])


def test_the_loss_is_that_of_choosing_at_random_if_all_keys_are_alike():
    made = model()
    torch.nn.init.zeros_(made.head.keys[-1].weight)
    rows = torch.randn(3, 21, 4, generator=generator())
    mask = torch.ones(3, 20)
    mask[1, 10:] = 0
    loss, n_targets = batch_loss(made, batch(rows, mask=mask))
    assert n_targets == 50
    assert float(loss.detach() / n_targets) == pytest.approx(math.log(50), rel=1e-4)


def test_masked_steps_are_no_candidates_and_follow_nothing():
    made = model()
    rows = torch.randn(2, 21, 4, generator=generator())
    mask = torch.ones(2, 20)
    mask[1, 12:] = 0
    before, _ = batch_loss(made, batch(rows, mask=mask))
    rows[1, 13:] += 5.0
    after, _ = batch_loss(made, batch(rows, mask=mask))
    torch.testing.assert_close(after, before)


def test_a_batch_without_targets_has_no_loss():
    rows = torch.randn(2, 9, 4, generator=generator())
    loss, _ = batch_loss(model(), batch(rows, mask=torch.zeros(2, 8)))
    loss.backward()
    assert float(loss.detach()) == 0


def test_it_learns_to_find_what_follows(tmp_path):
    summary = train(tmp_path / "m", head="contrast", epochs=30, validate_steps=1000)
    chance = math.log(119)
    assert summary.validation_loss < chance - 1
    scorer = ForecasterScorer(Forecaster.load(tmp_path / "m"))
    rows = song(120, 9)
    ranks = []
    for now in range(20, 100, 4):
        scorer.begin(rows[:now], rows, followers(rows))
        ranks.append((scorer.scores()[0] > scorer.scores()[0, now]).sum())
    assert np.median(ranks) < 30  # 60 by chance


def test_it_cannot_forecast_without_units():
    message = "with head contrast chooses among units .* use demiurge render, or train with --head"
    with pytest.raises(ParameterError, match=message):
        rollout(model(), [song(20)], n_steps=3)
    with pytest.raises(ParameterError, match=message):
        evaluate({"mine": model()}, SONGS)


def chroma_settings():
    return DescriptorSettings(n_mfcc=2, descriptors=("mfcc", "chroma"), units="onset")


def test_augmentation_transposes_all_of_a_batch_alike():
    """Undone in raw descriptors, by the shift that fits best, nothing but the level has changed."""
    settings = chroma_settings()
    rng = np.random.default_rng(0)
    raw = rng.normal(3, 2, (60, settings.n_descriptors)).astype(np.float32)
    normaliser = fit_normaliser([raw], settings.n_descriptors)
    columns = static_columns(settings)
    names = [settings.names[column] for column in columns]
    scores = torch.from_numpy(normaliser.apply(raw)[:, columns])
    windows = Windows([scores], window=100, batch_size=1)
    (before,) = windows.epoch()
    forecaster = Forecaster(ForecasterConfig("lstm", settings, "contrast", TOY["lstm"]))
    forecaster.set_statistics(normaliser, low=scores.amin(0), high=scores.amax(0))
    augmentation = Augmentation(forecaster)
    torch.manual_seed(1)
    after = augmentation(before)
    mean, std = (torch.from_numpy(part[columns]) for part in (normaliser.mean, normaliser.std))
    for suffix in ("", "_std"):
        chroma = [names.index(f"chroma{i}{suffix}") for i in range(12)]
        old = (before.sequence * std + mean)[..., chroma]
        new = (after.sequence * std + mean)[..., chroma]
        shifts = [float((old.roll(i, -1) - new).abs().max()) for i in range(12)]
        assert min(shifts) < 1e-4 < shifts[0]
    level = names.index("mfcc0")
    offset = (after.sequence - before.sequence)[..., level]
    assert float(offset.std()) < 1e-5 < abs(float(offset.mean()))
    others = [i for i, name in enumerate(names) if "chroma" not in name and i != level]
    assert torch.allclose(before.sequence[..., others], after.sequence[..., others], atol=1e-5)
    again = slow_averages(after.sequence[:, :-1].numpy(), (64, 512, "all"))
    np.testing.assert_allclose(after.averages, again, atol=1e-4)


def test_augmentation_without_chroma_changes_the_level_only():
    scores = torch.from_numpy(NORMALISER.apply(song(40))[:, :4].copy())
    (before,) = Windows([scores], window=50, batch_size=1).epoch()
    after = Augmentation(model())(before)
    torch.testing.assert_close(after.sequence[..., 1:], before.sequence[..., 1:])
    assert not torch.allclose(after.sequence[..., 0], before.sequence[..., 0])
