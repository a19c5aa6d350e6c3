"""What controls a session of demiurge live: scenes, OSC, MIDI, the page and the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from demiurge.cli.browse import check_installed
from demiurge.cli.options.live import Control
from demiurge.cli.terminal import echo_line

if TYPE_CHECKING:
    from demiurge.live.session import Session

BINDINGS = ".midi.json"  # of MIDI, beside the file of scenes


@contextmanager
def scenes_kept(session: Session, path: Path | None) -> Iterator[None]:
    """Load the scenes of a file, if one is given, and save them at the end of the block.

    Raises
    ------
    ParameterError
        If the file cannot be used.
    """
    from demiurge.live.scenes import load_scenes, save_scenes

    if path is None:
        yield
        return
    session.controls.load_scenes(load_scenes(path))
    try:
        yield
    finally:
        save_scenes(session.controls.scenes, path)


@contextmanager
def controlled(session: Session, control: Control) -> Iterator[None]:
    """Let everything that was asked for control a session within the block.

    Raises
    ------
    ParameterError
        If a file, a port or a package cannot be used.
    """
    from demiurge.live.terminal import Terminal

    with ExitStack() as stack:
        midi: list[Callable[[str], None]] = []

        def learn(name: str) -> None:
            for learn_from in midi:
                learn_from(name)

        terminal = Terminal(session.controls, session.status, learn=learn)
        if control.osc is not None:
            _listen_to_osc(session, control, stack)
        if control.midi is not None:
            midi.append(_listen_to_midi(session, control, terminal.tell, stack))
        if control.page:
            _serve_page(session, control, stack)
        stack.enter_context(terminal)
        yield


def _listen_to_osc(session: Session, control: Control, stack: ExitStack) -> None:
    from demiurge.live.osc import OscServer

    assert control.osc is not None
    server = OscServer(session, host=control.host, port=control.osc, token=control.token)
    stack.enter_context(server)
    echo_line(f"OSC at {control.host}:{server.port}", err=True)


def _listen_to_midi(
    session: Session, control: Control, tell: Callable[[str], None], stack: ExitStack
) -> Callable[[str], None]:
    """Listen to a MIDI port; return what lets a controller be learned."""
    from demiurge.live.midi import MidiHandler
    from demiurge.live.midi_ports import MidiInput

    assert control.midi is not None
    bindings = None if control.scenes is None else control.scenes.with_suffix(BINDINGS)
    handler = MidiHandler(session.controls, bindings, tell=tell)
    port = stack.enter_context(MidiInput(control.midi, handler, tell=tell))
    echo_line(f"MIDI from {port.name}", err=True)
    return handler.learn


def _serve_page(session: Session, control: Control, stack: ExitStack) -> None:
    """Serve the page in another thread."""
    check_installed("websockets")
    from demiurge.web.serve import address_of, allow_files, listen, make_server, secure
    from demiurge.web.workspace import Workspace

    allow_files()
    workspace = stack.enter_context(closing(Workspace(session.corpus.database, live=session)))
    sock = stack.enter_context(closing(listen(control.host, None)))
    security = secure(control.host, sock.getsockname()[1], control.token)
    server = make_server(workspace, security)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="page")

    def end() -> None:
        server.should_exit = True
        thread.join()

    thread.start()
    stack.callback(end)
    echo_line(f"page at {address_of(security)}", err=True)
