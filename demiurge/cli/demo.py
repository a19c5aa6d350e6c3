"""demiurge demo: the whole chain on the bundled sounds."""

from pathlib import Path

import click

from demiurge.cli.options.command import command
from demiurge.cli.options.output import force_option, json_option, random_seed_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.terminal import echo_json, progress_bar
from files.errors import ParameterError


@command(examples=("demiurge demo", "demiurge demo --out somewhere --random-seed 7"))
@click.option(
    "--out",
    type=ANY_PATH,
    default=Path("demo"),
    show_default=True,
    help="Folder for the results.",
)
@random_seed_option()
@force_option
@json_option
def demo(out: Path, random_seed: int, force: bool, as_json: bool) -> None:
    """Run the whole chain on the bundled sounds.

    Build and train, then continue a drum loop and a piano for 20 s each, and rebuild the loop out
    of others, in a minute or two.
    """
    from demiurge.demo import run_demo

    if out.exists() and not force:
        raise ParameterError(
            f"{out} exists; give another folder with --out, or --force to replace its contents"
        )
    echo = (lambda text: None) if as_json else click.echo
    with progress_bar("training", quiet=as_json) as progress:
        result = run_demo(out, random_seed=random_seed, echo=echo, progress=progress)
    if as_json:
        echo_json(result)
