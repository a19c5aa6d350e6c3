"""What can go wrong while training."""

from db.errors import DemiurgeError


class TrainingError(DemiurgeError):
    """Training went wrong."""
