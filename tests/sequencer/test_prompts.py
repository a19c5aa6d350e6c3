"""What prompts keep."""

import numpy as np
import pytest

from files.errors import ParameterError
from sequencer.names import PROMPT_FORMS
from sequencer.prompts import PROMPTS, StepTimes, keep_mask, parse_prompts

ONSETS = np.array([0.0, 0.52, 1.1])
LOCKED = np.arange(12) == 5


def times(n_steps=12, seconds=0.1, locked=LOCKED):
    """Steps of a tenth of a second."""
    edges = np.round(np.arange(n_steps + 1) * seconds, 6)
    return StepTimes(edges[:-1], edges[1:], lambda: ONSETS, locked)


def kept(*texts, n_levels=2, seed=0, of=None):
    rng = np.random.default_rng(seed)
    return keep_mask(parse_prompts(texts), of or times(), n_levels, rng)


def shown(mask):
    return "".join("x" if step.all() else "." for step in mask)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["periodic:4"], "x...x...x..."),
        (["periodic:4/2"], "xx..xx..xx.."),
        (["prefix:0.35"], "xxx........."),
        (["suffix:0.2"], "..........xx"),
        (["prefix:0.1", "suffix:0.1"], "x..........x"),
        (["steps:0,3-5"], "x..xxx......"),
        (["seconds:0.1-0.3,0.9-1.0"], ".xx......x.."),
        (["onsets"], "x....x.....x"),
        (["onsets:1"], "xx..xxx...xx"),
        (["locked"], ".....x......"),
        (["periodic:6", "steps:1"], "xx....x....."),
    ],
)
def test_prompt_keeps(texts, expected):
    assert shown(kept(*texts)) == expected


def test_random_keeps_its_share_by_the_random_seed():
    masks = [kept("random:0.25", seed=seed)[:, 0] for seed in (0, 0, 1)]
    assert [mask.sum() for mask in masks] == [3, 3, 3]
    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()


def test_codebooks_keep_the_lowest_levels_of_what_else_is_kept():
    alone = kept("codebooks:2", n_levels=4)
    assert alone[:, :2].all()
    assert not alone[:, 2:].any()
    both = kept("codebooks:2", "periodic:6", n_levels=4)
    assert both[:, 0].nonzero()[0].tolist() == [0, 6]
    assert not both[:, 2:].any()
    assert kept("codebooks:9", n_levels=4).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("every:3", "unknown prompt 'every:3'; known are steps:A,B-C, seconds:A-B"),
        ("periodic", "prompt 'periodic' must be periodic:P/W, every P-th step"),
        ("periodic:0", "must be periodic:P/W"),
        ("periodic:4/x", "must be periodic:P/W"),
        ("prefix:nan", "must be prefix:S, the first S seconds"),
        ("suffix:-1", "must be suffix:S"),
        ("random:1.5", "must be random:X, a share"),
        ("steps:5-3", "must be steps:A,B-C"),
        ("steps:", "must be steps:A,B-C"),
        ("seconds:1-inf", "must be seconds:A-B"),
        ("locked:3", "must be locked"),
        ("onsets:1e9", "must be onsets:W"),
        ("codebooks:0", "must be codebooks:N"),
        ("steps:99999999999999999999", "must be steps"),
    ],
)
def test_wrong_prompt_is_refused(text, message):
    with pytest.raises(ParameterError, match=message):
        parse_prompts([text])


@pytest.mark.parametrize(
    ("text", "of", "message"),
    [
        ("steps:3,12", times(), "there is no step 12: there are steps 0 to 11"),
        ("seconds:0.12-0.15", times(), "holds no whole step; give a longer span within the 1.20 s"),
        ("locked", times(locked=None), "no step is locked; lock some"),
    ],
)
def test_prompt_that_finds_nothing_is_refused(text, of, message):
    with pytest.raises(ParameterError, match=message):
        kept(text, of=of)


def test_onsets_are_only_found_if_they_are_asked_for():
    def never():
        raise AssertionError

    edges = np.arange(4.0)
    assert kept("periodic:2", of=StepTimes(edges, edges + 1, never)).any()


def test_names_are_those_of_the_prompts():
    assert list(PROMPT_FORMS) == list(PROMPTS)
    assert all(form.partition(":")[0] == name for name, form in PROMPT_FORMS.items())
