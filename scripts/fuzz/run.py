"""Run commands on files that were altered, and find what does not end in one clear line.

    python scripts/fuzz/run.py --minutes 2 --random-seed 1
    python scripts/fuzz/run.py --minutes 600 --random-seed 7 --save found
    python scripts/fuzz/run.py --random-seed 7 --case 1234

Healthy files of every format are made first, with toy networks. Each case edits one of them, after
its kind, and runs a command on it in a process with limits: 10 s, 1 GB. It fails on a traceback, a
crash, a hang, too much memory, a message in a library's words, noise on standard error, an answer
5xx of the page, and, if ffmpeg or sox is installed, on audio that is taken in part without a
warning. Failures are saved with as few edits as show them; docs/contributing.md says more.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded: processes are forked

import sys
from pathlib import Path

import click

KINDS = (
    "audio",
    "manifest",
    "plan",
    "forecast",
    "table",
    "config",
    "state",
    "generated",
    "request",
)


@click.command()
@click.option("--minutes", type=float, default=2.0, show_default=True, help="How long to run.")
@click.option("--cases", type=int, help="How many cases, instead of --minutes.")
@click.option("--random-seed", type=int, default=1, show_default=True)
@click.option("--only", type=click.Choice(KINDS), multiple=True, help="Kinds; repeatable.")
@click.option("--case", "number", type=int, help="Run this case alone, and show what it prints.")
@click.option("--edits", help="With --case: which of its edits, for example 0,2.")
@click.option("--save", type=click.Path(path_type=Path), help="Folder for the cases that fail.")
def main(
    minutes: float,
    cases: int | None,
    random_seed: int,
    only: tuple[str, ...],
    number: int | None,
    edits: str | None,
    save: Path | None,
) -> None:
    """Run commands on altered files; the exit status is 1 if a case fails."""
    from scripts.fuzz.campaign import Campaign

    with Campaign(random_seed, save) as campaign:
        if number is not None:
            chosen = None if edits is None else [int(one) for one in edits.split(",")]
            failed = campaign.show_case(number, chosen)
        else:
            failed = campaign.run(None if cases else minutes, cases, only or KINDS)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
