"""Open an audio file, and say what is wrong in the system's words and with advice that works."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from files.errors import AudioError, system_reason
from files.names import check_name
from files.regular import open_regular
from files.system import advice_for, shortened


def open_file(path: Path) -> BinaryIO:
    """Open an audio file to read its bytes.

    Raises
    ------
    AudioError
        If the system refuses it, or if it is empty or no regular file.
    """
    check_name(path)
    shown = shortened(str(path))
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return open_regular(path, error=AudioError, remedy="give an audio file on disk")
        if status.st_size == 0:
            raise AudioError(f"{path.name}: 0 bytes; re-export the file or remove it")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise AudioError(f"{shown}: no such audio file; check the name") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = system_reason(error)
        raise AudioError(f"{shown}: cannot be read ({reason}); {advice_for(error)}") from error
