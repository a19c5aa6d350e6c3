"""The tokens head in every pattern: streams and listeners against teacher forcing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.loss import batch_loss
from sequencer.patterns import BLOCK, PATTERNS, make_pattern
from sequencer.registry import ARCHITECTURES
from sequencer.sample_steps import sample_steps
from sequencer.sampling import SamplingOptions
from sequencer.scorer import ForecasterScorer
from sequencer.token_stream import TokenStream
from sequencer.tokens import TokensHead
from sequencer.windows import Batch
from tests.sequencer.condition_toys import KINDS, conditions_of, rows_of, track_of
from tests.sequencer.token_toys import (
    LEVELS,
    averages_of,
    codes_verbatim,
    random_steps,
    sharpen,
    teacher_forced,
    tokens_toy,
    total_likelihood,
)
from tests.sequencer.toys import generator, sampler, song, toy

DEPTH = {"depth": 8}
INNOVATIONS = {"depth": 8, "innovations": True}
SIZES = [(pattern, {"depth": depth}) for pattern in PATTERNS for depth in (0, 8)]
SIZES += [(pattern, INNOVATIONS) for pattern in ("parallel", "flattened")]
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


MODELS = [
    (pattern, sizes, architecture, condition)
    for pattern, sizes in [*((pattern, DEPTH) for pattern in PATTERNS), ("flattened", INNOVATIONS)]
    for architecture in ARCHITECTURES
    for condition in KINDS
]
# every other one after a seed that is shorter than the delay
CASES = [
    (*model, (1, BLOCK + 1)[(number + number // len(KINDS)) % 2])
    for number, model in enumerate(MODELS)
]


@pytest.mark.parametrize(("pattern", "sizes", "architecture", "condition", "n_seed"), CASES)
@torch.no_grad()
def test_sampling_hears_what_teacher_forcing_does(
    monkeypatch, pattern, sizes, architecture, condition, n_seed
):
    model = tokens_toy(pattern, sizes, architecture, condition)
    codes_verbatim(monkeypatch, model)
    heard = []
    step = TokenStream.step
    monkeypatch.setattr(
        TokenStream, "step", lambda self, hidden: heard.append(hidden) or step(self, hidden)
    )
    seed = random_steps(n_seed, 1)
    conditions = conditions_of(model, seed)
    sampled = sample_steps(model, seed, 2 * BLOCK + 3, generator=generator(), conditions=conditions)
    inputs = torch.cat([seed, sampled[:, :-1]], dim=1)
    rows = rows_of(model, seed, 2 * BLOCK + 2)
    said = model(inputs, averages_of(model, inputs), n_seed - 1, rows)
    places = range(min(len(heard), said.shape[1]))
    assert len(places) >= 2 * BLOCK + 3
    torch.testing.assert_close(
        torch.stack([heard[place] for place in places], dim=1), said[:, places], **CLOSE
    )
    without = model(inputs, averages_of(model, inputs), n_seed - 1)
    assert not torch.isclose(said, without, **CLOSE).all(dim=-1).any()


@pytest.mark.parametrize(("pattern", "sizes"), SIZES)
@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
@torch.no_grad()
def test_greedy_sampling_is_what_teacher_forcing_says(monkeypatch, architecture, pattern, sizes):
    model = tokens_toy(pattern, sizes, architecture)
    sharpen(model)
    codes_verbatim(monkeypatch, model)
    seed = random_steps(11, 1)
    greedy = SamplingOptions(temperature=0.0)
    sampled = sample_steps(model, seed, 2 * BLOCK + 3, generator=generator(), sampling=greedy)
    whole = torch.cat([seed, sampled], dim=1)
    said = teacher_forced(model, whole, 11)
    drawn = model.head.code(whole)[0][:, 11:].numpy()
    asked = said >= 0
    assert asked[:, : 2 * BLOCK - LEVELS].all()
    np.testing.assert_array_equal(said[asked], drawn[asked])
    varied = len(np.unique(drawn.reshape(-1, LEVELS), axis=0)) > 1
    assert varied or "innovations" in sizes


def check_likelihoods(model, n_seed, n_units, number=0):
    units = song(30, 5)
    seed = song(40, 3)[:n_seed]
    path = np.random.default_rng(number).integers(len(units), size=n_units)
    raw = np.concatenate([seed, units[path]])
    whole = model.normalise(torch.from_numpy(np.ascontiguousarray(raw[None, :, :4])))
    averages = averages_of(model, whole[:, :-1])
    rows = rows_of(model, whole[:, :n_seed], n_units - 1)
    batch = Batch(whole, averages, torch.ones(1, n_units), n_seed - 1, rows)
    with torch.no_grad():
        loss = float(batch_loss(model, batch)[0])
    total = total_likelihood(model, seed, units, path, track_of(model))
    assert total == pytest.approx(-loss, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(("pattern", "sizes", "architecture", "condition", "n_seed"), CASES)
def test_likelihoods_of_what_is_heard_sum_to_the_loss(
    pattern, sizes, architecture, condition, n_seed
):
    check_likelihoods(tokens_toy(pattern, sizes, architecture, condition), n_seed, BLOCK + 3)


@pytest.mark.parametrize(("pattern", "sizes"), SIZES)
@settings(max_examples=6, deadline=None)
@given(n_seed=st.integers(1, 20), n_units=st.integers(1, 2 * BLOCK + 2), number=st.integers(0, 9))
def test_they_do_wherever_the_seed_and_the_path_end(pattern, sizes, n_seed, n_units, number):
    check_likelihoods(tokens_toy(pattern, sizes), n_seed, n_units, number)


@pytest.mark.parametrize(("pattern", "sizes"), [size for size in SIZES if size[1]["depth"]])
def test_hypotheses_keep_their_own_past(pattern, sizes):
    model = tokens_toy(pattern, sizes)
    seed, units = song(40, 3)[:9], song(30, 5)
    rng = np.random.default_rng(0)
    scorer = ForecasterScorer(model)
    scorer.begin(seed, units)
    paths, totals = [[]], np.zeros(1)
    for _ in range(BLOCK + 4):
        rows = rng.integers(len(paths), size=3)
        heard = rng.integers(len(units), size=3)
        totals = totals[rows] + scorer.scores()[rows, heard]
        totals = totals + scorer.advance(rows, heard)
        paths = [[*paths[row], unit] for row, unit in zip(rows, heard, strict=True)]
    for path, total in zip(paths, totals, strict=True):
        alone = ForecasterScorer(model)
        alone.begin(seed, units)
        expected = 0.0
        for unit in path:
            expected += alone.scores()[0, unit] + alone.advance([0], [unit])[0]
        assert total == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_loss_counts_each_level_of_each_target_once(pattern):
    """But those that come after the end of the window."""
    head = TokensHead(8, 4, levels=LEVELS, bits=4, pattern=pattern, depth=8)
    for name in ("projection", "direction"):
        torch.nn.init.zeros_(getattr(head, name).weight)
    torch.nn.init.zeros_(head.projection.bias)
    head.predicts = False
    sequence = torch.randn(2, 9 + 32, 4, generator=generator())
    answers = head.pattern.inputs(40, 9)[1][head.n_primed(8) :]
    loss = head.loss(torch.zeros(2, len(answers), 8), sequence, torch.ones(2, 32))
    counted = int((answers >= 9).sum())
    assert counted >= 32 * LEVELS - {"coarse-first": 16 * 2, "delayed": 3}.get(pattern, 2)
    assert float(loss.detach()) == pytest.approx(2 * counted * np.log(16), rel=1e-5)


def test_own_sampling_equals_greedy_generation_of_a_musicgen_decoder():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.MusicgenDecoderConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        ffn_dim=64,
        num_attention_heads=4,
        pad_token_id=64,
        bos_token_id=64,
    )
    decoder = transformers.MusicgenForCausalLM(config).eval()
    for parameter in decoder.parameters():
        parameter.data.mul_(3)
    decoder.generation_config.decoder_start_token_id = 64
    prompt = torch.full((4, 1), 64)
    options = {"do_sample": False, "max_new_tokens": 15, "num_return_sequences": 1}
    theirs = decoder.generate(prompt, attention_mask=torch.ones(4, 1), **options)

    class OfDecoder:
        """A head whose hidden states are the decoder's logits (batch, levels, codes)."""

        levels, n_codes, depth = 4, 64, 0
        predicts = innovates = False
        code = staticmethod(lambda steps: (steps, steps.float()))
        pattern = make_pattern("delayed", 4)
        quantiser = type("Codes", (), {"of_codec": True, "restore": staticmethod(lambda c: c)})
        embed = staticmethod(lambda codes: codes)
        all_logits = staticmethod(lambda hidden: hidden)

    for options in ({"temperature": 0.0}, {"top_p": 1e-6}):
        stream = TokenStream(OfDecoder, torch.full((1, 1, 4), 64), sampler(**options))
        entered, steps = prompt, []
        while len(steps) < 12:
            with torch.no_grad():
                hidden = decoder(entered).logits[:, -1][None]
            column, step = stream.step(hidden)
            entered = torch.cat([entered, column.T], dim=1)
            steps += [] if step is None else [step]
        assert torch.equal(torch.cat(steps), theirs.reshape(4, -1).T[:12])


def test_steps_that_repeat_the_one_before_are_not_learnt():
    head = tokens_toy("parallel", {"depth": 8}).head
    sequence = torch.randn(1, 20, 4, generator=generator())
    sequence[:, 12:16] = sequence[:, 12:13]
    learnt = head.learnt(sequence, torch.ones(1, 15))
    assert learnt[0].tolist() == [1.0] * 8 + [0.0] * 3 + [1.0] * 4  # targets are steps 5 to 19
    still = sequence[:, :1].expand(1, 20, 4)
    assert head.learnt(still, torch.ones(1, 15)).all()  # there is nothing else


@pytest.mark.parametrize("head", ["mixture", "point", "contrast"])
def test_other_heads_learn_from_all_steps(head):
    mask = torch.ones(1, 9)
    assert toy("lstm", head).head.learnt(torch.zeros(1, 20, 4), mask) is mask
