"""Views of seeds and jobs: a seed in, plans out."""

import time
from dataclasses import asdict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from demiurge.web.answers import error_answer, json_answer
from demiurge.web.make.jobs import MOST_VARIATIONS, Job, Jobs, new_id
from demiurge.web.make.messages import RenderTask
from demiurge.web.make.models import Model, find_models
from demiurge.web.make.options import BOUNDS, DEFAULTS, MOSAIC_DEFAULTS, JobRequest
from demiurge.web.make.seeds import Seed, Seeds, UploadLimits
from demiurge.web.pages import page
from demiurge.web.requests import takes_json
from demiurge.web.workspace import Workspace
from files.names import quoted
from query.names import MOST_VOICES

LIMITS = UploadLimits()
ADVICE = (
    "No model goes with this database yet, so only a mosaic can be made. Train one with: demiurge"
    " sequencer train {database} my.model, then reload this page."
)


class MakeViews:
    """The seeds and jobs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Load earlier seeds and jobs.

        Raises
        ------
        CheckpointError, DatabaseError
            If a model that the workspace was given cannot be used.
        """
        self.workspace = workspace
        self._find_models()
        self.seeds = Seeds(workspace.folder / "seeds", LIMITS)
        self.jobs = Jobs(workspace.folder / "jobs", workspace.plans, workspace.events.publish)
        workspace.on_close.append(self.jobs.close)

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
        """Describe seeds, models, options and jobs."""
        models = self._find_models()
        return {
            "models": [_model_facts(model) for model in models],
            "seeds": self.seeds.documents(),
            "jobs": self.jobs.documents(),
            "defaults": {"continuation": asdict(DEFAULTS), "mosaic": asdict(MOSAIC_DEFAULTS)},
            "limits": {
                "bytes": self.seeds.limits.n_bytes,
                "seconds": BOUNDS["seconds"][1],
                "variations": MOST_VARIATIONS,
                "voices": MOST_VOICES,
            },
            "advice": None if models else self._advice(),
        }

    def _advice(self) -> str:
        """Return how to get a model that goes with the database, or with the first of several."""
        path, _ = next(iter(self.workspace.files.folders.values()))
        return ADVICE.format(database=quoted(path))

    async def upload(self, request: Request) -> Response:
        """Take a file, which is the whole body of the request."""
        announced = request.headers.get("content-length", "")
        n_bytes = int(announced) if announced.isdecimal() else None
        name = request.query_params.get("name", "")
        try:
            seed = await self.seeds.take(request.stream(), name, n_bytes)
        except ClientDisconnect:  # nobody reads the answer
            return error_answer("the file is incomplete: the upload ended early", 400)
        return json_answer(self.seeds.document(seed), 201)

    def seed_audio(self, request: Request) -> Response:
        path = self.seeds.preview(self._seed(request.path_params["seed"]))
        if not path.is_file():
            raise HTTPException(410, "the seed's file was removed; drop it on the page again")
        return FileResponse(path, media_type="audio/flac")

    def submit(self, request: Request, body: dict[str, Any]) -> Response:
        """Queue a job."""
        asked = JobRequest.from_json(body)
        seed = self._seed(asked.seed)
        model = None if asked.model is None else self._model(asked.model)
        options = asdict(asked.options)
        job_id = new_id()
        task = self._task(job_id, seed, model, options)
        seed_facts = {"id": seed.id, "name": seed.name}
        model_facts = _model_facts(model) if model else None
        job = Job(job_id, seed_facts, model_facts, options, time.time())
        return json_answer(self.jobs.document(self.jobs.submit(job, task)), 202)

    def _task(
        self, job_id: str, seed: Seed, model: Model | None, options: dict[str, Any]
    ) -> RenderTask:
        return RenderTask(
            seed=self.seeds.path(seed).absolute(),
            seed_name=seed.name,
            model=model.path if model else None,
            databases=self.workspace.files,
            folder=self.jobs.folder.absolute() / job_id,
            **options,
        )

    def jobs_json(self, request: Request) -> Response:
        return json_answer({"jobs": self.jobs.documents()})

    def job_json(self, request: Request) -> Response:
        return json_answer(self.jobs.document(self._job(request)))

    def cancel(self, request: Request) -> Response:
        return json_answer(self.jobs.document(self.jobs.cancel(self._job(request).id)))

    def _seed(self, seed_id: str) -> Seed:
        seed = self.seeds.get(seed_id)
        if seed is None:
            raise HTTPException(404, "there is no such seed; drop it on the page again")
        return seed

    def _find_models(self) -> list[Model]:
        return find_models(self.workspace.model_paths, self.workspace.database)

    def _model(self, model_id: str) -> Model:
        for model in self._find_models():
            if model.id == model_id:
                return model
        raise HTTPException(
            404, "there is no such model for this database; reload the page for a new list"
        )

    def _job(self, request: Request) -> Job:
        job = self.jobs.get(request.path_params["job"])
        if job is None:
            raise HTTPException(404, "there is no such job")
        return job


def _model_facts(model: Model) -> dict[str, str]:
    return {"id": model.id, "name": model.name, "architecture": model.architecture}
