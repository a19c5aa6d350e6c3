"""A bounded process for each upload: it decodes what may be anything, and cannot do harm."""

import json
import multiprocessing
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from audio.read import AudioInfo, open_audio
from audio.resample import Resampler
from demiurge.web.make.records import as_record
from demiurge.web.signals import ignore_terminal_signals
from files.errors import AudioError, DemiurgeError

# of a seed
LEAST_SECONDS = 0.1
MOST_SECONDS = 1200.0
# of a seed: what its analysis holds in memory at a time
MOST_RATE = 192_000
MOST_CHANNELS = 32
# at most, of what is heard of a seed in the page
PREVIEW_RATE = 48_000
PREVIEW_CHANNELS = 2
DECODING_SECONDS = 60.0  # until a decoding process is ended, whatever it does
DECODING_BYTES = 2 << 30  # of memory that it may ask for
PREVIEW_BYTES = (
    1 << 28
)  # that it may write: 20 minutes of two channels of 16 bits at 48 kHz, even if nothing is gained
MOST_ANSWER = 1 << 16  # bytes that it may say
NO_FILE = (  # libsndfile, of MP3s without MP3
    "File does not exist or is not a regular file (possibly a pipe?)"
)
OTHER_SUFFIX = ".audio"
SUFFIXES = {
    "WAV": ".wav",
    "WAVEX": ".wav",
    "RF64": ".wav",
    "W64": ".w64",
    "AIFF": ".aiff",
    "FLAC": ".flac",
    "OGG": ".ogg",
    "MP3": ".mp3",
    "AU": ".au",
    "CAF": ".caf",
}


@dataclass(frozen=True)
class Checked:
    """An audio file that was decoded from beginning to end. `suffix` is that of its format."""

    suffix: str
    seconds: float
    sample_rate: int
    channels: int


def check_audio(path: Path, shown: str, preview: Path) -> Checked:
    """Decode a file that may be anything, in a process that cannot do harm, and write what it
    sounds like to `preview`, a FLAC.

    Raises
    ------
    AudioError
        If it is no audio, damaged, too short or too long, or takes too much time or memory; `shown`
        is its name in the message.
    """
    context = multiprocessing.get_context("spawn")
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_decode, args=(theirs, path, shown, preview), daemon=True)
    process.start()
    theirs.close()
    try:
        if not answers.poll(DECODING_SECONDS):
            raise AudioError(
                f"{shown}: not decoded within {DECODING_SECONDS:.0f} s; export it again as WAV, or"
                " shorten it"
            )
        found = json.loads(answers.recv_bytes(MOST_ANSWER))
    except (EOFError, OSError):
        raise AudioError(
            f"{shown}: cannot be decoded: the decoder gave up; export it again as WAV"
        ) from None
    finally:
        process.kill()
        process.join()
        answers.close()
    if isinstance(found, str):
        raise AudioError(found)
    checked = as_record(Checked, found)
    if checked.suffix not in (*SUFFIXES.values(), OTHER_SUFFIX):
        raise AudioError(f"{shown}: cannot be decoded; export it again as WAV")
    return checked


def _decode(answers: Connection, path: Path, shown: str, preview: Path) -> None:
    """What the decoding process does: answer with what was found, or with what is wrong."""
    ignore_terminal_signals()
    _limit_process()
    try:
        _say(answers, asdict(examine(path, shown, preview)))
    except DemiurgeError as error:
        _say(answers, str(error))
    except MemoryError:
        _say(
            answers,
            f"{shown}: decoding it takes too much memory; export it again as WAV with two channels",
        )


def _of_upload(message: str) -> str:
    """What is wrong with a file, for whoever has sent it: it is in no corpus that it could be
    removed from.
    """
    return re.sub(
        r",? or remove it", "", message.replace(NO_FILE, "it is damaged, or not what its name says")
    )


def _say(answers: Connection, what: Any) -> None:
    """As JSON, which does no harm when it is read, even if a file has taken the process over."""
    answers.send_bytes(json.dumps(what).encode())


def examine(path: Path, shown: str, preview: Path) -> Checked:
    """`check_audio` without bounds."""
    try:
        with open_audio(path) as (info, blocks):
            _check_header(info, shown)
            n_samples = _write_preview(_counted(blocks, info.sample_rate, shown), info, preview)
    except DemiurgeError as error:
        raise AudioError(_of_upload(str(error).replace(path.name, shown))) from error
    seconds = n_samples / info.sample_rate
    if seconds < LEAST_SECONDS:
        raise AudioError(
            f"{shown}: {seconds:.3f} s is too short; a seed lasts {LEAST_SECONDS:g} s at least"
        )
    return Checked(
        SUFFIXES.get(info.format, OTHER_SUFFIX), seconds, info.sample_rate, info.channels
    )


def _limit_process() -> None:
    """Bound what this process may use, whatever it comes to do."""
    import resource

    seconds = int(DECODING_SECONDS)
    for what, most in (
        (resource.RLIMIT_AS, DECODING_BYTES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, PREVIEW_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, allowed = resource.getrlimit(what)
        resource.setrlimit(
            what, (most if allowed == resource.RLIM_INFINITY else min(most, allowed), allowed)
        )


def _check_header(info: AudioInfo, shown: str) -> None:
    if not info.sample_rate <= MOST_RATE:
        raise AudioError(
            f"{shown}: a sample rate of {info.sample_rate} Hz is above {MOST_RATE}; export it at"
            " 48000"
        )
    if info.channels > MOST_CHANNELS:
        raise AudioError(
            f"{shown}: {info.channels} channels are more than {MOST_CHANNELS}; export it with two"
        )
    if (
        info.format not in ("OGG", "MP3") and info.n_samples > MOST_SECONDS * info.sample_rate
    ):  # theirs is an estimate
        raise _too_long(shown)


def _counted(blocks: Iterator[np.ndarray], sample_rate: int, shown: str) -> Iterator[np.ndarray]:
    """The blocks, until there are too many, whatever the header said."""
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        if n_samples > MOST_SECONDS * sample_rate:
            raise _too_long(shown)
        yield block


def _too_long(shown: str) -> AudioError:
    return AudioError(
        f"{shown}: longer than {MOST_SECONDS / 60:.0f} minutes; cut out what should be continued"
    )


def _write_preview(blocks: Iterator[np.ndarray], info: AudioInfo, path: Path) -> int:
    """Write the blocks as a 16-bit FLAC, which any browser plays; how many samples they held."""
    import soundfile as sf

    from audio.channels import fit_channels

    rate = min(info.sample_rate, PREVIEW_RATE)
    channels = min(info.channels, PREVIEW_CHANNELS)
    n_samples = 0

    def fitted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield fit_channels(block, channels)

    heard = (
        fitted()
        if rate == info.sample_rate
        else Resampler(info.sample_rate, rate, channels).resample(fitted())
    )
    with sf.SoundFile(path, "w", rate, channels, "PCM_16", format="FLAC") as file:
        for block in heard:
            file.write(block)
    return n_samples
