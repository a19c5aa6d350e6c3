"""Parts every training loop shares: checkpoints, the training log."""
