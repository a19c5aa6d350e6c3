"""Check an uploaded file by decoding it in a process with limited memory and time."""

import json
import multiprocessing
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from audio.cancellation import Cancellation
from audio.channels import fit_channels, to_mono
from audio.read import AudioInfo, open_audio
from audio.resample import resample_blocks
from demiurge.web.signals import ignore_terminal_signals
from files.documents import parse_document
from files.errors import AudioError, DemiurgeError

LEAST_SECONDS = 0.1  # of a seed
MOST_SECONDS = 1200.0  # of a seed
MOST_RATE = 192_000  # with MOST_CHANNELS, bounds the memory of the analysis
MOST_CHANNELS = 32
PREVIEW_RATE = 48_000  # at most
PREVIEW_CHANNELS = 2  # at most
DECODING_SECONDS = 60.0  # after which the decoding process is killed
DECODING_BYTES = 2 << 30  # of memory
PREVIEW_BYTES = 1 << 28  # 20 minutes of two channels, 16 bits and 48 kHz, if FLAC saves nothing
MOST_ANSWER = 1 << 16  # most bytes to read from the decoding process
EXPORT_AGAIN = "export it again as WAV"
OTHER_SUFFIX = ".audio"
FORMATS = {
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
SUFFIXES = frozenset({*FORMATS.values(), OTHER_SUFFIX})


@dataclass(frozen=True)
class CheckedAudio:
    """Facts about a fully decoded audio file.

    `suffix` goes with its format; `warnings` say what was repaired or is unusual.
    """

    suffix: str
    seconds: float
    sample_rate: int
    channels: int
    warnings: tuple[str, ...] = ()


def check_audio(
    path: Path, shown: str, preview: Path, seconds: float = DECODING_SECONDS
) -> CheckedAudio:
    """Decode a file in a limited process, and write a FLAC for the page to `preview`.

    Parameters
    ----------
    shown : str
        Name of the file in messages.
    seconds : float
        The process is killed after this time.

    Raises
    ------
    AudioError
        If the file is no audio, damaged, too short or too long, or takes too much time or memory.
    """
    context = multiprocessing.get_context("spawn")
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_decode, args=(theirs, path, shown, preview), daemon=True)
    process.start()
    theirs.close()
    try:
        if not answers.poll(seconds):
            raise AudioError(
                f"{shown}: not decoded within {seconds:.0f} s; export it again as WAV, or"
                " shorten it"
            )
        answer = answers.recv_bytes(MOST_ANSWER)
    except (EOFError, OSError):
        raise AudioError(
            f"{shown}: cannot be decoded: the decoder died; export it again as WAV"
        ) from None
    finally:
        process.kill()
        process.join()
        answers.close()
    return _parse(answer, shown)


def _parse(answer: bytes, shown: str) -> CheckedAudio:
    """Check the answer of the decoding process, which a malicious file might have taken over."""
    kind: Any = CheckedAudio | str
    audio = parse_document(answer, kind, where=shown, error=AudioError, remedy=EXPORT_AGAIN)
    if isinstance(audio, str):
        raise AudioError(audio)
    if audio.suffix not in SUFFIXES:
        raise AudioError(f"{shown}: cannot be decoded; {EXPORT_AGAIN}")
    return audio


def _decode(answers: Connection, path: Path, shown: str, preview: Path) -> None:
    """Run the decoding process: answer with what was found, or with a message."""
    ignore_terminal_signals()
    _limit_process()
    try:
        answer: Any = asdict(examine(path, shown, preview))
    except DemiurgeError as error:
        answer = str(error)
    except MemoryError:
        answer = (
            f"{shown}: decoding it takes too much memory; export it again as WAV with two channels"
        )
    answers.send_bytes(json.dumps(answer).encode())  # JSON, since unpickling could run code


def examine(
    path: Path, shown: str, preview: Path, most_seconds: float = MOST_SECONDS
) -> CheckedAudio:
    """Check a file as `check_audio`, but in this process, without limits of time and memory."""
    try:
        with open_audio(path) as (info, blocks):
            _check_header(info, shown, most_seconds)
            cancellation = Cancellation(info.sample_rate, info.channels)
            watched = _watched(blocks, cancellation)
            counted = _limited(watched, info.sample_rate, shown, most_seconds)
            n_samples = _write_preview(counted, info, preview)
    except DemiurgeError as error:
        raise AudioError(_of_upload(str(error).replace(path.name, shown))) from error
    seconds = n_samples / info.sample_rate
    if seconds < LEAST_SECONDS:
        raise AudioError(
            f"{shown}: {seconds:.3f} s is too short; a seed must last {LEAST_SECONDS:g} s or more"
        )
    suffix = FORMATS.get(info.format, OTHER_SUFFIX)
    warnings = info.warnings
    if cancellation.louder_channel is not None:
        warnings += (cancellation.warning(),)
    return CheckedAudio(suffix, seconds, info.sample_rate, info.channels, warnings)


def _of_upload(message: str) -> str:
    """Reword a message about a file of a corpus to fit an upload."""
    return re.sub(r",? or remove it", "", message)


def _limit_process() -> None:
    """Limit the memory, time and file size of this process, where the system can."""
    if os.name != "posix":
        return
    import resource

    limits = {
        resource.RLIMIT_AS: DECODING_BYTES,
        resource.RLIMIT_CPU: int(DECODING_SECONDS),
        resource.RLIMIT_FSIZE: PREVIEW_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for what, limit in limits.items():
        _, allowed = resource.getrlimit(what)
        if allowed != resource.RLIM_INFINITY:
            limit = min(limit, allowed)  # noqa: PLW2901
        resource.setrlimit(what, (limit, allowed))


def _check_header(info: AudioInfo, shown: str, most_seconds: float) -> None:
    if not info.sample_rate <= MOST_RATE:
        raise AudioError(
            f"{shown}: a sample rate of {info.sample_rate} Hz is above {MOST_RATE}; export it at"
            " 48000"
        )
    if info.channels > MOST_CHANNELS:
        raise AudioError(
            f"{shown}: {info.channels} channels are more than {MOST_CHANNELS}; export it with two"
        )
    if info.n_samples > most_seconds * info.sample_rate:
        raise _too_long(shown, most_seconds)


def _watched(blocks: Iterator[np.ndarray], cancellation: Cancellation) -> Iterator[np.ndarray]:
    """Yield the blocks, and find out whether their channels cancel each other."""
    for block in blocks:
        if block.shape[1] > 1:
            cancellation.add(block, to_mono(block))
        yield block


def _limited(
    blocks: Iterator[np.ndarray], sample_rate: int, shown: str, most_seconds: float
) -> Iterator[np.ndarray]:
    """Yield the blocks; raise AudioError if they are too long, whatever the header claims."""
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        if n_samples > most_seconds * sample_rate:
            raise _too_long(shown, most_seconds)
        yield block


def _too_long(shown: str, most_seconds: float) -> AudioError:
    minutes = most_seconds / 60
    return AudioError(
        f"{shown}: longer than {minutes:.0f} minutes; cut out what should be continued"
    )


def _write_preview(blocks: Iterator[np.ndarray], info: AudioInfo, path: Path) -> int:
    """Write the blocks as a 16-bit FLAC; return how many samples they have."""
    import soundfile as sf

    rate = min(info.sample_rate, PREVIEW_RATE)
    channels = min(info.channels, PREVIEW_CHANNELS)
    n_samples = 0

    def fitted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield fit_channels(block, channels)

    resampled = resample_blocks(fitted(), info.sample_rate, rate, channels=channels)
    with sf.SoundFile(path, "w", rate, channels, "PCM_16", format="FLAC") as file:
        for block in resampled:
            file.write(block)
    return n_samples
