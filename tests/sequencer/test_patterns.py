"""Patterns of levels: each code is placed once, and comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError
from sequencer.patterns import BLOCK, NONE, PATTERNS, arrange, collect, make_pattern

names = st.sampled_from(sorted(PATTERNS))
levels = st.integers(1, 6)
lengths = st.integers(0, 3 * BLOCK)


@settings(max_examples=60, deadline=None)
@given(name=names, levels=levels, n_steps=lengths, seed=st.integers(0, 99))
def test_codes_come_back_from_a_pattern(name, levels, n_steps, seed):
    codes = np.random.default_rng(seed).integers(0, 50, (n_steps, levels))
    pattern = make_pattern(name, levels)
    arranged = arrange(codes, pattern, empty=50)
    assert (arranged != 50).sum() == codes.size
    np.testing.assert_array_equal(collect(arranged, pattern, n_steps), codes)


@settings(max_examples=60, deadline=None)
@given(name=names, levels=levels, n_seed=st.integers(1, 40), n_more=st.integers(0, 40))
def test_after_a_seed_columns_begin_anew(name, levels, n_seed, n_more):
    """What a stream goes through after a seed is what training has arranged."""
    pattern = make_pattern(name, levels)
    n_steps = n_seed + n_more
    inputs, answers = pattern.inputs(n_steps, n_seed)
    n_places = len(pattern.inputs(n_seed, n_seed)[0])
    np.testing.assert_array_equal(inputs[1:], answers[:-1])
    assert (inputs[:, 0] < n_steps).all()
    assert answers[-1, 0] == n_steps
    for place, column in enumerate(answers[n_places - 1 :]):
        expected = [NONE if step is None else step + n_seed for step in pattern.column(place)]
        known = np.where(np.array(expected) > n_steps, NONE, expected)
        np.testing.assert_array_equal(column, np.maximum(known, NONE))


@settings(max_examples=60, deadline=None)
@given(name=names, levels=levels, n_steps=st.integers(1, 40), n_seed=st.integers(1, 40))
def test_what_a_level_needs_is_known_before_it(name, levels, n_steps, n_seed):
    """The levels below it of its step, and the steps that slow averages are of."""
    pattern = make_pattern(name, levels)
    table = pattern.places(n_steps, min(n_seed, n_steps))
    placed = np.full((n_steps, levels), -1)
    rows, columns = np.nonzero(table != NONE)
    placed[table[rows, columns], columns] = rows
    assert (np.diff(placed, axis=1) >= 0).all()
    whole = placed.max(axis=1)
    for place, steps in enumerate(table):
        averaged = steps.max() - pattern.delay
        assert averaged < 0 or whole[: averaged + 1].max() <= place
        if pattern.whole_past:
            first = steps[steps != NONE].min()
            assert not first or whole[:first].max() < place


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parallel", [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
        ("delayed", [[0, 9, 9], [3, 1, 9], [6, 4, 2], [9, 7, 5], [9, 9, 8]]),
        (
            "flattened",
            [
                *([0, 9, 9], [9, 1, 9], [9, 9, 2]),
                *([3, 9, 9], [9, 4, 9], [9, 9, 5]),
                *([6, 9, 9], [9, 7, 9], [9, 9, 8]),
            ],
        ),
        ("coarse-first", [[0, 9, 9], [3, 9, 9], [6, 9, 9], [9, 1, 2], [9, 4, 5], [9, 7, 8]]),
    ],
)
def test_patterns_of_three_steps(name, expected):
    pattern = make_pattern(name, 3)
    assert arrange(np.arange(9).reshape(3, 3), pattern, empty=9).tolist() == expected


@pytest.mark.parametrize("name", ["musicgen", 3, None, ["delayed"]])
def test_unknown_patterns_are_refused(name):
    with pytest.raises(ParameterError, match="known are parallel, delayed, flattened, coarse-fir"):
        make_pattern(name, 4)


@pytest.mark.parametrize("n_steps", [5, 17])
def test_the_delayed_pattern_is_that_of_transformers(n_steps):
    torch = pytest.importorskip("torch")
    musicgen = pytest.importorskip("transformers.models.musicgen.modeling_musicgen")
    config = pytest.importorskip("transformers").MusicgenDecoderConfig(
        vocab_size=64, hidden_size=8, num_hidden_layers=1, ffn_dim=8, num_attention_heads=1
    )
    decoder = musicgen.MusicgenForCausalLM(config)
    codes = np.random.default_rng(0).integers(0, 64, (n_steps, 4))
    beginning = torch.full((4, 1), 64)
    prompt = torch.cat([beginning, torch.from_numpy(codes.T.copy())], dim=1)
    _, theirs = decoder.build_delay_pattern_mask(prompt, 64, max_length=n_steps + 4)
    ours = arrange(codes, make_pattern("delayed", 4), empty=64)
    np.testing.assert_array_equal(ours, theirs[:, 1:].T)
