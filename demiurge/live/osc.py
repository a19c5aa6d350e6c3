"""Control a session over OSC: a UDP server in a thread of its own; see docs/live_control.md.

packets ──► budget ──► messages ──► now: obeyed ──► controls
              │            └──► later: the schedule ──┘
              └──► dropped, counted          session ──► bundles to subscribers, 50 per second
"""

import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

from demiurge.hosts import check_access
from demiurge.live.knobs import Knobs
from demiurge.live.messages import ROOT, Message, check_arguments, obey
from demiurge.live.osc_bounds import MOST_SECONDS_AHEAD, Budget, Schedule
from demiurge.live.osc_clients import Address, Clients
from demiurge.live.osc_packets import (
    Received,
    check_installed,
    read_packet,
    write_bundle,
    write_message,
)
from demiurge.live.osc_status import knob_messages, status_messages, unit_messages
from demiurge.live.status import Status
from files.errors import ParameterError, system_reason
from files.names import printable

if TYPE_CHECKING:
    from demiurge.live.live_session import LiveSession

ERROR = f"{ROOT}error"
SUBSCRIBE = f"{ROOT}status/subscribe"
OSC_MESSAGES: dict[str, Message] = {
    f"{ROOT}token": Message("text", "Be let in, where a token is needed.", Clients.check_token),
    SUBSCRIBE: Message("integer", "Be told the status.", Clients.subscribe, least=0),
    f"{ROOT}status/unsubscribe": Message(
        "number", "Be told nothing more.", Clients.unsubscribe, least=0
    ),
}

MOST_TEXT = 500  # characters of an error
MOST_STEPS = 8  # told at once
TELL_SECONDS = 0.02
IDLE_SECONDS = 1.0  # at most between two looks at the clock, which may be set
READ_BYTES = 1 << 16  # the most that a UDP packet holds


class OscServer:
    """Obeys OSC messages and tells subscribers what is played, until it is closed.

    Parameters
    ----------
    session : LiveSession
        Its controls are turned, its status is told.
    host : str
        Address to listen at; needs a token unless only this machine can reach it.
    port : int
        0 for any free one.
    token : str, optional
        If given, every client must send it first.

    Attributes
    ----------
    port : int
    malformed : int
        Packets that could not be read.
    refused : int
        Messages that asked for what there is not, or that lacked the token.
    unsent : int
        Answers and statuses that the system did not send.

    Raises
    ------
    ParameterError
        If python-osc is missing, a token is needed or too short, or the address cannot be used.
    """

    def __init__(
        self,
        session: "LiveSession",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
    ) -> None:
        check_installed()
        check_access(host, token)
        self._session = session
        self._clients = Clients(token)
        self._budget = Budget()
        self._schedule: Schedule[tuple[Received, Address]] = Schedule()
        self._told: Status | None = None
        self._told_knobs: Knobs | None = None
        self._told_step = 0
        self._next_telling = 0.0
        self.malformed = 0
        self.refused = 0
        self.unsent = 0
        self._n_told = 0  # dropped messages that the session knows of
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Packets and messages that were not obeyed, since too many came."""
        return self._budget.dropped

    def close(self) -> None:
        """End the thread and free the port; what is scheduled is forgotten."""
        if self._is_closing.is_set():
            return
        self._is_closing.set()
        self._wake.send(b"\0")
        self._thread.join()
        for one in (self._socket, self._wake, self._woken):
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self._wait()
            self._read()
            for received, sender in self._schedule.take_due(time.time()):
                self._obey(received, sender)
            self._count_dropped()
            self._tell(time.monotonic())

    def _count_dropped(self) -> None:
        """Let the session know of what was dropped since the last time."""
        new = self._budget.dropped - self._n_told
        if new:
            self._session.controls.count_dropped(new)
            self._n_told += new

    def _wait(self) -> None:
        """Wait until there is something to do."""
        pause = self._budget.pause(time.monotonic())
        seconds = min(pause or IDLE_SECONDS, self._schedule.seconds_left(time.time()))
        if self._clients.subscribers:
            seconds = min(seconds, max(0.0, self._next_telling - time.monotonic()))
        readable = [self._woken] if pause else [self._woken, self._socket]
        select.select(readable, [], [], seconds)

    def _read(self) -> None:
        """Read what has come, unless it is too much; the system drops the rest."""
        while not self._budget.pause(time.monotonic()):
            try:
                data, sender = self._socket.recvfrom(READ_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:  # on Windows, when a subscriber is gone
                continue
            self._budget.pass_packet(time.monotonic())
            if self._budget.has_room(sender):
                self._take_packet(data, sender)

    def _take_packet(self, data: bytes, sender: Address) -> None:
        try:
            messages = read_packet(data)
        except ParameterError as error:
            self.malformed += 1
            self._budget.pass_message(sender)
            self._answer(sender, error)
            return
        self._clients.hear(sender)
        for received in messages:
            if not self._budget.pass_message(sender):
                continue
            if received.due > time.time():
                self._keep(received, sender)
            else:
                self._obey(received, sender)

    def _keep(self, received: Received, sender: Address) -> None:
        """Schedule a message that is due later."""
        try:
            self._clients.check_trusted(sender)
            if received.due > time.time() + MOST_SECONDS_AHEAD:
                raise ParameterError(
                    f"{received.address} is due in more than {MOST_SECONDS_AHEAD:g} s; send it"
                    " later, or set the clocks right"
                )
        except ParameterError as error:
            self._refuse(sender, error)
            return
        if not self._schedule.add(received.due, (received, sender)):
            self._budget.dropped += 1

    def _obey(self, received: Received, sender: Address) -> None:
        if received.address == ERROR:  # two servers must not answer each other for ever
            return
        message = OSC_MESSAGES.get(received.address)
        try:
            if message is None or message.obey is not Clients.check_token:
                self._clients.check_trusted(sender)
            if message is None:
                obey(self._session.controls, received.address, received.arguments)
                return
            arguments = check_arguments(received.address, message, received.arguments)
            message.obey(self._clients, sender, *arguments)
        except ParameterError as error:
            self._refuse(sender, error)
            return
        if received.address == SUBSCRIBE:
            self._greet(sender)

    def _refuse(self, sender: Address, error: ParameterError) -> None:
        self.refused += 1
        self._answer(sender, error)

    def _answer(self, sender: Address, error: ParameterError) -> None:
        """Tell a sender what was wrong, unless too many were told just now."""
        if self._budget.pass_answer():
            message = write_message(ERROR, [printable(str(error))[:MOST_TEXT]])
            self._send(message, self._clients.answers_to(sender))

    def _greet(self, sender: Address) -> None:
        """Tell a new subscriber all knobs and the status."""
        status = self._session.status()
        knobs = self._session.controls.knobs
        if len(self._clients.subscribers) == 1:
            self._told_step = status.step
            self._told_knobs = knobs
        messages = knob_messages(knobs, None) + status_messages(status)
        self._send(write_bundle(messages), self._clients.answers_to(sender))

    def _tell(self, now: float) -> None:
        """Tell subscribers what is new, not too often."""
        subscribers = self._clients.subscribers
        if not subscribers or now < self._next_telling:
            return
        self._next_telling = now + TELL_SECONDS
        knobs = self._session.controls.knobs
        messages = knob_messages(knobs, self._told_knobs)
        self._told_knobs = knobs
        steps = self._session.steps_since(self._told_step)[-MOST_STEPS:]
        if steps:
            self._told_step = steps[-1].step
        messages += unit_messages(steps)
        status = self._session.status()
        messages += status_messages(status, self._told)
        self._told = status
        if messages:
            packet = write_bundle(messages)
            for where in subscribers:
                self._send(packet, where)

    def _send(self, packet: bytes, where: Address) -> None:
        try:
            self._socket.sendto(packet, where)
        except OSError:  # nobody can be reached there, or the system is busy
            self.unsent += 1


def _listen(host: str, port: int) -> socket.socket:
    """Return a UDP socket that does not block."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        server = socket.socket(family, kind, protocol)
        try:
            server.setblocking(False)
            server.bind(address)
        except OSError:
            server.close()
            raise
    except (OSError, UnicodeError) as error:
        raise ParameterError(
            f"OSC cannot listen at {host}:{port} ({system_reason(error)}); choose another port"
        ) from error
    return server
