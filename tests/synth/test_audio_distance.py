"""Distances of sets of clips whose embeddings are known."""

import json

import numpy as np
import pytest

from files.errors import ParameterError
from synth.audio_distance import audio_distances, embed_clips
from training.frechet import frechet_distance
from training.kernel_distance import kernel_distance


class Given:
    """Embeds audio as it is, 4 samples a window; tags are its absolute values."""

    def embed(self, audio, sample_rate):
        return audio.reshape(-1, 4)

    def tags(self, embeddings):
        return np.abs(embeddings)


def clips(n, *, shift=0.0, seed=0):
    """Clips of three windows."""
    return np.random.default_rng(seed).normal(shift, 1, (n, 3, 4)).astype(np.float32)


def test_distances_are_those_of_all_windows():
    ours = clips(6, shift=0.5)
    reference = clips(8, seed=1)
    found = audio_distances(ours, reference, Given())
    rows, others = ours.reshape(18, 4), reference.reshape(24, 4)
    assert found.fad.value == pytest.approx(frechet_distance(rows, others))
    assert found.kad.value == pytest.approx(kernel_distance(rows, others))
    p, q = (np.abs(x).mean(axis=0) / np.abs(x).mean(axis=0).sum() for x in (others, rows))
    assert found.tag_kl.value == pytest.approx((p * np.log(p / q)).sum(), rel=1e-4)


def test_all_distances_grow_with_the_shift_and_lie_in_their_intervals():
    reference = clips(30, seed=1)
    found = [audio_distances(clips(30, shift=s), reference, Given()) for s in (0, 0.5, 2)]
    tagged = [audio_distances(clips(30) * [1, 1, 1, s], reference, Given()) for s in (1, 3, 9)]
    for estimates in (
        [one.fad for one in found],
        [one.kad for one in found],
        [one.tag_kl for one in tagged],
    ):
        assert [one.value for one in estimates] == sorted(one.value for one in estimates)
        assert all(one.lower <= one.value <= one.upper for one in estimates)
        assert estimates[0].upper < estimates[2].lower
        assert estimates[0].upper > estimates[0].lower


def test_divergence_of_two_tags_in_closed_form():
    class Tagged(Given):
        def tags(self, embeddings):
            return embeddings

    ours = np.tile([0.3, 0.1], (2, 1, 1))
    reference = np.array([[[0.3, 0.1]], [[0.1, 0.3]]])
    found = audio_distances(ours, reference, Tagged()).tag_kl.value
    assert found == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25))


def test_intervals_are_over_clips_not_windows():
    one = clips(12, shift=0.3)
    reference = clips(12, seed=1)
    once = audio_distances(one, reference, Given())
    more = audio_distances(np.repeat(one, 9, axis=1), np.repeat(reference, 9, axis=1), Given())
    assert more.tag_kl.lower == pytest.approx(once.tag_kl.lower, rel=1e-5)
    assert more.tag_kl.upper == pytest.approx(once.tag_kl.upper, rel=1e-5)
    assert more.fad.upper - more.fad.lower == pytest.approx(
        once.fad.upper - once.fad.lower, rel=0.3
    )


def test_copies_of_the_reference_have_distance_0_and_a_narrow_interval():
    reference = clips(12)
    found = audio_distances(reference, reference, Given(), paired=True)
    for estimate in vars(found).values():
        assert list(vars(estimate).values()) == pytest.approx([0, 0, 0], abs=1e-6)
    changed = audio_distances(reference + 0.5, reference, Given(), paired=True)
    other = audio_distances(clips(12, seed=1) + 0.5, reference, Given())
    assert changed.kad.upper - changed.kad.lower < 0.7 * (other.kad.upper - other.kad.lower)


def test_one_clip_has_no_interval():
    found = audio_distances(clips(1), clips(4, seed=1), Given())
    values = json.loads(json.dumps(found.to_dict()))
    assert values["fad"]["value"] > 0
    assert values["fad"]["lower"] is values["kad"]["upper"] is values["tag_kl"]["upper"] is None


def test_clips_of_two_models_are_refused():
    with pytest.raises(ParameterError, match="embeddings of 4 and 3 dimensions"):
        audio_distances(clips(4), clips(4)[..., :3], Given())


def test_embedded_clips_are_stacked():
    audio = np.arange(24, dtype=np.float32).reshape(2, 12)
    np.testing.assert_array_equal(embed_clips(audio, 8000, Given()), audio.reshape(2, 3, 4))
