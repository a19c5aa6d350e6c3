"""The one family of errors a user can meet.

Every message gives the value, the rule and the remedy; the command line prints it as it is.
"""

import sys


class DemiurgeError(Exception):
    """Root of every error caused by input, files or settings."""


class ParameterError(DemiurgeError, ValueError):
    """An argument is outside its documented range."""


class AudioError(DemiurgeError):
    """An audio file cannot be used."""


class DatabaseError(DemiurgeError):
    """A database is missing, damaged, of another version or of other settings."""


class CheckpointError(DemiurgeError):
    """A model is missing, damaged, of another version or of other settings."""


class TrainingError(DemiurgeError):
    """Training went wrong."""


class PlanError(DemiurgeError):
    """A plan is malformed, of another version, or asks for audio that is not there."""


def install_command(extra: str) -> str:
    """The remedy where packages of an extra are missing: what installs them for the Python that
    runs now, wherever its pip is.

    It names the packages, not the extra: pip may find Demiurge itself on no index.
    """
    from importlib import metadata

    required = [line.partition(";") for line in metadata.requires("demiurge-sequencer") or ()]
    packages = [
        f'"{package.strip()}"'
        for package, _, only in required
        if f'extra == "{extra}"' in only.replace("'", '"')
    ]
    return f"{sys.executable} -m pip install {' '.join(packages)}"
