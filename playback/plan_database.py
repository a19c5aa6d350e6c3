"""The database that a plan was made from: one, or several whose sources it names `NAME:path`."""

import re
from typing import Any

from files.documents import shown_text
from files.errors import PlanError
from files.roots import Roots
from playback.plan_document import VERSION_OF_DATABASES, PlanDocument

NAME = re.compile(r"[\w.-]+")  # of one of several databases


def read_database(document: PlanDocument) -> dict[str, Any]:
    """Return what a plan says about its database, as `Plan.database`.

    Raises
    ------
    PlanError
        If it has neither one corpus folder nor several databases, has both, a name cannot begin
        that of a source, or its version does not know several.
    """
    read = document.database
    databases = read.get("databases")
    if (databases is None) == ("root" not in read):
        raise PlanError(
            '"database" must have either "root", the corpus folder of one database, or "databases",'
            " by name, with the id and the root of each"
        )
    if databases is None:
        return {"id": read["id"], "root": read["root"]}
    if document.version < VERSION_OF_DATABASES:
        raise PlanError(
            f'"databases" are not known in "version": {document.version}; write "version":'
            f" {VERSION_OF_DATABASES}"
        )
    for name in databases:
        if not NAME.fullmatch(name):
            raise PlanError(
                f"database {shown_text(repr(name))} must be named by letters, digits, '.', '_' and"
                " '-'; rename it, also at the beginning of its sources"
            )
    members = {name: {"id": one["id"], "root": one["root"]} for name, one in databases.items()}
    return {"id": read["id"], "databases": members}


def roots_of(database: dict[str, Any]) -> Roots:
    """Return the corpus folders of `Plan.database`."""
    if "databases" not in database:
        return Roots.of(database["root"])
    return Roots({name: member["root"] for name, member in database["databases"].items()})
