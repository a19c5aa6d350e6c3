"""Forecast how sequences go on: prime the state on each whole seed, then sample step after step."""

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import complete, static_columns
from files.errors import ParameterError
from files.progress import Progress, no_progress
from sequencer.conditions import conditions_for
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.sample_steps import sample_steps
from sequencer.sampling import AS_LEARNED, SamplingOptions
from sequencer.track import Track


@torch.no_grad()
def rollout(
    forecaster: Forecaster,
    seeds: list[np.ndarray],
    *,
    n_steps: int,
    variations: int = 1,
    sampling: SamplingOptions = AS_LEARNED,
    track: Track | None = None,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Forecast how sequences go on, each in several ways.

    Parameters
    ----------
    seeds : list of ndarray, float32, shape (seed steps, n_descriptors), raw
        Each at least `ORDER` steps long; those of one length are rolled out side by side.
    n_steps, variations : int >= 1
    track : Track, optional
        What the seeds and their forecasts go with, from the beginning of the seeds on.

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
        scores = sample_forecast(
            forecaster,
            forecaster.normalise(batch.to(forecaster.mean.device)),
            n_steps,
            generator=generator,
            sampling=sampling,
            track=track,
            progress=report,
        )
        sampled = forecaster.denormalise(scores).cpu().numpy()
        for row, forecast in enumerate(sampled):
            past = static[row // variations]
            whole = complete(np.concatenate([past, forecast]), settings)
            result[group[row // variations], row % variations] = whole[len(past) :]
    return result


def sample_forecast(
    forecaster: Forecaster,
    seed: Tensor,
    n_steps: int,
    *,
    generator: torch.Generator,
    sampling: SamplingOptions = AS_LEARNED,
    track: Track | None = None,
    progress: Progress = no_progress,
) -> Tensor:
    """Sample z-scored steps after z-scored seeds (batch, steps, n), with the condition they have.

    A coarse level is sampled on the way. Returns and raises as `sample_steps` and `rollout`.
    """
    conditions = conditions_for(
        forecaster, seed, track=track, generator=generator, sampling=sampling
    )
    return sample_steps(
        forecaster,
        seed,
        n_steps,
        generator=generator,
        sampling=sampling,
        conditions=conditions,
        progress=progress,
    )


def _group_by_length(seeds: list[np.ndarray]) -> list[list[int]]:
    """Return the indices of the seeds of each length, the shortest first."""
    groups: dict[int, list[int]] = {}
    for i, seed in enumerate(seeds):
        groups.setdefault(len(seed), []).append(i)
    return [groups[length] for length in sorted(groups)]


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
            f"the seed has {len(seed)} {'step' if len(seed) == 1 else 'steps'}, but a forecast"
            f" needs at least {least}; give a longer one"
        )
    if not np.isfinite(seed).all():
        first = int(np.argwhere(~np.isfinite(seed))[0, 0])
        raise ParameterError(f"step {first} of the seed is not finite; repair it")
