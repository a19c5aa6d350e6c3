"""The state of an export that was made for streaming: what it keeps of the sound before.

Such an export goes on where it stopped, and its sound is late, as it waits for what its
convolutions look ahead to. Both are undone here: every sound starts anew, and the delay is cut off.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from synth.codecs.rave_layout import RaveLayout
from synth.codecs.torchscript import Script

LEAD_SECONDS = 0.5  # of faint noise before the burst
TAIL_SECONDS = 2.0  # after it: more than the delay of any known configuration
QUIET = 0.01  # standard deviation of that noise
LOUD = 0.3  # of the burst
BURSTS = 4  # measured, each a part of a hop later than the one before


class State:
    """The buffers that a run of the module changes, and how to set them back."""

    def __init__(
        self,
        script: Script,
        run: Callable[[], object],
        *,
        emptied: tuple[str, ...] = ("pad", "cache"),
    ) -> None:
        """Find the buffers that `run` changes.

        Those whose last names are `emptied` start at zero, by default those of convolutions; the
        others as they are in the file.
        """
        self._script = script
        before = {name: buffer.clone() for name, buffer in script.module.named_buffers()}
        run()
        self._start = {}
        for name, buffer in script.module.named_buffers():
            if not torch.equal(before[name], buffer):
                is_emptied = name.rpartition(".")[2] in emptied
                self._start[name] = torch.zeros_like(buffer) if is_emptied else before[name]

    @property
    def is_streaming(self) -> bool:
        return bool(self._start)

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget all sound."""
        for name, buffer in self._script.module.named_buffers():
            if name in self._start:
                start = self._start[name]
                buffer.resize_(start.shape).copy_(start)


def measure_delay(
    encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor], layout: RaveLayout
) -> tuple[int, int]:
    """Measure by how much an export is late.

    For the length of a hop, faint noise is made loud. What that changes, in the latents and in the
    audio decoded from them, has half of its energy before its middle, which is compared with the
    middle of the burst.

    Parameters
    ----------
    encode, decode : function
        Audio (channels, n) to latents (n_latents, frames) and back, each time from silence and
        with the same random numbers.

    Returns
    -------
    (frames, samples)
        Of latents, and of audio after those frames have been taken off the latents.
    """
    hop_length = layout.hop_length
    lead = -(-round(LEAD_SECONDS * layout.sample_rate) // hop_length)
    n_frames = lead + -(-round(TAIL_SECONDS * layout.sample_rate) // hop_length)
    noise = np.random.default_rng(0).standard_normal((layout.channels_in, n_frames * hop_length))
    quiet = QUIET * noise.astype(np.float32)
    latents = encode(torch.from_numpy(quiet))
    audio = decode(latents)
    late = []
    for burst in range(BURSTS):
        start = lead * hop_length + burst * hop_length // BURSTS
        loud = quiet.copy()
        loud[:, start : start + hop_length] *= LOUD / QUIET
        changed = encode(torch.from_numpy(loud))
        middle = start + hop_length / 2
        latent_middle = _middle(changed - latents) * hop_length
        late.append([latent_middle - middle, _middle(decode(changed) - audio) - middle])
    of_latents, of_audio = np.maximum(np.mean(late, axis=0), 0)
    frames = int(of_latents / hop_length + 0.5)
    return frames, max(round(of_audio) - frames * hop_length, 0)


def _middle(change: Tensor) -> float:
    """Return where half of the energy of (channels, n) lies before, from 0 to n."""
    energy = np.square(change.double().cpu().numpy()).sum(axis=0).cumsum()
    half = energy[-1] / 2
    place = int(np.searchsorted(energy, half))
    below = energy[place - 1] if place else 0.0
    return float(place + (half - below) / max(energy[place] - below, 1e-300))
