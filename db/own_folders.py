"""Folders that Demiurge itself writes: the sounds in them are no sources."""

from pathlib import Path

from db.manifest import FILE_NAME
from db.model_folders import is_model_folder

PLANS_SUFFIX = ".plans"  # of the folder that `demiurge browse` keeps beside a database


def is_own_folder(folder: Path) -> bool:
    """Return whether a folder is a database, the page's folder of plans, or a model.

    A folder of recordings may have any name, so that its contents must fit as well.
    """
    if (folder / FILE_NAME).is_file() and (folder / "shards").is_dir():
        return True
    if is_model_folder(folder):
        return True
    if folder.name.endswith(PLANS_SUFFIX):
        has_part = any((folder / name).is_dir() for name in ("seeds", "jobs", "generated"))
        return has_part or any(folder.glob("*.plan.json"))
    return False
