"""Views of generated clips: more sounds like some units."""

import secrets
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from demiurge.plans.locate import find_unit
from demiurge.shipped import shipped_flow
from demiurge.web.answers import json_answer
from demiurge.web.generated.clips import GeneratedClips
from demiurge.web.generated.generating import GenerateTask
from demiurge.web.make.jobs import new_id
from demiurge.web.requests import takes_json
from demiurge.web.values import check_keys, take_units
from demiurge.web.workspace import Workspace
from files.atomic import make_folder, writing_errors
from files.errors import ParameterError
from playback.sources import SourceReader

MOST_UNITS = 64  # whose styles are mixed
LEAST_SECONDS = 1.5  # of a unit with what follows it: a shorter sound has hardly a style
MOST_RANDOM_SEED = 1 << 32


class GeneratedViews:
    """Clips in the style of units of a workspace's database."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.clips = GeneratedClips(workspace.folder / "generated", workspace.events.publish)
        workspace.on_close.append(self.clips.close)

    def routes(self) -> list[Route]:
        return [
            Route("/generated", takes_json(self.start), methods=["POST"]),
            Route("/generated.json", self.document_json),
            Route("/generated/cancel", self.cancel, methods=["POST"]),
            Route("/generated/{run}/{name}", self.clip),
        ]

    def document_json(self, request: Request) -> Response:
        return json_answer(self.clips.document())

    def start(self, request: Request, body: dict[str, Any]) -> Response:
        """Begin to make clips in the style of units."""
        check_keys("a request for more", body, ("units",))
        units = take_units(body, "units")
        if len(units) > MOST_UNITS:
            raise ParameterError(
                f"{len(units)} units are more than {MOST_UNITS}; unpin some of them"
            )
        models = shipped_flow()
        if models is None:
            raise HTTPException(404, "no flow comes with this version; install a newer one")
        self.clips.check_free()
        out = self.clips.folder.absolute() / new_id()
        sounds = self._write_sounds(units, out / ".like")
        self.clips.start(GenerateTask(sounds, *models, out, secrets.randbelow(MOST_RANDOM_SEED)))
        return json_answer(self.clips.document(), 202)

    def cancel(self, request: Request) -> Response:
        self.clips.cancel()
        return json_answer(self.clips.document())

    def clip(self, request: Request) -> Response:
        """Answer with a clip; the name of a download has its run, so that no two are equal."""
        run, name = (request.path_params[part] for part in ("run", "name"))
        path = self.clips.path(run, name)
        if path is None:
            raise HTTPException(404, "there is no such clip; reload the page for a new list")
        return FileResponse(path, media_type="audio/flac", filename=f"{run}-{name}")

    def _write_sounds(self, units: list[int | str], folder: Path) -> tuple[Path, ...]:
        """Write the sound of each unit to a file."""
        database = self.workspace.database
        make_folder(folder)
        paths = []
        with SourceReader(
            self.workspace.roots,
            sample_rate=database.sample_rate,
            channels=1,
            cache=self.workspace.decoded,
        ) as reader:
            for unit in units:
                path = folder / f"unit-{unit}.wav".replace(":", "-")
                samples = self._sound(reader, unit)
                with writing_errors(path, "free some space, and try again"):
                    sf.write(path, samples, database.sample_rate, subtype="FLOAT")
                paths.append(path)
        return tuple(paths)

    def _sound(self, reader: SourceReader, unit: int | str) -> np.ndarray:
        """Return the sound of a unit and of what follows it: (n_samples, 1)."""
        database = self.workspace.database
        position = find_unit(unit, database)
        if position < 0:
            raise HTTPException(404, f"there is no unit {unit} in {self.workspace.name}")
        source = self.workspace.source_of(position)
        if not self.workspace.has(source.path):
            raise HTTPException(
                410, f"{source.path} is not in the corpus folder any more; put it back"
            )
        least = round(LEAST_SECONDS * database.sample_rate)
        wanted = max(int(database.units.n_samples[position]), least)
        samples = np.empty((min(wanted, int(database.units.samples_left[position])), 1), np.float32)
        reader.length(source.path)
        reader.read_into(samples, source.path, int(database.units.start_sample[position]))
        return samples
