"""Make docs/commands.md from the program: usage, options and examples of every command.

    python scripts/make/command_reference.py

tests/test_docs.py compares the page with the program.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from demiurge.cli import main
from demiurge.cli.options.command import Command, headed, help_records
from demiurge.cli.options.moved import MOVED, MOVED_COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
HEAD = """# Commands

This page is made from the program by `python scripts/make/command_reference.py`;
`demiurge COMMAND --help` says the same. What goes for all commands:

- `--json` prints one JSON document instead of text (not `browse`). Progress bars are shown on
  terminals only.
- Nothing is overwritten without `--force`.
- The same `--random-seed` gives the same bytes.
- The exit status is 0 if all that was asked for was done, 1 if some of it failed (each failure is
  named, the rest is kept) or files do not fit each other, 2 for wrong usage.
- The rooms' pages say what the options are for, with figures: [db](rooms/db.md),
  [query](rooms/query.md), [playback](rooms/playback.md), [sequencer](rooms/sequencer.md),
  [synth](rooms/synth.md), [browse](rooms/demiurge.md), [evaluate](evaluation.md).
"""
MOVED_HEAD = """## Commands and options of version 0.1.0 that have moved

| command | option | |
|---|---|---|"""


def command_reference() -> str:
    """Return the text of the page."""
    root = click.Context(main, info_name="demiurge")
    return "\n".join([HEAD, *_sections(root, level=2), MOVED_HEAD, *_moved_rows(), ""])


def _sections(parent: click.Context, *, level: int) -> Iterator[str]:
    assert isinstance(parent.command, click.Group)
    for name, command in parent.command.commands.items():
        context = click.Context(command, info_name=name, parent=parent)
        yield f"{'#' * level} {context.command_path}\n"
        if isinstance(command, click.Group):
            yield f"{_paragraphs(command)}\n"
            yield from _sections(context, level=level + 1)
        else:
            assert isinstance(command, Command)
            yield from _command(command, context)
            for own in command.commands.values():
                own_context = click.Context(own, info_name=f"{name} {own.name}", parent=parent)
                yield f"{'#' * (level + 1)} {own_context.command_path}\n"
                yield from _command(own, own_context)


def _command(command: Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context)).replace("[OPTIONS]", "[options]")
    yield f"```text\n{context.command_path} {usage}\n```\n"
    yield f"{_paragraphs(command)}\n"
    for heading, options in headed(command.params).items():
        yield f"| {heading.lower()} | |\n|---|---|"
        for names, said in help_records(options, context):
            yield f"| `{_cell(names)}` | {_text(_cell(said))} |"
        yield ""
    yield "```text\n" + "\n".join(command.examples) + "\n```\n"


def _moved_rows() -> Iterator[str]:
    for name, now in MOVED_COMMANDS.items():
        yield f"| `{name}` | | is {now} now |"
    for commands, option, advice in MOVED:
        names = ", ".join(f"`{name}`" for name in commands)
        yield f"| {names} | `{option}` | {_text(_cell(advice))} |"


def _paragraphs(command: click.Command) -> str:
    """Return the help text without line breaks, except between paragraphs."""
    return "\n\n".join(_text(" ".join(part.split())) for part in (command.help or "").split("\n\n"))


def _text(said: str) -> str:
    """Return plain text as Markdown."""
    return "".join(f"\\{letter}" if letter in "*_[]<>`" else letter for letter in said)


def _cell(said: str) -> str:
    return " ".join(said.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(command_reference(), encoding="utf-8")
