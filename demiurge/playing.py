"""A plan, as it was written or edited: to a file, to parts, to other tools, to a picture, to the loudspeaker."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from db.atomic import write_text
from db.errors import ParameterError
from playback.cues import Cue, make_cues
from playback.exports import EXPORTS, SUFFIXES
from playback.plan import Plan
from playback.render import (
    Progress,
    RenderSummary,
    Sounding,
    check_targets,
    open_sources,
    playable,
    render,
    render_stems,
    stem_paths,
)  # fmt: skip
from playback.stitch import join_runs, stitch
from playback.writer import check_output_format


@dataclass(frozen=True)
class Targets:
    """What is wanted of a plan: audio in `out`, a `picture` of it, one file per source in `stems`, files for other tools by
    their format, each where it should lie."""

    out: Path | None = None
    picture: Path | None = None
    stems: Path | None = None
    exports: dict[str, Path] = field(default_factory=dict)

    def files(self, plan: Plan) -> list[Path]:
        """All that will be written.

        Raises
        ------
        ParameterError
            If one would be written over another, or the picture is no PNG.
        """
        if self.picture and self.picture.suffix.lower() != ".png":
            raise ParameterError(f"{self.picture}: a picture is a PNG; give a name that ends in .png")
        stems = self.stem_paths(plan)
        files = [path for path in (self.out, self.picture, *stems, *self.exports.values()) if path]
        counts = Counter(path.absolute() for path in (*files, *([self.stems] if self.stems else [])))
        if twice := [path for path, count in counts.items() if count > 1]:
            raise ParameterError(f"{twice[0]} would be written twice; give each output a name of its own")
        return files

    def stem_paths(self, plan: Plan) -> dict[Path, str]:
        """The file of each source's part, in the format of the whole."""
        return stem_paths(plan, self.stems, self.suffix) if self.stems else {}

    @property
    def suffix(self) -> str:
        """Of the stems."""
        return self.out.suffix if self.out else ".wav"


@dataclass(frozen=True)
class PlayedPlan:
    """What became of a plan. `summary` tells of the whole, `skipped` what was wrong with each source, or step, that was left
    out, and `n_steps` how many are heard."""

    files: list[Path]
    summary: RenderSummary | None
    skipped: dict[str, str]
    n_steps: int


def export_path(base: Path, kind: str) -> Path:
    """OUT.wav or OUT.plan.json -> OUT.rpp and so on."""
    name = base.name.removesuffix(".json").removesuffix(".plan") if base.suffix == ".json" else base.stem
    return base.with_name(name + SUFFIXES[kind])


def play_plan(
    plan: Plan, title: str, targets: Targets, sounding: Sounding, *, root: Path | None = None, skip_missing: bool = False,
    progress: Progress | None = None,
) -> PlayedPlan:  # fmt: skip
    """Make of a plan whatever is wanted.

    Raises
    ------
    PlanError, AudioError, ParameterError
        As `playback.render.render`.
    """
    files, seams, summary = targets.files(plan), sounding.seams, None
    check_targets(plan, root, files)
    if targets.out:
        check_output_format(targets.out, sounding.output.bits, sample_rate=plan.sample_rate, channels=plan.channels)
    with open_sources(plan, root) as reader:
        heard, skipped = playable(plan, reader, skip_missing=skip_missing, progress=progress)
        cues = make_cues(heard, reader, seams=seams) if targets.exports else []
    kept = [number for number, step in enumerate(plan.steps) if step.source not in skipped and f"step {number}" not in skipped]
    cues = [replace(cue, number=kept[cue.number]) for cue in cues]
    texts = export_texts(heard, cues, targets, root, gain_db=0.0)  # refused before anything is written
    if targets.out:
        summary = render(
            plan, targets.out, root=root, seams=seams, output=sounding.output, skip_missing=skip_missing, progress=progress
        )
    gain_db = summary.gain_db if summary else None
    if targets.stems:
        make_folder(targets.stems)
        render_stems(
            plan, targets.stems, suffix=targets.suffix, gain_db=gain_db, root=root, seams=seams, bits=sounding.output.bits,
            skip_missing=skip_missing, progress=progress,
        )  # fmt: skip
    if gain_db:
        texts = export_texts(heard, cues, targets, root, gain_db=gain_db)
    for path, text in texts.items():
        write_text(path, text)
    if targets.picture and targets.out:
        draw(heard, targets.out, targets.picture, title)
    left_out = [path for path, source in targets.stem_paths(plan).items() if source in skipped]
    return PlayedPlan([path for path in files if path not in left_out], summary, skipped, len(heard.steps))


def export_texts(plan: Plan, cues: list[Cue], targets: Targets, root: Path | None, *, gain_db: float) -> dict[Path, str]:
    """The plan for other tools; those that play it do so as loudly as it was rendered."""
    louder = [replace(cue, step=replace(cue.step, gain_db=cue.step.gain_db + gain_db)) for cue in cues] if gain_db else cues
    folder = Path(root or plan.database["root"])
    return {
        path: EXPORTS[kind](plan, louder if kind in ("reaper", "edl") else cues, folder)
        for kind, path in targets.exports.items()
    }


def make_folder(folder: Path) -> None:
    """Make a folder unless it is there.

    Raises
    ------
    ParameterError
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"{folder}: cannot make this folder ({error.strerror}); choose another") from error


def draw(plan: Plan, audio: Path, picture: Path, title: str) -> None:
    """A picture of what was rendered."""
    from playback.picture import save_picture

    seams = [run.step.at_sample for run in join_runs(plan.steps)[1:]]
    save_picture(audio, plan, picture, seams=seams, title=title)


def listen(
    plan: Plan, sounding: Sounding, *, gain_db: float = 0.0, root: Path | None = None, skip_missing: bool = False,
    device: str | None = None, progress: Progress | None = None,
):  # fmt: skip
    """Play a plan on the machine's audio output as it is made, clipped where it passes full scale.

    Raises
    ------
    ParameterError
        If there is no output, or the extra `live` is not installed.
    """
    from playback.live import play

    def blocks() -> Generator[np.ndarray, None, None]:
        for block in stitch(plan, reader, seams=sounding.seams):
            yield np.clip(block * np.float32(10 ** (gain_db / 20)), -1, 1)

    with open_sources(plan, root) as reader:
        plan, _ = playable(plan, reader, skip_missing=skip_missing, progress=progress)
        sound = blocks()
        try:
            return play(
                sound, sample_rate=plan.sample_rate, channels=plan.channels, device=device,
                progress=(lambda done: progress(done, plan.n_samples, "playing")) if progress else None,
            )  # fmt: skip
        finally:
            sound.close()
