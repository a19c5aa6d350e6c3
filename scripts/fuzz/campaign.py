"""A run of many cases: healthy files, cases, failures, and the summary."""

import gc
import itertools
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from scripts.fuzz.cases import Case, find_donors, kind_of, lay_out, make_case
from scripts.fuzz.edits import apply_edits
from scripts.fuzz.failures import KINDS, Failure, find_failure, find_leftover
from scripts.fuzz.found import keep_case, load_found
from scripts.fuzz.healthy import make_healthy
from scripts.fuzz.lengths import decoders, find_cut
from scripts.fuzz.sandbox import Limits, Outcome, limit_files, run_forked
from scripts.fuzz.toy_networks import use_toy_networks
from scripts.fuzz.work import run_command, warm_up

PREPARING = Limits(seconds=120, n_bytes=8 << 30)
REPORT_CASES = 500  # between two lines that say how far it is


class Campaign:
    """Cases of one random seed, in a temporary folder."""

    def __init__(self, random_seed: int, save: Path | None = None) -> None:
        self.random_seed = random_seed
        self.saved = save.absolute() if save else None
        memory = Path("/dev/shm")
        parent = memory if os.access(memory, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=parent))
        self.healthy = self.folder / "healthy"
        self.failures: dict[tuple[str, str], list[int]] = {}
        self.n_compared = 0  # audio files, with those of independent decoders
        self.done: Counter[str] = Counter()
        self.slowest = (0.0, -1)
        self.largest = (0, -1)

    def __enter__(self) -> Self:
        os.environ["DEMIURGE_CACHE"] = str(self.folder / "cache")
        self.healthy.mkdir()
        outcome = run_forked(make_healthy, self.healthy, self.folder / "out", PREPARING)
        if outcome.status:
            self.close()
            raise SystemExit(f"no healthy files: {outcome.stderr}{outcome.traceback}")
        use_toy_networks()
        warm_up(self.healthy)
        gc.collect()
        gc.freeze()  # else a collection in a child copies all that the parent has
        if threading.active_count() > 1:
            raise SystemExit(f"cannot fork with threads: {threading.enumerate()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, minutes: float | None, cases: int | None, kinds: tuple[str, ...]) -> bool:
        """Run cases until time or number is used up, or Ctrl-C; return whether one has failed."""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        started = time.monotonic()
        with suppress(KeyboardInterrupt):
            for case in load_found():
                if case.kind in kinds:
                    self.count(case)
            for number in itertools.count():
                is_late = minutes is not None and time.monotonic() - started > minutes * 60
                if is_late or (cases is not None and self.done.total() >= cases):
                    break
                if kind_of(number) in kinds:
                    self.count(make_case(self.random_seed, number, self.healthy))
        self.summarise(time.monotonic() - started)
        return bool(self.failures)

    def count(self, case: Case) -> None:
        """Run a case and count it; the first failure of its sort is shrunk and told."""
        number = case.number
        failure, outcome = self.try_case(case)
        self.done[case.kind] += 1
        self.slowest = max(self.slowest, (outcome.seconds, number))
        self.largest = max(self.largest, (outcome.n_bytes, number))
        if failure:
            key = (failure.kind, failure.where or case.kind)
            if key not in self.failures:
                self.tell(case, failure)
            self.failures.setdefault(key, []).append(number)
        if self.done.total() % REPORT_CASES == 0:
            n_failed = sum(map(len, self.failures.values()))
            click.echo(f"{self.done.total()} cases, {n_failed} failed", err=True)

    def try_case(self, case: Case) -> tuple[Failure | None, Outcome]:
        """Lay out, edit and run a case."""
        folder = self.folder / "case"
        remove_tree(folder)
        folder.mkdir()
        target = lay_out(case, self.healthy, folder)
        donors = find_donors(case, self.healthy)
        arguments = case.arguments(self.healthy)

        def edit_and_run() -> int:
            apply_edits(target, case.edits, donors)
            limit_files()
            return run_command(arguments)

        outcome = run_forked(edit_and_run, folder, self.folder / "out")
        if "in apply_edits" in outcome.traceback:
            raise SystemExit(f"case {case.number} cannot be edited: {outcome.traceback}")
        failure = find_failure(outcome, arguments)
        if failure is None or failure.kind == "noise":  # which hides nothing worse
            failure = self.find_silent(case, folder, arguments) or failure
        return failure, outcome

    def find_silent(self, case: Case, folder: Path, arguments: list[str]) -> Failure | None:
        """Return a failure that only the files tell: audio cut short, or a file left behind."""
        if case.kind == "audio" and arguments[:2] == ["db", "build"]:
            target = folder / case.target
            cut = find_cut(target, folder / "my.db")
            self.n_compared += cut is not None
            if cut:
                return Failure("cut short", target.suffix, cut)
        return find_leftover(folder)

    def shrink(self, case: Case, failure: Failure) -> Case:
        """Return the case with as few edits as fail in the same way: halves first, then each."""
        size = len(case.edits) // 2
        while size:
            for start in range(0, len(case.edits), size):
                fewer = case.edits[:start] + case.edits[start + size :]
                found, _ = self.try_case(case.with_edits(fewer)) if fewer else (None, None)
                if found and (found.kind, found.where) == (failure.kind, failure.where):
                    case = case.with_edits(fewer)
                    break
            else:
                size //= 2
        return case

    def tell(self, case: Case, failure: Failure) -> None:
        """Print a failure with the command that repeats it, and save its files."""
        small = self.shrink(case, failure)
        chosen = ",".join(str(case.edits.index(edit)) for edit in small.edits)
        repeat = f"python scripts/fuzz/run.py --random-seed {self.random_seed} --case {case.number}"
        repeat += f" --edits {chosen}" if chosen else ""
        command = " ".join(case.command)
        click.echo(f"\n{failure.kind}: {failure.where}\n  {case.target}: demiurge {command}")
        click.echo(f"  {repeat}\n  " + failure.text.replace("\n", "\n  "))
        if self.saved:
            self.try_case(small)
            self.save(small, failure, repeat)

    def save(self, case: Case, failure: Failure, repeat: str) -> None:
        """Keep the edited file, what the command printed, and how to repeat it."""
        assert self.saved
        folder = self.saved / f"{failure.kind.replace(' ', '-')}-{case.number}"
        remove_tree(folder)
        folder.mkdir(parents=True)
        keep_case(case, self.folder / "case" / case.target, folder)
        text = f"{repeat}\ndemiurge {' '.join(case.command)}\n{failure.where}\n{failure.text}\n"
        (folder / "README.txt").write_text(text, errors="replace")

    def show_case(self, number: int, chosen: list[int] | None) -> bool:
        """Run one case, print all that it printed, and return whether it failed."""
        if number < 0:
            case = load_found()[-number - 1]
        else:
            case = make_case(self.random_seed, number, self.healthy)
        if chosen is not None:
            case = case.with_edits(tuple(case.edits[index] for index in chosen))
        failure, outcome = self.try_case(case)
        click.echo(f"{case.target} with {len(case.edits)} edits: demiurge {' '.join(case.command)}")
        for name in ("stdout", "stderr", "noise", "traceback"):
            click.echo(f"--- {name}\n{getattr(outcome, name)}")
        click.echo(
            f"--- status {outcome.status}, {outcome.seconds:.2f} s, {outcome.n_bytes >> 20} MB"
        )
        if self.saved:
            self.save(case, failure or Failure("passed", "", ""), "")
        if failure:
            click.echo(f"{failure.kind}: {failure.where}\n{failure.text}")
        return failure is not None

    def summarise(self, seconds: float) -> None:
        n_cases = self.done.total()
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(self.done.items()))
        click.echo(f"\n{n_cases} cases in {seconds:.0f} s: {counts}")
        totals: Counter[str] = Counter()
        for (kind, where), numbers in sorted(self.failures.items(), key=lambda item: -len(item[1])):
            totals[kind] += len(numbers)
            click.echo(f"{len(numbers):6}  {kind}: {where} (case {numbers[0]})")
        for kind in KINDS[:-1]:
            click.echo(f"{totals[kind]:6}  {kind}")
        by = " and ".join(decoders()) or "nothing: no ffmpeg, no sox"
        said = f"{self.n_compared} files compared with {by}"
        click.echo(f"{totals[KINDS[-1]]:6}  {KINDS[-1]} ({said})")
        click.echo(f"slowest: {self.slowest[0]:.1f} s (case {self.slowest[1]})")
        click.echo(f"largest: {self.largest[0] >> 20} MB (case {self.largest[1]})")


def remove_tree(folder: Path) -> None:
    """Remove a folder, if it is there; what a case made unreadable as well."""
    shutil.rmtree(folder, ignore_errors=True)
