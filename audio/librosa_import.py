"""librosa, imported where numba can keep what it compiles."""

import os
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from files.cache import cache_folder, may_write
from files.errors import ParameterError

NUMBA_VARIABLE = "NUMBA_CACHE_DIR"


def import_librosa() -> ModuleType:
    """Import librosa, which needs a folder for the functions that numba compiles.

    Raises
    ------
    ParameterError
        If there is no such folder.
    """
    give_numba_a_folder()
    try:
        import librosa
        import librosa.filters  # the first part that needs the folder
    except RuntimeError as error:
        raise ParameterError(
            f"librosa cannot keep its compiled functions ({error}); name a folder that can be"
            f" written with the environment variable {NUMBA_VARIABLE}"
        ) from error
    return librosa


def give_numba_a_folder() -> None:
    """Name a folder of the cache for numba, unless one is named or numba can write its own.

    Numba's own folders are beside librosa's code and in the user's cache. Call this before numba is
    imported.
    """
    from platformdirs import user_cache_path

    if os.environ.get(NUMBA_VARIABLE):
        return
    librosa = find_spec("librosa")
    beside = Path(librosa.origin).parent if librosa and librosa.origin else Path()
    if not (may_write(beside / "__pycache__") or may_write(user_cache_path("numba"))):
        os.environ[NUMBA_VARIABLE] = str(cache_folder("numba"))
