"""Options for sampling forecasts; does not load torch."""

import math
from dataclasses import dataclass

from files.errors import ParameterError


@dataclass(frozen=True)
class SamplingOptions:
    """Options for sampling the next steps of a forecast.

    Parameters
    ----------
    temperature : float >= 0
        1 samples the learned distribution, less is calmer, more is wilder; 0 takes the likeliest.
    top_p : float, above 0 and at most 1
        Sample only from the likeliest choices that together have this probability.
    random_seed : int >= 0
        The same number gives the same bytes.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    random_seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ParameterError(
                f"temperature={self.temperature} must be a finite number of at least 0"
            )
        if not 0 < self.top_p <= 1:
            raise ParameterError(f"top_p={self.top_p} must be above 0 and at most 1")
        if self.random_seed < 0:
            raise ParameterError(f"random_seed={self.random_seed} must be at least 0")


AS_LEARNED = SamplingOptions()
