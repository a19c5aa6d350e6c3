"""The loss of a forecaster: of a batch, and of all windows of held-out sequences."""

import torch
from torch import Tensor

from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.windows import Batch, Windows
from training.precision import autocast


def batch_loss(
    model: Forecaster, batch: Batch, precision: str = "float32"
) -> tuple[Tensor, Tensor]:
    """Loss summed over the real steps of a batch, and their number."""
    device = model.mean.device
    sequence = batch.sequence.to(device)
    mask = batch.mask.to(device)
    with autocast(device, precision):
        hidden = model(sequence[:, :-1], batch.averages.to(device), batch.n_context)
    return model.head.loss(hidden.float(), sequence, mask), mask.sum()


def windows_for(
    model: Forecaster, sequences: list[Tensor], *, window: int, batch_size: int
) -> Windows:
    """Windows of z-scored sequences (steps, n), with as much of the past as the model reads."""
    context = max(model.body.context_steps, ORDER)
    return Windows(
        sequences, window=window, batch_size=batch_size, context=context, delay=model.head.delay
    )


@torch.no_grad()
def validation_loss(model: Forecaster, windows: Windows) -> float:
    """Mean loss per step."""
    model.eval()
    parts = [batch_loss(model, batch) for batch in windows.epoch()]
    return float(sum(loss for loss, _ in parts) / sum(n for _, n in parts))
