"""Views of single units: what is known of one, what sounds like it, and its sound."""

import re
import threading
from collections import defaultdict
from typing import Any

import numpy as np
import xxhash
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.database import Source
from demiurge.web.answers import is_known, json_answer, wav_answer
from demiurge.web.excerpts import excerpt
from demiurge.web.passages import new_passages
from demiurge.web.values import ask_integer, ask_number
from demiurge.web.workspace import Workspace
from playback.sources import SourceReader
from query.proposals import FLAT_UNITS
from query.settings import SearchSettings

SIMILAR = 8
MOST_SIMILAR = 64
PASSAGE_UNITS = 20  # that are looked at for each one shown: as many frames as a passage has
MOST_COMPARED = 4_000_000  # units in memory to look for similar ones: 600 MB
CONTEXT_SECONDS = 0.4
MOST_CONTEXT_SECONDS = 10.0
CHANNELS = 2  # of more, the first ones are heard


class UnitViews:
    """The units of a workspace's database."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.database = workspace.database
        self._decoding: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def facts(self, request: Request) -> Response:
        position = self._position(request)
        units = self.database.units
        rate = self.database.sample_rate
        number = int(units.source[position])
        descriptors = self.database.rows_at(np.array([position]))[0].tolist()
        start = int(units.start_sample[position])
        n_samples = int(units.n_samples[position])
        return json_answer(
            {
                "unit": int(units.ids[position]),
                "position": position,
                "source": self._source_facts(number),
                "start_sample": start,
                "n_samples": n_samples,
                "start_seconds": start / rate,
                "seconds": n_samples / rate,
                "descriptors": dict(zip(self.database.settings.names, descriptors, strict=True)),
                "previous": self._neighbour(position, -1),
                "next": self._neighbour(position, 1),
            }
        )

    def similar(self, request: Request) -> Response:
        """The units nearest to one, one of each passage, and none of its own."""
        position = self._position(request)
        k = ask_integer(request, "k", 1, MOST_SIMILAR, SIMILAR)
        index = self.workspace.index(SearchSettings(kind=self._index_kind))
        units = self.database.units
        matches = index.search(
            self.database.rows_at(np.array([position])), k=min(PASSAGE_UNITS * (k + 1), len(index))
        )
        positions = matches.positions[0].tolist()
        are_new = new_passages(positions, self.database, [position])
        found = [
            {
                "unit": int(units.ids[at]),
                "source": self.workspace.source_of(at).path,
                "start_seconds": int(units.start_sample[at]) / self.database.sample_rate,
                "distance": round(distance, 6),
            }
            for at, distance, is_new in zip(
                positions,
                matches.distances[0].tolist(),
                are_new,
                strict=True,
            )
            if is_new
        ]
        return json_answer({"units": found[:k]})

    @property
    def _index_kind(self) -> str:
        """Comparing all units is slower than an index with cells, but that takes a minute to be
        made the first time.
        """
        return "flat" if FLAT_UNITS < self.database.n_units <= MOST_COMPARED else "auto"

    def audio(self, request: Request) -> Response:
        """The sound of a unit, and of what follows it in its source if it is short."""
        position = self._position(request)
        context = ask_number(request, "context", 0, MOST_CONTEXT_SECONDS, CONTEXT_SECONDS)
        source = self.workspace.source_of(position)
        units = self.database.units
        rate = self.database.sample_rate
        if not self.workspace.has(source.path):
            raise HTTPException(
                410, f"{source.path} is not in the corpus folder any more; put it back"
            )
        wanted = max(int(units.n_samples[position]), round(context * rate))
        samples = self._read(
            source, int(units.start_sample[position]), min(wanted, int(units.room[position]))
        )
        headers = {
            "ETag": f'"{xxhash.xxh3_128_hexdigest(samples.data)}"',
            "Cache-Control": "no-cache",
        }
        if is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return wav_answer(request, samples, rate, headers)

    def _read(self, source: Source, start: int, n_samples: int) -> np.ndarray:
        """Faded out, int16, (n_samples, channels).

        Only who wants the same source waits while it is decoded.
        """
        rate = self.database.sample_rate
        channels = min(source.channels, CHANNELS)
        samples = np.empty((n_samples, channels), np.float32)
        with SourceReader(
            self.workspace.root, sample_rate=rate, channels=channels, cache=self.workspace.decoded
        ) as reader:
            with self._decoding[source.path]:
                reader.length(source.path)
            reader.read_into(samples, source.path, start)
        return excerpt(samples, rate, fade_in=False)

    def _position(self, request: Request) -> int:
        """Where the unit that the address names is in `Database.units`."""
        text = request.path_params["unit"]
        if re.fullmatch(r"\d{1,18}", text, re.ASCII):
            position = int(self.database.units.find(int(text)))
            if position >= 0:
                return position
        raise HTTPException(404, f"there is no unit {text[:20]} in {self.workspace.name}")

    def _neighbour(self, position: int, step: int) -> int | None:
        """Id of the unit before or behind in the same source."""
        units = self.database.units
        other = position + step
        if not 0 <= other < len(units) or units.source[other] != units.source[position]:
            return None
        return int(units.ids[other])

    def _source_facts(self, number: int) -> dict[str, Any]:
        path = self.database.sources[number].path
        return {"id": number, "path": path, "missing": self.workspace.missing_sources().get(path)}


def routes(workspace: Workspace) -> list[Route]:
    views = UnitViews(workspace)
    return [
        Route("/units/{unit}.json", views.facts),
        Route("/units/{unit}/similar.json", views.similar),
        Route("/units/{unit}/audio.wav", views.audio),
    ]
