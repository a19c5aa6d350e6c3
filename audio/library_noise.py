"""Keep what libmpg123 writes to standard error from the user's screen."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STANDARD_ERROR = 2
NOISE = re.compile(rb"^\s*(\[[^\n]*libmpg123[^\n]*|(Note|Warning|error|warning): [^\n]*)\n", re.M)
# about tags, not about what is heard
HARMLESS = re.compile(rb"id3|Xing|ID3|tag", re.M)

_alone = threading.Lock()  # standard error is one for all threads


class Noise:
    """Whether libmpg123 has complained about frames."""

    def __init__(self) -> None:
        self.is_heard = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch what is written to standard error; pass on what is not libmpg123's."""
        with _alone:
            try:
                screen = os.dup(STANDARD_ERROR)
            except OSError:  # closed: nothing can be written to it
                yield
                return
            sink = _sink()
            os.dup2(sink, STANDARD_ERROR)
            try:
                yield
            finally:
                os.dup2(screen, STANDARD_ERROR)
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
