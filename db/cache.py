"""Where things are kept that can be made again: decoded audio, mel spectrograms."""

import os
from pathlib import Path

from db.errors import ParameterError

FOLDER_VARIABLE = "DEMIURGE_CACHE"


def cache_folder(kind: str) -> Path:
    """The folder of one kind of things, in $DEMIURGE_CACHE or the user's cache folder. It may be deleted at any time.

    Raises
    ------
    ParameterError
        If $DEMIURGE_CACHE is not an absolute path.
    """
    from platformdirs import user_cache_path

    if given := os.environ.get(FOLDER_VARIABLE):
        if not Path(given).is_absolute():
            raise ParameterError(f"{FOLDER_VARIABLE}={given} must be an absolute path")
        return Path(given) / kind
    return user_cache_path("demiurge") / kind
