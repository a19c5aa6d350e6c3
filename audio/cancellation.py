"""Find out whether the channels of a signal cancel each other in their mean.

Two channels of opposite polarity sum to silence, and are heard all the same.
"""

import numpy as np

AUDIBLE_POWER = 1e-6  # -60 dB of full scale: mean square of the louder channel
WEAKER = 10**1.5  # 15 dB: how much weaker than the louder channel the mean must be
WEAKER_THAN_UNRELATED = 10**1.2  # than the mean of unrelated channels of the same power
STRETCH_SAMPLES = 1 << 14  # compared at a time
PROBED_SAMPLES = 1 << 12  # of them, which say whether to compare at all
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
    """Counts the samples in which the channels cancel; it costs two dot products per stretch."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sample_rate = sample_rate
        self._powers = np.zeros(channels)  # of each channel where they cancel
        self._n_samples = 0
        self._n_cancelled = 0

    def add(self, samples: np.ndarray, mono: np.ndarray) -> None:
        """Take the next samples: float32 (n_samples, channels), and (n_samples,) their mean."""
        powers: list[float] = []
        mean_powers: list[float] = []
        with np.errstate(over="ignore"):
            for start in range(0, len(mono), STRETCH_SAMPLES):
                flat = samples[start : start + PROBED_SAMPLES].ravel()
                mean = mono[start : start + PROBED_SAMPLES]
                powers.append(np.dot(flat, flat))
                mean_powers.append(np.dot(mean, mean))
        self.compare(samples, mono, np.array(powers), np.array(mean_powers))

    def compare(
        self, samples: np.ndarray, mono: np.ndarray, powers: np.ndarray, mean_powers: np.ndarray
    ) -> None:
        """Take the next samples, float32 or int16, whose sums of squares are known.

        Parameters
        ----------
        samples, mono : ndarray
            As `add`.
        powers, mean_powers : ndarray
            Of all channels, and of their mean, for the first `PROBED_SAMPLES` of each
            `STRETCH_SAMPLES`.
        """
        self._n_samples += len(samples)
        unrelated = powers / samples.shape[1] ** 2
        for number in np.flatnonzero(mean_powers * WEAKER_THAN_UNRELATED < unrelated).tolist():
            stretch = slice(number * STRETCH_SAMPLES, (number + 1) * STRETCH_SAMPLES)
            self._add_suspect(samples[stretch], mono[stretch])

    def _add_suspect(self, stretch: np.ndarray, mono: np.ndarray) -> None:
        scale = 1 / 32768 if stretch.dtype == np.int16 else 1
        powers = np.square(stretch * scale, dtype=np.float64).sum(axis=0)
        mean_power = float(np.square(mono, dtype=np.float64).sum())
        if powers.max() > max(mean_power * WEAKER, len(stretch) * AUDIBLE_POWER):
            self._n_cancelled += len(stretch)
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
