"""python -m demiurge: the command `demiurge`."""

from demiurge.cli import main

main(prog_name="demiurge")
