"""Sound that was made of units, and how."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from demiurge.facade.sound import Sound, refuse_existing
from demiurge.results import plan_path
from files.roots import Roots
from playback.options import DEFAULT_RENDER, OutputOptions, RenderOptions
from playback.plan import Plan
from playback.render import render

IN_MEMORY = RenderOptions(output=OutputOptions(bits="float"))


@dataclass(frozen=True)
class Rendered:
    """Sound that was made of units; in a notebook it is shown as a player.

    Attributes
    ----------
    sound : Sound
    plan : Plan
        Says which unit is played when, and why; it can be changed and rendered again.
    """

    sound: Sound
    plan: Plan
    _roots: Roots

    def save(self, path: str | Path, *, bits: str | None = None, lufs: float | None = None) -> Path:
        """Write WAV, FLAC or OGG, and the plan beside it as NAME.plan.json; return the path.

        The file is the same, byte for byte, as that of the command.

        Parameters
        ----------
        bits : {"16", "24", "float"}, optional
            24 by default, and of OGG none.
        lufs : float, optional
            Loudness of the whole.

        Raises
        ------
        Error
            If there are such files already, or they cannot be written.
        """
        path = Path(path)
        refuse_existing(path)
        refuse_existing(plan_path(path))
        output = OutputOptions(bits=bits, lufs=lufs)
        render_options = RenderOptions(DEFAULT_RENDER.crossfade, output)
        render(self.plan, path, root=self._roots, render_options=render_options)
        self.plan.save(plan_path(path))
        return path

    def _repr_html_(self) -> str:
        return self.sound._repr_html_()


def play(plan: Plan, roots: Roots) -> Sound:
    """Return the sound of a plan."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        render(plan, path, root=roots, render_options=IN_MEMORY)
        return Sound.read(path)
