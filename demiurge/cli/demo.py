"""demiurge demo: the whole chain on the bundled sounds."""

from pathlib import Path

import click

from demiurge.cli.options.output import echo_json, force_option, json_option, progress_bar
from files.errors import ParameterError


@click.command(epilog="\b\nExamples:\n  demiurge demo\n  demiurge demo --out somewhere --seed 7")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Another seed, another continuation.",
)
@force_option
@json_option
def demo(out: Path, seed: int, force: bool, as_json: bool) -> None:
    """Continue a drum loop with the bundled sounds: build, train, forecast, query, render. Takes a
    minute or two.
    """
    from demiurge.demo import run_demo

    if out.exists() and not force:
        raise ParameterError(
            f"{out} exists; give another folder with --out, or --force to replace its contents"
        )
    say = (lambda text: None) if as_json else click.echo
    with progress_bar("training", quiet=as_json) as progress:
        result = run_demo(out, random_seed=seed, say=say, progress=progress)
    if as_json:
        echo_json(result)
