"""Make all outputs of a plan: audio, stems, exports, a picture; or play it at once."""

import logging
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from audio.decibels import to_amplitude
from files.atomic import make_folder, write_text
from files.errors import ParameterError
from files.progress import Progress, no_progress
from files.remote_cache import copies_folder
from playback.cues import Cue, join_cues, make_cues
from playback.exports import EXPORTS
from playback.live import Played, play
from playback.open_plan import OpenPlan
from playback.options import CrossfadeOptions, RenderOptions
from playback.plan import Plan
from playback.render import RenderSummary, write_whole
from playback.runs import joined_runs
from playback.sources import sources_of
from playback.stems import stem_paths, write_stems
from playback.stitch import stitch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """The files to write.

    Attributes
    ----------
    out : Path, optional
        The audio file.
    picture : Path, optional
        A picture of `out`.
    stems : Path, optional
        A folder for one audio file per source, or per voice with `stems_by` "voice".
    exports : dict
        Files for other tools, by format (a key of `EXPORTS`).
    """

    out: Path | None = None
    picture: Path | None = None
    stems: Path | None = None
    exports: dict[str, Path] = field(default_factory=dict)
    stems_by: str = "source"

    def files(self, plan: Plan) -> list[Path]:
        """Return all files that will be written.

        Raises
        ------
        ParameterError
            If one would overwrite another, or the picture is not a PNG.
        """
        if self.picture and self.picture.suffix.lower() != ".png":
            raise ParameterError(
                f"{self.picture}: a picture is a PNG; give a name that ends in .png"
            )
        single = [path for path in (self.out, self.picture) if path]
        files = [*single, *self.stem_paths(plan), *self.exports.values()]
        folders = [self.stems] if self.stems else []
        counts = Counter(path.absolute() for path in (*files, *folders))
        if twice := [path for path, count in counts.items() if count > 1]:
            raise ParameterError(
                f"{twice[0]} would be written twice; give each output a name of its own"
            )
        return files

    def stem_paths(self, plan: Plan) -> Mapping[Path, str | int]:
        """Map the file of each stem to its source or voice; it has the format of the whole."""
        return stem_paths(plan, self.stems, self.suffix, self.stems_by) if self.stems else {}

    @property
    def suffix(self) -> str:
        """The suffix of the stems."""
        return self.out.suffix if self.out else ".wav"


@dataclass(frozen=True)
class WrittenOutputs:
    """The result of `write_outputs`.

    Attributes
    ----------
    files : list of Path
    summary : RenderSummary or None
        Summary of the whole, if it was written.
    skipped : dict
        The problem with each source, or step, that was left out.
    n_steps : int
        Number of steps that are heard.
    """

    files: list[Path]
    summary: RenderSummary | None
    skipped: dict[str, str]
    n_steps: int


def export_path(base: Path, kind: str) -> Path:
    """Return the path of an export: OUT.wav or OUT.plan.json -> OUT.rpp and so on."""
    name = base.stem
    if base.suffix == ".json":
        name = name.removesuffix(".plan") or "plan"  # a name that is only a suffix is hidden
    return base.with_name(name + EXPORTS[kind].suffix)


def write_outputs(
    opened: OpenPlan,
    title: str,
    outputs: Outputs,
    render_options: RenderOptions,
    *,
    progress: Progress = no_progress,
) -> WrittenOutputs:
    """Write all outputs of a plan; `title` is that of the picture.

    Raises
    ------
    PlanError, AudioError, ParameterError
        As `playback.render.render`.
    """
    files = outputs.files(opened.whole)
    cues = _make_cues(opened, render_options.crossfade) if outputs.exports else []
    # before anything is written: a format may refuse the plan
    texts = _export_texts(opened, cues, outputs, gain_db=0.0)
    summary = None
    if outputs.out:
        summary = write_whole(opened, outputs.out, render_options, progress=progress)
    gain_db = summary.gain_db if summary else None
    if outputs.stems:
        make_folder(outputs.stems, "choose another")
        write_stems(
            opened,
            outputs.stems,
            render_options,
            by=outputs.stems_by,
            suffix=outputs.suffix,
            gain_db=gain_db,
            progress=progress,
        )
    if gain_db:
        texts = _export_texts(opened, cues, outputs, gain_db=gain_db)
    for path, text in texts.items():
        write_text(path, text)
    if outputs.picture and outputs.out:
        _save_picture(opened.plan, outputs.out, outputs.picture, title)
    written = _without_skipped(files, opened, outputs)
    return WrittenOutputs(written, summary, opened.skipped, len(opened.plan.steps))


def _make_cues(opened: OpenPlan, crossfade: CrossfadeOptions) -> list[Cue]:
    """Return the cues of the steps that can be played, numbered as in the whole plan."""
    cues = make_cues(opened.plan, opened.reader, crossfade=crossfade)
    return [replace(cue, number=opened.numbers[cue.number]) for cue in cues]


def _export_texts(
    opened: OpenPlan, cues: list[Cue], outputs: Outputs, *, gain_db: float
) -> dict[Path, str]:
    """Return the texts of the exports; those that tools play are as loud as the render."""
    texts = {}
    for kind, path in outputs.exports.items():
        export = EXPORTS[kind]
        listed = cues
        if export.is_played:
            listed = [_changed_by(cue, gain_db) for cue in join_cues(cues)]
            _warn_of_copies(path, opened)
        texts[path] = export.write(opened.plan, listed, opened.reader.roots)
    return texts


def _warn_of_copies(path: Path, opened: OpenPlan) -> None:
    """Warn if an export names files that do not stay."""
    if any(map(opened.reader.roots.is_remote, sources_of(opened.plan))):
        log.warning(
            "%s plays copies of objects in the cache folder %s, which are removed in time: copy"
            " them, or play it soon",
            path,
            copies_folder(),
        )


def _changed_by(cue: Cue, gain_db: float) -> Cue:
    return replace(cue, step=replace(cue.step, gain_db=cue.step.gain_db + gain_db))


def _save_picture(plan: Plan, audio: Path, picture: Path, title: str) -> None:
    from playback.picture import save_picture

    joins = [run.step.at_sample for run in joined_runs(plan.steps)]
    save_picture(audio, plan, picture, joins=joins, title=title)


def _without_skipped(files: list[Path], opened: OpenPlan, outputs: Outputs) -> list[Path]:
    """Leave out the stems of sources that were skipped."""
    stems = outputs.stem_paths(opened.whole)
    skipped = {path for path, only in stems.items() if only in opened.skipped}
    return [path for path in files if path not in skipped]


def listen(
    opened: OpenPlan,
    render_options: RenderOptions,
    *,
    gain_db: float = 0.0,
    device: str | None = None,
    progress: Progress = no_progress,
) -> Played:
    """Play a plan through the audio output while it is made; samples over full scale are clipped.

    Raises
    ------
    ParameterError
        If there is no output, or the extra `live` is not installed.
    """
    plan = opened.plan
    gain = np.float32(to_amplitude(gain_db))

    def blocks() -> Generator[np.ndarray, None, None]:
        for block in stitch(plan, opened.reader, crossfade=render_options.crossfade):
            yield np.clip(block * gain, -1, 1)

    audio = blocks()
    try:
        return play(
            audio,
            sample_rate=plan.sample_rate,
            channels=plan.channels,
            device=device,
            progress=lambda done: progress(done, plan.n_samples, "playing"),
        )
    finally:
        audio.close()
