"""What is said to the actors of a cluster, and what they answer."""

from typing import Any

from files.errors import DemiurgeError
from files.system import error_message
from query.cluster.actors import NAMESPACE, Answer
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


def value_of(answer: Answer, replica: Replica) -> Any:
    """Return what a shard's method returned.

    Raises
    ------
    DemiurgeError
        What it raised, naming shard and node.
    """
    error = answer.error
    if error is None:
        return answer.value
    if isinstance(error, DemiurgeError):
        raise type(error)(f"{replica}: {error}")
    raise DemiurgeError(f"{replica}: {error_message(error)}")


def first_line(error: Exception) -> str:
    """Return the beginning of one of Ray's messages, which have many lines."""
    return str(error).strip().partition("\n")[0].rstrip(".")
