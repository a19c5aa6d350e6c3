"""The errors that a user can meet.

Every message gives the value, the rule and the remedy; the command line prints it as it is.
"""

import shlex
import sys


class DemiurgeError(Exception):
    """The root of all errors caused by input, files or settings."""


class ParameterError(DemiurgeError, ValueError):
    """An argument is outside its documented range."""


class AudioError(DemiurgeError):
    """An audio file cannot be used."""


class DatabaseError(DemiurgeError):
    """A database is missing, damaged, of another version or of other settings."""


class CheckpointError(DemiurgeError):
    """A model is missing, damaged, of another version or of other settings."""


class TrainingError(DemiurgeError):
    """Training cannot start, or has failed."""


class PlanError(DemiurgeError):
    """A plan is malformed, of another version, or needs audio that is missing."""


def system_reason(error: Exception) -> str:
    """Return why the system refused something, in its own words, e.g. "Permission denied"."""
    return getattr(error, "strerror", None) or str(error)


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra for the running Python.

    It names the packages, not the extra, since Demiurge itself may not be on a package index.
    """
    from importlib import metadata

    packages = []
    for requirement in metadata.requires("demiurge-sequencer") or ():
        package, _, marker = requirement.partition(";")
        if f'extra == "{extra}"' in marker.replace("'", '"'):
            packages.append(f'"{package.strip()}"')
    return f"{shlex.quote(sys.executable)} -m pip install {' '.join(packages)}"
