"""Forecasters of tokens at toy width, and what teacher forcing says of them."""

import numpy as np
import torch

from sequencer.averages import slow_averages
from sequencer.scorer import ForecasterScorer
from tests.sequencer.condition_toys import conditioned
from tests.sequencer.toys import generator, toy

LEVELS = 3


def tokens_toy(pattern, sizes, architecture="lstm", kind=None):
    """A forecaster with a pattern of three levels, and with a condition if a kind is given."""
    sizes = {"pattern": pattern, **sizes}
    if kind is None:
        return toy(architecture, "tokens", sizes)
    return conditioned(kind, architecture, "tokens", head_sizes=sizes)


def sharpen(model):
    """Move codes and logits far from uniform."""
    for name, parameter in model.head.named_parameters():
        parameter.detach().mul_(30 if "embeddings" in name else 4)


def codes_verbatim(monkeypatch, model):
    """Make the first columns of steps the codes themselves, so that codes can be compared."""
    quantiser = model.head.quantiser
    monkeypatch.setattr(
        quantiser, "quantise", lambda steps: steps[..., :LEVELS].round().long().clamp(0, 15)
    )
    monkeypatch.setattr(
        quantiser, "restore", lambda codes: torch.nn.functional.pad(codes.float(), (0, 1))
    )
    model.low.fill_(-1e4)
    model.high.fill_(1e4)


def random_steps(n_steps, seed):
    codes = torch.randint(0, 16, (3, n_steps, LEVELS), generator=generator(seed))
    return torch.nn.functional.pad(codes.float(), (0, 1))


def averages_of(model, inputs):
    """The slow averages that a forecaster is trained with."""
    delay = model.head.delay
    return torch.from_numpy(slow_averages(inputs.numpy(), model.config.spans, delay=delay))


def teacher_forced(model, whole, n_seed, rows=None):
    """Return the likeliest code of each level after the seed, (3, steps, levels); -1: unasked."""
    head = model.head
    inputs = whole[:, :-1]
    n_steps = inputs.shape[1]
    hidden = model(inputs, averages_of(model, inputs), n_seed - 1, rows)
    answers = head.pattern.inputs(n_steps, n_seed)[1][-hidden.shape[1] :]
    codes, _ = head.code(whole)
    predicted = head.predict(codes) if head.predicts else None
    likeliest = np.full((3, n_steps + 1, LEVELS), -1)
    for place, column in enumerate(answers):
        for level, step in enumerate(column):
            if step >= n_seed:
                before = None if predicted is None else predicted[:, step - 1]
                logits = head.logits(level, hidden[:, place], codes[:, step], before)
                likeliest[:, step, level] = logits.argmax(-1)
    return likeliest[:, n_seed:]


def total_likelihood(model, seed, units, path, track=None):
    """What a listener says of a path of units, when the last one is heard."""
    scorer = ForecasterScorer(model, track=track)
    scorer.begin(seed, units)
    total = 0.0
    for unit in path:
        total += scorer.scores()[0, unit]
        before = total
        total += scorer.advance([0], [unit])[0]
    is_whole_at_once = model.head.pattern.column(0) == [0] * model.head.levels
    return total if is_whole_at_once else before
