"""MPEG audio: tags, a frame that describes the others, frames, tags; or several such files.

The frame that describes (Xing or Info, by LAME and others; VBRI, by Fraunhofer) counts the others.
libsndfile believes it; without one it guesses the length from the size of the file. Sources:
gabriel.mp3-tech.org/mp3infotag.html; "MP3 Audio Frame Headers", codeproject.com/articles/8295.
"""

from dataclasses import dataclass, field, replace
from typing import BinaryIO

from audio.containers.layout import (
    Layout,
    Part,
    Span,
    damaged,
    read_at,
    truncated,
)
from audio.containers.mpeg_frames import DESCRIBING, HEAD_BYTES, LAYER_3, Format, Frames, Run
from audio.containers.tags import end_of_audio, tag_bytes
from files.errors import AudioError

MAX_PARTS = 4096
MAX_RUNS = 50_000  # of frames that are not interrupted
MAX_GAP = 16 << 20  # bytes that are no frames between frames
MAX_LEAD = 1 << 17  # bytes that are no frames at the start
VBRI_AT = 36
ZEROS = bytes(1 << 20)
NO_FRAMES = (
    "not readable as audio (its kind is not known); re-export the file as WAV or FLAC, or remove it"
)


@dataclass
class _Stream:
    """The frames of one file, and what its first frame says of them."""

    kind: Format
    info: Span | None = None  # the frame that describes
    stated: int | None = None  # frames
    is_xing: bool = False
    spans: list[Span] = field(default_factory=list)
    n_frames: int = 0

    def add(self, span: Span, n_frames: int) -> None:
        self.spans.append(span)
        self.n_frames += n_frames

    @property
    def extent(self) -> Span:
        """From the first of its bytes to the last, with other bytes between them or not."""
        first = self.info or self.spans[0]
        return Span(first.start, self.spans[-1].stop)

    def drop_last(self, start: int) -> None:
        """Leave out the last frame, which begins at `start`."""
        if self.spans and self.spans[-1].start <= start:
            self.spans[-1] = Span(self.spans[-1].start, start)
            self.n_frames -= 1


@dataclass
class _Found:
    """What a walk through a file has found."""

    streams: list[_Stream] = field(default_factory=list)
    junk: int = 0  # bytes
    has_cut_frame: bool = False  # at the end
    zeros: int = 0  # bytes, at the end
    has_tags: bool = False  # between frames
    last: int = 0  # where the last frame begins

    def add(self, stream: _Stream) -> None:
        if len(self.streams) == MAX_PARTS:
            raise damaged(f"more than {MAX_PARTS} streams lie one after the other")
        self.streams.append(stream)


def mp3_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which frames of an MP3 file are decoded."""
    start = tag_bytes(file, 0)
    if start >= size:
        raise truncated("its tag is incomplete")
    stop = end_of_audio(file, size)
    found = _walk(file, start, stop)
    layout = _layout(found)
    only = found.streams[0]
    is_as_it_is = (
        len(found.streams) == 1
        and not layout.warnings
        and only.extent == Span(start, stop)
        and not found.has_tags
        and _has_plain_tags(file, start, stop, size)
    )
    if is_as_it_is and layout.parts[0].n_samples is None:
        return Layout(is_mpeg=True)
    return replace(layout, is_plain=is_as_it_is and only.info is None)


def mpeg_layout(file: BinaryIO, start: int, stop: int) -> Layout:
    """Decide which frames within another container are decoded."""
    return _layout(_walk(file, start, stop))


def _has_plain_tags(file: BinaryIO, start: int, stop: int, size: int) -> bool:
    """Return whether the tags are those that libmpg123 skips without a word."""
    head = read_at(file, 0, 10)
    is_plain = start == 0 or (head[:3] == b"ID3" and not head[5] & 0x10)
    return is_plain and (stop == size or (stop == size - 128))


def _walk(file: BinaryIO, start: int, stop: int) -> _Found:
    """Find the frames of a file."""
    frames = Frames(file, start, stop)
    found = _Found()
    at = start
    for _ in range(MAX_RUNS):
        if at >= stop:
            break
        n_tag = tag_bytes(file, at)
        if n_tag:
            found.has_tags |= at > start
            at = min(at + n_tag, stop)
            continue
        kind = frames.format_at(at)
        if kind and _is_sure(found, frames, at, kind):
            run = frames.count(at, kind)
            if run.n_frames:
                _add(found, frames, kind, run)
                found.last = run.last
                at = run.stop
                continue
        at = _skip(found, frames, at, kind)
    else:
        raise damaged(f"its frames are interrupted more than {MAX_RUNS} times")
    if not found.streams:
        raise AudioError(NO_FRAMES)
    return found


def _is_sure(found: _Found, frames: Frames, at: int, kind: Format) -> bool:
    """Return whether what looks like a frame is one."""
    if found.streams and found.streams[-1].kind == kind:
        return True
    return frames.is_sure(at, least=2 if found.streams else 1)


def _add(found: _Found, frames: Frames, kind: Format, run: Run) -> None:
    """Add frames to the last stream, or begin another one."""
    stream = _begin(frames, kind, run.start)
    last = found.streams[-1] if found.streams else None
    if last is None or stream.info or last.kind != kind or _is_over(last, frames, run.start):
        found.add(stream)
        last = stream
    start = stream.info.stop if stream.info else run.start
    n_frames = run.n_frames - (1 if stream.info else 0)
    n_left = last.stated - last.n_frames if last.stated is not None else 0
    if 0 < n_left < n_frames:
        middle = frames.count(start, kind, n_left).stop
        if _begins_anew(frames, middle, kind):
            last.add(Span(start, middle), n_left)
            last = _Stream(kind)
            found.add(last)
            start = middle
            n_frames -= n_left
    if n_frames:
        last.add(Span(start, run.stop), n_frames)


def _is_over(stream: _Stream, frames: Frames, at: int) -> bool:
    """Return whether a stream has all frames that it states, and others begin anew."""
    return stream.stated == stream.n_frames and _begins_anew(frames, at, stream.kind)


def _begins_anew(frames: Frames, at: int, kind: Format) -> bool:
    """Return whether a frame needs nothing of the one before: its data begin with itself."""
    head = frames.read(at, HEAD_BYTES + 4)
    after = HEAD_BYTES + (0 if head[1] & 1 else 2)  # and the checksum
    bits = 9 if kind.is_mpeg_1 else 8
    return int.from_bytes(head[after : after + 2].ljust(2, b"\0"), "big") >> (16 - bits) == 0


def _begin(frames: Frames, kind: Format, at: int) -> _Stream:
    """Return a stream without frames, with what its first frame says if that one describes."""
    stream = _Stream(kind)
    if kind.layer != LAYER_3:
        return stream
    size = frames.count(at, kind, 1).stop - at
    head = frames.read(at, min(size, 200))
    mark = HEAD_BYTES + kind.side_bytes
    if head[mark : mark + 4] in DESCRIBING:
        has_count = head[mark + 7] & 1
        stream.stated = int.from_bytes(head[mark + 8 : mark + 12], "big") if has_count else None
        # libmpg123 reads it if nothing but a checksum lies before it
        stream.is_xing = not any(head[HEAD_BYTES + 2 : mark])
        stream.info = Span(at, at + size)
        return stream
    if head[VBRI_AT : VBRI_AT + 4] == b"VBRI":
        stream.stated = int.from_bytes(head[VBRI_AT + 14 : VBRI_AT + 18], "big")
        stream.info = Span(at, at + size)
    return stream


def _skip(found: _Found, frames: Frames, at: int, kind: Format | None) -> int:
    """Pass over what is no frame; return the place of the next one, or the end."""
    if not found.streams:
        place = frames.find(at + 1, min(at + MAX_LEAD, frames.stop))
        if place is None:
            raise AudioError(NO_FRAMES)
        found.junk += place - at
        return place
    stream = found.streams[-1]
    start = found.last + HEAD_BYTES  # the next file may begin within a frame that is cut off
    place = frames.find(start, min(at + MAX_GAP, frames.stop))
    if place is not None:
        if place < at:
            stream.drop_last(found.last)
        found.junk += place - (found.last if place < at else at)
        return place
    if _is_zero(frames, at):
        found.zeros = frames.stop - at
    elif kind == stream.kind:
        found.has_cut_frame = True
    else:
        found.junk += frames.stop - at
    return frames.stop


def _is_zero(frames: Frames, at: int) -> bool:
    while at < frames.stop:
        data = frames.read(at, len(ZEROS))
        if not data or data != ZEROS[: len(data)]:
            return False
        at += len(data)
    return True


def _layout(found: _Found) -> Layout:
    parts = []
    warnings = []
    streams = [stream for stream in found.streams if stream.n_frames]
    if not streams:
        raise truncated("it ends in its header")
    if len(streams) > 1:
        warnings.append(f"{len(streams)} MP3 files one after the other: all were read")
    for stream in streams:
        is_cut = found.has_cut_frame and stream is streams[-1]
        part, warning = _part(stream, is_cut=is_cut, zeros=found.zeros)
        parts.append(part)
        warnings += [warning] if warning else []
    if found.junk:
        warnings.append(f"{found.junk} bytes of it are no MPEG audio frames: left out")
    return Layout(tuple(parts), tuple(dict.fromkeys(warnings)), is_mpeg=True)


def _part(stream: _Stream, *, is_cut: bool, zeros: int) -> tuple[Part, str]:
    """Return the part to decode for a stream, and a warning or an empty text."""
    n_frames = stream.n_frames
    stated = stream.stated
    all_of_it = Part(tuple(stream.spans), n_frames * stream.kind.samples_per_frame, is_endless=True)
    if stated is None or stated == 0:
        if is_cut:
            return all_of_it, "its last frame is incomplete: it may have been cut off"
        if zeros:
            return all_of_it, f"its last {zeros} bytes are zeros: it may have been cut off"
        return all_of_it, ""
    if stated == n_frames:
        if stream.is_xing and stream.info:
            return Part((stream.info, *stream.spans)), ""
        return all_of_it, ""
    if stated > n_frames + 1 or (stated > n_frames and is_cut):
        raise truncated(f"its header promises {stated} frames but {n_frames} are there")
    return all_of_it, f"its header states {stated} frames, but {n_frames} are there: all were read"
