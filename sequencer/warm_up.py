"""The warm-up of the learning rate."""

WARM_UP_STEPS = 100  # over which the learning rate rises to its value


def warm_up(n_steps: int) -> float:
    """Return the share of the learning rate in a training step, counted from 1."""
    risen = min((n_steps - 1) / WARM_UP_STEPS, 1.0)
    return (1 + (WARM_UP_STEPS - 1) * risen) / WARM_UP_STEPS
