"""The door to transformers and diffusers: each is imported through it, or refused in one line.

Both are extras, take seconds to import, and import parts of themselves only when a class is first
asked for. Many of those parts import torchaudio wherever it is installed, and fail with it where it
was built for another PyTorch, although nothing here needs it; so that is tried first.
"""

import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from files.errors import ParameterError, install_command


def transformers() -> ModuleType:
    """Return the package transformers.

    Raises
    ------
    ParameterError
        If it is not installed, or cannot be imported, or a torchaudio that it would import cannot.
    """
    _check_torchaudio()
    try:
        import transformers as package
    except ModuleNotFoundError as error:
        raise _refused("transformers", "codecs", error) from error
    return package


def diffusers() -> ModuleType:
    """Return the package diffusers; as `transformers`, which it imports."""
    transformers()
    try:
        import diffusers as package
    except ModuleNotFoundError as error:
        raise _refused("diffusers", "diffusion", error) from error
    return package


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from printing anything but errors, progress bars included."""
    with _quiet(transformers()):
        yield


@contextmanager
def quiet_diffusers() -> Iterator[None]:
    """Keep diffusers and transformers from it, and from announcing what is deprecated."""
    with _quiet(diffusers()), _quiet(transformers()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _quiet(package: ModuleType) -> Iterator[None]:
    logging = package.utils.logging
    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _refused(package: str, extra: str, error: ModuleNotFoundError) -> ParameterError:
    command = install_command(extra)
    if error.name == package:
        return ParameterError(f"the package {package} is not installed; {command}")
    return ParameterError(f"{package} cannot be imported, as it finds no {error.name}; {command}")


def _check_torchaudio() -> None:
    try:
        import torchaudio  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torchaudio":
            raise _broken_torchaudio(error) from error
    except Exception as error:  # whatever a library built for another PyTorch raises
        raise _broken_torchaudio(error) from error


def _broken_torchaudio(error: Exception) -> ParameterError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ParameterError(
        f"torchaudio is installed but broken ({reason}), and transformers fails with it; nothing"
        f" here needs it: {shlex.quote(sys.executable)} -m pip uninstall torchaudio"
    )
