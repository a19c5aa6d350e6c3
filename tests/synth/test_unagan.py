"""UNAGAN gives what the published model gives; its generator samples any length."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from files.errors import CheckpointError, ParameterError
from synth.generator import load_generator
from synth.mel import MelSettings
from synth.unagan import MelEncoder, UnaganConfig, build_unagan
from synth.unagan_generator import (
    BATCH_CHUNKS,
    CHUNK_FRAMES,
    FADE_FRAMES,
    OVERLAP_FRAMES,
    UnaganGenerator,
    _state_generator,
    chunk_plan,
)

MEL = MelSettings(n_mels=20)
TOY = UnaganConfig(z_channels=6, width=16)
FLAT = UnaganConfig(z_channels=6, width=16, upsamplings=())
LONG = 2 * CHUNK_FRAMES + 500


def generator(config=TOY):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = UnaganGenerator(config, MEL, training={"steps": 3})
    made.set_statistics(torch.linspace(-6, -3, MEL.n_mels), torch.linspace(1, 2, MEL.n_mels))
    return made.eval()


@pytest.mark.parametrize("layout", ["hierarchical", "nonhierarchical"])
def test_published_weights_give_the_published_mel(layout, fixtures):
    sizes = json.loads((fixtures / f"unagan_{layout}_layout.json").read_text())
    data = np.load(fixtures / f"unagan_{layout}_layout.npz")
    config = UnaganConfig(
        sizes["z_dim"], sizes["hidden_dim"], sizes["num_groups"], tuple(sizes["z_scale_factors"])
    )
    network = build_unagan(sizes["feat_dim"], config)
    network.load_state_dict(torch.load(fixtures / f"unagan_{layout}_layout.pt", weights_only=True))
    with torch.no_grad():
        mel = network(torch.from_numpy(data["z"]))
    np.testing.assert_allclose(mel, data["mel"], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "config", [TOY, FLAT, UnaganConfig(z_channels=6, width=16, upsamplings=(3, 2))]
)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_networks_keep_the_frames_per_step(config, steps):
    network = build_unagan(20, config)
    mel = network(torch.randn(2, 6, steps), torch.Generator().manual_seed(0))
    assert mel.shape == (2, 20, steps * network.frames_per_step)
    assert MelEncoder(20, config)(mel).shape == (2, 6, steps)


def test_encoder_refuses_a_part_of_a_step():
    with pytest.raises(ParameterError, match="17 frames must be a multiple of 16; cut or pad"):
        MelEncoder(20, TOY)(torch.zeros(1, 20, 17))


def test_initial_states_are_zeros_or_drawn_for_the_batch_or_for_each_row():
    network = build_unagan(20, TOY)
    z = torch.zeros(2, 6, 3)
    one = [network(z, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    each = network(z, [torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)])
    assert torch.equal(one[0], one[1])
    assert not torch.allclose(one[0], one[2])
    assert not torch.allclose(one[0][0], one[0][1])
    torch.testing.assert_close(each[0], each[1])
    assert not torch.allclose(each, network(z))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0 must be an integer from 1"),
        ({"width": 30}, "width=30 must be a multiple of groups=4"),
        ({"width": 4}, "and larger"),
        ({"upsamplings": (1, 2)}, "upsamplings.0.=1 must be an integer from 2 to 64"),
        ({"upsamplings": (2,) * 7}, "must be a list of at most 6 integers"),
        ({"upsamplings": (9, 9)}, "multiply to at most 64"),
    ],
)
def test_impossible_sizes_raise(options, message):
    with pytest.raises(ParameterError, match=message):
        UnaganConfig(**options)


@pytest.mark.parametrize("config", [TOY, FLAT])
@pytest.mark.parametrize("frames", [1, 15, 17, CHUNK_FRAMES, CHUNK_FRAMES + 1, LONG])
def test_sample_of_any_length(config, frames):
    mel = generator(config).sample(frames, random_seeds=[3])
    assert mel.shape == (1, 20, frames)
    assert mel.isfinite().all()
    assert mel.std() > 0.1


@pytest.mark.parametrize("frames", [40, LONG])
def test_sample_depends_on_its_seed_alone(frames):
    model = generator()
    seeds = [4, 0, 2**40, 7]
    together = model.sample(frames, random_seeds=seeds)
    assert torch.equal(together, model.sample(frames, random_seeds=seeds))
    for seed, mel in zip(seeds, together, strict=True):
        alone = model.sample(frames, random_seeds=[seed])
        assert torch.equal(alone, model.sample(frames, random_seeds=[seed]))
        torch.testing.assert_close(mel, alone[0], rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().mean() > 0.1


def test_sample_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    generator().sample(40, random_seeds=[0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_sample_is_never_below_silence():
    model = generator()
    model.set_statistics(torch.full((20,), MEL.silence), torch.ones(20))
    assert model.sample(40, random_seeds=[0]).min() == pytest.approx(MEL.silence)


@pytest.mark.parametrize("per_step", [1, 6, 16])
@pytest.mark.parametrize("chunks", [1.0, 1.01, 2.5, 20.0])
def test_chunks_cover_every_step_with_little_to_spare(per_step, chunks):
    steps = int(chunks * CHUNK_FRAMES / per_step)
    length, starts = chunk_plan(steps, per_step)
    assert length * per_step <= CHUNK_FRAMES
    assert starts[0] == 0
    assert steps <= starts[-1] + length < steps + len(starts)
    assert all((a + length - b) * per_step >= OVERLAP_FRAMES for a, b in pairwise(starts))


def test_long_samples_go_through_in_bounded_pieces():
    model = generator()
    shapes = []
    model.network.register_forward_hook(lambda _, args, mel: shapes.append(tuple(mel.shape)))
    model.sample(10 * CHUNK_FRAMES, random_seeds=[0, 1])
    assert sum(rows for rows, _, _ in shapes) == 26  # 13 chunks of each
    assert max(rows for rows, _, _ in shapes) == BATCH_CHUNKS
    assert max(frames for _, _, frames in shapes) <= CHUNK_FRAMES


def change_at_joins(config, *, width):
    """Mean frame-to-frame change within `width` frames of the joins, relative to that elsewhere."""
    frames = 8 * CHUNK_FRAMES
    change = (
        generator(config).sample(frames, random_seeds=[0, 1, 2]).diff(dim=-1).abs().mean(dim=(0, 1))
    )
    length, starts = chunk_plan(frames // config.frames_per_step, config.frames_per_step)
    joins = torch.zeros(frames - 1, dtype=torch.bool)
    for before, after in pairwise(starts):
        middle = (before + length + after) * config.frames_per_step // 2
        joins[middle - width // 2 - 1 : middle + width // 2 - 1] = True
    return (change[joins].mean() / change[~joins].mean()).item()


@pytest.mark.parametrize("config", [TOY, FLAT])
def test_chunk_joins_do_not_stick_out(config):
    assert change_at_joins(config, width=FADE_FRAMES) == pytest.approx(1, abs=0.03)


def test_every_chunk_of_every_clip_begins_with_states_of_its_own():
    firsts = {
        float(torch.randn(1, generator=_state_generator(seed, chunk)))
        for seed in range(3)
        for chunk in range(3)
    }
    assert len(firsts) == 9


def test_chunk_joins_would_stick_out_without_overlap(monkeypatch):
    monkeypatch.setattr("synth.unagan_generator.OVERLAP_FRAMES", 1)
    monkeypatch.setattr("synth.unagan_generator.FADE_FRAMES", 1)
    assert change_at_joins(FLAT, width=4) > 1.1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("unagan", "width"), 32, "do not fit"),
        (("unagan", "width"), "wide", "width='wide' must be an integer from 1"),
        (("unagan", "upsamplings"), [], "do not fit"),
        (("unagan", "upsamplings"), 2, "upsamplings=2 must be a list"),
        (("unagan", "colour"), 1, "unknown 'colour'; known are z_channels"),
        (("unagan",), None, "damaged: unagan=null must be an object"),
        (("mel", "n_mels"), 0, "n_mels=0 must be an integer from 1"),
        (("mel", "colour"), 0, "unknown or missing"),
        (("kind",), "vocoder", "holds a vocoder, not a generator"),
    ],
)
def test_damaged_config_raises(path, value, message, tmp_path):
    generator().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    *folders, last = path
    part = config
    for name in folders:
        part = part[name]
    part[last] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        load_generator(tmp_path)


def test_normalise_is_undone_by_denormalise():
    model = generator()
    mel = torch.randn(2, 20, 5)
    torch.testing.assert_close(model.denormalise(model.normalise(mel)), mel)
    assert model.normalise(model.mean[:, None].expand(20, 5)).abs().max() == 0


def test_statistics_of_another_mel_raise():
    with pytest.raises(ParameterError, match=r"shapes \(80,\), \(80,\) must be \(20,\) each"):
        generator().set_statistics(torch.zeros(80), torch.ones(80))


@pytest.mark.parametrize("frames", [0, -1, 2.0, True])
def test_impossible_lengths_raise(frames):
    with pytest.raises(ParameterError, match="must be a positive integer"):
        generator().sample(frames, random_seeds=[0])


@pytest.mark.parametrize("seeds", [[], [-1], [0.5]])
def test_impossible_seeds_raise(seeds):
    with pytest.raises(ParameterError, match="integers of at least 0, one per clip"):
        generator().sample(10, random_seeds=seeds)


def test_one_batch_is_overfitted_by_generator_and_encoder_together():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = UnaganConfig(z_channels=6, width=16, upsamplings=(2,))
        network = build_unagan(20, config)
        encoder = MelEncoder(20, config)
        mel = torch.randn(2, 20, 4)
        optimiser = torch.optim.Adam([*network.parameters(), *encoder.parameters()], 3e-3)
        losses = []
        for _ in range(40):
            losses.append(F.l1_loss(network(encoder(mel)), mel))
            optimiser.zero_grad()
            losses[-1].backward()
            optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
