"""Seeds: files that somebody drops on the page.

They may be anything, so each is bounded, checked, and kept under its hash.

request ──► FOLDER/seeds/.upload-… ──► a bounded process decodes all of it ──► FOLDER/seeds/HASH.ogg   the file itself
            (so long, so large)                                                 HASH.preview.flac      what is heard of it
                                                                                HASH.json              its name and length
"""

import asyncio
import json
import logging
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import xxhash
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from audio.read import AUDIO_SUFFIXES
from demiurge.web.make.checking import check_audio
from demiurge.web.make.records import read_record
from demiurge.web.names import shown_name
from files.atomic import make_folder, write_text, writing_errors

MOST_BYTES = 64 << 20
RECEIVE_SECONDS = 60.0  # in which all of a file must come
# files taken at a time; others wait so long for their turn
AT_A_TIME = 2
WAIT_SECONDS = 20.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seed:
    """A checked file.

    `id` is the hash of its bytes; `name` is for people, and of no use to find it.
    """

    id: str
    name: str
    suffix: str
    seconds: float
    sample_rate: int
    channels: int
    created: float


class Seeds:
    """The seeds in a folder, which need not be there yet. Safe to be used from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._seeds = {
            seed.id: seed for seed in map(self._read, sorted(folder.glob("*.json"))) if seed
        }

    def documents(self) -> list[dict[str, Any]]:
        """What pages are told of each, the newest first."""
        with self._lock:
            newest = sorted(self._seeds.values(), key=lambda seed: seed.created, reverse=True)
        return [self.document(seed) for seed in newest]

    def document(self, seed: Seed) -> dict[str, Any]:
        return {name: value for name, value in asdict(seed).items() if name != "suffix"}

    def get(self, seed_id: str) -> Seed | None:
        """The seed of that id, if there is one."""
        return self._seeds.get(seed_id)

    def path(self, seed: Seed) -> Path:
        """The file as it came."""
        return self.folder / f"{seed.id}{seed.suffix}"

    def preview(self, seed: Seed) -> Path:
        """What any browser can play."""
        return self.folder / f"{seed.id}.preview.flac"

    async def take(self, stream: AsyncIterator[bytes], name: str, announced: int | None) -> Seed:
        """Take a file as it comes; `announced` is how long it is said to be.

        The same bytes again are the same seed.

        Raises
        ------
        HTTPException
            413 if it is too large, 408 too slow, 503 if too many come at a time.
        AudioError
            If it is not the sound that `checking.check_audio` wants.
        ParameterError
            If the folder cannot be written.
        """
        if announced is not None and announced > MOST_BYTES:
            raise _too_large()
        await self._wait_for_turn()
        try:
            return await self._take(stream, shown_name(name))
        finally:
            self._turns.release()

    async def _wait_for_turn(self) -> None:
        try:
            await asyncio.wait_for(self._turns.acquire(), WAIT_SECONDS)
        except TimeoutError:
            headers = {"Retry-After": str(int(WAIT_SECONDS))}
            raise HTTPException(
                503, "other files are being taken; send it again in a while", headers
            ) from None

    async def _take(self, stream: AsyncIterator[bytes], name: str) -> Seed:
        make_folder(self.folder)
        with (
            writing_errors(self.folder),
            tempfile.TemporaryDirectory(dir=self.folder, prefix=".upload-") as place,
        ):
            suffix = Path(name).suffix.lower()
            path = Path(place) / f"upload{suffix if suffix in AUDIO_SUFFIXES else ''}"
            with path.open("wb") as file:
                seed_id = await _receive(stream, file)
            return await run_in_threadpool(self._check, path, seed_id, name)

    def _check(self, path: Path, seed_id: str, name: str) -> Seed:
        """Decode a received file, unless it is known, and keep it."""
        if (known := self.get(seed_id)) and self._is_there(known):
            return self._keep(replace(known, name=name))
        preview = path.with_name("preview.flac")
        found = check_audio(path, name, preview)
        seed = Seed(
            seed_id,
            name,
            found.suffix,
            found.seconds,
            found.sample_rate,
            found.channels,
            time.time(),
        )
        path.replace(self.path(seed))
        preview.replace(self.preview(seed))
        return self._keep(seed)

    def _is_there(self, seed: Seed) -> bool:
        return self.path(seed).is_file() and self.preview(seed).is_file()

    def _keep(self, seed: Seed) -> Seed:
        write_text(self.folder / f"{seed.id}.json", json.dumps(asdict(seed)))
        with self._lock:
            self._seeds[seed.id] = seed
        return seed

    def _read(self, record: Path) -> Seed | None:
        """A seed of another day; None, and a word in the log, if it is not whole."""
        try:
            seed = read_record(Seed, record)
            if record.stem == seed.id and self._is_there(seed):
                return seed
            log.warning("%s is of no seed that is there; remove it", record)
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used (%s); remove it", record, error)
        return None


async def _receive(stream: AsyncIterator[bytes], file: BinaryIO) -> str:
    """Write what comes to a file; the hash of its bytes."""
    hashed = xxhash.xxh3_128()
    n_bytes = 0
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            async for chunk in stream:
                n_bytes += len(chunk)
                if n_bytes > MOST_BYTES:
                    raise _too_large()
                hashed.update(chunk)
                file.write(chunk)
    except TimeoutError:
        raise HTTPException(
            408,
            f"the file did not come within {RECEIVE_SECONDS:.0f} s; send it again, or a"
            " shorter one",
        ) from None
    return hashed.hexdigest()


def _too_large() -> HTTPException:
    return HTTPException(
        413, f"a seed has at most {MOST_BYTES >> 20} MB; cut out what should be continued"
    )
