"""Cases: which file is edited, and which command reads it."""

import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from scripts.fuzz.recipes import RECIPES, Recipe

MOST_EDITS = 8
KEPT_PLACE = re.compile(rb"/[\w/-]+/fuzz-\w{8}/healthy")


@dataclass(frozen=True)
class Case:
    """A file of a kind with some edits, and a command.

    Attributes
    ----------
    number : int
        With the random seed of the run it decides everything else.
    copies : dict
        Files and folders in the case's folder: name there to name among the healthy ones.
    target : str
        The file that is edited.
    edits : tuple of int
        A number for each edit.
    command : tuple of str
        Arguments of `demiurge`, or "page" and a database. {healthy} is the folder of healthy files.
    content : bytes, optional
        Of a case that was kept: what the target holds in place of edits.
    """

    number: int
    kind: str
    copies: dict[str, str]
    target: str
    edits: tuple[int, ...]
    command: tuple[str, ...]
    content: bytes | None = None

    def arguments(self, healthy: Path) -> list[str]:
        """Return the command's arguments with the folder of healthy files."""
        return [argument.replace("{healthy}", str(healthy)) for argument in self.command]

    def with_edits(self, edits: tuple[int, ...]) -> "Case":
        return replace(self, edits=edits)


def make_case(random_seed: int, number: int, healthy: Path) -> Case:
    """Return case `number` of a run."""
    rng = Random(f"{random_seed} {number}")
    kind = kind_of(number)
    recipe = rng.choice([recipe for recipe in RECIPES if recipe.kind == kind])
    copies, target = _choose_files(recipe, rng, healthy)
    picked = f"c/{Path(target).name}"
    command = rng.choice(recipe.commands).replace("{picked}", shlex.quote(picked))
    n_edits = min(1 + int(rng.expovariate(0.9)), MOST_EDITS)
    edits = tuple(rng.randrange(2**32) for _ in range(n_edits))
    return Case(number, kind, copies, target, edits, tuple(shlex.split(command)))


def kinds() -> list[str]:
    """Return the kinds of cases, in order."""
    return list(dict.fromkeys(recipe.kind for recipe in RECIPES))


def kind_of(number: int) -> str:
    """Return the kind of a case; more of them are audio files and manifests."""
    turns = [kind for recipe in RECIPES for kind in [recipe.kind] * recipe.share]
    return turns[Random(number).randrange(len(turns))]


def _choose_files(recipe: Recipe, rng: Random, healthy: Path) -> tuple[dict[str, str], str]:
    """Return what to copy into the case's folder, and the file to edit."""
    copies = {name: name for name in recipe.copies}
    if recipe.picks:
        found = sorted(healthy.glob(recipe.picks))
        picked = rng.choice(found).relative_to(healthy)
        suffix = picked.suffix
        if rng.random() < 0.1:  # content must count, not the name
            suffix = rng.choice(found).suffix
        target = f"c/{picked.stem}{suffix}"
        return {**copies, target: str(picked)}, target
    found = [path for pattern in recipe.targets for path in sorted(healthy.glob(pattern))]
    return copies, str(rng.choice(found).relative_to(healthy))


def lay_out(case: Case, healthy: Path, folder: Path) -> Path:
    """Copy a case's files into its empty folder; return the file to edit."""
    for name, origin in case.copies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (healthy / origin).is_dir():
            shutil.copytree(healthy / origin, folder / name)
        else:
            shutil.copy2(healthy / origin, folder / name)
    target = folder / case.target
    if case.content is not None:
        target.write_bytes(at_this_place(case.content, healthy))
    return target


def at_this_place(content: bytes, healthy: Path) -> bytes:
    """Return a kept file in which the folder of its run, if it names it, is that of this one."""
    here = str(healthy).encode()
    return KEPT_PLACE.sub(lambda found: here if len(found[0]) == len(here) else found[0], content)


def find_donors(case: Case, healthy: Path) -> list[Path]:
    """Return the healthy files that an audio file may be spliced with."""
    return sorted(healthy.glob("audio/*")) if case.kind == "audio" else []
