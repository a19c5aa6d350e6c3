"""The training loop of all models, and its parts: checkpoints, log, EMA, processes."""
