"""From seeds to what comes next: prime the state on each whole seed, then draw step after step."""

from collections import deque
from collections.abc import Callable

import numpy as np
import torch

from db.descriptors.derived import complete, static_columns
from files.errors import ParameterError
from sequencer.averages import SlowAverages, slow_averages
from sequencer.forecaster import Forecaster
from sequencer.head import Draw
from sequencer.linear import ORDER

TOLD_STEPS = 64  # between words of progress

Progress = Callable[[int, int, str], None]  # done, in all, of what


@torch.no_grad()
def rollout(
    forecaster: Forecaster,
    seeds: list[np.ndarray],
    *,
    steps: int,
    variations: int = 1,
    temperature: float = 1.0,
    top_p: float = 1.0,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> np.ndarray:
    """Forecast how sequences go on, each in several ways.

    Parameters
    ----------
    seeds : list of ndarray, float32, shape (seed steps, n_descriptors), raw
        Each at least `ORDER` steps long; those of one length are rolled out side by side.
    steps, variations : int >= 1
    temperature : float >= 0
        1 draws as the model learned, less is calmer, 0 always takes the likeliest.
    top_p : float, above 0 and at most 1
        Only the likeliest choices that together make up this probability are drawn.
    generator : torch.Generator
        On the processor.
    progress : callable (done, in all, of what)

    Returns
    -------
    ndarray, float32, shape (len(seeds), variations, steps, n_descriptors), raw
        Independent columns as drawn, held within the range of the training data; Δ and ΔΔ computed
        from them, the seed's last steps included.

    Raises
    ------
    ParameterError
        If a seed is too short, of another width or not finite, or an option is out of range.
    """
    _check(forecaster, seeds, steps, variations, temperature, top_p)
    settings = forecaster.config.settings
    static = [np.asarray(seed[:, static_columns(settings)], np.float32) for seed in seeds]
    result = np.empty((len(seeds), variations, steps, settings.n_descriptors), np.float32)
    lengths = [len(seed) for seed in seeds]
    total = steps * len(set(lengths))
    for earlier, length in enumerate(sorted(set(lengths))):

        def tell(done: int, before: int = earlier * steps) -> None:
            if progress:
                progress(before + done, total, "forecasting")

        group = [i for i, n in enumerate(lengths) if n == length]
        batch = torch.from_numpy(np.stack([static[i] for i in group])).repeat_interleave(
            variations, dim=0
        )
        scores = forecaster.normalise(batch.to(forecaster.mean.device))
        drawn = draw_steps(
            forecaster,
            scores,
            steps,
            temperature=temperature,
            top_p=top_p,
            generator=generator,
            tell=tell,
        )
        forecasts = forecaster.denormalise(drawn).cpu().numpy()
        for row, forecast in enumerate(forecasts):
            i = group[row // variations]
            whole = np.concatenate([static[i], forecast])
            result[i, row % variations] = complete(whole, settings)[length:]
    return result


@torch.no_grad()
def draw_steps(
    forecaster: Forecaster,
    seed: torch.Tensor,
    steps: int,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    generator: torch.Generator,
    tell: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """z-scored seeds (batch, seed steps, n_static) -> z-scored steps drawn after them (batch,
    steps, n_static).
    """
    draw = Draw(
        temperature, top_p, generator, lambda scores: scores.clamp(forecaster.low, forecaster.high)
    )
    body = forecaster.body
    head = forecaster.head
    so_far = torch.from_numpy(slow_averages(seed.cpu().numpy(), delay=head.delay)).to(seed.device)
    inputs = torch.cat([head.encode(seed), so_far], dim=-1)
    state = body.prime(inputs[:, :-1])
    following = inputs[:, -1]
    stream = head.start(seed, draw)
    drawn = []
    known = seed.shape[1] - head.delay
    averages = SlowAverages(seed[:, :known])
    to_add = deque(seed[:, known:].unbind(1))
    for _ in range(steps + head.delay):
        hidden, state = body(following[:, None], state)
        encoded, step = stream.step(hidden[:, -1])
        if step is not None:
            drawn.append(step)
            to_add.append(step)
            if len(drawn) % TOLD_STEPS == 0 or len(drawn) == steps:
                tell(len(drawn))
        following = torch.cat([encoded, averages.add(to_add.popleft())], dim=-1)
    return torch.stack(drawn, dim=1)


def _check(
    forecaster: Forecaster,
    seeds: list[np.ndarray],
    steps: int,
    variations: int,
    temperature: float,
    top_p: float,
) -> None:
    for name, value in {"steps": steps, "variations": variations}.items():
        if value < 1:
            raise ParameterError(f"{name}={value} must be at least 1")
    if not (np.isfinite(temperature) and temperature >= 0):
        raise ParameterError(f"temperature={temperature} must be a finite number of at least 0")
    if not 0 < top_p <= 1:
        raise ParameterError(f"top_p={top_p} must be above 0 and at most 1")
    if not seeds:
        raise ParameterError("no seed is given; give at least one")
    settings = forecaster.config.settings
    for seed in seeds:
        if seed.ndim != 2 or seed.shape[1] != settings.n_descriptors:
            raise ParameterError(
                f"a seed of shape {seed.shape} does not fit the model: it must be (steps,"
                f" {settings.n_descriptors})"
            )
        if len(seed) < ORDER:
            raise ParameterError(
                f"the seed has {len(seed)} steps, a forecast needs at least {ORDER} to go on from;"
                " give a longer one"
            )
        if not np.isfinite(seed).all():
            raise ParameterError(
                f"step {int(np.argwhere(~np.isfinite(seed))[0, 0])} of the seed is not finite;"
                " repair it"
            )
