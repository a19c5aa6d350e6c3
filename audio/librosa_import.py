"""librosa, imported where numba can keep what it compiles."""

import os
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from files.cache import cache_folder, may_write
from files.errors import ParameterError

NUMBA_VARIABLE = "NUMBA_CACHE_DIR"


def import_librosa() -> ModuleType:
    """librosa, which imports only where numba has a folder for what it compiles.

    Raises
    ------
    ParameterError
        If there is none.
    """
    give_numba_a_folder()
    try:
        import librosa
        import librosa.filters  # the first part that wants the folder
    except RuntimeError as error:
        raise ParameterError(
            f"librosa cannot keep its compiled functions ({error}); name a folder that can be"
            f" written with the environment variable {NUMBA_VARIABLE}"
        ) from error
    return librosa


def give_numba_a_folder() -> None:
    """Before numba is imported: a folder of the cache, if it has none beside the code, none in the
    user's cache, none named.
    """
    from platformdirs import user_cache_path

    if os.environ.get(NUMBA_VARIABLE):
        return
    librosa = find_spec("librosa")
    beside = Path(librosa.origin).parent if librosa and librosa.origin else Path()
    if not (may_write(beside / "__pycache__") or may_write(user_cache_path("numba"))):
        os.environ[NUMBA_VARIABLE] = str(cache_folder("numba"))
