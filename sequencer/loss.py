"""The loss of a forecaster, on one batch and on all validation windows."""

import torch
from torch import Tensor

from sequencer.forecaster import Forecaster
from sequencer.windows import Batch, Windows
from training.precision import autocast


def batch_loss(
    model: Forecaster, batch: Batch, precision: str = "float32", *, learnt_only: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the loss summed over the real steps of a batch, and their number.

    With `learnt_only`, only over those that the head learns from.
    """
    device = model.mean.device
    sequence = batch.sequence.to(device)
    mask = batch.mask.to(device)
    if learnt_only:
        mask = model.head.learnt(sequence, mask)
    with autocast(device, precision):
        rows = None if batch.conditions is None else batch.conditions.to(device)
        hidden = model(sequence[:, :-1], batch.averages.to(device), batch.n_context, rows)
    return model.head.loss(hidden.float(), sequence, mask), mask.sum()


@torch.no_grad()
def validation_loss(model: Forecaster, windows: Windows, *, learnt_only: bool = False) -> float:
    """Return the mean loss per step over all windows; see `batch_loss`."""
    model.eval()
    parts = [batch_loss(model, batch, learnt_only=learnt_only) for batch in windows.epoch()]
    return float(sum(loss for loss, _ in parts) / sum(n for _, n in parts))
