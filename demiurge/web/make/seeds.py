"""Seeds: files that users drop on the page.

They may hold anything, so each is limited in size and time, checked, and stored under its hash.

    request ──► FOLDER/seeds/.upload-…   limited in bytes and seconds
            ──► a limited process decodes all of it
            ──► FOLDER/seeds/HASH.ogg            the file itself
                             HASH.preview.flac   what the page plays
                             HASH.json           its name and length
"""

import asyncio
import json
import logging
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
from demiurge.web.make.checking import SUFFIXES, check_audio
from demiurge.web.make.records import read_record
from demiurge.web.names import shown_name
from files.atomic import make_folder, write_text, writing_errors
from files.errors import ParameterError
from files.temporary import temporary_folder

AT_A_TIME = 2  # files received; others wait for their turn

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UploadLimits:
    """Limits of an upload: bytes, seconds to arrive, and seconds to wait for its turn."""

    n_bytes: int = 64 << 20
    receive_seconds: float = 60.0
    wait_seconds: float = 20.0


@dataclass(frozen=True)
class Seed:
    """A checked file; `id` is the hash of its bytes, `name` is shown to the user.

    `warnings` say what was repaired, or is unusual, in the file.
    """

    id: str
    name: str
    suffix: str
    seconds: float
    sample_rate: int
    channels: int
    created: float
    warnings: tuple[str, ...] = ()


class Seeds:
    """The seeds in a folder, which need not exist yet. Safe to use from several threads."""

    def __init__(self, folder: Path, limits: UploadLimits | None = None) -> None:
        """Load earlier seeds."""
        self.folder = folder
        self.limits = limits or UploadLimits()
        self._lock = threading.Lock()
        self._turns = asyncio.Semaphore(AT_A_TIME)
        loaded = [self._load(record) for record in sorted(folder.glob("*.json"))]
        self._seeds = {seed.id: seed for seed in loaded if seed}

    def documents(self) -> list[dict[str, Any]]:
        """Describe each seed for JSON, newest first."""
        with self._lock:
            newest = sorted(self._seeds.values(), key=lambda seed: seed.created, reverse=True)
        return [self.document(seed) for seed in newest]

    def document(self, seed: Seed) -> dict[str, Any]:
        facts = asdict(seed)
        del facts["suffix"]
        return facts

    def get(self, seed_id: str) -> Seed | None:
        """Return the seed of that id, if there is one."""
        return self._seeds.get(seed_id)

    def path(self, seed: Seed) -> Path:
        """Return the file as it was uploaded."""
        return self.folder / f"{seed.id}{seed.suffix}"

    def preview(self, seed: Seed) -> Path:
        """Return a FLAC that any browser can play."""
        return self.folder / f"{seed.id}.preview.flac"

    async def take(self, stream: AsyncIterator[bytes], name: str, n_bytes: int | None) -> Seed:
        """Receive a file of `n_bytes` bytes, as the client claims.

        The same bytes always give the same seed.

        Raises
        ------
        HTTPException
            413 if it is too large, 408 if it arrives too slowly, 503 if too many arrive at a time.
        AudioError
            If `checking.check_audio` refuses it.
        ParameterError
            If the folder cannot be written.
        """
        if n_bytes is not None and n_bytes > self.limits.n_bytes:
            raise self._too_large()
        await self._wait_for_turn()
        try:
            return await self._receive_and_check(stream, shown_name(name))
        finally:
            self._turns.release()

    async def _wait_for_turn(self) -> None:
        seconds = self.limits.wait_seconds
        try:
            await asyncio.wait_for(self._turns.acquire(), seconds)
        except TimeoutError:
            headers = {"Retry-After": str(int(seconds))}
            raise HTTPException(
                503, "other files are being uploaded; send it again in a while", headers
            ) from None

    async def _receive_and_check(self, stream: AsyncIterator[bytes], name: str) -> Seed:
        make_folder(self.folder)
        with (
            writing_errors(self.folder),
            temporary_folder(self.folder) as place,
        ):
            suffix = Path(name).suffix.lower()
            path = place / f"upload{suffix if suffix in AUDIO_SUFFIXES else ''}"
            with path.open("wb") as file:
                seed_id = await self._receive(stream, file)
            return await run_in_threadpool(self._check, path, seed_id, name)

    async def _receive(self, stream: AsyncIterator[bytes], file: BinaryIO) -> str:
        """Write the upload to a file; return the hash of its bytes."""
        hashed = xxhash.xxh3_128()
        n_bytes = 0
        seconds = self.limits.receive_seconds
        try:
            async with asyncio.timeout(seconds):
                async for chunk in stream:
                    n_bytes += len(chunk)
                    if n_bytes > self.limits.n_bytes:
                        raise self._too_large()
                    hashed.update(chunk)
                    file.write(chunk)
        except TimeoutError:
            raise HTTPException(
                408,
                f"the file did not arrive within {seconds:.0f} s; send it again, or a shorter one",
            ) from None
        return hashed.hexdigest()

    def _too_large(self) -> HTTPException:
        megabytes = self.limits.n_bytes >> 20
        return HTTPException(
            413, f"a seed has at most {megabytes} MB; cut out what should be continued"
        )

    def _check(self, path: Path, seed_id: str, name: str) -> Seed:
        """Decode a received file and keep it, unless it is known already."""
        known = self.get(seed_id)
        if known and self._exists(known):
            return self._keep(replace(known, name=name))
        preview = path.with_name("preview.flac")
        audio = check_audio(path, name, preview)
        seed = Seed(seed_id, name, created=time.time(), **asdict(audio))
        path.replace(self.path(seed))
        preview.replace(self.preview(seed))
        return self._keep(seed)

    def _exists(self, seed: Seed) -> bool:
        return self.path(seed).is_file() and self.preview(seed).is_file()

    def _keep(self, seed: Seed) -> Seed:
        write_text(self.folder / f"{seed.id}.json", json.dumps(asdict(seed)))
        with self._lock:
            self._seeds[seed.id] = seed
        return seed

    def _load(self, record: Path) -> Seed | None:
        """Load an earlier seed; None, with a warning, if it is damaged or its files are gone."""
        try:
            seed = read_record(Seed, record)
        except ParameterError as error:
            log.warning("%s cannot be used (%s)", record, error)
            return None
        if record.stem == seed.id and seed.suffix in SUFFIXES and self._exists(seed):
            return seed
        log.warning("%s belongs to no seed that exists; remove it", record)
        return None
