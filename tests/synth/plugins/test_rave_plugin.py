"""Sound from an export of RAVE and its prior: exact, the same of the same seed, joined, refused."""

import numpy as np
import pytest
import torch

from files.errors import CheckpointError, ParameterError
from synth.plugins.open_plugin import open_plugin
from tests.synth.rave_toy_parts import HOP, RATE
from tests.synth.rave_toys import RavePrior, save_prior, save_rave, save_script


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rave")
    save_rave(folder / "with.ts", "streaming", has_prior=True)
    save_rave(folder / "without.ts", "v2")
    save_rave(folder / "stereo.ts", "v1", stereo=True)
    save_rave(folder / "discrete.ts", "discrete")
    save_prior(folder / "prior.ts", "prior")
    save_prior(folder / "msprior.ts", "msprior")
    return folder


PAIRS = [
    ("with.ts", None),
    ("without.ts", "prior.ts"),
    ("stereo.ts", "prior.ts"),
    ("discrete.ts", "msprior.ts"),
]


def opened(folder, file, prior=None):
    return open_plugin(f"rave:{folder / file}", prior=prior and folder / prior)


@pytest.mark.parametrize(("file", "prior"), PAIRS)
def test_seconds_are_exact_and_the_same_seed_gives_the_same_bytes(folder, file, prior):
    plugin = opened(folder, file, prior)
    first = plugin.generate(0.33333, random_seed=1)
    assert first.shape == (2 if file == "stereo.ts" else 1, round(0.33333 * RATE))
    assert first.std() > 0.001
    other = plugin.generate(0.33333, random_seed=2)
    again = opened(folder, file, prior).generate(0.33333, random_seed=1)
    np.testing.assert_array_equal(plugin.generate(0.33333, random_seed=1), first)
    np.testing.assert_array_equal(again, first)
    assert not np.array_equal(other, first)


def test_prior_of_the_same_latents_has_a_part_in_name_and_hash(folder):
    plugin = opened(folder, "without.ts", "prior.ts")
    assert plugin.name == "rave without.ts with prior prior.ts"
    assert plugin.hash != opened(folder, "stereo.ts", "prior.ts").hash
    assert len(plugin.hash) == 32
    assert plugin.licence == "unknown"


def test_export_without_a_prior_says_what_can_be_done(folder):
    with pytest.raises(CheckpointError, match=r"without\.ts: it has no prior,.* --prior FILE, or"):
        opened(folder, "without.ts")


@pytest.mark.parametrize(
    ("file", "prior", "message"),
    [
        ("discrete.ts", "without.ts", r"without\.ts: no prior, as its method takes or gives audio"),
        ("with.ts", "none.ts", r"none\.ts: cannot be read"),
    ],
)
def test_file_that_is_no_prior_is_refused(folder, file, prior, message):
    with pytest.raises(CheckpointError, match=message):
        opened(folder, file, prior)


def test_prior_of_another_rave_is_refused_with_both_sizes(folder):
    save_prior(folder / "wide.ts", latent_size=6)
    with pytest.raises(
        CheckpointError, match=r"wide\.ts: it makes 6 latents of 16 samples, but .* decodes 4 of 16"
    ):
        opened(folder, "without.ts", "wide.ts")


def test_prior_that_needs_more_than_itself_is_refused(folder):
    model = RavePrior(4)
    model.forward_params = torch.tensor([3, HOP, 4, HOP])
    save_script(folder / "hungry.ts", model)
    with pytest.raises(CheckpointError, match="it takes 3 numbers a frame, more than a prior"):
        opened(folder, "without.ts", "hungry.ts")


def test_prior_whose_sizes_are_wrong_is_refused(folder):
    model = RavePrior(6)
    model.forward_params = torch.tensor([1, HOP, 4, HOP])
    save_script(folder / "wrong.ts", model)
    with pytest.raises(CheckpointError, match=r"forward gives \(1, 6, 2\), where its sizes imply"):
        opened(folder, "without.ts", "wrong.ts")


def test_prior_that_listens_goes_on_from_a_sound(folder):
    plugin = opened(folder, "discrete.ts", "msprior.ts")
    heard = np.random.default_rng(0).normal(0, 0.1, (1, 5001)).astype(np.float32)
    made = plugin.generate(0.5, random_seed=1, audio=heard)
    assert made.shape == (1, 5001 + RATE // 2)
    np.testing.assert_allclose(made[:, :4900], heard[:, :4900], atol=1e-6)
    other = plugin.generate(0.5, random_seed=1, audio=4 * heard)  # which ends with other codes
    assert not np.array_equal(made[:, 5200:], other[:, 5200:])
    assert plugin.generate(0.5, random_seed=1, audio=heard[:, :3]).shape == (1, 3 + RATE // 2)


def test_prior_that_does_not_listen_refuses_sounds(folder):
    plugin = opened(folder, "with.ts")
    with pytest.raises(ParameterError, match="cannot go on from a sound; leave --continue out"):
        plugin.generate(1, random_seed=0, audio=np.zeros((1, 10), np.float32))


def test_prior_for_another_plugin_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"--prior .* goes with --with rave:FILE, not diff"):
        open_plugin("diffusers:folder", prior=tmp_path)
