"""Parts every training loop shares: checkpoints, the training log, several processes, averaged
weights, half precision.
"""
