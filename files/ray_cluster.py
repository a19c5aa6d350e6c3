"""Connect to a Ray cluster, or start one on this machine, with errors that say what to do."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from files.errors import DemiurgeError, ParameterError, install_command

TOKEN_FILE = Path("~/.ray/auth_token")  # where Ray keeps it
ANSWER_SECONDS = 10.0  # timeout for a cluster to answer
# Ray speaks gRPC, over HTTP/2: both sides begin with a frame of settings (RFC 9113, 3.4 and 4.1)
SETTINGS = 4  # type of the frame, its fourth byte
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0))
VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")  # in Ray's message about two versions


def import_ray(purpose: str) -> ModuleType:
    """Return Ray.

    Raises
    ------
    ParameterError
        If it is not installed; the message begins with the purpose, such as "executor ray".
    """
    try:
        import ray
    except ImportError:
        raise ParameterError(
            f"{purpose} needs Ray; install it with: {install_command('cluster')}"
        ) from None
    return ray


@contextmanager
def connect(
    address: str | None, *, n_cpus: int | None = None, purpose: str = "a cluster"
) -> Iterator[ModuleType]:
    """Connect to a Ray cluster and yield Ray; a connection that exists already is used, and kept.

    Parameters
    ----------
    address : str, optional
        "HOST:PORT" of a running cluster, or "auto", which finds one on this machine. Without it a
        cluster is started here, and ended with the block.
    n_cpus : int, optional
        Number of tasks at a time of a cluster that is started here.
    purpose : str
        What needs Ray, for the error if it is not installed.

    Raises
    ------
    ParameterError
        If Ray is not installed, or no cluster answers at the address.
    DemiurgeError
        If the cluster runs another version of Ray or Python, or wants a token.
    """
    ray = import_ray(purpose)
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    with messages_on_stderr():
        try:
            if address is None:
                # without "local", Ray would connect to a cluster that others have started here
                ray.init("local", num_cpus=n_cpus, include_dashboard=False, **quiet)
            else:
                check_answers(address)
                ray.init(address=address, **quiet)
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise connection_error(address, error) from error
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Let Ray print what happens to its nodes on standard error: the output may be JSON."""
    from ray._private import worker

    print_message = worker.print_to_stdstream

    def print_error(data: dict[str, Any], *arguments: Any, **options: Any) -> None:
        print_message({**data, "is_err": True}, *arguments, **options)

    worker.print_to_stdstream = print_error
    try:
        yield
    finally:
        worker.print_to_stdstream = print_message


def check_answers(address: str) -> None:
    """Raise an `OSError` if no Ray answers: Ray would try for minutes, then exit the process."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()):
        return
    with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(PREFACE)
        answer = connection.recv(len(PREFACE))
    if answer[3:4] != bytes([SETTINGS]):
        raise ConnectionError(f"what answers is not Ray: {answer[:40]!r}")


def connection_error(address: str | None, error: Exception) -> DemiurgeError:
    """Return our error for what Ray raised: versions that differ, or no cluster."""
    message = str(error)
    if "ersion mismatch" in message and len(versions := VERSIONS.findall(message)) == 2:
        (ray_there, python_there), (ray_here, python_here) = versions
        return DemiurgeError(
            f"address={address!r}: the cluster runs Ray {ray_there} with Python {python_there},"
            f" this program Ray {ray_here} with Python {python_here}; install the same versions on"
            " all machines, and start the cluster again"
        )
    if "Failed to connect" in message or "oken" in message:  # something has answered
        return DemiurgeError(
            f"address={address!r}: the Ray cluster does not let this program in ({message}); set"
            f" RAY_AUTH_MODE=token, and copy {TOKEN_FILE} from the machine that started it to this"
            " one"
        )
    return ParameterError(
        f"address={address!r}: no Ray cluster answers there ({message}); check it, or start one"
        " with: ray start --head"
    )
