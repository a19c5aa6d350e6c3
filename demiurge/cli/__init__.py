"""The command `demiurge`.

Commands import what is slow (torch, librosa, faiss) inside, so that --help answers at once.
"""

import io
import signal
import sys
from types import FrameType
from typing import Any

import click

from demiurge.cli.bench import bench
from demiurge.cli.browse import browse
from demiurge.cli.db import db
from demiurge.cli.demo import demo
from demiurge.cli.options.output import one_line
from demiurge.cli.playback import playback
from demiurge.cli.query import query
from demiurge.cli.render import mosaic, render
from demiurge.cli.sequencer import sequencer
from demiurge.cli.synth import synth
from files.errors import DemiurgeError, ParameterError, install_command


class WrongUsage(click.ClickException):
    exit_code = 2


class Main(click.Group):
    """Turns the errors a user can meet into one line and an exit status: 2 for wrong usage, 1 for
    the rest.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's; a letter that the terminal or file cannot show, or a byte of a name that is
        none, becomes "?".
        """
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="replace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DemiurgeError as error:
            message = "\n".join(
                map(one_line, str(error).split("\n"))
            )  # lists of files have a line for each
            raise (WrongUsage if isinstance(error, ParameterError) else click.ClickException)(
                message
            ) from error
        except ModuleNotFoundError as error:
            if error.name != "faiss":
                raise
            raise WrongUsage(
                f"searching needs FAISS; install it with: {install_command('cpu')}"
            ) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the work, not of the alphabet


@click.group(
    cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="demiurge-sequencer", prog_name="demiurge")
def main() -> None:
    """Continue a sound file with real segments of a corpus, chosen by a trained forecaster.

    \b
    demiurge demo                                   the whole chain on the bundled sounds
    demiurge db build my_sounds my.db               then with your own
    """
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    """A program that is told to end removes its temporary files first, and commits what a build
    has; as at Ctrl-C.
    """
    raise SystemExit(128 + number)


for command in (demo, db, sequencer, query, render, mosaic, playback, browse, synth, bench):
    main.add_command(command)
