"""The loss of a masked model, on one batch and on all validation windows."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sequencer.mask_schedule import draw_masks, spread
from sequencer.masked import MaskedModel
from sequencer.token_windows import TokenBatch, TokenWindows
from training.precision import autocast

LABEL_SMOOTHING = 0.1
LOSS_UNIT = "nats per masked token"


def masked_loss(
    model: MaskedModel,
    batch: TokenBatch,
    masks: Tensor,
    precision: str = "float32",
    *,
    smoothing: float = LABEL_SMOOTHING,
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy summed over the masked tokens of a batch, and their number.

    `masks` is (batch, steps, levels), bool; what is not real does not count.
    """
    device = model.mean.device
    real = batch.real.to(device)
    codes = batch.codes.to(device)
    masked = masks.to(device) & real[..., None]
    with autocast(device, precision):
        logits = model(codes.masked_fill(masked | ~real[..., None], model.mask), real)
    loss = F.cross_entropy(
        logits[masked].float(), codes[masked], label_smoothing=smoothing, reduction="sum"
    )
    return loss, masked.sum()


@torch.no_grad()
def validation_loss(model: MaskedModel, windows: TokenWindows) -> float:
    """Return the mean loss per masked token, always with the same masks; without smoothing."""
    model.eval()
    generator = torch.Generator().manual_seed(0)
    parts = []
    for batch in windows.epoch():
        r = spread(batch.number, len(batch.codes))
        masks = draw_masks(batch.codes, r, generator)
        parts.append(masked_loss(model, batch, masks, smoothing=0.0))
    return float(sum(loss for loss, _ in parts) / sum(n for _, n in parts))
