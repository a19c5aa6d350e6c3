"""Priors of RAVE: networks that make the latents, or the codes, that an export decodes.

Three kinds are told apart by what their method takes and gives for a frame:

- the method `prior` of an export, or a file of its own (version 1): a temperature to latents;
- a file of msprior: codes, one of each book, to codes and their perplexity. It either listens, and
  then goes on from what it heard, or generates.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from files.errors import CheckpointError
from synth.codecs.rave_layout import Method, read_methods
from synth.codecs.rave_model import RaveModel
from synth.codecs.rave_state import State
from synth.codecs.torchscript import Script

REMEDY = "give the prior that was trained with this RAVE"
WITHOUT = (
    "it has no prior, so that it can only turn sounds into sounds; export it together with a prior"
    " (`rave export --prior`), give one as --prior FILE, or let it play your sounds: demiurge synth"
    " resynth"
)


class RavePrior:
    """A prior that fits an export of RAVE.

    Attributes
    ----------
    script : Script
        Of the prior's file, or of the export that holds it.
    listens : bool
        Whether it can go on from codes.
    """

    def __init__(self, rave: RaveModel, path: str | Path | None = None) -> None:
        """Open the prior at `path`, or the one inside the export.

        Raises
        ------
        CheckpointError
            If there is none, or it is damaged, no prior, or of another RAVE.
        """
        if path is None and not rave.layout.has_prior:
            raise CheckpointError(f"{rave.script.path}: {WITHOUT}")
        self._rave = rave
        self._name = "prior" if path is None else "forward"
        self.script = rave.script if path is None else Script(path, device=rave.script.device)
        method = read_methods(self.script).get(self._name)
        self.listens = self.script.has_method("set_listen")
        self._check(method)
        self._channels = 1 if method is None else method.channels_in
        self._state = State(self.script, self._try, emptied=())

    def generate(self, n_frames: int, codes: np.ndarray | None = None) -> np.ndarray:
        """Make latents of the export, float32 (n_frames, n), with torch's random numbers.

        `codes`, float32 (frames, n), are what to go on from; only of a prior that listens.
        """
        self._state.reset()
        if codes is not None:
            self.script.call("set_listen", True)
            self._call(torch.from_numpy(codes.T.copy())[None])
        if self.listens:
            self.script.call("set_listen", False)
        return self._call(torch.zeros(1, self._channels, n_frames))[0].T.numpy()

    def _try(self) -> None:
        if self.listens:
            self.script.call("set_listen", False)
        with self.script.seeded(0):
            self._call(torch.zeros(1, self._channels, 2))

    def _call(self, x: Tensor) -> Tensor:
        n_latents = self._rave.layout.n_latents
        made = self.script.call(self._name, x.to(self.script.device))
        expected = (1, n_latents + self.listens, x.shape[2])
        if not isinstance(made, Tensor) or tuple(made.shape) != expected:
            shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise CheckpointError(
                f"{self.script.path}: its method {self._name} gives {shape}, where its sizes imply"
                f" {expected}; {REMEDY}"
            )
        return made[:, :n_latents].float().cpu()

    def _check(self, method: Method | None) -> None:
        path = self.script.path
        layout = self._rave.layout
        if method is None or method.hop_in != method.hop_out or method.hop_in == 1:
            raise CheckpointError(f"{path}: no prior, as its method takes or gives audio; {REMEDY}")
        made = (method.channels_out - self.listens, method.hop_out)
        if made != (layout.n_latents, layout.hop_length):
            raise CheckpointError(
                f"{path}: it makes {made[0]} latents of {made[1]} samples, but"
                f" {self._rave.script.path} decodes {layout.n_latents} of {layout.hop_length};"
                f" {REMEDY}"
            )
        if method.channels_in != (layout.n_latents if self.listens else 1):
            raise CheckpointError(
                f"{path}: it takes {method.channels_in} numbers a frame, more than a prior that"
                f" needs nothing but itself; {REMEDY}, trained without features of sounds"
            )
