"""Downloads of a plan: the plan, its audio, or files for other programs."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
from starlette.responses import Response, StreamingResponse

from demiurge.web.answers import chunks
from demiurge.web.plans import SUFFIX
from files.cache import cache_errors, cache_folder
from files.roots import Roots
from files.temporary import temporary_folder
from playback.exports import EXPORTS
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions, RenderOptions
from playback.outputs import Outputs, write_outputs
from playback.plan import Plan

EXPORT_SUFFIXES = {kind: export.suffix for kind, export in EXPORTS.items()}
KINDS = {"plan": SUFFIX, "wav": ".wav", **EXPORT_SUFFIXES}  # with the suffix of each
MEDIA_TYPES = {"plan": "application/json", "wav": "audio/wav"}


def download(
    plan: Plan, kind: str, name: str, roots: Roots | None, check_open: Callable[[], None]
) -> Response:
    """Answer with a plan as an attachment; `kind` is one of `KINDS`.

    Steps that cannot be played are silent; a header gives the numbers of sources and steps that are
    left out. `check_open` may raise a `DemiurgeError` to stop.

    Raises
    ------
    PlanError, AudioError, ParameterError
        As `playback.outputs.write_outputs`; or if the file cannot be written.
    """
    folder = cache_folder("downloads")
    with cache_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as made:
            path = made / f"plan{KINDS[kind]}"
            skipped = _write(plan, kind, path, roots, check_open)
            content = np.memmap(
                path, np.uint8, "r"
            ).data  # stays readable after the file is removed
    headers = {**download_headers(kind, name), "Content-Length": str(len(content))}
    if skipped:
        headers["X-Demiurge-Skipped"] = str(skipped)
    body = chunks([content], 0, len(content))
    return StreamingResponse(body, headers=headers, media_type=media_type(kind))


def download_headers(kind: str, name: str) -> dict[str, str]:
    """Return headers that name the attachment and keep it out of caches."""
    quoted = quote(name + KINDS[kind], errors="replace")
    return {
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename*=utf-8''{quoted}",
    }


def media_type(kind: str) -> str:
    return MEDIA_TYPES.get(kind, "text/plain")


def _write(
    plan: Plan, kind: str, path: Path, roots: Roots | None, check_open: Callable[[], None]
) -> int:
    """Write the file as the command line does; return the numbers of lost sources and steps."""
    if kind == "plan":
        plan.save(path)
        return 0
    outputs = Outputs(out=path) if kind == "wav" else Outputs(exports={kind: path})

    def progress(*_: object) -> None:
        check_open()

    with open_plan(plan, roots, skip_missing=True, progress=progress) as opened:
        written = write_outputs(
            opened,
            path.name,
            outputs,
            RenderOptions(CrossfadeOptions.of(plan.settings)),
            progress=progress,
        )
    return len(written.skipped)
