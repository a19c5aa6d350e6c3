"""Training: the loop of all kinds of models, and its parts: checkpoints, log, EMA, processes."""
