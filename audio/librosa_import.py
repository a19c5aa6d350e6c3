"""Import librosa with a writable folder for the functions that numba compiles."""

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
        If no such folder can be written.
    """
    give_numba_a_folder()
    try:
        import librosa
        import librosa.filters  # the first module that needs the folder
    except RuntimeError as error:
        raise ParameterError(
            f"librosa cannot keep its compiled functions ({error}); name a folder that can be"
            f" written with the environment variable {NUMBA_VARIABLE}"
        ) from error
    return librosa


def give_numba_a_folder() -> None:
    """Point numba at a folder of our cache, unless one is set or numba can write to its own.

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
