"""The command `demiurge`.

Commands import slow packages (torch, librosa, faiss, numpy) inside, so that --help is fast.
"""

import signal
import sqlite3
from types import FrameType
from typing import Any

import click

from demiurge.cli.bench import bench
from demiurge.cli.browse import browse
from demiurge.cli.db import db
from demiurge.cli.demo import demo
from demiurge.cli.evaluate import evaluate
from demiurge.cli.infill import infill
from demiurge.cli.live import live
from demiurge.cli.options.command import Group
from demiurge.cli.playback import playback
from demiurge.cli.query import query
from demiurge.cli.render import mosaic, render
from demiurge.cli.sequencer import sequencer
from demiurge.cli.streams import lasting_streams
from demiurge.cli.synth import synth
from files.errors import DemiurgeError, ParameterError, install_command
from files.names import printable
from files.system import SYSTEM_ERRORS, error_message, is_systems_fault


class WrongUsage(click.ClickException):
    """Ends the program with exit status 2."""

    exit_code = 2


class Main(Group):
    """Turns errors that a user can cause into one line and an exit status.

    The status is 2 for wrong usage, 1 for the rest.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run as click does, to the end of the work even if nothing can be printed."""
        with lasting_streams():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DemiurgeError as error:
            raise shown(error) from error
        except SYSTEM_ERRORS as error:
            raise click.ClickException(error_message(error)) from error
        except sqlite3.OperationalError as error:
            if not is_systems_fault(error):
                raise
            raise click.ClickException(error_message(error)) from error
        except ModuleNotFoundError as error:
            if error.name != "faiss":
                raise
            raise WrongUsage(
                f"searching needs FAISS; install it with: {install_command('cpu')}"
            ) from error


def shown(error: DemiurgeError) -> click.ClickException:
    """Return the click exception that ends the program with an error."""
    lines = str(error).split("\n  ")  # lists of files have a line for each
    message = "\n  ".join(map(printable, lines))
    if isinstance(error, ParameterError):
        return WrongUsage(message)
    return click.ClickException(message)


@click.group(
    cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="demiurge-sequencer", prog_name="demiurge")
def main() -> None:
    """Continue a sound file with segments of your own sounds, chosen by a trained forecaster.

    \b
    demiurge demo                                   run everything on the bundled sounds
    demiurge db build my_sounds my.db               begin with your own
    """
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, exit_at_signal)


def exit_at_signal(number: int, frame: FrameType | None) -> None:
    """End as at Ctrl-C: remove temporary files, and commit the finished part of a build."""
    raise SystemExit(128 + number)


for command in (
    demo,
    db,
    sequencer,
    query,
    render,
    mosaic,
    infill,
    live,
    playback,
    browse,
    evaluate,
    synth,
    bench,
):
    main.add_command(command)
