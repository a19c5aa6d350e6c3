"""Views of plans: what is played when, heard, seen, changed and taken away."""

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
from demiurge.web.answers import bytes_answer, json_answer, numbers_answer, page
from demiurge.web.excerpts import excerpt
from demiurge.web.requests import takes_json, takes_turns
from demiurge.web.timeline.alternatives import alternatives_document
from demiurge.web.timeline.document import curves, plan_document
from demiurge.web.timeline.downloads import KINDS, download, download_headers, media_type
from demiurge.web.timeline.editor import Editor, Rerendering
from demiurge.web.timeline.edits import MOST_NUMBER, parse_edit
from demiurge.web.timeline.open_plans import Editors
from demiurge.web.timeline.tape import Recording
from demiurge.web.values import (
    ask_integer,
    ask_integers,
    ask_number,
    check_keys,
    take_integer,
    take_text,
)
from demiurge.web.wav import wav_answer, wav_header
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan

ALTERNATIVES = 9
MOST_ALTERNATIVES = 64
MOST_PINNED = 16
CONTEXT_SECONDS = 1.0
MOST_CONTEXT_SECONDS = 10.0
RENDERED_AT_A_TIME = 4  # downloads, and steps with what is around them
FLOAT_BYTES = 4
RIFF_BYTES = (1 << 32) - 64


class TimelineViews:
    """The plans of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.database = workspace.database
        self.editors = Editors(workspace)

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
        file = self.editors.visit(request.path_params["plan"]).state.file
        return page(
            request,
            self.workspace,
            "timeline.html",
            plan=file.id,
            data={"id": file.id, "name": file.name},
        )

    def plan_json(self, request: Request) -> Response:
        return json_answer(plan_document(self._editor(request), self.workspace))

    def curves(self, request: Request) -> Response:
        """A descriptor as it was wanted at each step, then as it is, float32; NaN where that is not
        known.
        """
        plan = self._editor(request).state.plan
        name = request.path_params["name"]
        if not is_own(plan, self.database) or name not in self.database.settings.names:
            raise HTTPException(404, f"nothing is known of {name[:40]} in this plan")
        return numbers_answer(request, curves(plan, self.database, name))

    def audio(self, request: Request) -> Response:
        """All of the sound as a 32-bit float WAV, or a range of it; 202 while it is being made."""
        revision = ask_integer(request, "revision", 0, MOST_NUMBER)
        editor = (
            self._editor(request)
            if revision is None
            else self.editors.hearing(request.path_params["plan"], revision)
        )
        recording = editor.recording(revision)
        if recording is None:
            return _not_yet(editor)
        body = _Samples(recording)
        if len(body) > RIFF_BYTES:
            raise ParameterError(
                "the plan is too long for one WAV; take it away with the command: demiurge playback"
            )
        silence = np.broadcast_to(np.float32(0), (recording.n_samples, recording.tape.channels))
        parts: list[Any] = [wav_header(silence, editor.state.plan.sample_rate), body]
        return bytes_answer(request, parts, "audio/wav")

    def peaks(self, request: Request) -> Response:
        """The highest sample of every so many, then the lowest, float32."""
        editor = self._editor(request)
        samples = ask_integer(request, "samples", 16, 1 << 24, 256)
        recording = editor.state.recording
        return (
            _not_yet(editor)
            if recording is None
            else numbers_answer(request, recording.peaks(samples))
        )

    def alternatives(self, request: Request) -> Response:
        editor = self._editor(request)
        k = ask_integer(request, "k", 1, MOST_ALTERNATIVES, ALTERNATIVES)
        state = editor.state
        number = _step(request, state.plan)
        pinned = ask_integers(request, "units", MOST_PINNED)
        return json_answer(
            alternatives_document(state, editor.corpus, self.workspace, number, k, pinned)
        )

    def step_audio(self, request: Request) -> Response:
        """A step with what is around it, as it is or with another unit, as a 16-bit WAV.

        Pages put the revision into the address, so that no browser plays what it heard before an
        edit; here it makes no difference, for an edit may come between.
        """
        editor = self._editor(request)
        plan = editor.state.plan
        number = _step(request, plan)
        unit = ask_integer(request, "unit", 0, MOST_NUMBER)
        context = round(
            ask_number(request, "context", 0, MOST_CONTEXT_SECONDS, CONTEXT_SECONDS)
            * plan.sample_rate
        )
        if unit is not None:
            plan = replace_unit(plan, number, unit, self.database)
        step = plan.steps[number]
        editor.corpus.look(plan)
        if not editor.corpus.is_audible(step):
            raise HTTPException(
                410, f"{step.source}: {editor.corpus.problem(step.source) or 'is over too soon'}"
            )
        samples = editor.preview(plan, step.at_sample - context, step.until_sample + context)
        heard = excerpt(samples, plan.sample_rate, fade_in=True)
        return wav_answer(request, heard, plan.sample_rate, {"Cache-Control": "no-store"})

    def edit(self, request: Request, body: dict[str, Any]) -> Response:
        check_keys("the request", body, ("revision", "edit"))
        editor = self._editor(request)
        revision = take_integer(body, "revision", 0, MOST_NUMBER)
        edit = body.get("edit")
        if edit == {"kind": "undo"}:
            made = editor.undo(revision)
        elif edit == {"kind": "redo"}:
            made = editor.redo(revision)
        else:
            change, what = parse_edit(edit, self.workspace)
            made = editor.edit(revision, change, what)
        document = plan_document(editor, self.workspace)
        return json_answer(document | {"changed": _changed(made, document["sample_rate"])})

    def save(self, request: Request, body: dict[str, Any]) -> Response:
        check_keys("the request", body, ("name",))
        editor = self._editor(request)
        saved = self.editors.save(
            editor, take_text(body, "name") if body.get("name") is not None else None
        )
        return json_answer({"id": saved.id, "file": saved.path.name}, 201)

    def download(self, request: Request) -> Response:
        state = self._editor(request).state
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise HTTPException(404, f"a plan can be had as {', '.join(KINDS)}, not as {kind[:20]}")
        root = self.workspace.root if is_own(state.plan, self.database) else None
        if request.method == "HEAD":
            return Response(
                headers=download_headers(kind, state.file.name), media_type=media_type(kind)
            )
        return download(state.plan, kind, state.file.name, root, self.workspace.check_open)

    def _editor(self, request: Request) -> Editor:
        return self.editors.get(request.path_params["plan"])


class _Samples:
    """The bytes of a recording, as loud as it is heard, made as they are read."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._frame_bytes = FLOAT_BYTES * recording.tape.channels

    def __len__(self) -> int:
        return self._recording.n_samples * self._frame_bytes

    def __getitem__(self, span: slice) -> bytes:
        first = span.start // self._frame_bytes
        last = -(-span.stop // self._frame_bytes)
        samples = (self._recording.read(first, last) * self._recording.gain).astype(
            "<f4", copy=False
        )
        offset = span.start - first * self._frame_bytes
        return samples.tobytes()[offset : offset + span.stop - span.start]


def _step(request: Request, plan: Plan) -> int:
    text = request.path_params["step"]
    n_steps = len(plan.steps)
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) >= n_steps:
        raise HTTPException(404, f"there is no such step: the plan has steps 0 to {n_steps - 1}")
    return int(text)


def _not_yet(editor: Editor) -> Response:
    if editor.error:
        raise ParameterError(editor.error)
    return json_answer(editor.audio, 202)


def _changed(made: Rerendering, sample_rate: int) -> dict[str, Any] | None:
    """What an edit changed of the sound; None while all of it is being made."""
    if made.change is None:
        return None
    change = made.change
    seconds = (change.new_stop - change.start) / sample_rate
    return vars(change) | {"seconds_rendered": seconds, "milliseconds": round(made.milliseconds, 1)}
