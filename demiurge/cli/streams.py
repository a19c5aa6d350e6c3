"""Standard input, output and error, however the program was started.

A stream that is closed would leave its descriptor to the first file that is opened, and messages
would go into that file. A stream that cannot be written to would end a command in the middle of
its work.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

NAMES = {"stdout": "standard output", "stderr": "standard error"}
NO_READER = 141  # as a shell reports of a program that SIGPIPE ended


class LastingOutput(io.FileIO):
    """A descriptor to write to. Its first error is kept, and what is written later is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Let a block that ends with `SystemExit` do all its work, even if output cannot be written.

    If that is so and the block ends with status 0, the status becomes 1, with a line on standard
    error; or, if the reader of a pipe has gone, that of a program ended by SIGPIPE.
    """
    before = (sys.stdout, sys.stderr)
    outputs = open_streams()
    try:
        yield
    except SystemExit as end:
        _flush()
        if end.code:
            raise
        raise SystemExit(status_of(outputs)) from None
    finally:
        _flush()
        sys.stdout, sys.stderr = before


def open_streams() -> dict[str, LastingOutput]:
    """Open closed streams on /dev/null, and let the others last; return the latter by name."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # the lowest free descriptor is used: this one. Child processes need it as well
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    outputs = {}
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or stream is getattr(sys, f"__{name}__"):
            output = LastingOutput(descriptor)
            setattr(sys, name, _text(output, stream))
            outputs[name] = output
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    return outputs


def _text(output: LastingOutput, like: TextIO | None) -> TextIO:
    """Return a text stream; characters that its encoding does not have become "?"."""
    encoding = like.encoding if like else "utf-8"
    by_line = output.fileno() == 2 or output.isatty()
    buffered = io.BufferedWriter(output)  # type: ignore[type-var]
    return io.TextIOWrapper(buffered, encoding, errors="replace", line_buffering=by_line)


def status_of(outputs: dict[str, LastingOutput]) -> int:
    """Return the exit status of a command that succeeded; say which output cannot be written."""
    errors = {name: output.error for name, output in outputs.items() if output.error}
    if not errors:
        return 0
    if all(error.errno == errno.EPIPE for error in errors.values()):
        return NO_READER
    for name, error in errors.items():
        click.echo(
            f"Error: {NAMES[name]} cannot be written ({error.strerror}); the rest is done: send the"
            " output elsewhere to see it",
            err=True,
        )
    return 1


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
