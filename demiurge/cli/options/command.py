"""Commands whose help has headings and examples, and options that arrive as one typed object.

path_option = partial(option, heading="The path")
path_options = option_group(path_option("--continuity", …), …, into="path", make=PathOptions)

@command(examples=("demiurge mosaic voice.wav my.db -o out.wav", …))
@path_options
def mosaic(path: PathOptions) -> None: …
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from demiurge.cli.options.moved import MOVED_COMMANDS, find_advice

Decorator = Callable[[Callable], Callable]
OTHERS = "Options"  # heading of the options that have none of their own


class Option(click.Option):
    """An option that may have a heading."""

    def __init__(self, *args: Any, heading: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


option = functools.partial(click.option, cls=Option)


class Command(click.Command):
    """A command with `examples`, and with headings over its options where they have some.

    It may have `commands` of its own: `query SEED DB` is a command, and `query serve DB` as well.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.commands: dict[str, Command] = {}

    def add_command(self, command: Command) -> None:
        """Let a command be called by this one's name and its own."""
        self.commands[str(command.name)] = command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; for an option of version 0.1.0, say what to use instead."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            advice = find_advice(full_name(ctx), error.option_name)
            if advice is None:
                raise
            raise click.UsageError(advice, ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, parameters in headed(self.get_params(ctx)).items():
            with formatter.section(heading):
                formatter.write_dl(help_records(parameters, ctx))
        if self.commands:
            with formatter.section("Commands"):
                width = formatter.width - max(map(len, self.commands)) - 6
                rows = [
                    (name, one.get_short_help_str(width)) for name, one in self.commands.items()
                ]
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            formatter.write_paragraph()
            write_examples(self.examples, formatter)


class Group(click.Group):
    """A group of such commands, listed in the order of use, not alphabetically."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command as click does; for one of version 0.1.0, say what it is now."""
        name = f"{full_name(ctx)} {args[0]}".strip()
        if now := MOVED_COMMANDS.get(name):
            raise click.UsageError(f"{name} is {now} now", ctx)
        found, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, Command) and rest and rest[0] in command.commands:
            return f"{found} {rest[0]}", command.commands[rest[0]], rest[1:]
        return found, command, rest


command = functools.partial(click.command, cls=Command)


def full_name(ctx: click.Context) -> str:
    """Return a command's name with those of its groups, without the program's."""
    names: list[str] = []
    while ctx.parent:
        names.insert(0, str(ctx.info_name))
        ctx = ctx.parent
    return " ".join(names)


def help_records(
    parameters: Iterable[click.Parameter], ctx: click.Context
) -> list[tuple[str, str]]:
    """Return the names and the help of options."""
    records = [parameter.get_help_record(ctx) for parameter in parameters]
    # the help text mentions the range
    return [(record[0].replace(" RANGE", ""), record[1]) for record in records if record]


def write_examples(examples: Iterable[str], formatter: click.HelpFormatter) -> None:
    """Write each example on its own line, however long it is."""
    formatter.write("Examples:\n")
    for example in examples:
        formatter.write(f"  {example}\n")


def headed(parameters: Iterable[click.Parameter]) -> dict[str, list[click.Parameter]]:
    """Return the options by heading, in order; those without one come last."""
    by_heading: dict[str, list[click.Parameter]] = {}
    others: list[click.Parameter] = []
    for parameter in parameters:
        heading = parameter.heading if isinstance(parameter, Option) else ""
        if heading:
            by_heading.setdefault(heading, []).append(parameter)
        elif isinstance(parameter, click.Option):
            others.append(parameter)
    return {**by_heading, OTHERS: others}


def option_group(*options: Decorator, into: str, make: Callable[..., object]) -> Decorator:
    """Return a decorator that adds options and passes them to the command as one argument.

    Parameters
    ----------
    into : str
        The name of that keyword argument.
    make : callable
        Makes its value from the options' values, given by name.
    """

    def add(function: Callable) -> Callable:
        @functools.wraps(function)
        def with_object(*args: Any, **kwargs: Any) -> Any:
            values = {name: kwargs.pop(name) for name in names}
            return function(*args, **kwargs, **{into: make(**values)})

        before = len(parameters_of(with_object))
        for decorate in reversed(options):
            decorate(with_object)
        names = [str(parameter.name) for parameter in parameters_of(with_object)[before:]]
        return with_object

    return add


def parameters_of(function: Callable) -> list[click.Parameter]:
    """Return the parameters that click's decorators have attached to a function so far."""
    return getattr(function, "__click_params__", [])
