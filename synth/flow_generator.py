"""A generator: a flow with its mel settings, statistics and styles."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor

from files.errors import ParameterError
from files.ranges import check_integer, check_names
from synth.flow import N_CURVES, Flow, FlowConfig
from synth.flow_conditions import style_of
from synth.flow_windows import Drift, WindowMaker
from synth.generator import Generator, GeneratorDocument, check_request
from synth.mel import MelSettings

STEPS = 8
GUIDANCE = 3.0
N_STYLES = 256  # kept from the training excerpts
MIN_STYLE_STD = 0.05
MIN_CURVE_STD = 0.05  # nepers
MOST_WINDOW_FRAMES = 1 << 14  # three minutes, all of which attend to each other


@dataclass(frozen=True)
class FlowRequest:
    """What is to be made; by default anything, from noise.

    Attributes
    ----------
    mel : Tensor, shape (n_mels, frames), optional
        Log-mel; what is given of it stays.
    given : Tensor of bool, shape (frames,), optional
        Needs `mel`.
    curves : Tensor, shape (N_CURVES, frames), optional
        Loudness and onsets to be followed, as `synth.flow_conditions.curves_of` measures them.
    style : Tensor, shape (style_size,), optional
        As `FlowGenerator.style_of` measures it, or a mix of several; by default styles are drawn
        from the training audio, and lead from one to the next.
    loop : bool
        Whether the end leads into the beginning.
    steps : int > 0
        Predictions made for each window.
    guidance : float >= 1
        How far to go, in the first half of the steps, from what the network predicts for any style
        towards what it predicts for this one, and beyond (arXiv 2207.12598). Above 1, such a step
        takes twice as long.
    """

    mel: Tensor | None = None
    given: Tensor | None = None
    curves: Tensor | None = None
    style: Tensor | None = None
    loop: bool = False
    steps: int = STEPS
    guidance: float = GUIDANCE

    def __post_init__(self) -> None:
        if (self.mel is None) != (self.given is None):
            raise ParameterError("mel and given belong together; give both or neither")
        if self.steps < 1:
            raise ParameterError(f"steps={self.steps} must be at least 1")
        if not 1 <= self.guidance <= 10:
            raise ParameterError(f"guidance={self.guidance} must be 1 to 10")
        for name in ("mel", "curves", "style"):
            value = getattr(self, name)
            if value is not None and not value.isfinite().all():
                raise ParameterError(f"{name} holds NaN or infinite values; repair its audio")


ANYTHING = FlowRequest()


class FlowDocument(GeneratorDocument, forbid_unknown_fields=True, kw_only=True):
    """The config of a checkpoint."""

    flow: dict[str, Any]
    window_frames: int


class FlowGenerator(Generator):
    """Maps random seeds, and what is asked for, to log-mel spectrograms."""

    architecture = "flow"
    document = FlowDocument
    network: Flow
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
        _check_window(window_frames, config.patch_frames)
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
    def from_document(cls, document: FlowDocument) -> Self:
        check_names(document.flow, asdict(FlowConfig()))
        return cls(
            FlowConfig(**document.flow),
            MelSettings.from_dict(document.mel),
            window_frames=document.window_frames,
            training=document.training,
        )

    def set_condition_statistics(self, styles: Tensor, curves: Tensor) -> None:
        """Keep styles (N_STYLES, style_size), and the moments of them and of curves.

        `curves` is (n, N_CURVES, frames).
        """
        self.style_mean.copy_(styles.mean(0))
        self.style_std.copy_(styles.std(0).clamp_min(MIN_STYLE_STD))
        self.set_styles(styles)
        self.curve_mean.copy_(curves.mean((0, 2)))
        self.curve_std.copy_(curves.std((0, 2)).clamp_min(MIN_CURVE_STD))

    def set_styles(self, styles: Tensor) -> None:
        """Set the styles (N_STYLES, style_size) that clips are made in if none is asked for."""
        self.styles.copy_(self.standard_style(styles))

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
        self, frames: int, *, random_seeds: Sequence[int], request: FlowRequest = ANYTHING
    ) -> Tensor:
        """Generate one clip per seed; `frames` include what is given."""
        check_request(frames, random_seeds)
        self._check_shapes(frames, request)
        patch = self.config.patch_frames
        padded = -(-frames // patch) * patch
        if request.loop and padded != frames:
            raise ParameterError(
                f"frames={frames} of a loop must be a multiple of {patch}, as the network makes"
                " them"
            )
        given = torch.zeros(padded, dtype=torch.bool)
        start = torch.zeros(self.mel.n_mels, padded, device=self.mean.device)
        if request.mel is not None and request.given is not None:
            given[:frames] = request.given.cpu()
            start[:, :frames] = self.normalise(request.mel.to(self.mean))
        clips = []
        for seed in random_seeds:
            maker = self._maker(request, seed)
            clip = start.clone()
            maker.fill(clip, given)
            if request.loop:
                clip = maker.close_loop(clip)
            clips.append(self.denormalise(clip[:, :frames]).cpu())
        return torch.stack(clips).clamp_min(self.mel.silence)

    def _maker(self, request: FlowRequest, random_seed: int) -> WindowMaker:
        styles: Drift | Tensor = Drift(self.styles, random_seed)
        if request.style is not None:
            styles = self.standard_style(request.style)
        curves = None if request.curves is None else self.standard_curves(request.curves)
        return WindowMaker(
            network=self.network,
            length=self.window_frames,
            frame_rate=self.mel.frame_rate,
            styles=styles,
            curves=curves,
            random_seed=random_seed,
            steps=request.steps,
            guidance=request.guidance,
        )

    def _check_shapes(self, frames: int, request: FlowRequest) -> None:
        shapes = {
            "mel": (self.mel.n_mels, frames),
            "given": (frames,),
            "curves": (N_CURVES, frames),
            "style": (self.config.style_size,),
        }
        for name, shape in shapes.items():
            value = getattr(request, name)
            if value is not None and tuple(value.shape) != shape:
                raise ParameterError(f"{name} of shape {tuple(value.shape)} must be {shape}")


def _check_window(frames: int, patch_frames: int) -> None:
    check_integer("window_frames", frames, 1, MOST_WINDOW_FRAMES)
    if frames % patch_frames:
        raise ParameterError(
            f"window_frames={frames} must be a multiple of patch_frames={patch_frames}"
        )
