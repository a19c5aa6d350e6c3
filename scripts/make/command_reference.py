"""docs/commands.md: every command with its usage, arguments, options and examples, as the program
itself says them.

    python scripts/make/command_reference.py

tests/test_docs.py compares the page with the program.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from demiurge.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
HEAD = """# Commands

This page is made from the program by `python scripts/make/command_reference.py`; `demiurge COMMAND --help` says the same.
What goes for all commands:

- `--json` prints one JSON document instead of text (not `browse`). Progress bars are shown on terminals only.
- Nothing is overwritten without `--force`.
- The same `--seed` gives the same bytes.
- The exit status is 0 if all that was asked for was done, 1 if some of it failed (each failure is named, the rest is kept)
  or files do not fit each other, 2 for wrong usage.
- The rooms' pages say what the options are for, with figures: [db](rooms/db.md), [query](rooms/query.md),
  [playback](rooms/playback.md), [sequencer](rooms/sequencer.md), [synth](rooms/synth.md), [browse](rooms/demiurge.md).
"""


def command_reference() -> str:
    """The page."""
    return "\n".join([HEAD, *_sections(click.Context(main, info_name="demiurge"), level=2)])


def _sections(parent: click.Context, *, level: int) -> Iterator[str]:
    assert isinstance(parent.command, click.Group)
    for name in parent.command.list_commands(parent):
        command = parent.command.commands[name]
        context = click.Context(command, info_name=name, parent=parent)
        yield f"{'#' * level} {context.command_path}\n"
        if isinstance(command, click.Group):
            yield f"{_paragraphs(command)}\n"
            yield from _sections(context, level=level + 1)
        else:
            yield from _command(command, context)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context)).replace("[OPTIONS]", "[options]")
    yield f"```text\n{context.command_path} {usage}\n```\n"
    yield f"{_paragraphs(command)}\n"
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    yield "| option | |\n|---|---|"
    yield (
        "\n".join(
            f"| `{_cell(names.replace(' RANGE', ''))}` | {_text(_cell(said))} |"
            for names, said in records
        )
        + "\n"
    )
    examples = (command.epilog or "").removeprefix("\b\nExamples:\n").splitlines()
    yield "```text\n" + "\n".join(line.strip() for line in examples) + "\n```\n"


def _paragraphs(command: click.Command) -> str:
    """The help text, its line breaks gone but those between paragraphs."""
    return "\n\n".join(_text(" ".join(part.split())) for part in (command.help or "").split("\n\n"))


def _text(said: str) -> str:
    """Plain text as Markdown."""
    return "".join(f"\\{letter}" if letter in "*_[]<>`" else letter for letter in said)


def _cell(said: str) -> str:
    return " ".join(said.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(command_reference(), encoding="utf-8")
