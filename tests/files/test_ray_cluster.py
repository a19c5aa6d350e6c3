"""A cluster that is not there, is something else, or has other versions: said at once."""

import socket
import sys

import pytest

from files import ray_cluster
from files.errors import DemiurgeError, ParameterError
from files.ray_cluster import connect, connection_error

MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.9.0
    Python: 3.10.1
This process on node 192.168.0.10 was started with:
    Ray: 2.60.0
    Python: 3.11.7
"""


def test_no_cluster_at_the_address_is_said():
    pytest.importorskip("ray")
    message = "127.0.0.1:1.*no Ray cluster answers there.*ray start --head"
    with pytest.raises(ParameterError, match=message), connect("127.0.0.1:1"):
        pass


def test_a_server_that_is_not_ray_is_told_from_it(monkeypatch):
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = r"no Ray cluster answers there \(timed out\)"
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ParameterError, match=message), connect(address):
            pass


def test_other_versions_are_named_with_the_remedy():
    error = connection_error("head:6379", RuntimeError(MISMATCH))
    assert type(error) is DemiurgeError
    assert str(error) == (
        "address='head:6379': the cluster runs Ray 2.9.0 with Python 3.10.1, this program Ray"
        " 2.60.0 with Python 3.11.7; install the same versions on all machines, and start the"
        " cluster again"
    )


def test_without_ray_the_command_that_installs_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    message = r"executor ray needs Ray; install it with: .*pip install .ray"
    with pytest.raises(ParameterError, match=message), connect("auto", purpose="executor ray"):
        pass


def test_a_cluster_that_wants_a_token_is_told_from_none():
    error = connection_error("head:6379", ConnectionError("Failed to connect to Ray cluster at x"))
    assert type(error) is DemiurgeError
    assert "does not let this program in" in str(error)
    assert "set RAY_AUTH_MODE=token, and copy ~/.ray/auth_token" in str(error)
