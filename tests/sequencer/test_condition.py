"""Any architecture with any head goes with a condition of either kind."""

import json

import numpy as np
import pytest
import torch

from db.settings import DescriptorSettings
from files.errors import CheckpointError, ParameterError
from sequencer.augmentation import LEVEL, SEMITONES, Augmentation
from sequencer.averages import slow_averages
from sequencer.coarse import coarse_rows
from sequencer.condition import DROPPED_CONDITION
from sequencer.forecaster import Forecaster
from sequencer.loss import batch_loss
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.rollout import rollout
from sequencer.scorer import ForecasterScorer
from sequencer.track import Track
from sequencer.windows import Batch, Windows
from tests.sequencer.condition_toys import (
    KINDS,
    conditioned,
    conditions_of,
    rows_of,
    track,
    track_of,
)
from tests.sequencer.toys import SETTINGS, roll, song, toy

ALL = [
    (kind, architecture, head) for kind in KINDS for architecture in ARCHITECTURES for head in HEADS
]
STEPS = 11  # that are played
UNITS = song(STEPS + 9, 5)


def seed_of(model, steps=13):
    return model.normalise(torch.from_numpy(song(steps, 3)[None, :, :4].copy()))


def scorer_of(model):
    return ForecasterScorer(model, track=track_of(model))


@pytest.mark.parametrize(("kind", "name", "head"), ALL)
class TestConformance:
    def test_what_is_known_counts_and_what_is_not_does_not(self, kind, name, head):
        model = conditioned(kind, name, head)
        scores = seed_of(model, 20)
        averages = torch.zeros(1, 20, 12)
        rows = rows_of(model, scores, 0)
        assert rows.shape == (1, 20, model.condition.width)
        without = model(scores, averages)
        torch.testing.assert_close(model(scores, averages, 0, rows * torch.nan), without)
        changed = rows.clone()
        changed[:, 12:] += 1
        before, after = model(scores, averages, 5, rows), model(scores, averages, 5, changed)
        torch.testing.assert_close(before[:, :7], after[:, :7])
        assert not torch.isclose(before[:, 7:], after[:, 7:]).all(dim=-1).any()
        assert not torch.allclose(before, without[:, 5:])

    def test_a_search_hears_it_as_training_does(self, kind, name, head):
        model = conditioned(kind, name, head)
        made = scorer_of(model)
        made.begin(song(13, 3), UNITS)
        seed = seed_of(model)
        total = 0.0
        for unit in range(STEPS - 1):
            total += made.scores()[0, unit] + made.advance([0], [unit])[0]
        total += made.scores()[0, STEPS - 1]
        whole = torch.cat([seed, model.normalise(torch.from_numpy(UNITS[None, :STEPS, :4]))], 1)
        rows = rows_of(model, seed, STEPS - 1)
        averages = slow_averages(whole[:, :-1].numpy(), model.config.spans, delay=model.head.delay)
        averages = torch.from_numpy(averages)
        if head == "contrast":
            expected = model(whole[:, :-1], averages, seed.shape[1] - 1, rows)[0, -1]
            units = model.normalise(torch.from_numpy(UNITS[:, :4].copy()))
            ended = torch.full((len(units), model.head.n_following, 4), torch.nan)
            keys = model.head.key(torch.cat([units[:, None], ended], dim=1))
            said = (model.head.scale() * model.head.query(expected)[0] @ keys.T).log_softmax(-1)
            np.testing.assert_allclose(made.scores()[0], said.detach(), rtol=1e-4, atol=1e-3)
            return
        batch = Batch(whole, averages, torch.ones(1, STEPS), seed.shape[1] - 1, rows)
        with torch.no_grad():
            loss = float(batch_loss(model, batch)[0])
        scale = 2.0 if head == "point" else 1.0
        constant = STEPS * 2 * np.log(2 * np.pi) if head == "point" else 0.0
        assert total == pytest.approx(-scale * loss - constant, rel=1e-4, abs=1e-3)

    def test_save_and_load_give_the_same_output(self, kind, name, head, tmp_path):
        model = conditioned(kind, name, head)
        model.save(tmp_path / "m")
        loaded = Forecaster.load(tmp_path / "m")
        assert loaded.config.condition == model.config.condition
        scores = []
        for one in (model, loaded):
            scorer = scorer_of(one)
            scorer.begin(song(13, 3), UNITS)
            scores.append(scorer.scores())
        np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_rollout_hears_the_condition_as_training_does(kind, name):
    model = conditioned(kind, name, "point")
    forecast = rollout(model, [song(13, 3)], n_steps=STEPS, track=track_of(model))[0, 0]
    seed = seed_of(model)
    whole = torch.cat([seed, model.normalise(torch.from_numpy(forecast[None, :, :4]))], dim=1)
    rows = rows_of(model, seed, STEPS - 1)
    averages = torch.from_numpy(slow_averages(whole[:, :-1].numpy(), model.config.spans))
    hidden = model(whole[:, :-1], averages, seed.shape[1] - 1, rows)
    expected = model.head.projection(hidden).clamp(model.low, model.high)
    torch.testing.assert_close(whole[:, -STEPS:], expected, atol=1e-4, rtol=1e-4)


def test_variations_have_coarse_levels_of_their_own_and_a_seed_gives_the_same_bytes():
    model = conditioned("coarse")
    a, b = (rollout(model, [song(13, 3)], n_steps=9, variations=2)[0] for _ in "ab")
    assert a.tobytes() == b.tobytes()
    assert a[0].tobytes() != a[1].tobytes()
    both = conditions_of(model, seed_of(model).expand(2, -1, -1)).after(5, np.zeros(2))
    assert not torch.equal(both[0], both[1])


def test_a_track_is_followed_by_what_has_really_been_played():
    model = conditioned("track")
    scorer = scorer_of(model)
    scorer.begin(song(13, 3), UNITS)
    scorer.advance([0, 0], [4, 4], np.array([SETTINGS.hop_length, 30 * SETTINGS.hop_length]))
    early, late = scorer.scores()
    assert not np.allclose(early, late)
    scorer.begin(song(13, 3), UNITS)
    scorer.advance([0], [4])  # a usual step
    np.testing.assert_allclose(scorer.scores()[0], early, rtol=1e-5)


def test_some_excerpts_are_trained_on_without_and_the_others_with_noise():
    model = conditioned("coarse")
    model.condition.training = True  # but not its dropout
    model.condition.projection = torch.nn.Identity()
    rows = torch.ones(300, 3, model.condition.width)
    torch.manual_seed(0)
    values, known = model.condition(rows).chunk(2, dim=-1)
    model.eval()
    plain = model.condition(rows).chunk(2, dim=-1)[0]
    without = (known == 0).all(dim=2).all(dim=1)
    assert abs(without.float().mean() - DROPPED_CONDITION) < 0.08
    assert not values[without].any()
    assert torch.equal(values[~without, :, -1], plain[~without, :, -1])  # the place in the group
    assert not torch.isclose(values[~without, :, :-1], plain[~without, :, :-1]).any()


def test_windows_have_the_rows_of_their_steps():
    steps = [torch.arange(n).float()[:, None].repeat(1, 2) for n in (31, 50)]
    windows = Windows(steps, window=8, batch_size=3, context=4, conditions=[-x for x in steps])
    for batch in windows.epoch(np.random.default_rng(0)):
        assert torch.equal(batch.conditions, -batch.sequence[:, :-1])


@pytest.mark.parametrize("kind", ["plain", "coarse"])
def test_a_model_that_was_not_trained_with_a_track_refuses_one(kind):
    model = toy() if kind == "plain" else conditioned(kind)
    message = "not trained to go with another track; train one with.* --with NAME, or leave --with"
    other = track(conditioned("track"))
    with pytest.raises(ParameterError, match=message):
        rollout(model, [song(13, 3)], n_steps=3, track=other)
    with pytest.raises(ParameterError, match=message):
        ForecasterScorer(model, track=other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_a_condition_works_without(kind):
    model = conditioned(kind)
    assert np.isfinite(roll(model, song(13, 3), 5)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of_a_condition_change_as_the_steps_do(kind):
    """In training in all keys: rows of changed steps, or of a track that is changed alike."""
    settings = DescriptorSettings(n_mfcc=2, descriptors=("mfcc", "chroma"), units="onset")
    rng = np.random.default_rng(0)
    raw = rng.normal(3, 2, (60, settings.n_descriptors)).astype(np.float32)
    model = conditioned(kind, head="contrast", settings=settings, raw=raw)
    scores = model.normalise(torch.from_numpy(raw))
    frames = rng.normal(3, 2, (200, len(settings.frame_names))).astype(np.float32)
    ends = 1024 * np.arange(60)

    def rows(steps, semitones, louder):
        if kind == "coarse":
            return coarse_rows(model, steps)
        chroma = [settings.frame_names.index(f"chroma{i}") for i in range(12)]
        played = frames.copy()
        played[:, chroma] = np.roll(frames[:, chroma], semitones, axis=1)
        played[:, 0] += louder * float(model.std[0])
        return torch.from_numpy(Track(model, played).rows(ends))

    (before,) = Windows([scores], window=99, batch_size=1, conditions=[rows(scores, 0, 0)]).epoch()
    torch.manual_seed(1)
    after = Augmentation(model)(before)
    torch.manual_seed(1)
    semitones = int(torch.randint(SEMITONES, ()))
    expected = rows(after.sequence[0], semitones, LEVEL * float(torch.randn(())))
    torch.testing.assert_close(
        after.conditions[0], expected[:59], equal_nan=True, atol=1e-3, rtol=1e-3
    )
    assert not torch.allclose(after.conditions.nan_to_num(), before.conditions.nan_to_num())


def test_damaged_conditions_are_refused(tmp_path):
    for kind, change, message in [
        ("coarse", {"kind": "oracle"}, "oracle"),
        ("coarse", {"steps": 1}, "steps"),
        ("coarse", {"steps": "songs"}, "steps"),
        ("coarse", {"forecaster": {}}, "forecaster"),
        ("track", {"step_samples": 0}, "step_samples"),
        ("track", {"kind": "coarse"}, "condition"),
    ]:
        conditioned(kind).save(tmp_path / kind)
        path = tmp_path / kind / "config.json"
        good = json.loads(path.read_text())
        path.write_text(json.dumps({**good, "condition": {**good["condition"], **change}}))
        with pytest.raises(CheckpointError, match=message):
            Forecaster.load(tmp_path / kind)
    del good["condition"]
    path.write_text(json.dumps(good))
    with pytest.raises(CheckpointError, match="do not fit"):
        Forecaster.load(tmp_path / kind)
