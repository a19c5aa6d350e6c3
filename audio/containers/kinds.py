"""What a file is, by its first bytes, whatever its name says."""

import re
from collections.abc import Callable
from pathlib import PurePath
from shlex import quote
from typing import BinaryIO, cast

from audio.containers.aiff import aiff_layout
from audio.containers.au import au_layout
from audio.containers.caf import caf_layout
from audio.containers.flac import MAGIC as FLAC_MAGIC
from audio.containers.flac import flac_layout
from audio.containers.layout import Layout, Rest, moved, read_at
from audio.containers.mp3 import mp3_layout
from audio.containers.ogg import ogg_layout
from audio.containers.riff import wav_layout
from audio.containers.tags import start_of_audio
from audio.containers.w64 import RIFF as W64_MAGIC
from audio.containers.w64 import w64_layout
from files.errors import AudioError

HEAD_BYTES = 512
Walk = Callable[[BinaryIO, int], Layout]

# (where, bytes, what it is) of files that hold audio of a kind that is not decoded
SOUNDS = (
    (4, b"ftyp", "AAC or ALAC in an MP4 container"),
    (4, b"moov", "a QuickTime film"),
    (4, b"mdat", "a QuickTime film"),
    (0, b"ADIF", "AAC"),
    (0, bytes.fromhex("3026b2758e66cf11"), "Windows Media (WMA)"),
    (0, bytes.fromhex("1a45dfa3"), "a Matroska or WebM container"),
    (8, b"AVI ", "an AVI film"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"TTA1", "True Audio"),
    (0, b"OFR ", "OptimFROG"),
    (0, b"ajkg", "Shorten"),
    (0, b"DSD ", "DSD"),
    (0, b"FRM8", "DSD"),
    (0, b"#!AMR", "AMR"),
    (0, b".RMF", "RealAudio"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"FLV\x01", "Flash video"),
    (0, bytes.fromhex("000001ba"), "an MPEG film"),
    (0, bytes.fromhex("0b77"), "AC-3"),
    (0, bytes.fromhex("7ffe8001"), "DTS"),
    (0, b"Creative Voice File", "Creative Voice"),
    (8, b"8SVX", "Amiga 8SVX"),
)
# of files that hold no audio
OTHERS = (
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"#!", "a script"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ", "an xz archive"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"MThd", "MIDI: notes, no sound"),
    (8, b"RMID", "MIDI: notes, no sound"),
    (0, b"\x00\x05\x16\x07", "what macOS keeps beside a file, not the file"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file with git lfs pull"),
)
HTML = re.compile(rb"\s*(<!doctype html|<html|<head|<script|<body)", re.IGNORECASE)


def layout_of(file: BinaryIO, size: int, name: str) -> Layout:
    """Find out what an open file is, and which of its bytes are decoded.

    Raises
    ------
    AudioError
        If it is of another kind, truncated or damaged. The message does not begin with its name.
    """
    head = read_at(file, 0, HEAD_BYTES)
    if walk := _walk_of(head):
        return walk(file, size)
    after = start_of_audio(file, size)
    inner = read_at(file, after, HEAD_BYTES) if after else head
    if walk := _walk_of(inner):
        rest = cast(BinaryIO, Rest(file, after))
        return moved(walk(rest, size - after), after, size)
    if inner.startswith(FLAC_MAGIC):
        return flac_layout(file, size)
    _refuse_others(inner, name)
    return mp3_layout(file, size) if any(inner) else _after_zeros(file, size)


def _after_zeros(file: BinaryIO, size: int) -> Layout:
    """Return the layout of an MP3 file with zeros in front of its frames."""
    try:
        return mp3_layout(file, size)
    except AudioError:
        remedy = "copy or download it again, or remove it"
        raise _no_sound("it begins with zeros only", remedy) from None


def _walk_of(head: bytes) -> Walk | None:
    """Return what walks through a container, if its first bytes name it."""
    magic = head[:4]
    form = head[8:12]
    if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return wav_layout
    if magic == b"FORM" and form in (b"AIFF", b"AIFC"):
        return aiff_layout
    if head.startswith(W64_MAGIC):
        return w64_layout
    return {
        b"OggS": ogg_layout,
        b".snd": au_layout,
        b"dns.": au_layout,
        b"caff": caf_layout,
    }.get(magic)


def _refuse_others(head: bytes, name: str) -> None:
    for at, magic, kind in SOUNDS:
        if head[at : at + len(magic)] == magic:
            raise AudioError(f"is {kind}, which is not decoded; {_convert(name)}")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        raise AudioError(f"is AAC, which is not decoded; {_convert(name)}")
    for at, magic, kind in OTHERS:
        if head[at : at + len(magic)] == magic:
            raise _no_sound(f"it is {kind}")
    if HTML.match(head):
        raise _no_sound("it is HTML, a page of the web", "download the file again, or remove it")
    if any(head) and _is_text(head):
        raise _no_sound("it is text")


def _no_sound(what: str, remedy: str = "give an audio file, or remove it") -> AudioError:
    return AudioError(f"not readable as audio ({what}); {remedy}")


def _convert(name: str) -> str:
    stem = PurePath(name).stem
    suffix = ".wav" if name.endswith(".flac") else ".flac"
    return f"convert it first, e.g. ffmpeg -i {quote(name)} {quote(stem + suffix)}"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a letter is cut at the end
            return False
        text = head[: error.start].decode()
    return all(letter.isprintable() or letter.isspace() for letter in text)
