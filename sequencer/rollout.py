"""From a seed to what comes next: prime the state on the whole seed, then draw step after step."""

import numpy as np
import torch

from db.descriptors.derived import complete, static_columns
from db.errors import ParameterError
from sequencer.forecaster import Forecaster


@torch.no_grad()
def rollout(
    forecaster: Forecaster, seed: np.ndarray, *, steps: int, temperature: float = 1.0, generator: torch.Generator
) -> np.ndarray:
    """Forecast how a sequence goes on.

    Parameters
    ----------
    seed : ndarray, float32, shape (seed steps, n_descriptors), raw
        At least the model's window long.
    steps : int >= 1
    temperature : float >= 0
        1 draws as the model learned, less is calmer, 0 always takes the likeliest.

    Returns
    -------
    ndarray, float32, shape (steps, n_descriptors), raw
        Independent columns as drawn, held within the range of the training data; Δ and ΔΔ computed from them, the seed's
        last steps included.

    Raises
    ------
    ParameterError
        If the seed is too short, of another width or not finite, or an option is out of range.
    """
    _check(forecaster, seed, steps, temperature)
    settings = forecaster.config.settings
    static = torch.from_numpy(np.array(seed[:, static_columns(settings)], np.float32))
    scores = forecaster.normalise(static)[None]
    hidden, state = forecaster(scores)
    current, drawn = scores[:, -1], []
    for _ in range(steps):
        current = forecaster.head.sample(hidden[:, -1], current, temperature=temperature, generator=generator)
        current = current.clamp(forecaster.low, forecaster.high)
        drawn.append(current)
        hidden, state = forecaster(current[:, None], state)
    forecast = forecaster.denormalise(torch.cat(drawn))
    return complete(torch.cat([static, forecast]).numpy(), settings)[len(static) :]


def _check(forecaster: Forecaster, seed: np.ndarray, steps: int, temperature: float) -> None:
    settings, window = forecaster.config.settings, forecaster.config.window
    if steps < 1:
        raise ParameterError(f"steps={steps} must be at least 1")
    if not (np.isfinite(temperature) and temperature >= 0):
        raise ParameterError(f"temperature={temperature} must be a finite number of at least 0")
    if seed.ndim != 2 or seed.shape[1] != settings.n_descriptors:
        raise ParameterError(
            f"a seed of shape {seed.shape} does not fit the model: it must be (steps, {settings.n_descriptors})"
        )
    if len(seed) < window:
        lasting = window * (settings.fixed_samples or settings.hop_length) / settings.sample_rate
        seconds = f" ({lasting:.2f} s)" if settings.units not in ("onset", "beat") else ""
        raise ParameterError(
            f"the seed has {len(seed)} steps and the model's window is {window}{seconds}; "
            f"give a longer seed, or train a model with --window {len(seed)}"
        )
    if not np.isfinite(seed).all():
        raise ParameterError(f"step {int(np.argwhere(~np.isfinite(seed))[0, 0])} of the seed is not finite; repair it")
