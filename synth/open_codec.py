"""Open a codec by the path of its folder or file, whatever kind it is."""

from pathlib import Path

from synth.codec import Codec

RAVE_SUFFIX = ".ts"


def open_codec(path: str | Path, *, device: str = "cpu") -> Codec:
    """Open the codec at `path`: a folder of ours or of transformers, or an export of RAVE.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged or of an unknown kind.
    ParameterError
        If a package that it needs is not installed.
    """
    if Path(path).suffix == RAVE_SUFFIX:
        from synth.codecs.rave import Rave

        return Rave(path, device=device)
    from synth.codecs.mel_codec import MelCodec

    return MelCodec.load(path, device=device)
