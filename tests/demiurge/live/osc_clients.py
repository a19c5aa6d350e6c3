"""A session that plays nothing, and clients with real sockets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from demiurge.live.controls import Controls
from demiurge.live.osc_packets import Received, read_packet, write_message
from demiurge.live.status import Status

SECONDS = 5.0  # at most, for an answer


class Session:
    """As many steps as a test says."""

    def __init__(self) -> None:
        self.controls = Controls()
        self.steps: list[Status] = []

    def status(self) -> Status:
        return self.steps[-1] if self.steps else Status()

    def steps_since(self, number: int) -> list[Status]:
        return [step for step in self.steps if step.step > number]

    def play(self, source: str) -> None:
        """Choose one more unit."""
        number = len(self.steps) + 1
        step = Status("free", "playing", number, source=source, start_seconds=1.5, distance=0.25)
        self.steps.append(step)


class Client:
    """Sends to a server, and reads what it answers."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.port: int = self.socket.getsockname()[1]

    def send(self, address: str, *arguments: Any) -> None:
        self.socket.send(write_message(address, arguments))

    def read(self) -> list[Received]:
        """Return the messages of the next packet."""
        return read_packet(self.socket.recv(1 << 16))

    def read_error(self) -> str:
        """Return the next error; other packets are passed over."""
        return str(self.read_until("/demiurge/error").arguments[0])

    def read_until(self, address: str) -> Received:
        """Return the next message of an address; everything before is passed over."""
        while True:
            for message in self.read():
                if message.address == address:
                    return message

    def settle(self) -> None:
        """Return when all that was sent is obeyed; the client is subscribed then."""
        self.send("/demiurge/status/subscribe")
        self.read_until("/demiurge/status/problem")


@contextmanager
def clients(port: int, number: int = 1) -> Iterator[list[Client]]:
    """Yield clients of a server."""
    made = [Client(port) for _ in range(number)]
    try:
        yield made
    finally:
        for client in made:
            client.socket.close()
