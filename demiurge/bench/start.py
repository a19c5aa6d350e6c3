"""Benchmark what a person waits for: whole commands from the shell, imports included.

Cold is the first time: no index of the database and no decoded audio are kept. Warm is each time
after that. The files themselves are in the system's memory in both.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import monotonic, perf_counter, sleep

import soundfile as sf

from audio.scan import find_audio
from db.build import build_database
from db.database import Database
from demiurge.bench import Result, medians
from demiurge.bench.playback import own_cache
from demiurge.bench.served import FIRST_PICTURE, STARTING_SECONDS, Client
from files.cache import FOLDER_VARIABLE
from files.errors import DemiurgeError

SEED_SECONDS = 10
MODEL_MINUTES = "0.2"
COMMANDS = ("--help", "query", "mosaic", "render", "browse")
IMPORTS = "import torch, librosa.feature, faiss, soundfile"
BASELINE = "Python alone, importing torch, librosa.feature, faiss and soundfile"


def bench_start(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Measure commands on a database of the audio; `full` only makes that audio longer."""
    with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
        work = Work(Path(temporary), audio)
        return [bench_command(work, name, repeats) for name in COMMANDS]


class Work:
    """A database, a model and a seed of 10 s in a folder, and commands that use them."""

    def __init__(self, folder: Path, audio: Path) -> None:
        self.folder = folder
        self.database = folder / "corpus.db"
        build_database(audio, self.database)
        first = audio / sorted(find_audio(audio))[0]
        samples, rate = sf.read(first, stop=SEED_SECONDS * sf.info(first).samplerate)
        sf.write(folder / "seed.wav", samples, rate)
        if "render" in COMMANDS:
            self._run("sequencer", "train", "corpus.db", "a.model", "--minutes", MODEL_MINUTES)

    def run(self, name: str) -> None:
        """Run a command from the shell until it ends, or until a page has what it draws."""
        arguments = {
            "--help": ["--help"],
            "query": ["query", "seed.wav", "corpus.db"],
            "mosaic": ["mosaic", "seed.wav", "corpus.db", "-o", "out.wav", "--force"],
            "render": ["render", "seed.wav", "corpus.db", "a.model", "-o", "out.wav", "--force"],
        }
        if name == "browse":
            self._browse()
        else:
            self._run(*arguments[name])

    def forget(self) -> None:
        """Delete the indexes of the database, and all that is in the cache."""
        shutil.rmtree(Database(self.database).index_folder, ignore_errors=True)
        shutil.rmtree(os.environ[FOLDER_VARIABLE], ignore_errors=True)

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "demiurge", *arguments]
        done = subprocess.run(command, check=False, cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise DemiurgeError(f"demiurge {' '.join(arguments)} failed: {done.stderr.strip()}")

    def _browse(self) -> None:
        port = free_port()
        command = [sys.executable, "-m", "demiurge", "browse", "corpus.db", "--no-open"]
        with subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                wait_until_it_listens(server, port)
                with closing(Client(port)) as client:
                    for path in FIRST_PICTURE:
                        client.get(path)
            finally:
                server.terminate()


def bench_command(work: Work, name: str, repeats: int) -> Result:
    """Run a command once without what earlier ones have kept, and then with it."""
    work.forget()
    began = perf_counter()
    work.run(name)
    facts = {"cold s": round(perf_counter() - began, 2)}
    what = {
        "--help": "demiurge --help",
        "browse": "browse, until all that the first picture needs is there",
    }.get(name, f"{name}, {SEED_SECONDS} s of audio, {Database(work.database).n_units} units")
    times = medians(lambda: work.run(name), import_all, repeats)
    return Result(f"start {name.strip('-')}", what, BASELINE, *times, repeats=repeats, facts=facts)


def import_all() -> None:
    """Start Python with what a script for such work would import."""
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_listens(server: subprocess.Popen, port: int) -> None:
    """Return when a server can be connected to.

    Raises
    ------
    DemiurgeError
        If it ends, or takes longer than `STARTING_SECONDS`.
    """
    deadline = monotonic() + STARTING_SECONDS
    while server.poll() is None and monotonic() < deadline:
        try:
            with closing(socket.create_connection(("127.0.0.1", port))):
                return
        except ConnectionRefusedError:
            sleep(0.005)
    raise DemiurgeError(f"demiurge browse does not listen on port {port}; run it by hand")
