"""Answers with HTML pages, made from the templates."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from demiurge.web.workspace import Workspace
from files.names import quoted

TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")


def page(
    request: Request,
    workspace: Workspace,
    template: str,
    *,
    plan: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    """Answer with a template as HTML.

    The navigation marks the page with the template's name as current, unless the context has
    another `page`.
    """
    current = {"page": template.removesuffix(".html"), "plan": plan}
    variables = current | shared_context(request, workspace) | context
    return TEMPLATES.TemplateResponse(request, template, variables, status, headers)


def shared_context(request: Request, workspace: Workspace) -> dict[str, Any]:
    """Return the variables that every template uses."""
    database = workspace.database
    facts = {
        "name": workspace.name,
        "word": quoted(database.path.resolve().name),  # of a command
        "names": " ".join(database.names),
        "units": database.n_units,
        "sources": len(database.sources),
    }
    return {
        "is_live": workspace.live is not None,
        "nonce": request.scope.get("nonce", ""),
        "database": facts,
        "version": version("demiurge-sequencer"),
    }
