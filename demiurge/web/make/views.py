"""Views of seeds and jobs: a seed in, plans out."""

import time
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from demiurge.web.answers import error_answer, json_answer, page
from demiurge.web.make.jobs import MOST_VARIATIONS, Job, Jobs, new_id
from demiurge.web.make.models import Model, find_models
from demiurge.web.make.seeds import MOST_BYTES, Seed, Seeds
from demiurge.web.make.worker import RenderTask
from demiurge.web.requests import takes_json
from demiurge.web.values import check_keys, take_integer, take_number, take_text
from demiurge.web.workspace import Workspace

DEFAULTS = {
    "seconds": 10.0,
    "continuity": 0.25,
    "novelty": 0.0,
    "temperature": 1.0,
    "variations": 3,
    "random_seed": 0,
}
MOSAIC_TEMPERATURE = 0.0  # of the path, not of a forecast: variations are other paths
BOUNDS = {
    "seconds": (0.5, 600),
    "continuity": (0, 1000),
    "novelty": (0, 1000),
    "temperature": (0, 10),
}
MOST_RANDOM_SEED = (1 << 32) - 1
ADVICE = (
    "No model goes with this database yet, so only a mosaic can be made. Train one with: demiurge"
    " sequencer train {database} my.model, then reload this page."
)


class MakeViews:
    """The seeds and jobs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.seeds = Seeds(workspace.folder / "seeds")
        self.jobs = Jobs(workspace.folder / "jobs", workspace.plans, workspace.events.publish)
        workspace.on_close.append(self.jobs.close)
        self._models()  # so that a wrong one is refused now

    def routes(self) -> list[Route]:
        return [
            Route("/make", self.page),
            Route("/make.json", self.document_json),
            Route("/seeds", self.upload, methods=["POST"]),
            Route("/seeds/{seed}/audio.wav", self.seed_audio),
            Route("/jobs", takes_json(self.submit), methods=["POST"]),
            Route("/jobs.json", self.jobs_json),
            Route("/jobs/{job}.json", self.job_json),
            Route("/jobs/{job}/cancel", self.cancel, methods=["POST"]),
        ]

    def page(self, request: Request) -> Response:
        return page(request, self.workspace, "make.html")

    def document_json(self, request: Request) -> Response:
        return json_answer(self.document())

    def document(self) -> dict[str, Any]:
        """What can be made here, and what was."""
        models = self._models()
        return {
            "models": [_model_facts(model) for model in models],
            "seeds": self.seeds.documents(),
            "jobs": self.jobs.documents(),
            "defaults": {**DEFAULTS, "mosaic_temperature": MOSAIC_TEMPERATURE},
            "limits": {
                "bytes": MOST_BYTES,
                "seconds": BOUNDS["seconds"][1],
                "variations": MOST_VARIATIONS,
            },
            "advice": None if models else ADVICE.format(database=self.workspace.database.path),
        }

    async def upload(self, request: Request) -> Response:
        """Take a file, which is the request's body as it is."""
        announced = request.headers.get("content-length", "")
        try:
            seed = await self.seeds.take(
                request.stream(),
                request.query_params.get("name", ""),
                int(announced) if announced.isdecimal() else None,
            )
        except ClientDisconnect:
            return error_answer(
                "the file did not come to its end", 400
            )  # nobody is there to see it
        return json_answer(self.seeds.document(seed), 201)

    def seed_audio(self, request: Request) -> Response:
        path = self.seeds.preview(self._seed(request.path_params["seed"]))
        if not path.is_file():
            raise HTTPException(410, "the seed's file is gone; drop it on the page again")
        return FileResponse(path, media_type="audio/flac")

    def submit(self, request: Request, body: dict[str, Any]) -> Response:
        """Put a job in the queue."""
        check_keys("a job", body, ("seed", "model", *DEFAULTS))
        seed = self._seed(take_text(body, "seed"))
        model = self._model(body)
        defaults = DEFAULTS if model else DEFAULTS | {"temperature": MOSAIC_TEMPERATURE}
        options: dict[str, Any] = {
            name: take_number(body, name, *bounds, defaults[name])
            for name, bounds in BOUNDS.items()
        }
        options["variations"] = take_integer(
            body, "variations", 1, MOST_VARIATIONS, int(DEFAULTS["variations"])
        )
        options["random_seed"] = take_integer(
            body, "random_seed", 0, MOST_RANDOM_SEED, int(DEFAULTS["random_seed"])
        )
        database = self.workspace.database
        job_id = new_id()
        task = RenderTask(
            self.seeds.path(seed).absolute(),
            seed.name,
            model.path if model else None,
            database.path.absolute(),
            Path(self.workspace.root).absolute(),
            self.jobs.folder.absolute() / job_id,
            **options,
        )
        asked = Job(
            job_id,
            {"id": seed.id, "name": seed.name},
            _model_facts(model) if model else None,
            options,
            time.time(),
        )
        return json_answer(self.jobs.document(self.jobs.submit(asked, task)), 202)

    def jobs_json(self, request: Request) -> Response:
        return json_answer({"jobs": self.jobs.documents()})

    def job_json(self, request: Request) -> Response:
        return json_answer(self.jobs.document(self._job(request)))

    def cancel(self, request: Request) -> Response:
        return json_answer(self.jobs.document(self.jobs.cancel(self._job(request).id)))

    def _seed(self, seed_id: str) -> Seed:
        if seed := self.seeds.get(seed_id):
            return seed
        raise HTTPException(404, "there is no such seed; drop it on the page again")

    def _models(self) -> list[Model]:
        return find_models(self.workspace.model_paths, self.workspace.database)

    def _model(self, body: dict[str, Any]) -> Model | None:
        if body.get("model") is None:
            return None
        models = {model.id: model for model in self._models()}
        if model := models.get(take_text(body, "model")):
            return model
        raise HTTPException(
            404, "there is no such model for this database; reload the page to see which there are"
        )

    def _job(self, request: Request) -> Job:
        if job := self.jobs.get(request.path_params["job"]):
            return job
        raise HTTPException(404, "there is no such job")


def _model_facts(model: Model) -> dict[str, str]:
    return {"id": model.id, "name": model.name, "architecture": model.architecture}
