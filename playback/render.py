"""A plan to an audio file: loud enough, never over full scale, complete or not there at all."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from audio.decibels import to_amplitude, to_decibels
from audio.loudness import LoudnessMeter, TruePeakMeter
from audio.write import PCM_24_SCALE, AudioWriter, check_output_format
from files.atomic import replacing
from files.errors import ParameterError
from playback.crossfade import CrossfadeOptions
from playback.opened import OpenPlan, open_plan
from playback.plan import Plan
from playback.sources import Progress, sources_of
from playback.stitch import BLOCK_SAMPLES, DEFAULT_SEAMS, stitch

SAFE_PEAK_DB = -0.1  # dBFS, where an over-full render is brought to
STEM_LETTERS = 60  # of a source's name in the name of its stem
CEILING_DB = -1.0  # dBTP, the most a render of a given loudness may reach (EBU R 128)


@dataclass(frozen=True)
class OutputOptions:
    """How a render is written.

    Attributes
    ----------
    bits : {"16", "24", "float"}, optional
        24 unless said otherwise; OGG has none.
    lufs : float, optional
        Integrated loudness (ITU-R BS.1770) that the whole is brought to, as far as `true_peak_db`
        allows.
    true_peak_db : float, optional
        The true peak that may not be exceeded, in dBTP: the whole is lowered to it. -1 if `lufs` is
        given.
    """

    bits: str | None = None
    lufs: float | None = None
    true_peak_db: float | None = None

    def __post_init__(self) -> None:
        for name, lowest in (("lufs", -70.0), ("true_peak_db", -60.0)):
            value = getattr(self, name)
            if value is not None and not lowest <= value <= 0:
                raise ParameterError(f"{name}={value} must be {lowest:g} to 0")


@dataclass(frozen=True)
class RenderOptions:
    """How a plan is joined and written."""

    crossfade: CrossfadeOptions = field(default_factory=CrossfadeOptions)
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class RenderSummary:
    """What was written: after the whole was changed by `gain_db`, its sample peak, and where they
    were measured its loudness and true peak."""

    n_samples: int
    peak: float
    gain_db: float
    lufs: float | None = None
    true_peak_db: float | None = None


def render(
    plan: Plan,
    path: str | Path,
    *,
    root: str | Path | None = None,
    crossfade: CrossfadeOptions = DEFAULT_SEAMS,
    output: OutputOptions | None = None,
    progress: Progress | None = None,
) -> RenderSummary:
    """Write a plan as WAV, FLAC or OGG, whichever the suffix says.

    The file names the plan by its identity.

    16- and 24-bit sources come back bit-exact where nothing is faded. A render over full scale is
    lowered as a whole.

    Parameters
    ----------
    root : path, optional
        The corpus folder; the plan's own by default.
    progress : callable (done, in all, what)

    Raises
    ------
    PlanError
        If sources are missing, unreadable, changed or too short.
    ParameterError
        If `path` cannot be written, or its format cannot hold this.
    """
    output = output or OutputOptions()
    check_output_format(path, output.bits, sample_rate=plan.sample_rate, channels=plan.channels)
    with open_plan(plan, root, outputs=[path], progress=progress) as opened:
        return write_whole(
            opened, Path(path), crossfade=crossfade, output=output, progress=progress
        )


def write_whole(
    opened: OpenPlan,
    path: Path,
    *,
    crossfade: CrossfadeOptions,
    output: OutputOptions,
    progress: Progress | None = None,
) -> RenderSummary:
    """`render` for a plan whose sources have been looked at."""
    job = _Job(opened, crossfade, output, progress)
    with replacing(path) as temporary:
        return job.write(temporary, path)


def write_stems(
    opened: OpenPlan,
    folder: Path,
    *,
    suffix: str = ".wav",
    gain_db: float | None = None,
    crossfade: CrossfadeOptions = DEFAULT_SEAMS,
    bits: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write what each source plays as a file of its own, all as long as the plan; together they are
    the whole.

    Parameters
    ----------
    gain_db : float, optional
        What the whole was changed by, to be the same here. Otherwise what keeps it below full
        scale.

    Raises
    ------
    PlanError, ParameterError
        As `render`.
    AudioError
        If a part alone would pass full scale.
    """
    job = _Job(opened, crossfade, OutputOptions(bits), progress)
    if gain_db is None:
        gain_db = job.safe_gain_db()
    paths = {
        path: source
        for path, source in stem_paths(opened.whole, folder, suffix).items()
        if source not in opened.skipped
    }
    for path, source in paths.items():
        with replacing(path) as temporary:
            job.write_stem(temporary, path, source, gain_db)
    return list(paths)


def stem_paths(plan: Plan, folder: Path, suffix: str) -> dict[Path, str]:
    """The file of each source's part, numbered in the order in which they are first heard."""
    sources = list(sources_of(plan))
    width = len(str(len(sources)))
    names = (
        " - ".join(PurePosixPath(source).with_suffix("").parts)[:STEM_LETTERS] for source in sources
    )
    return {
        folder / f"{number:0{width}d} {name}{suffix}": source
        for number, (name, source) in enumerate(zip(names, sources, strict=True), 1)
    }


@dataclass
class _PeakMeter:
    """The sample peak of what streams by, in units of what 24-bit PCM can hold: 1 - 2⁻²³ upwards, 1
    downwards.
    """

    peak: float = 0.0

    def add(self, block: np.ndarray) -> None:
        self.peak = max(self.peak, float(block.max()) / (1 - 1 / PCM_24_SCALE), -float(block.min()))


class _OverFullScaleError(Exception):
    """The whole must be lowered."""


@dataclass
class _Job:
    """One plan with its sound, on the way to files."""

    opened: OpenPlan
    crossfade: CrossfadeOptions
    output: OutputOptions
    progress: Progress | None

    @property
    def plan(self) -> Plan:
        return self.opened.plan

    def write(self, temporary: Path, path: Path) -> RenderSummary:
        """Write the whole, as loud as it should be."""
        if self.output.lufs is None and self.output.true_peak_db is None:
            peak = _PeakMeter()
            try:
                with self._writer(temporary, path) as writer:
                    for block in self._blocks(path.name):
                        peak.add(block)
                        if peak.peak > 1:
                            raise _OverFullScaleError
                        writer.write(block)
                return RenderSummary(self.plan.n_samples, peak.peak, 0.0)
            except _OverFullScaleError:
                pass  # never clip: once more, lower as a whole
        return self._write_as_loud(temporary, path)

    def safe_gain_db(self) -> float:
        """What keeps the whole below full scale."""
        peak = _PeakMeter()
        for block in self._blocks("measuring"):
            peak.add(block)
        return SAFE_PEAK_DB - to_decibels(peak.peak) if peak.peak > 1 else 0.0

    def write_stem(self, temporary: Path, path: Path, source: str, gain_db: float) -> None:
        """Write one source's part."""
        gain = np.float32(to_amplitude(gain_db))
        with self._writer(temporary, path, title=source) as writer:
            for block in self._blocks(path.name, source):
                writer.write(block if gain == 1 else block * gain)

    def _write_as_loud(self, temporary: Path, path: Path) -> RenderSummary:
        """Measure it all first. It waits in a file beside the output, which goes away by itself."""
        rate = self.plan.sample_rate
        channels = self.plan.channels
        peak = _PeakMeter()
        loudness = None
        true_peak = None
        if self.output.lufs is not None or self.output.true_peak_db is not None:
            loudness = LoudnessMeter(rate, channels)
            true_peak = TruePeakMeter(channels)
        with TemporaryFile(dir=temporary.parent) as waiting:
            for block in self._blocks(path.name):
                for meter in (peak, loudness, true_peak):
                    if meter:
                        meter.add(block)
                _keep(block, waiting, path)
            lufs = loudness.integrated() if loudness else None
            true_peak_db = to_decibels(true_peak.peak()) if true_peak else None
            gain_db = _gain_db(self.output, lufs, true_peak_db, to_decibels(peak.peak))
            waiting.seek(0)
            with self._writer(temporary, path) as writer:
                while len(
                    block := np.fromfile(waiting, np.float32, BLOCK_SAMPLES * channels).reshape(
                        -1, channels
                    )
                ):
                    writer.write(block * np.float32(to_amplitude(gain_db)))
        lufs, true_peak_db = (
            None if v is None or math.isinf(v) else v + gain_db for v in (lufs, true_peak_db)
        )
        return RenderSummary(
            self.plan.n_samples, peak.peak * to_amplitude(gain_db), gain_db, lufs, true_peak_db
        )

    def _writer(self, temporary: Path, path: Path, title: str = "") -> AudioWriter:
        plan = self.plan
        crossfade = " ".join(f"{name}={value}" for name, value in asdict(self.crossfade).items())
        comment = (
            f"Demiurge plan {self.opened.whole.identity}, database {plan.database['id']}, crossfade"
            f" {crossfade}"
        )
        return AudioWriter(
            temporary,
            plan.sample_rate,
            plan.channels,
            bits=self.output.bits,
            n_samples=plan.n_samples,
            comment=comment,
            title=title,
            shown=path,
        )

    def _blocks(self, what: str, only: str | None = None) -> Iterator[np.ndarray]:
        """The plan's sound in blocks of some length, told of as they go by."""
        done = 0
        waiting = list[np.ndarray]()
        size = 0
        for piece in stitch(self.plan, self.opened.sound, crossfade=self.crossfade, only=only):
            waiting.append(piece)
            size += len(piece)
            if size and (
                size >= BLOCK_SAMPLES or done + size == self.plan.n_samples
            ):  # a cut may end it with nothing
                yield np.concatenate(waiting)
                done = done + size
                waiting = []
                size = 0
                if self.progress:
                    self.progress(done, self.plan.n_samples, what)


def _gain_db(
    output: OutputOptions, lufs: float | None, true_peak_db: float | None, peak_db: float
) -> float:
    """What brings a render to its loudness, or as near as the peaks allow; silence stays as it is."""
    if math.isinf(peak_db):
        return 0.0
    if lufs is None or true_peak_db is None:
        return SAFE_PEAK_DB - peak_db
    ceiling_db = CEILING_DB if output.true_peak_db is None else output.true_peak_db
    wanted = 0.0 if output.lufs is None or math.isinf(lufs) else output.lufs - lufs
    return min(wanted, ceiling_db - true_peak_db, -peak_db)


def _keep(block: np.ndarray, file: IO[bytes], path: Path) -> None:
    try:
        file.write(block.data)
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be written ({error.strerror}); free some space, or choose another"
            " place"
        ) from error
