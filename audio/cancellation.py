"""Find out whether the channels of a signal cancel each other in their mean.

Two channels of opposite polarity sum to silence, and are heard all the same.
"""

import numpy as np

AUDIBLE_POWER = 1e-6  # -60 dB of full scale: mean square of the louder channel
WEAKER = 10**1.5  # 15 dB: how much weaker than the louder channel the mean must be
WEAKER_THAN_UNRELATED = 10**1.2  # than the mean of unrelated channels of the same power
STRETCH_SAMPLES = 1 << 14  # compared at a time
CANCELLED = "its channels cancel each other"
ENOUGH_SECONDS = 1.0  # that must cancel in all, or half of a shorter signal


def listen(samples: np.ndarray, mono: np.ndarray, channel: int) -> np.ndarray:
    """Return a channel, but the mean of all where that is heard and the channel is not.

    Parameters
    ----------
    samples : ndarray, float32, shape (n_samples, channels)
    mono : ndarray, float32, shape (n_samples,)
        Their mean.
    """
    heard = samples[:, channel].copy()
    for at in range(0, len(heard), STRETCH_SAMPLES):
        here = slice(at, at + STRETCH_SAMPLES)
        with np.errstate(over="ignore"):
            if np.dot(mono[here], mono[here]) > np.dot(heard[here], heard[here]) * WEAKER:
                heard[here] = mono[here]
    return heard


class Cancellation:
    """Counts the samples in which the channels cancel; it costs two dot products per block."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sample_rate = sample_rate
        self._powers = np.zeros(channels)  # of each channel where they cancel
        self._n_samples = 0
        self._n_cancelled = 0

    def add(self, samples: np.ndarray, mono: np.ndarray, scale: float, mono_scale: float) -> None:
        """Take the next samples, float32, at most `STRETCH_SAMPLES`.

        Parameters
        ----------
        samples : ndarray, shape (n_samples, channels)
        mono : ndarray, shape (n_samples,)
            Their mean.
        scale, mono_scale : float
            Factors to full scale 1.
        """
        n_samples, channels = samples.shape
        self._n_samples += n_samples
        flat = samples.ravel()
        with np.errstate(over="ignore"):
            power = float(np.dot(flat, flat)) * scale**2
            mean_power = float(np.dot(mono, mono)) * mono_scale**2
        if mean_power * WEAKER_THAN_UNRELATED >= power / channels**2:
            return
        powers = np.einsum("sc,sc->c", samples, samples, dtype=np.float64) * scale**2
        if powers.max() > max(mean_power * WEAKER, n_samples * AUDIBLE_POWER):
            self._n_cancelled += n_samples
            self._powers += powers

    @property
    def louder_channel(self) -> int | None:
        """The channel to listen to in place of the mean; None if that is as good."""
        enough = min(ENOUGH_SECONDS * self._sample_rate, self._n_samples / 2)
        if not self._n_cancelled or self._n_cancelled < enough:
            return None
        return self._louder()

    def _louder(self) -> int:
        """Return the first channel that is as loud as the loudest, but for roundings."""
        return int(np.argmax(self._powers >= 0.99 * self._powers.max()))

    def warning(self) -> str:
        """Return what happened, for the user."""
        number = self._louder()
        is_stereo = len(self._powers) == 2
        channel = f"{('left', 'right')[number]} channel" if is_stereo else f"channel {number + 1}"
        cancelled = self._n_cancelled / self._sample_rate
        whole = self._n_samples / self._sample_rate
        return f"{CANCELLED} in {cancelled:.1f} of {whole:.1f} s; described by its {channel}"
