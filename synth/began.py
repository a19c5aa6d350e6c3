"""The discriminator of UNAGAN (arXiv 2005.08526), an autoencoder, and BEGAN's balance.

BEGAN (arXiv 1703.10717): the autoencoder learns to reconstruct real mels well and generated ones
badly; the generator learns to be reconstructed well.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from files.errors import ParameterError
from files.ranges import check_number, shown

SLOPE = 0.01  # of the leaky ReLUs
TIME_DILATIONS_2D = (2, 4, 8)
TIME_DILATIONS_1D = (1, 16, 32, 64, 128)


class MelAutoencoder(nn.Module):
    """Normalised mel (batch, n_mels, frames) -> its reconstruction, the same shape.

    The loss is their mean absolute difference. Strides, dilations and norms of the 2-d convolutions
    are the published ones; their widths, and the 1-d ones without norm, are our interpretation.

    Parameters
    ----------
    n_mels : int > 0
    channels : int, a multiple of 16
        Width of the 1-d convolutions; the 2-d ones have a 16th, an 8th and a quarter of it.
    """

    def __init__(self, n_mels: int, channels: int = 512) -> None:
        super().__init__()
        if channels < 1 or channels % 16:
            raise ParameterError(f"channels={channels} must be a positive multiple of 16")
        planes = []
        n_in = 1
        bands = n_mels
        for divisor, dilation in zip((16, 8, 4), TIME_DILATIONS_2D, strict=True):
            planes += _plane(n_in, channels // divisor, dilation)
            n_in = channels // divisor
            bands = (bands + 1) // 2
        self.planes = nn.Sequential(*planes)
        lines: list[nn.Module] = []
        n_in = n_in * bands
        for dilation in TIME_DILATIONS_1D:
            lines.append(nn.Conv1d(n_in, channels, 3, padding=dilation, dilation=dilation))
            lines.append(nn.LeakyReLU(SLOPE))
            n_in = channels
        self.lines = nn.Sequential(*lines)
        self.head = nn.Conv1d(channels, n_mels, 1)

    def forward(self, mel: Tensor) -> Tensor:
        hidden = self.planes(mel[:, None])  # (B, C, bands, T)
        return self.head(self.lines(hidden.flatten(1, 2)))


def _plane(n_in: int, n_out: int, dilation: int) -> list[nn.Module]:
    """A 2-d convolution that halves the bands and keeps the frames."""
    along_time = (1, dilation)
    conv = nn.Conv2d(
        n_in, n_out, 3, stride=(2, 1), padding=along_time, dilation=along_time, bias=False
    )
    return [spectral_norm(conv), nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE)]


@dataclass
class BeganBalance:
    """The weight k of generated mels in the discriminator's loss, real - k * fake (section 3.4).

    k rises while gamma * real > fake (the generator is ahead), and falls otherwise.
    """

    gamma: float = 1.0  # target of the ratio fake / real
    lambda_k: float = 0.01  # step size of k
    k: float = 0.0  # 0 to 1
    measure: float = math.inf  # convergence, lower is better; infinite before the first step

    def update(self, real_loss: float, fake_loss: float) -> None:
        """Adjust k by the reconstruction losses of one training step.

        Raises
        ------
        ParameterError
            If one is not finite.
        """
        if not math.isfinite(real_loss) or not math.isfinite(fake_loss):
            raise ParameterError(
                f"losses {real_loss} and {fake_loss} must be finite; lower the learning rate"
            )
        lead = self.gamma * real_loss - fake_loss
        self.k = min(max(self.k + self.lambda_k * lead, 0.0), 1.0)
        self.measure = real_loss + abs(lead)

    def state_dict(self) -> dict[str, float]:
        return {"k": self.k, "measure": self.measure}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Load what `state_dict` returned; raise ParameterError if it is something else."""
        if not isinstance(state, dict) or state.keys() != {"k", "measure"}:
            raise ParameterError(f"balance={shown(state)} must hold k and measure")
        check_number("balance.k", state["k"], 0, 1)
        check_number("balance.measure", state["measure"], 0, math.inf)
        self.k = state["k"]
        self.measure = state["measure"]
