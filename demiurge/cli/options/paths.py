"""Paths on the command line, refused at once if nothing can be there or they cannot be reached.

Only a corpus folder may be a URL.
"""

import errno
import os
from pathlib import Path
from typing import Any

import click

from files.names import printable
from files.remote import RemoteFolder
from files.roots import folder_of
from files.urls import is_url, without_secrets

NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR)  # which a command may want, or tells better


class AnyPath(click.Path):
    """A path as a `Path`.

    The system's reason, as an `OSError`, is raised for one that it refuses to look at: for lack of
    permission, for its length, or for links that lead in a circle.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        text = str(value)
        if not text:
            self.fail("an empty name; give the name of a file or a folder", param, ctx)
        if "\0" in text:
            self.fail("a name cannot hold the character NUL; give another", param, ctx)
        if is_url(text):
            self.fail(
                f"{without_secrets(printable(text))} is a URL, which only a corpus folder can be;"
                " give a path",
                param,
                ctx,
            )
        try:
            os.stat(text)
        except OSError as error:
            if error.errno not in NOTHING_THERE:
                raise
        super().convert(value, param, ctx)
        return Path(text)


class CorpusFolder(AnyPath):
    """The path of a corpus folder, or a `RemoteFolder` for its URL in object storage."""

    def convert(  # type: ignore[override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | RemoteFolder:
        text = str(value)
        folder = folder_of(text) if is_url(text) else text
        return folder if isinstance(folder, RemoteFolder) else super().convert(folder, param, ctx)


class FilePath(AnyPath):
    """The path of a file that is written."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = super().convert(value, param, ctx)
        text = str(value)
        if os.path.basename(text) in ("", ".", ".."):  # Path would drop a last slash
            self.fail(
                f"{printable(text)} is the name of a folder; give the name of a file", param, ctx
            )
        return path


ANY_PATH = AnyPath()
CORPUS_FOLDER = CorpusFolder()
FILE_PATH = FilePath()
