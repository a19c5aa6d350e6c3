"""Views of single units: facts, similar units and audio."""

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
from demiurge.plans.locate import find_unit, unit_name
from demiurge.web.answers import is_known, json_answer
from demiurge.web.excerpts import excerpt
from demiurge.web.passages import new_passages
from demiurge.web.values import ask_integer, ask_number, parse_unit
from demiurge.web.wav import wav_answer
from demiurge.web.workspace import Workspace
from playback.sources import SourceReader
from query.proposals import FLAT_UNITS
from query.settings import SearchSettings

SIMILAR = 8
MOST_SIMILAR = 64
PASSAGE_UNITS = 20  # units searched per unit shown, since only one of each passage is shown
MOST_COMPARED = 4_000_000  # units to compare one by one, in 600 MB of memory
CONTEXT_SECONDS = 0.4
MOST_CONTEXT_SECONDS = 10.0
CHANNELS = 2  # of sources with more, the first two are played


class UnitViews:
    """The units of a workspace's database."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.database = workspace.database
        self._decoding: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def routes(self) -> list[Route]:
        return [
            Route("/units/{unit}.json", self.facts),
            Route("/units/{unit}/similar.json", self.similar),
            Route("/units/{unit}/audio.wav", self.audio),
        ]

    def facts(self, request: Request) -> Response:
        position = self._position(request)
        units = self.database.units
        rate = self.database.sample_rate
        descriptors = self.database.rows_at(np.array([position]))[0].tolist()
        start = int(units.start_sample[position])
        n_samples = int(units.n_samples[position])
        return json_answer(
            {
                "unit": unit_name(position, self.database),
                "position": position,
                "source": self._source_facts(int(units.source[position])),
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
        """Answer with the nearest units, one of each passage, none of the unit's own passage."""
        position = self._position(request)
        k = ask_integer(request, "k", 1, MOST_SIMILAR, SIMILAR)
        index = self.workspace.index(SearchSettings(kind=self._index_kind))
        row = self.database.rows_at(np.array([position]))
        matches = index.search(row, k=min(PASSAGE_UNITS * (k + 1), len(index)))
        positions = matches.positions[0].tolist()
        are_new = new_passages(positions, self.database, [position])
        found = [
            self._match(place, distance)
            for place, distance, is_new in zip(
                positions, matches.distances[0].tolist(), are_new, strict=True
            )
            if is_new
        ]
        return json_answer({"units": found[:k]})

    def _match(self, position: int, distance: float) -> dict[str, Any]:
        units = self.database.units
        return {
            "unit": unit_name(position, self.database),
            "source": self.workspace.source_of(position).path,
            "start_seconds": int(units.start_sample[position]) / self.database.sample_rate,
            "distance": round(distance, 6),
        }

    @property
    def _index_kind(self) -> str:
        """The kind that compares all units one by one, if memory allows.

        An index with cells is faster at each search, but takes a minute to build the first time.
        """
        return "flat" if FLAT_UNITS < self.database.n_units <= MOST_COMPARED else "auto"

    def audio(self, request: Request) -> Response:
        """Answer with a unit's audio; a short unit is extended by what follows in its source."""
        position = self._position(request)
        context = ask_number(request, "context", 0, MOST_CONTEXT_SECONDS, CONTEXT_SECONDS)
        source = self.workspace.source_of(position)
        if not self.workspace.has(source.path):
            raise HTTPException(
                410, f"{source.path} is not in the corpus folder any more; put it back"
            )
        units = self.database.units
        rate = self.database.sample_rate
        wanted = max(int(units.n_samples[position]), round(context * rate))
        n_samples = min(wanted, int(units.samples_left[position]))
        samples = self._read(source, int(units.start_sample[position]), n_samples)
        headers = {
            "ETag": f'"{xxhash.xxh3_128_hexdigest(samples.data)}"',
            "Cache-Control": "no-cache",
        }
        if is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return wav_answer(request, samples, rate, headers)

    def _read(self, source: Source, start: int, n_samples: int) -> np.ndarray:
        """Read a part of a source, faded out, int16, (n_samples, channels).

        While a source is decoded, only requests for the same source wait.
        """
        rate = self.database.sample_rate
        channels = min(source.channels, CHANNELS)
        samples = np.empty((n_samples, channels), np.float32)
        with SourceReader(
            self.workspace.roots, sample_rate=rate, channels=channels, cache=self.workspace.decoded
        ) as reader:
            with self._decoding[source.path]:
                reader.length(source.path)
            reader.read_into(samples, source.path, start)
        return excerpt(samples, rate, fade_in=False)

    def _position(self, request: Request) -> int:
        """Return the position in `Database.units` of the unit that the address names."""
        text = request.path_params["unit"]
        position = find_unit(parse_unit(text), self.database)
        if position >= 0:
            return position
        raise HTTPException(404, f"there is no unit {text[:20]} in {self.workspace.name}")

    def _neighbour(self, position: int, offset: int) -> int | str | None:
        """Return the name of the previous (-1) or next (1) unit of the same source."""
        units = self.database.units
        other = position + offset
        if not 0 <= other < len(units) or units.source[other] != units.source[position]:
            return None
        return unit_name(other, self.database)

    def _source_facts(self, number: int) -> dict[str, Any]:
        path = self.database.sources[number].path
        return {"id": number, "path": path, "missing": self.workspace.missing_sources().get(path)}
