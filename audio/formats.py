"""The audio formats that can be written, and their limits."""

from dataclasses import dataclass
from pathlib import Path

from files.errors import ParameterError

FLAC_COARSE_RATE = 65535  # Hz; above this, FLAC stores the rate in tens of Hz


@dataclass(frozen=True)
class OutputFormat:
    """A container format and its limits.

    Attributes
    ----------
    container : str
        libsndfile's name for it.
    encodings : dict
        libsndfile's encoding for each choice of bits; the key None stands for the default.
    max_channels : int
    max_sample_rate : int
        Hz.
    """

    container: str
    encodings: dict[str | None, str]
    max_channels: int
    max_sample_rate: int


PCM = {None: "PCM_24", "16": "PCM_16", "24": "PCM_24"}
FORMATS = {
    ".wav": OutputFormat("WAV", {**PCM, "float": "FLOAT"}, 1024, 2**31 - 1),
    ".flac": OutputFormat("FLAC", PCM, 8, 655350),
    ".ogg": OutputFormat("OGG", {None: "VORBIS"}, 255, 200000),
}

BITS = tuple(bits for bits in FORMATS[".wav"].encodings if bits)


def check_output_format(
    path: str | Path,
    bits: str | None = None,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
) -> OutputFormat:
    """Return the format that a path's suffix asks for.

    Parameters
    ----------
    bits : {"16", "24", "float"}, optional
        The format's default if omitted.
    sample_rate, channels : int, optional
        Checked if given.

    Raises
    ------
    ParameterError
        If the suffix is unknown, or the format does not support the other values.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ParameterError(f"{path}: the suffix {suffix!r} must be one of {', '.join(FORMATS)}")
    found = FORMATS[suffix]
    if bits not in found.encodings:
        raise ParameterError(f"{path}: bits={bits!r} {_bits_rule(found)}")
    if channels is not None and not 1 <= channels <= found.max_channels:
        raise ParameterError(
            f"{path}: channels={channels} must be 1 to {found.max_channels} in {found.container};"
            " write .wav, or use fewer channels"
        )
    if sample_rate is not None:
        _check_sample_rate(path, found, sample_rate)
    return found


def _bits_rule(found: OutputFormat) -> str:
    known = ", ".join(bits for bits in found.encodings if bits)
    if not known:
        return (
            "does not apply to OGG, since Vorbis has no bit depth; leave it out, or write .wav or"
            " .flac"
        )
    hint = "" if "float" in known else "; float samples need .wav"
    return f"must be one of {known} in {found.container}{hint}"


def _check_sample_rate(path: str | Path, found: OutputFormat, sample_rate: int) -> None:
    if not 1 <= sample_rate <= found.max_sample_rate:
        rule = f"1 to {found.max_sample_rate}"
    elif found.container == "FLAC" and sample_rate > FLAC_COARSE_RATE and sample_rate % 10:
        rule = f"a multiple of 10 above {FLAC_COARSE_RATE}"
    else:
        return
    raise ParameterError(
        f"{path}: sample_rate={sample_rate} Hz must be {rule} in {found.container}; write .wav"
    )
