"""Count the options of each command, without arguments, --help and --version.

python scripts/measure/options.py
"""

from collections.abc import Iterator

import click

from demiurge.cli import main


def commands(
    group: click.Group = main, name: str = "demiurge"
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is not a group, with its full name."""
    for key, command in group.commands.items():
        path = f"{name} {key}"
        if isinstance(command, click.Group):
            yield from commands(command, path)
        else:
            yield path, command
            for own in getattr(command, "commands", {}).values():
                yield f"{path} {own.name}", own


def options(command: click.Command) -> list[click.Option]:
    """Return the options of a command, except hidden ones."""
    found = [one for one in command.params if isinstance(one, click.Option)]
    return [option for option in found if not option.hidden]


def print_counts() -> None:
    counts = {name: len(options(command)) for name, command in commands()}
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:4}  {name}")
    print(f"{sum(counts.values()):4}  in all")


if __name__ == "__main__":
    print_counts()
