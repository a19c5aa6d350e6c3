"""The masked model: its network, its masks, its training and its checkpoint."""

import json
from typing import NamedTuple

import numpy as np
import pytest
import torch

from files.errors import CheckpointError, DatabaseError, ParameterError
from sequencer.attention import LocalAttention
from sequencer.forecaster import Forecaster
from sequencer.mask_schedule import draw_masks, masked_share, spread
from sequencer.masked import MaskedModel
from sequencer.masked_loss import masked_loss
from sequencer.token_windows import TokenWindows
from sequencer.train_masked import MaskedOptions, train_masked
from tests.sequencer import toys
from tests.sequencer.masked_toys import NORMALISER, SETTINGS, SONGS, train, untrained


class CodecLevel(NamedTuple):
    """A level of a codec without projections."""

    codebook: np.ndarray
    by_angle: bool = False
    in_weight: None = None
    in_bias: None = None
    out_weight: None = None
    out_bias: None = None


def codes_of(*shape, seed=0):
    return torch.randint(0, 8, shape, generator=torch.Generator().manual_seed(seed))


def test_each_masked_token_has_logits_that_hear_both_sides():
    model = untrained()
    codes = codes_of(1, 20, 3)
    codes[0, 10] = model.mask
    logits = model(codes)
    assert logits.shape == (1, 20, 3, 8)
    for other in (7, 13):
        changed = codes.clone()
        changed[0, other, 0] = (changed[0, other, 0] + 1) % 8
        assert not torch.allclose(model(changed)[0, 10], logits[0, 10])
    changed = codes.clone()
    changed[0, 17] = 0  # beyond the five steps that the layer reaches
    torch.testing.assert_close(model(changed)[0, 10], logits[0, 10])


def test_padding_changes_nothing():
    model = untrained()
    codes = codes_of(1, 9, 3)
    padded = torch.cat([codes, torch.zeros(1, 30, 3, dtype=torch.int64)], dim=1)
    real = torch.arange(39)[None] < 9
    torch.testing.assert_close(model(padded, real)[:, :9], model(codes), atol=1e-5, rtol=1e-4)
    assert torch.isfinite(model(padded, real)).all()


def test_a_long_sequence_in_chunks_equals_the_whole(monkeypatch):
    attention = LocalAttention(8, n_heads=2, reach=3, dropout=0.0).eval()
    x = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(0))
    real = torch.arange(50)[None] < torch.tensor([[50], [20]])
    whole = attention(x, real)
    monkeypatch.setattr("sequencer.attention.CHUNK_STEPS", 7)
    torch.testing.assert_close(attention(x, real), whole)


def test_only_distances_count():
    """Early and late in a sequence, the same surroundings give the same answer."""
    model = untrained()
    codes = codes_of(1, 11, 3)
    late = torch.cat([codes_of(1, 100, 3, seed=1), codes], dim=1)
    early = torch.cat([codes_of(1, 20, 3, seed=1)[:, -5:], codes], dim=1)
    late[:, 95:100] = early[:, :5]
    torch.testing.assert_close(model(late)[:, 105], model(early)[:, 10], atol=1e-4, rtol=1e-3)


def test_masked_share_goes_from_all_to_none_as_a_cosine():
    shares = [masked_share(r) for r in (0, 1 / 3, 0.5, 2 / 3, 1)]
    assert shares == pytest.approx([1, 3**0.5 / 2, 0.5**0.5, 0.5, 0])


def test_spread_is_more_even_than_chance_and_goes_on():
    numbers = spread(0, 64).numpy()
    counts = np.histogram(numbers, 16, (0, 1))[0]
    assert counts.min() >= 3
    assert counts.max() <= 5
    np.testing.assert_array_equal(numbers[40:], spread(40, 24).numpy())


def test_drawn_masks_have_their_share_and_half_of_them_mask_whole_steps():
    r = torch.tensor([0.5, 0.5, 0.0, 1.0])
    codes = torch.zeros(4, 4000, 3, dtype=torch.int64)
    masks = draw_masks(codes, r, torch.Generator().manual_seed(0))
    share = masks.float().mean((1, 2))
    np.testing.assert_allclose(share, [0.707, 0.707, 1, 0], atol=0.03)
    whole = masks[:2].all(-1).float().mean(1)
    np.testing.assert_allclose(whole, [0.707**3, 0.707], atol=0.03)


def test_only_masked_real_tokens_are_in_the_loss():
    model = untrained()
    windows = TokenWindows([codes_of(9, 3), codes_of(5, 3)], window=16, batch_size=2)
    batch = next(windows.epoch())
    assert batch.real.sum(1).tolist() == [5, 9]
    masks = torch.zeros(2, 9, 3, dtype=torch.bool)
    masks[0, 3:] = True  # of which four steps are padding
    masks[1, 2, 1] = True
    loss, n = masked_loss(model, batch, masks, smoothing=0.0)
    assert n == 2 * 3 + 1
    codes = batch.codes.masked_fill(masks | ~batch.real[..., None], model.mask)
    likelihood = model(codes, batch.real).log_softmax(-1)
    counted = masks & batch.real[..., None]
    expected = -likelihood.gather(-1, batch.codes[..., None])[..., 0][counted].sum()
    torch.testing.assert_close(loss, expected)
    smoothed, _ = masked_loss(model, batch, masks)
    torch.testing.assert_close(
        smoothed, 0.9 * expected - 0.1 * likelihood.mean(-1)[counted].sum(), atol=1e-4, rtol=1e-4
    )


def test_an_epoch_holds_every_step_once():
    sequences = [torch.arange(n)[:, None] + 1000 * n for n in (70, 5, 1)]
    windows = TokenWindows(sequences, window=16, batch_size=3)
    for rng in (None, np.random.default_rng(1)):
        batches = list(windows.epoch(rng))
        steps = torch.cat([batch.codes[batch.real] for batch in batches])
        assert sorted(steps[:, 0].tolist()) == sorted(torch.cat(sequences)[:, 0].tolist())
    of_ranks = [list(windows.epoch(np.random.default_rng(1), share=(rank, 2))) for rank in (0, 1)]
    assert len(of_ranks[0]) == len(of_ranks[1])
    shared = torch.cat([batch.codes[batch.real] for part in of_ranks for batch in part])
    assert sorted(shared[:, 0].tolist()) == sorted(steps[:, 0].tolist())


def test_save_and_load_give_the_same_output(tmp_path):
    model = untrained()
    model.save(tmp_path / "m")
    loaded = MaskedModel.load(tmp_path / "m")
    codes = codes_of(1, 20, 3)
    assert torch.equal(loaded(codes), model(codes))
    assert loaded.config == model.config


def test_other_models_are_refused_by_name(tmp_path):
    untrained().save(tmp_path / "m")
    toys.toy().save(tmp_path / "f")
    with pytest.raises(CheckpointError, match="f holds a forecaster, not a masked model"):
        MaskedModel.load(tmp_path / "f")
    with pytest.raises(CheckpointError, match="m holds a masked model, not a forecaster"):
        Forecaster.load(tmp_path / "m")


def test_damaged_checkpoints_are_refused(tmp_path):
    untrained().save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    good = json.loads(config.read_text())
    for change, message in [
        ({"version": 99}, "version 99, this Demiurge knows versions up to 1"),
        ({"sizes": {"dim": 12, "n_heads": 4}}, "dim=12 must be a multiple of twice n_heads"),
        ({"sizes": {"depth": 3}}, "unknown 'depth'; known are dim, n_layers"),
        ({"sizes": {"dim": 32}}, "do not fit"),
        ({"head_sizes": {"levels": 0}}, "levels=0 must be an integer from 1"),
        ({"descriptors": {}}, "descriptor settings differ from this version's"),
    ]:
        config.write_text(json.dumps({**good, **change}))
        with pytest.raises(CheckpointError, match=message):
            MaskedModel.load(tmp_path / "m")


def test_the_same_seed_trains_the_same_bytes_and_a_resumed_training_too(tmp_path, monkeypatch):
    for name, epochs in (("whole", 3), ("again", 3), ("parts", 1)):
        train(tmp_path / name, monkeypatch, epochs=epochs)
    summary = train(tmp_path / "parts", monkeypatch, epochs=3, resume=True)
    assert summary.validation_losses[-1] < summary.validation_losses[0]
    weights = [
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "again", "parts")
    ]
    assert weights[0] == weights[1] == weights[2]


def test_the_codes_of_a_codec_are_learnt_by_its_own_codebooks(tmp_path):
    rng = np.random.default_rng(0)
    levels = [CodecLevel(rng.normal(size=(8, 4)).astype(np.float32)) for _ in range(2)]
    train_masked(
        SONGS,
        tmp_path / "m",
        settings=SETTINGS,
        normaliser=NORMALISER,
        options=MaskedOptions(steps=1, window=8),
        levels=levels,
    )
    model = MaskedModel.load(tmp_path / "m")
    assert (model.levels, model.mask, model.head.quantiser.of_codec) == (2, 8, True)
    codes = torch.tensor([[3, 5]])
    restored = model.denormalise(model.head.quantiser.restore(codes)).numpy()
    expected = levels[0].codebook[3] + levels[1].codebook[5]
    np.testing.assert_allclose(restored[0], expected, rtol=1e-4, atol=1e-4)


def test_a_forecaster_is_not_resumed_as_a_masked_model(tmp_path, monkeypatch):
    toys.toy().save(tmp_path / "f")
    with pytest.raises(CheckpointError, match="holds a forecaster, not a masked model"):
        train(tmp_path / "f", monkeypatch, resume=True)


def test_a_database_of_other_settings_cannot_resume(tmp_path):
    untrained().save(tmp_path / "m")
    with pytest.raises(DatabaseError, match="n_mfcc"):
        train_masked(
            SONGS,
            tmp_path / "m",
            settings=type(SETTINGS)(n_mfcc=5),
            normaliser=NORMALISER,
            options=MaskedOptions(),
            resume=True,
        )


def test_options_have_their_ranges():
    with pytest.raises(ParameterError, match="window=0 must be at least 1"):
        MaskedOptions(window=0)
