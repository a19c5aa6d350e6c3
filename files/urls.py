"""URLs of folders in object storage: they are text, and hold no credentials."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from files.errors import ParameterError
from files.names import printable

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
USERS = re.compile(r"(://)\S*@")  # in a text; a key may hold /
QUERY = re.compile(r"(://[^\s?\"']*)\?[^\s\"']*")
LOCAL = ("file", "local")
# where what stands before @ is an account or a container, not a key
WITH_USERS = ("abfs", "abfss", "ftp", "sftp", "smb", "ssh")
ELSEWHERE = (
    "give credentials in the environment, in the provider's own files such as ~/.aws, or in"
    " ~/.config/fsspec"
)


def is_url(text: object) -> bool:
    """Return whether a text is a URL, such as s3://bucket/folder, and not a path."""
    return URL.match(str(text)) is not None


def check_url(text: str) -> str:
    """Return the URL of a folder with its scheme in small letters and no / at the end.

    Raises
    ------
    ParameterError
        If it holds credentials, which the message does not repeat, or names nothing.
    """
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    named = f"{scheme}://…"
    if "::" in text:
        raise ParameterError(f"{named}: a URL inside of a URL is not read; give one")
    if "?" in rest:
        raise ParameterError(
            f"{named}: a URL with ? may hold credentials, which would be stored; leave out the"
            f" part from there on, and {ELSEWHERE}"
        )
    place, slash, path = rest.partition("/")
    has_key = "@" in rest and ":" in unquote(place)  # which may hold /, before the @
    if has_key or ("@" in place and scheme not in WITH_USERS):
        raise ParameterError(
            f"{named}: a URL that holds credentials would be stored with them; leave out the part"
            f" before @, and {ELSEWHERE}"
        )
    url = f"{scheme}://{place}{slash}{path}"
    if not (place + path).strip("/"):
        raise ParameterError(f"{printable(url)} names no folder; give one, as s3://bucket/folder")
    return url.rstrip("/")


def local_path(url: str) -> Path | None:
    """Return the folder that a file:// URL means; None for another."""
    parts = urlsplit(url)
    if parts.scheme not in LOCAL:
        return None
    return Path(unquote(url.partition("://")[2]))


def without_secrets(text: str) -> str:
    """Return a text in which no URL holds a user, a key or a query."""
    return QUERY.sub(r"\1", USERS.sub(r"\1", text))
