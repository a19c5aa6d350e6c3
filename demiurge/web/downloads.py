"""A plan as a file to take away: itself, its sound, or what other tools read."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from db.cache import cache_folder
from demiurge.playing import Targets, play_plan
from demiurge.web.plans import SUFFIX
from playback.crossfade import SeamOptions
from playback.exports import SUFFIXES
from playback.plan import Plan
from playback.render import Sounding

CHUNK_BYTES = 1 << 18
KINDS = {"plan": SUFFIX, "wav": ".wav", **SUFFIXES}  # and the suffix of each
MEDIA_TYPES = {"plan": "application/json", "wav": "audio/wav"}


def download(plan: Plan, kind: str, name: str, root: Path | None) -> Response:
    """A plan as an attachment; `kind` is one of `KINDS`. What cannot be played is silence, and a header says how much that is.

    Raises
    ------
    PlanError, AudioError, ParameterError
        As `demiurge.playing.play_plan`.
    """
    folder = cache_folder("downloads")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / f"plan{KINDS[kind]}"
        skipped = _write(plan, kind, path, root)
        file, n_bytes = path.open("rb"), path.stat().st_size  # it goes away when it is closed
    headers = {
        "Content-Length": str(n_bytes), "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(name + KINDS[kind])}",
    }  # fmt: skip
    if skipped:
        headers["X-Demiurge-Skipped"] = str(skipped)
    return StreamingResponse(_chunks(file), headers=headers, media_type=MEDIA_TYPES.get(kind, "text/plain"))


def _write(plan: Plan, kind: str, path: Path, root: Path | None) -> int:
    """Write the file as the command line does; how many sources or steps are left out."""
    if kind == "plan":
        plan.save(path)
        return 0
    targets = Targets(out=path) if kind == "wav" else Targets(exports={kind: path})
    sounding = Sounding(SeamOptions.of(plan.settings))
    return len(play_plan(plan, path.name, targets, sounding, root=root, skip_missing=True).skipped)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
