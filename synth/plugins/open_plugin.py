"""Open a plug-in by the word before its path: `transformers:DIR`, `diffusers:DIR`, `rave:FILE`."""

from pathlib import Path

from files.errors import ParameterError
from synth.plugins.plugin import Plugin

KINDS = ("transformers:DIR", "diffusers:DIR", "rave:FILE")


def open_plugin(spec: str, *, prior: Path | None = None, device: str = "cpu") -> Plugin:
    """Return the plug-in of e.g. `transformers:folder`, ready to generate on a device.

    `prior` is a file that goes with an export of RAVE that has none inside.

    Raises
    ------
    ParameterError
        If the word is unknown, or a prior is given for something else than RAVE.
    CheckpointError
        If there is no such model, it is damaged or of an unsupported class, or the packages that
        it needs are missing.
    """
    kind, _, path = spec.partition(":")
    if prior is not None and kind != "rave":
        raise ParameterError(f"--prior {prior} goes with --with rave:FILE, not {spec}")
    if path and kind == "transformers":
        from synth.plugins.musicgen import open_musicgen

        return open_musicgen(Path(path), device=device)
    if path and kind == "diffusers":
        from synth.plugins.diffusion import open_diffusion

        return open_diffusion(Path(path), device=device)
    if path and kind == "rave":
        from synth.plugins.rave import open_rave

        return open_rave(Path(path), prior=prior, device=device)
    raise ParameterError(f"{spec!r} names no plug-in; give one of {', '.join(KINDS)}")
