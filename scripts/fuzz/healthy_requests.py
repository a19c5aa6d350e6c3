"""Requests of the page, a line each as a browser sends them: method, address, and JSON.

{plan} stands for the id of the open plan, {seed} for that of an uploaded seed.
"""

import json
from pathlib import Path
from typing import Any

ADDRESSES = (
    "/",
    "/map?plan={plan}",
    "/map.json",
    "/map/units",
    "/map/layouts/pca",
    "/map/values/mfcc0",
    "/map/values/cluster",
    "/units/0.json",
    "/units/1/similar.json?k=5",
    "/units/2/audio.wav?context=0.5",
    "/timeline",
    "/plans.json",
    "/timeline/{plan}",
    "/plans/{plan}.json",
    "/plans/{plan}/curves/mfcc0",
    "/plans/{plan}/audio.wav?revision=0",
    "/plans/{plan}/audio.wav?voices=0,1",
    "/plans/{plan}/peaks?samples=256",
    "/plans/{plan}/steps/1/alternatives.json?k=4&units=1,2",
    "/plans/{plan}/steps/1/audio.wav?unit=2&context=0.5&voices=0",
    "/plans/{plan}/download/reaper",
    "/plans/{plan}/download/json",
    "/make",
    "/make.json",
    "/jobs.json",
    "/jobs/0123456789abcdef.json",
    "/generated.json",
    "/generated/20260101-0000/generated-000001.flac",
    "/static/lib.js",
)
EDITS: tuple[dict[str, Any], ...] = (
    {"kind": "choose", "step": 1, "unit": 2},
    {"kind": "repeat", "step": 0, "times": 2},
    {"kind": "remove", "steps": [0, 2]},
    {"kind": "lock", "steps": [1], "locked": True},
    {"kind": "reselect", "continuity": 0.5, "novelty": 1, "temperature": 0.1, "random_seed": 3},
    {"kind": "undo"},
    {"kind": "redo"},
)
JOB = {"seed": "{seed}", "model": None, "seconds": 1, "variations": 1, "random_seed": 1}
POSTS = (
    *(("/plans/{plan}/edits", {"revision": 0, "edit": edit}) for edit in EDITS),
    ("/plans/{plan}/save", {"name": "another"}),
    ("/jobs", JOB),
    ("/generated", {"units": [0, 1]}),
)


def write_requests(path: Path) -> None:
    lines = [f"GET {address}" for address in ADDRESSES]
    lines += [f"POST {address} {json.dumps(body)}" for address, body in POSTS]
    path.write_text("\n".join(lines))
