"""Forecast how sequences go on: prime the state on each whole seed, then sample step after step."""

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import complete, static_columns
from files.errors import ParameterError
from files.progress import Progress, no_progress
from sequencer.averages import LaggingAverages, slow_averages
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.sampler import Sampler
from sequencer.sampling import AS_LEARNED, SamplingOptions

REPORT_STEPS = 64  # steps between two calls of `progress`


@torch.no_grad()
def rollout(
    forecaster: Forecaster,
    seeds: list[np.ndarray],
    *,
    n_steps: int,
    variations: int = 1,
    sampling: SamplingOptions = AS_LEARNED,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Forecast how sequences go on, each in several ways.

    Parameters
    ----------
    seeds : list of ndarray, float32, shape (seed steps, n_descriptors), raw
        Each at least `ORDER` steps long; those of one length are rolled out side by side.
    n_steps, variations : int >= 1

    Returns
    -------
    ndarray, float32, shape (len(seeds), variations, n_steps, n_descriptors), raw
        Independent columns as sampled, clamped to the range of the training data; Δ and ΔΔ computed
        from them and the seed's last steps.

    Raises
    ------
    ParameterError
        If a seed is too short, of another width or not finite, a number is too small, or the head
        only chooses among units.
    """
    check_forecasts(forecaster)
    for name, value in {"n_steps": n_steps, "variations": variations}.items():
        if value < 1:
            raise ParameterError(f"{name}={value} must be at least 1")
    settings = forecaster.config.settings
    if not seeds:
        raise ParameterError("no seed is given; give at least one")
    for seed in seeds:
        check_seed(seed, settings.n_descriptors, least=ORDER)
    result = np.empty((len(seeds), variations, n_steps, settings.n_descriptors), np.float32)
    generator = torch.Generator().manual_seed(sampling.random_seed)
    groups = _group_by_length(seeds)
    for number, group in enumerate(groups):

        def report(done: int, total: int, label: str, before: int = number * n_steps) -> None:
            progress(before + done, len(groups) * n_steps, label)

        columns = static_columns(settings)
        static = np.stack([np.asarray(seeds[i][:, columns], np.float32) for i in group])
        batch = torch.from_numpy(static).repeat_interleave(variations, dim=0)
        scores = sample_steps(
            forecaster,
            forecaster.normalise(batch.to(forecaster.mean.device)),
            n_steps,
            generator=generator,
            sampling=sampling,
            progress=report,
        )
        sampled = forecaster.denormalise(scores).cpu().numpy()
        for row, forecast in enumerate(sampled):
            past = static[row // variations]
            whole = complete(np.concatenate([past, forecast]), settings)
            result[group[row // variations], row % variations] = whole[len(past) :]
    return result


def _group_by_length(seeds: list[np.ndarray]) -> list[list[int]]:
    """Return the indices of the seeds of each length, the shortest first."""
    groups: dict[int, list[int]] = {}
    for i, seed in enumerate(seeds):
        groups.setdefault(len(seed), []).append(i)
    return [groups[length] for length in sorted(groups)]


@torch.no_grad()
def sample_steps(
    forecaster: Forecaster,
    seed: Tensor,
    n_steps: int,
    *,
    generator: torch.Generator,
    sampling: SamplingOptions = AS_LEARNED,
    progress: Progress = no_progress,
) -> Tensor:
    """Sample z-scored steps after z-scored seeds, side by side.

    Parameters
    ----------
    seed : Tensor, shape (batch, seed steps, n_static), z-scored
    generator : torch.Generator
        On the CPU; `sampling.random_seed` is not used.

    Returns
    -------
    Tensor, shape (batch, n_steps, n_static), z-scored
    """
    architecture = forecaster.architecture
    head = forecaster.head
    sampler = Sampler(sampling, generator, low=forecaster.low, high=forecaster.high)
    # prime the state on all of the seed but its last step
    spans = forecaster.config.spans
    averages_of_seed = slow_averages(seed.cpu().numpy(), spans, delay=head.delay)
    averages = torch.from_numpy(averages_of_seed).to(seed.device)
    inputs = torch.cat([head.encode(seed), head.spread(averages, seed.shape[1])], dim=-1)
    state = architecture.prime(inputs[:, :-1])
    next_input = inputs[:, -1]
    lagging = LaggingAverages(seed, spans, delay=head.delay)
    stream = head.start(seed, sampler)
    sampled: list[Tensor] = []
    place = 0
    while len(sampled) < n_steps:
        # advance the state by one step
        hidden, state = architecture(next_input[:, None], state)
        # sample what follows
        encoded, step = stream.step(hidden[:, -1])
        if step is not None:
            sampled.append(step)
            lagging.add(step)
            if len(sampled) % REPORT_STEPS == 0 or len(sampled) == n_steps:
                progress(len(sampled), n_steps, "forecasting")
        # feed it back, beside the averages
        next_input = torch.cat([encoded, lagging.at(head.step_at(place))], dim=-1)
        place += 1
    return torch.stack(sampled, dim=1)


def check_forecasts(forecaster: Forecaster) -> None:
    """Raise ParameterError if the head of a forecaster only chooses among units."""
    if not forecaster.head.forecasts:
        raise ParameterError(
            f"a forecaster with head {forecaster.config.head} chooses among units and cannot"
            " forecast without them; use demiurge render, or train with --head mixture"
        )


def check_seed(seed: np.ndarray, n_descriptors: int, *, least: int) -> None:
    """Raise ParameterError unless a seed of at least `least` steps can be continued."""
    if seed.ndim != 2 or seed.shape[1] != n_descriptors:
        raise ParameterError(
            f"a seed of shape {seed.shape} does not fit the model: it must be (steps,"
            f" {n_descriptors})"
        )
    if len(seed) < least:
        raise ParameterError(
            f"the seed has {len(seed)} steps, but a forecast needs at least {least};"
            " give a longer one"
        )
    if not np.isfinite(seed).all():
        first = int(np.argwhere(~np.isfinite(seed))[0, 0])
        raise ParameterError(f"step {first} of the seed is not finite; repair it")
