import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from files.errors import ParameterError
from sequencer.averages import SPANS, slow_averages
from sequencer.linear import ORDER
from sequencer.split import split_sequences
from sequencer.windows import Windows, windows_for
from tests.sequencer.toys import toy


def counting_sequences(lengths):
    """Every step carries (sequence, step), so that what a batch holds can be recognised."""
    return [
        torch.stack([torch.full((n,), float(i)), torch.arange(n).float()], dim=1)
        for i, n in enumerate(lengths)
    ]


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=8),
    window=st.integers(1, 40),
    batch_size=st.integers(1, 5),
    shuffled=st.booleans(),
    context=st.integers(0, 20),
)
def test_every_transition_is_in_the_loss_once_per_epoch(
    lengths, window, batch_size, shuffled, context
):
    rng = np.random.default_rng(0) if shuffled else None
    seen = []
    windows = Windows(
        counting_sequences(lengths), window=window, batch_size=batch_size, context=context
    )
    for batch in windows.epoch(rng):
        inputs = batch.sequence[:, batch.n_context : -1]
        targets = batch.sequence[:, batch.n_context + 1 :]
        assert inputs.shape[1] <= window
        assert batch.n_context <= context
        real = batch.mask.bool()
        seen += [
            (tuple(a.tolist()), tuple(b.tolist()))
            for a, b in zip(inputs[real], targets[real], strict=True)
        ]
    expected = [
        ((float(i), float(t)), (float(i), float(t + 1)))
        for i, n in enumerate(lengths)
        for t in range(n - 1)
    ]
    assert sorted(seen) == expected


@pytest.mark.parametrize(("name", "context"), [("lstm", ORDER), ("transformer", 12)])
def test_windows_of_a_model_have_the_context_that_it_reads(name, context):
    model = toy(name, "tokens")
    windows = windows_for(model, counting_sequences([60]), window=10, batch_size=1)
    batches = list(windows.epoch())
    assert max(batch.n_context for batch in batches) == context
    first = next(batch for batch in batches if not batch.n_context)
    delay = model.head.delay
    assert not first.averages[0, :delay].any()  # of what a head with a delay does not know yet
    known = torch.from_numpy(slow_averages(first.sequence[0].numpy(), SPANS))
    torch.testing.assert_close(first.averages[0, delay:], known[: len(first.averages[0]) - delay])


def test_time_is_never_spliced_within_a_window():
    for batch in Windows(counting_sequences([50, 33]), window=8, batch_size=4, context=5).epoch(
        np.random.default_rng(3)
    ):
        steps = batch.sequence[..., 1]
        real = torch.cat([torch.ones(len(steps), batch.n_context), batch.mask], dim=1).bool()
        assert ((steps[:, 1:] - steps[:, :-1])[real] == 1).all()


def test_skipped_batches_are_those_that_were_done():
    windows = Windows(counting_sequences([100, 31, 7]), window=9, batch_size=2)
    whole = list(windows.epoch(np.random.default_rng(5)))
    rest = list(windows.epoch(np.random.default_rng(5), skip=3))
    assert len(rest) == len(whole) - 3
    for a, b in zip(whole[3:], rest, strict=True):
        torch.testing.assert_close(a.sequence, b.sequence)


def test_cuts_fall_elsewhere_each_epoch():
    rng = np.random.default_rng(0)
    firsts = [
        sorted(
            b.sequence[0, 0, 1].item()
            for b in Windows(counting_sequences([100]), window=9, batch_size=1).epoch(rng)
        )
        for _ in "ab"
    ]
    assert firsts[0] != firsts[1]


def named(*lengths):
    return [(f"s{i}", np.zeros((n, 3), np.float32)) for i, n in enumerate(lengths)]


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(2, 200), min_size=2, max_size=30), seed=st.integers(0, 5))
def test_split_by_source_is_disjoint_and_complete(lengths, seed):
    split = split_sequences(named(*lengths), random_seed=seed)
    train = {n for n, _ in split.train}
    validation = {n for n, _ in split.validation}
    assert split.by == "source"
    assert train
    assert validation
    assert not train & validation
    assert len(train) + len(validation) == len(lengths)


def test_about_a_tenth_is_validation():
    split = split_sequences(named(*[50] * 100), random_seed=0)
    assert sum(len(rows) for _, rows in split.validation) == 500


def test_split_depends_on_the_seed_alone():
    names = [
        [n for n, _ in split_sequences(named(*[9] * 50), random_seed=s).validation]
        for s in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2]


def test_single_source_is_split_by_time_without_overlap():
    rows = np.arange(300, dtype=np.float32).reshape(100, 3)
    split = split_sequences([("only", rows)], random_seed=0)
    assert split.by == "time"
    np.testing.assert_array_equal(np.concatenate([split.train[0][1], split.validation[0][1]]), rows)
    assert len(split.validation[0][1]) == 10


@pytest.mark.parametrize("lengths", [(), (1,), (3,), (1, 1, 1), (2,)])
def test_too_little_to_train_on_is_refused(lengths):
    with pytest.raises(ParameterError, match="too few to train on.*add longer audio"):
        split_sequences(named(*lengths), random_seed=0)
