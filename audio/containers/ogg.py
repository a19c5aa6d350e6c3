"""Ogg: links one after the other, each of streams whose pages count themselves.

A link begins with a first page of each of its streams; a radio station that changes its song begins
a new one. Source: RFC 3533.
"""

from dataclasses import dataclass, field
from typing import BinaryIO

from audio.containers.layout import Layout, Part, Piece, Span, damaged, read_at, truncated
from audio.containers.ogg_pages import (
    BEGINS,
    ENDS,
    Junk,
    Page,
    check_page,
    marked_page,
    walk_pages,
    with_checksum,
)
from audio.containers.tags import end_of_audio
from files.errors import AudioError

FLAC = "FLAC"
OPUS = "Opus"
DECODED = {b"\x01vorbis": "Vorbis", b"OpusHead": OPUS, b"\x7fFLAC": FLAC}
OTHERS = {b"Speex   ": "Speex", b"\x80theora": "Theora video", b"\x01video": "video"}
MAX_LINKS = 4096
OPUS_RATE_AT = 12  # in the first packet
OPUS_RATE = (48_000).to_bytes(4, "little")  # Hz
LOWER_OPUS_RATE = 24_000  # Hz, the highest other one that libsndfile decodes to
MAX_EARLY_ENDS = 1000
NO_POSITION = -1  # of a page in which no packet ends
MAX_HEADERS = 1000  # pages in front of the sound
WRAP = 1 << 32  # pages are counted from 0 again
MAX_SPANS = 1 << 18  # pages that do not follow one another, or are unpacked
FLAC_AT = 9  # in the first page, of what a FLAC file begins with
TOTAL_AT = FLAC_AT + 8 + 10  # the number of samples, in the last 36 of 64 bits
TOTAL_BITS = 36


@dataclass
class _Stream:
    """One stream of a link."""

    kind: str  # of `DECODED`, or ""
    shown: str
    spans: list[Span] = field(default_factory=list)
    n_pages: int = 0
    n_before: int = 0  # pages that are missing in front of the first with sound
    has_sound: bool = False
    number: int = 0  # of the last page
    last: Page | None = None
    before: Page | None = None  # the page in front of the last
    first: list[Page] = field(default_factory=list)  # up to the first with sound
    granule: int = 0  # the largest one
    begins_before_0: bool = False  # for a part of its first page, or all of it
    early_ends: list[Page] = field(default_factory=list)  # marked as the last, but are not

    def add(self, page: Page) -> None:
        n_lost = (page.number - self.number - 1) % WRAP if self.last else 0
        if n_lost and (self.has_sound or self.kind == FLAC or n_lost >= WRAP // 2):
            what = _missing(n_lost) if n_lost < WRAP // 2 else "its pages are out of order"
            raise damaged(f"{what} after page {self.number}, at byte {page.start}")
        self.n_before += n_lost
        if not self.has_sound and len(self.first) < MAX_HEADERS:
            self.first.append(page)
        self.begins_before_0 |= page.granule < NO_POSITION
        if self.last and self.last.flags & ENDS:
            self.early_ends.append(self.last)
            if len(self.early_ends) > MAX_EARLY_ENDS:
                raise damaged(f"it ends at more than {MAX_EARLY_ENDS} pages")
        self.number = page.number
        self.before = self.last
        self.last = page
        self.has_sound |= page.granule > 0
        self.granule = max(self.granule, page.granule)
        self.n_pages += 1
        if not self.kind:
            return
        if self.kind == FLAC:  # unpacked
            self.spans.append(Span(page.content_start, page.stop))
        elif self.spans and self.spans[-1].stop == page.start:
            self.spans[-1] = Span(self.spans[-1].start, page.stop)
        else:
            self.spans.append(Span(page.start, page.stop))
        if len(self.spans) > MAX_SPANS:
            raise damaged(f"its pages lie in more than {MAX_SPANS} places")


Link = dict[int, _Stream]  # by serial number


def ogg_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which pages of an Ogg file are decoded."""
    stop = end_of_audio(file, size)
    junk = Junk()
    links = _find_links(file, stop, junk)
    streams = [_audio_of(link) for link in links]
    warnings = []
    if len(streams) > 1:
        warnings.append(f"{len(streams)} Ogg streams one after the other: all were read")
    if junk.n_bytes:
        warnings.append(f"{junk.n_bytes} bytes between or after its pages are no Ogg: left out")
    if n_before := sum(stream.n_before for stream in streams):
        warnings.append(f"it begins in the midst of a stream: {_missing(n_before)} before that")
    has_end = all(stream.last and stream.last.flags & ENDS for stream in streams)
    if not has_end:
        warnings.append("its end is not marked: it may have been cut off")
    is_alone = sum(len(link) for link in links) == 1
    parts = tuple(_part(file, stream) for stream in streams)
    is_as_it_is = is_alone and not warnings and parts[0] == Part((Span(0, size),))
    return Layout(() if is_as_it_is else parts, tuple(warnings))


def _find_links(file: BinaryIO, stop: int, junk: Junk) -> list[Link]:
    links: list[Link] = []
    is_beginning = False  # only first pages so far
    for page in walk_pages(file, stop, junk):
        if page.flags & BEGINS:
            if not is_beginning:
                links.append({})
                is_beginning = True
            if len(links) > MAX_LINKS:
                raise damaged(f"more than {MAX_LINKS} streams lie one after the other")
            links[-1][page.serial] = _stream(page)
        else:
            is_beginning = False
        if not links or page.serial not in links[-1]:
            raise damaged(f"the page at byte {page.start} belongs to a stream that never began")
        links[-1][page.serial].add(page)
    return links


def _stream(page: Page) -> _Stream:
    for start, kind in DECODED.items():
        if page.content.startswith(start):
            return _Stream(kind, kind)
    shown = [name for start, name in OTHERS.items() if page.content.startswith(start)]
    return _Stream("", shown[0] if shown else "an unknown encoding")


def _audio_of(link: Link) -> _Stream:
    """Return the first stream of a link that can be decoded."""
    for stream in link.values():
        if stream.kind:
            if stream.n_pages < 2:
                raise truncated("it ends in its header")
            assert stream.last is not None
            if 0 < stream.last.granule < stream.granule:
                ends = f"sample {stream.last.granule} after one at sample {stream.granule}"
                raise damaged(f"its last page ends at {ends}")
            return stream
    kinds = " and ".join(dict.fromkeys(stream.shown for stream in link.values()))
    raise AudioError(
        f"holds {kinds} in Ogg, which cannot be decoded; export it as WAV or FLAC, or remove it"
    )


def _missing(n_pages: int) -> str:
    return "1 page is missing" if n_pages == 1 else f"{n_pages} pages are missing"


def _part(file: BinaryIO, stream: _Stream) -> Part:
    """Return a stream's pages, with the last one marked as the last.

    A page that is altered is left out by libsndfile, which is seen by its missing samples; but not
    if it is the first with sound, or the last.
    """
    last = stream.last
    assert last is not None
    for page in (*stream.first, last):
        check_page(file, page)
    if stream.kind == FLAC:
        if last.granule < 0:
            raise damaged("its last page does not say where it ends")
        return Part(_unpacked(file, stream.spans, last.granule))
    pieces = _replaced(stream.spans, _wrong_pages(file, stream, last))
    # how much of what is in front of 0 is played depends on the decoder
    return Part(pieces, is_uncounted=stream.begins_before_0)


def _wrong_pages(file: BinaryIO, stream: _Stream, last: Page) -> dict[Span, bytes]:
    """Return what takes the place of pages that libsndfile would take wrongly."""

    def content(page: Page) -> bytes:
        return read_at(file, page.start, page.stop - page.start)

    wrong = {}
    if stream.kind == OPUS:
        head = content(stream.first[0])
        at = head.index(b"OpusHead") + OPUS_RATE_AT
        # that of the sound it was made from, which libsndfile takes for the rate to play at
        if int.from_bytes(head[at : at + 4], "little") <= LOWER_OPUS_RATE:
            wrong[_span(stream.first[0])] = with_checksum(head[:at] + OPUS_RATE + head[at + 4 :])
        if last.content_start == last.stop and stream.before:
            wrong[_span(last)] = b""
            last = stream.before
    for page in stream.early_ends:
        wrong[_span(page)] = marked_page(content(page), is_last=False)
    if not last.flags & ENDS:
        wrong[_span(last)] = marked_page(content(last), is_last=True)
    return wrong


def _span(page: Page) -> Span:
    return Span(page.start, page.stop)


def _replaced(spans: list[Span], pages: dict[Span, bytes]) -> tuple[Piece, ...]:
    """Return byte ranges of a file with some pages replaced."""
    pieces: list[Piece] = []
    wrong = sorted(pages, key=lambda span: span.start)
    for span in spans:
        at = span.start
        for page in wrong:
            if at <= page.start < span.stop:
                pieces += [Span(at, page.start), pages[page]]
                at = page.stop
        pieces.append(Span(at, span.stop))
    return tuple(piece for piece in pieces if isinstance(piece, bytes) or piece.stop > piece.start)


def _unpacked(file: BinaryIO, pages: list[Span], n_samples: int) -> tuple[Piece, ...]:
    """Return the content of pages as a FLAC file, which libsndfile decodes; Ogg FLAC it does not.

    Parameters
    ----------
    n_samples : int
        As the last page has it.
    """
    first, *others = pages
    at = first.start + TOTAL_AT
    bits = int.from_bytes(read_at(file, at, 8), "big")
    total = bits % (1 << TOTAL_BITS)
    if n_samples < total:
        raise truncated(f"its header promises {total} samples but {max(n_samples, 0)} are there")
    counted = (bits - total + (total or n_samples)).to_bytes(8, "big")
    return (Span(first.start + FLAC_AT, at), counted, Span(at + 8, first.stop), *others)
