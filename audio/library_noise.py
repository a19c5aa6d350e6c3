"""Keep what libmpg123 and libsndfile's ALAC decoder print from the user's screen."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STANDARD_OUTPUT = 1
STANDARD_ERROR = 2
NOISE = re.compile(
    rb"^\s*(\[[^\n]*libmpg123[^\n]*|(Note|Warning|error|warning): [^\n]*|alac_\w+ \d+ : [^\n]*)\n",
    re.M,
)
# about tags, not about what is heard
HARMLESS = re.compile(rb"id3|Xing|ID3|tag", re.M)

_alone = threading.Lock()  # the streams are one for all threads


class Noise:
    """Whether a decoder has complained about frames."""

    def __init__(self) -> None:
        self.is_heard = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch what is printed; pass on what is not a decoder's."""
        with _alone, self._caught(STANDARD_OUTPUT), self._caught(STANDARD_ERROR):
            yield

    @contextmanager
    def _caught(self, stream: int) -> Iterator[None]:
        try:
            screen = os.dup(stream)
        except OSError:  # closed: nothing can be written to it
            yield
            return
        sink = _sink()
        os.dup2(sink, stream)
        try:
            yield
        finally:
            os.dup2(screen, stream)
            written = _content(sink)
            os.close(sink)
            rest = NOISE.sub(b"", written)
            if rest.strip():
                os.write(screen, rest)
            os.close(screen)
            self.is_heard |= any(not HARMLESS.search(line[0]) for line in NOISE.finditer(written))


def _sink() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("noise")
    handle, name = tempfile.mkstemp()
    os.unlink(name)
    return handle


def _content(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    return os.read(handle, os.fstat(handle).st_size)
