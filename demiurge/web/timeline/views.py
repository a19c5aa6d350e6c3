"""Views of plans: shown, played, edited, saved and downloaded."""

import re
from typing import Any

import numpy as np
from anyio import CapacityLimiter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demiurge.plans.edit import replace_unit
from demiurge.plans.locate import is_own
from demiurge.web.answers import bytes_answer, json_answer, numbers_answer
from demiurge.web.excerpts import excerpt
from demiurge.web.pages import page
from demiurge.web.requests import takes_json, takes_turns
from demiurge.web.timeline.alternatives import alternatives_document
from demiurge.web.timeline.document import curves, edit_document, plan_document
from demiurge.web.timeline.downloads import KINDS, download, download_headers, media_type
from demiurge.web.timeline.editor import Editor
from demiurge.web.timeline.edits import EditRequest, Redo, Undo
from demiurge.web.timeline.mixes import Voices
from demiurge.web.timeline.open_plans import OpenPlans
from demiurge.web.timeline.rendered_audio import RenderedAudio
from demiurge.web.values import (
    MOST_NUMBER,
    ask_integer,
    ask_integers,
    ask_number,
    ask_unit,
    ask_units,
    check_keys,
    take_text,
)
from demiurge.web.wav import wav_answer, wav_header
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan
from playback.steps import MOST_VOICES
from playback.transform import MAX_TRANSPOSE

ALTERNATIVES = 9
MOST_ALTERNATIVES = 64
MOST_PINNED = 16
CONTEXT_SECONDS = 1.0
MOST_CONTEXT_SECONDS = 10.0
RENDERED_AT_A_TIME = 4  # downloads and previews of steps
FLOAT_BYTES = 4
RIFF_BYTES = (1 << 32) - 64  # a WAV cannot be longer


class TimelineViews:
    """The plans of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.database = workspace.database
        self.open_plans = OpenPlans(workspace)

    def routes(self) -> list[Route]:
        limiter = CapacityLimiter(RENDERED_AT_A_TIME)
        plan = "/plans/{plan}"
        step = f"{plan}/steps/{{step}}"
        return [
            Route("/timeline", self.plans),
            Route("/plans.json", self.plans_json),
            Route("/timeline/{plan}", self.timeline),
            Route(f"{plan}.json", self.plan_json),
            Route(f"{plan}/curves/{{name}}", self.curves),
            Route(f"{plan}/audio.wav", self.audio),
            Route(f"{plan}/peaks", self.peaks),
            Route(f"{step}/alternatives.json", self.alternatives),
            Route(f"{step}/audio.wav", takes_turns(self.step_audio, limiter)),
            Route(f"{plan}/edits", takes_json(self.edit), methods=["POST"]),
            Route(f"{plan}/save", takes_json(self.save), methods=["POST"]),
            Route(f"{plan}/download/{{kind}}", takes_turns(self.download, limiter)),
        ]

    def plans(self, request: Request) -> Response:
        return page(request, self.workspace, "plans.html", page="timeline", data=self._plans())

    def plans_json(self, request: Request) -> Response:
        return json_answer(self._plans())

    def _plans(self) -> dict[str, Any]:
        return {"plans": self.workspace.plans.documents()}

    def timeline(self, request: Request) -> Response:
        file = self.open_plans.get_for_page(request.path_params["plan"]).state.file
        data = {"id": file.id, "name": file.name}
        return page(request, self.workspace, "timeline.html", plan=file.id, data=data)

    def plan_json(self, request: Request) -> Response:
        return json_answer(plan_document(self._editor(request), self.workspace))

    def curves(self, request: Request) -> Response:
        """Answer with a descriptor of each step's target, then of its unit, float32."""
        plan = self._editor(request).state.plan
        name = request.path_params["name"]
        if not is_own(plan, self.database) or name not in self.database.settings.names:
            raise HTTPException(404, f"the steps of this plan have no {name[:40]}")
        return numbers_answer(request, curves(plan, self.database, name))

    def audio(self, request: Request) -> Response:
        """Answer with a plan's audio as a 32-bit float WAV, or a range of it.

        With `voices` only these are heard. The answer is 202 while the audio is being rendered.
        """
        plan_id = request.path_params["plan"]
        revision = ask_integer(request, "revision", 0, MOST_NUMBER)
        if revision is None:
            editor = self.open_plans.get(plan_id)
        else:
            editor = self.open_plans.get_with_audio(plan_id, revision)
        audio = self._heard(request, editor, revision)
        if audio is None:
            return _not_ready(editor)
        body = _AudioBytes(audio)
        if len(body) > RIFF_BYTES:
            raise ParameterError(
                "the plan is too long for one WAV file; render it with: demiurge playback"
            )
        shape_only = np.broadcast_to(np.float32(0), (audio.n_samples, audio.channels))
        header = wav_header(shape_only, editor.state.plan.sample_rate)
        parts: list[Any] = [header, body]
        return bytes_answer(request, parts, "audio/wav")

    def peaks(self, request: Request) -> Response:
        """Answer with the highest of every so many samples, then the lowest, float32."""
        editor = self._editor(request)
        n_samples = ask_integer(request, "samples", 16, 1 << 24, 256)
        audio = self._heard(request, editor, None)
        if audio is None:
            return _not_ready(editor)
        return numbers_answer(request, audio.peaks(n_samples))

    def _heard(
        self, request: Request, editor: Editor, revision: int | None
    ) -> RenderedAudio | None:
        """Return the audio of the voices that are asked for, by default all of them."""
        voices = _voices(request)
        if voices is None:
            return editor.audio_of(revision)
        return editor.mix_of(revision, voices, self.workspace.check_open)

    def alternatives(self, request: Request) -> Response:
        editor = self._editor(request)
        k = ask_integer(request, "k", 1, MOST_ALTERNATIVES, ALTERNATIVES)
        state = editor.state
        number = _step_number(request, state.plan)
        pinned = ask_units(request, "units", MOST_PINNED)
        sources = editor.renderer.sources
        document = alternatives_document(state, sources, self.workspace, number, k, pinned)
        return json_answer(document)

    def step_audio(self, request: Request) -> Response:
        """Answer with a step and its surroundings, or another unit there, as a 16-bit WAV.

        The unit is transposed by `transpose` semitones.

        Pages put the revision into the address, so that no browser plays audio cached before an
        edit. It is ignored here, since an edit may come in between. With `voices` only these are
        heard around it.
        """
        editor = self._editor(request)
        plan = editor.state.plan
        rate = plan.sample_rate
        number = _step_number(request, plan)
        unit = ask_unit(request, "unit")
        seconds = ask_number(request, "context", 0, MOST_CONTEXT_SECONDS, CONTEXT_SECONDS)
        context = round(seconds * rate)
        if unit is not None:
            transpose = ask_number(request, "transpose", -MAX_TRANSPOSE, MAX_TRANSPOSE, 0)
            units = self.workspace.voice_units(plan)
            plan = replace_unit(plan, number, unit, self.database, transpose=transpose, units=units)
        step = plan.steps[number]
        sources = editor.renderer.sources
        sources.check(plan)
        if not sources.is_playable(step):
            problem = sources.problem(step.source) or "too short for this step"
            raise HTTPException(410, f"{step.source}: {problem}")
        voices = _voices(request)
        heard = None if voices is None else {*voices, step.voice}
        start = step.at_sample - context
        samples = editor.preview(plan, start, step.until_sample + context, heard)
        faded = excerpt(samples, rate, fade_in=True)
        return wav_answer(request, faded, rate, {"Cache-Control": "no-store"})

    def edit(self, request: Request, body: dict[str, Any]) -> Response:
        """Edit a plan and answer with the changes; `plan_json` answers with the whole plan."""
        editor = self._editor(request)
        asked = EditRequest.from_json(body)
        edit = asked.edit
        if isinstance(edit, Undo):
            edited = editor.undo(asked.revision)
        elif isinstance(edit, Redo):
            edited = editor.redo(asked.revision)
        else:
            edited = editor.edit(
                asked.revision, lambda plan: edit.apply(plan, self.workspace), edit.label
            )
        return json_answer(edit_document(editor, edited, self.workspace))

    def save(self, request: Request, body: dict[str, Any]) -> Response:
        check_keys("the request", body, ("name",))
        editor = self._editor(request)
        name = take_text(body, "name") if body.get("name") is not None else None
        saved = self.open_plans.save(editor, name)
        return json_answer({"id": saved.id, "file": saved.path.name}, 201)

    def download(self, request: Request) -> Response:
        state = self._editor(request).state
        kind = request.path_params["kind"]
        name = state.file.name
        if kind not in KINDS:
            raise HTTPException(404, f"no download {kind[:20]}; choose one of {', '.join(KINDS)}")
        if request.method == "HEAD":
            return Response(headers=download_headers(kind, name), media_type=media_type(kind))
        roots = self.workspace.roots if is_own(state.plan, self.database) else None
        return download(state.plan, kind, name, roots, self.workspace.check_open)

    def _editor(self, request: Request) -> Editor:
        return self.open_plans.get(request.path_params["plan"])


class _AudioBytes:
    """The bytes of rendered audio after its gain, computed as they are read."""

    def __init__(self, audio: RenderedAudio) -> None:
        self._audio = audio
        self._frame_bytes = FLOAT_BYTES * audio.channels

    def __len__(self) -> int:
        return self._audio.n_samples * self._frame_bytes

    def __getitem__(self, asked: slice) -> bytes:
        first = asked.start // self._frame_bytes
        last = -(-asked.stop // self._frame_bytes)
        samples = self._audio.read(first, last) * self._audio.gain
        offset = asked.start - first * self._frame_bytes
        content = samples.astype("<f4", copy=False).tobytes()
        return content[offset : offset + asked.stop - asked.start]


def _voices(request: Request) -> Voices | None:
    """Return the voices of the query string; None if it has none, which stands for all."""
    if "voices" not in request.query_params:
        return None
    voices = ask_integers(request, "voices", MOST_VOICES)
    if voices and max(voices) >= MOST_VOICES:
        raise ParameterError(f"there is no voice {max(voices)}; give 0 to {MOST_VOICES - 1}")
    return tuple(sorted(voices))


def _step_number(request: Request, plan: Plan) -> int:
    text = request.path_params["step"]
    n_steps = len(plan.steps)
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) >= n_steps:
        raise HTTPException(404, f"there is no such step: the plan has steps 0 to {n_steps - 1}")
    return int(text)


def _not_ready(editor: Editor) -> Response:
    """Answer with the progress of rendering, or with the reason why it failed."""
    if editor.publisher.error:
        raise ParameterError(editor.publisher.error)
    return json_answer(editor.audio_facts, 202)
