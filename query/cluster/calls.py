"""Calls of the actors of a cluster: the catalogue, and what an error means."""

from typing import Any

from files.errors import DemiurgeError
from files.system import SYSTEM_ERRORS, error_message
from query.cluster.actors import NAMESPACE
from query.cluster.catalogue import CATALOGUE, Replica

CALL_SECONDS = 30.0  # timeout of the catalogue, which answers at once


def catalogue_of(ray: Any) -> Any:
    """Return the cluster's catalogue, None if nothing was served on it."""
    try:
        return ray.get_actor(CATALOGUE, namespace=NAMESPACE)
    except ValueError:
        return None


def catalogue_answer(ray: Any, reference: Any, timeout: float = CALL_SECONDS) -> Any:
    """Return what the catalogue answers.

    Raises
    ------
    DemiurgeError
        If it does not.
    """
    try:
        return ray.get(reference, timeout=timeout)
    except (ray.exceptions.GetTimeoutError, ray.exceptions.RayActorError) as error:
        raise DemiurgeError(
            f"the catalogue of what the cluster serves does not answer ({first_line(error)}); look"
            " at its nodes with: ray status"
        ) from error


def our_error(error: Exception, replica: Replica) -> Exception:
    """Return one of our errors for what Ray raised when an actor was called.

    It is of the class that the shard raised, and names shard and node. What no input can cause
    stays as it is.
    """
    import ray

    if not isinstance(error, ray.exceptions.RayTaskError):
        return DemiurgeError(f"{replica}: its process has ended ({first_line(error)})")
    cause = error.cause
    if isinstance(cause, DemiurgeError):
        return type(cause)(f"{replica}: {cause}")
    if isinstance(cause, SYSTEM_ERRORS):
        return DemiurgeError(f"{replica}: {error_message(cause)}")
    return error


def first_line(error: Exception) -> str:
    """Return the beginning of one of Ray's messages, which have many lines."""
    return str(error).strip().partition("\n")[0].rstrip(".")
