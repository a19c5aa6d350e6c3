"""demiurge browse: serve the web page."""

import os
import threading
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.databases import databases_options
from demiurge.cli.options.output import check_output_folder
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.roots import roots_option
from demiurge.cli.terminal import echo_line
from files.errors import ParameterError, install_command

if TYPE_CHECKING:
    from demiurge.cli.options.databases import Databases
    from demiurge.cli.options.roots import MovedRoot
    from demiurge.web.security import Security

NEEDED = ("starlette", "uvicorn", "jinja2")


@command(
    examples=(
        "demiurge browse my.db",
        "demiurge browse my.db --plan out.plan.json --model my.model",
        "demiurge browse my.db --db drums.db --db archive=/shared/archive.db",
        "demiurge browse my.db --host 0.0.0.0 --port 9000 --no-open",
    )
)
@databases_options
@click.option("--plan", "plans", multiple=True, type=ANY_PATH, help="Open this plan; repeatable.")
@click.option(
    "--model",
    "models",
    multiple=True,
    type=ANY_PATH,
    help="Offer this forecaster, besides those found in the folder of DB and in the current folder;"
    " repeatable.",
)
@click.option("--folder", type=ANY_PATH, help="Folder for plans. [default: DB.plans]")
@roots_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve at; 0.0.0.0 serves everybody who knows the token.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port to serve at. [default: 8421, or another if that is in use]",
)
@click.option(
    "--token",
    help="Access token, 16 characters or more. [default: random, if other machines can connect]",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def browse(
    databases: "Databases",
    plans: tuple[Path, ...],
    models: tuple[Path, ...],
    folder: Path | None,
    root: "MovedRoot",
    host: str,
    port: int | None,
    token: str | None,
    no_open: bool,
) -> None:
    """Explore DB and its plans in a browser.

    The page shows the units as a map, and opens, edits and makes plans. Press Ctrl-C to end it.
    """
    check_installed()
    from demiurge.web.serve import address_of, allow_files, listen, make_server, secure
    from demiurge.web.signals import ended_by_signals
    from demiurge.web.workspace import Workspace

    if folder:
        check_output_folder(folder)
    allow_files()
    opened = Workspace(databases.open(root), plans=plans, models=models, folder=folder)
    with closing(opened) as workspace, closing(listen(host, port)) as sock:
        security = secure(host, sock.getsockname()[1], token)
        server = make_server(workspace, security)
        with ended_by_signals(server):
            echo_line(f"{databases} is at {address_of(security)} until you press Ctrl-C")
            if not no_open:
                threading.Thread(target=show, args=(security,), daemon=True).start()
            server.run(sockets=[sock])
            with suppress(OSError):  # the terminal may be closed
                echo_line("ended")


def check_installed(*more: str) -> None:
    """Raise an error if packages that the page needs, or some more, are not installed."""
    missing = [name for name in (*NEEDED, *more) if find_spec(name) is None]
    if missing:
        raise ParameterError(
            f"the page needs {', '.join(missing)}; install with: {install_command('web')}"
        )


def show(security: "Security") -> None:
    """Open a browser, or say what to do instead."""
    from demiurge.hosts import is_loopback
    from demiurge.web.serve import address_of, open_browser

    if open_browser(address_of(security)):
        return
    message = "no browser could be started: open the address yourself"
    if os.environ.get("SSH_CONNECTION") and is_loopback(security.host):
        port = security.port
        message += (
            f"; on your own machine: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE, and open it there"
        )
    echo_line(message, err=True)
