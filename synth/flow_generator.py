"""A generator: a flow with its mel settings, statistics, styles and checkpoint."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from files.errors import ParameterError
from synth.flow import N_CURVES, Flow, FlowConfig
from synth.flow_conditions import Conditions, curves_of, mark, style_of
from synth.flow_sampling import follow_flow, windows
from synth.generator import Generator, check_request
from synth.mel import MelSettings

STEPS = 16
CONTEXT_SHARE = 0.5  # of a window, given from the one before
N_STYLES = 256  # kept from the training excerpts
MIN_STYLE_STD = 0.05
MIN_CURVE_STD = 0.05  # nepers
DRIFT_SECONDS = 60.0  # from one style to the next


@dataclass(frozen=True)
class FlowRequest:
    """What is to be made; by default anything, from noise.

    Attributes
    ----------
    mel : Tensor, shape (n_mels, frames), optional
        Log-mel; what is given of it stays.
    given : Tensor of bool, shape (frames,), optional
    curves : Tensor, shape (N_CURVES, frames), optional
        Loudness and onsets to be followed, as `synth.flow_conditions.curves_of` measures them.
    style : Tensor, shape (style_size,), optional
        As `FlowGenerator.style_of` measures it, or a mix of several; by default styles are drawn
        from the training audio, and drift from one to the next.
    loop : bool
        Whether the end goes on at the beginning.
    """

    mel: Tensor | None = None
    given: Tensor | None = None
    curves: Tensor | None = None
    style: Tensor | None = None
    loop: bool = False


class FlowGenerator(Generator):
    """Maps random seeds, and what is asked for, to log-mel spectrograms."""

    architecture = "flow"
    curve_mean: Tensor
    curve_std: Tensor
    style_mean: Tensor
    style_std: Tensor
    styles: Tensor

    def __init__(
        self,
        config: FlowConfig,
        mel: MelSettings,
        *,
        window_frames: int,
        training: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(mel, training)
        if window_frames < 1 or window_frames % config.patch_frames:
            raise ParameterError(
                f"window_frames={window_frames} must be a positive multiple of patch_frames="
                f"{config.patch_frames}"
            )
        self.config = config
        self.window_frames = window_frames
        self.network = Flow(mel.n_mels, config)
        self.register_buffer("curve_mean", torch.zeros(N_CURVES))
        self.register_buffer("curve_std", torch.ones(N_CURVES))
        self.register_buffer("style_mean", torch.zeros(config.style_size))
        self.register_buffer("style_std", torch.ones(config.style_size))
        self.register_buffer("styles", torch.zeros(N_STYLES, config.style_size))

    def own_config(self) -> dict[str, Any]:
        return {"flow": asdict(self.config), "window_frames": self.window_frames}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(
            FlowConfig(**config["flow"]),
            MelSettings.from_dict(config["mel"]),
            window_frames=config["window_frames"],
            training=config["training"],
        )

    def set_condition_statistics(self, styles: Tensor, curves: Tensor) -> None:
        """Keep styles (N_STYLES, style_size) and the moments of them and of curves (n, 2, frames)."""
        self.style_mean.copy_(styles.mean(0))
        self.style_std.copy_(styles.std(0).clamp_min(MIN_STYLE_STD))
        self.styles.copy_((styles - self.style_mean) / self.style_std)
        self.curve_mean.copy_(curves.mean((0, 2)))
        self.curve_std.copy_(curves.std((0, 2)).clamp_min(MIN_CURVE_STD))

    def standard_curves(self, curves: Tensor) -> Tensor:
        """Curves (..., N_CURVES, frames) -> z-scores."""
        return (curves.to(self.mean) - self.curve_mean[:, None]) / self.curve_std[:, None]

    def standard_style(self, style: Tensor) -> Tensor:
        """Styles (..., style_size) -> z-scores."""
        return (style.to(self.mean) - self.style_mean) / self.style_std

    def style_of(self, mel: Tensor) -> Tensor:
        """Describe log-mel (n_mels, frames): (style_size,). Styles can be averaged."""
        return style_of(self.normalise(mel.to(self.mean)).cpu())

    @torch.no_grad()
    def sample(
        self,
        frames: int,
        *,
        random_seeds: Sequence[int],
        request: FlowRequest | None = None,
        steps: int = STEPS,
        guidance: float = 1.0,
    ) -> Tensor:
        """Generate one clip per seed.

        Parameters
        ----------
        frames : int > 0
            Of a clip, with what is given.
        random_seeds : sequence of int >= 0
        request : FlowRequest, optional
        steps : int > 0
            Passes through the network for each window.
        guidance : float >= 1
            How far to go from what the network predicts without a style to what it predicts with
            it, and beyond (arXiv 2207.12598); above 1 it takes two passes.

        Returns
        -------
        Tensor, shape (len(random_seeds), n_mels, frames)
            Log-mel, not below silence, on the CPU.
        """
        check_request(frames, random_seeds)
        request = request or FlowRequest()
        padded = -(-frames // self.config.patch_frames) * self.config.patch_frames
        mel, given = self._start(request, frames, padded)
        clips = []
        for seed in random_seeds:
            clip = mel.clone()
            known = given.clone()
            self._fill(clip, known, request, seed, steps, guidance)
            if request.loop:
                clip = self._close_loop(clip, request, seed, steps, guidance)
            clips.append(self.denormalise(clip[:, :frames]).cpu())
        return torch.stack(clips).clamp_min(self.mel.silence)

    def _start(self, request: FlowRequest, frames: int, padded: int) -> tuple[Tensor, Tensor]:
        """Return normalised mel (n_mels, padded) and which of its frames are given (padded,)."""
        mel = torch.zeros(self.mel.n_mels, padded, device=self.mean.device)
        given = torch.zeros(padded, dtype=torch.bool)
        if request.mel is not None and request.given is not None:
            mel[:, :frames] = self.normalise(request.mel.to(mel))
            given[:frames] = request.given.cpu()
        return mel, given

    def _fill(
        self,
        clip: Tensor,
        given: Tensor,
        request: FlowRequest,
        seed: int,
        steps: int,
        guidance: float,
    ) -> None:
        """Make the frames of a normalised clip (n_mels, frames) that are not given, in place."""
        length = self.window_frames
        context = int(length * CONTEXT_SHARE)
        drift = Drift(self.styles, seed)
        for number, (start, stop) in enumerate(windows(given, length, context)):
            rng = np.random.default_rng([seed, number])
            noise = rng.standard_normal((self.mel.n_mels, stop - start), np.float32)
            middle = (start + stop) / 2 / self.mel.frame_rate
            style = drift(middle) if request.style is None else self.standard_style(request.style)
            conditions = self._conditions(given[start:stop], request.curves, start, stop, style)
            made = self._window(clip[:, start:stop], conditions, noise, steps, guidance)
            clip[:, start:stop] = made
            given[start:stop] = True

    def _window(
        self,
        mel: Tensor,
        conditions: Conditions,
        noise: np.ndarray,
        steps: int,
        guidance: float,
    ) -> Tensor:
        """Make the missing frames of a window (n_mels, frames)."""
        given = conditions.given[:, None]
        clean = mel[None]
        without = conditions.without_style()

        def predict(z: Tensor, time: Tensor) -> Tensor:
            inputs = torch.where(given > 0, clean, z)
            x = self._predict(inputs, time, conditions)
            if guidance == 1:
                return x
            free = self._predict(inputs, time, without)
            return free + guidance * (x - free)

        made = follow_flow(predict, torch.from_numpy(noise)[None].to(mel), steps)
        return torch.where(given > 0, clean, made)[0]

    def _predict(self, mel: Tensor, time: Tensor, conditions: Conditions) -> Tensor:
        return self.network(mel, conditions.given, time, conditions.curves, conditions.style)

    def _conditions(
        self, given: Tensor, curves: Tensor | None, start: int, stop: int, style: Tensor
    ) -> Conditions:
        device = self.mean.device
        values = torch.zeros(1, N_CURVES, stop - start, device=device)
        there = torch.zeros_like(values)
        if curves is not None:
            cut = self.standard_curves(curves[:, start:stop])
            values[0, :, : cut.shape[1]] = cut
            there[..., : cut.shape[1]] = 1
        style = torch.cat([style, style.new_ones(1)])[None]
        return Conditions(given[None].float().to(device), mark(values, there), style)

    def _close_loop(
        self, clip: Tensor, request: FlowRequest, seed: int, steps: int, guidance: float
    ) -> Tensor:
        """Make the frames around the end again, so that they lead into the beginning."""
        frames = clip.shape[1]
        gap = min(frames, self.window_frames) // 4
        half = frames // 2
        turned = clip.roll(half, dims=1)  # the end and the beginning are now in the middle
        given = torch.ones(frames, dtype=torch.bool)
        given[half - gap : half] = False
        curves = None if request.curves is None else request.curves.roll(half, dims=1)
        again = FlowRequest(curves=curves, style=request.style)
        self._fill(turned, given, again, seed + 1, steps, guidance)
        return turned.roll(-half, dims=1)


class Drift:
    """A style for every moment: styles drawn at random, one leading into the next."""

    def __init__(self, styles: Tensor, seed: int) -> None:
        self.styles = styles
        self.seed = seed

    def __call__(self, seconds: float) -> Tensor:
        """Return the standardised style (style_size,) at a time."""
        number = int(seconds // DRIFT_SECONDS)
        share = seconds / DRIFT_SECONDS - number
        return torch.lerp(self._drawn(number), self._drawn(number + 1), share)

    def _drawn(self, number: int) -> Tensor:
        rng = np.random.default_rng([self.seed, number, len(self.styles)])
        return self.styles[int(rng.integers(len(self.styles)))]
