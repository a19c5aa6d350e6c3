"""The clients of an OSC server: who gave the token, and who is told the status."""

from demiurge.hosts import is_same
from files.errors import ParameterError
from files.ranges import check_integer

MOST_TRUSTED = 64
MOST_SUBSCRIBERS = 8
MOST_PORT = 65535

Address = tuple  # as sockets give it: host, port, and with IPv6 two more


class Clients:
    """Who may send, and who is told what is played.

    Parameters
    ----------
    token : str, optional
        Needed from everyone, if given.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._trusted: dict[str, None] = {}
        self._subscribers: dict[Address, Address] = {}  # by who asked; the last heard last

    def check_token(self, sender: Address, token: str) -> None:
        """Trust all that comes from a sender's host; raise a ParameterError if it is wrong."""
        if self._token is None:
            return
        if not is_same(token, self._token):
            raise ParameterError("the token is wrong; send the one that demiurge live was given")
        self._trusted.pop(sender[0], None)
        self._trusted[sender[0]] = None
        if len(self._trusted) > MOST_TRUSTED:
            del self._trusted[next(iter(self._trusted))]

    def check_trusted(self, sender: Address) -> None:
        """Raise a ParameterError if the token is missing."""
        if self._token is not None and sender[0] not in self._trusted:
            raise ParameterError("a token is needed; send /demiurge/token first, with the token")

    def hear(self, sender: Address) -> None:
        """Take note that a subscriber is there."""
        if sender in self._subscribers:
            self._subscribers[sender] = self._subscribers.pop(sender)

    def subscribe(self, sender: Address, port: int | None = None) -> None:
        """Tell a sender what is played, at a port of its host; by default where it sends from.

        If there are too many, the one that was silent for longest is told nothing more.
        """
        if port is not None:
            check_integer("port", port, 1, MOST_PORT)
        self._subscribers.pop(sender, None)
        self._subscribers[sender] = (sender[0], port or sender[1], *sender[2:])
        if len(self._subscribers) > MOST_SUBSCRIBERS:
            del self._subscribers[next(iter(self._subscribers))]

    def unsubscribe(self, sender: Address, pressed: float = 1.0) -> None:
        """Tell a sender nothing more."""
        if pressed:
            self._subscribers.pop(sender, None)

    def answers_to(self, sender: Address) -> Address:
        """Return where a sender reads answers."""
        return self._subscribers.get(sender, sender)

    @property
    def subscribers(self) -> set[Address]:
        """Where the status is sent to."""
        return set(self._subscribers.values())
