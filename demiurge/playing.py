"""A plan, as it was written or edited: to a file, to parts, to other tools, to a picture, to the loudspeaker."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from db.atomic import replacing
from playback.cues import make_cues
from playback.exports import EXPORTS, SUFFIXES
from playback.plan import Plan
from playback.render import RenderSummary, Sounding, open_sources, playable, render, render_stems, stem_paths
from playback.stitch import stitch

Progress = Callable[..., None]


@dataclass(frozen=True)
class Targets:
    """What is wanted of a plan: audio in `out`, a `picture` of it, one file per source in `stems`, files for other tools by
    their format, each where it should lie."""

    out: Path | None = None
    picture: Path | None = None
    stems: Path | None = None
    exports: dict[str, Path] = field(default_factory=dict)

    def files(self, plan: Plan) -> list[Path]:
        """All that will be written."""
        stems = stem_paths(plan, self.stems, self.suffix) if self.stems else ()
        return [path for path in (self.out, self.picture, *stems, *self.exports.values()) if path]

    @property
    def suffix(self) -> str:
        """Of the stems: as the whole."""
        return self.out.suffix if self.out else ".wav"


@dataclass(frozen=True)
class PlayedPlan:
    """What became of a plan. `summary` tells of the whole, `skipped` what was wrong with each source that was left out."""

    files: list[Path]
    summary: RenderSummary | None
    skipped: dict[str, str]


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
    with open_sources(plan, root) as reader:
        plan, skipped = playable(plan, reader, skip_missing=skip_missing, progress=progress)
    summary, seams = None, sounding.seams
    if targets.out:
        summary = render(plan, targets.out, root=root, seams=seams, output=sounding.output, title=title, progress=progress)
    gain_db = summary.gain_db if summary else 0.0
    if targets.stems:
        targets.stems.mkdir(parents=True, exist_ok=True)
        render_stems(
            plan, targets.stems, suffix=targets.suffix, gain_db=gain_db, root=root, seams=seams, bits=sounding.output.bits,
            progress=progress,
        )  # fmt: skip
    if targets.exports:
        export(plan, targets.exports, sounding, gain_db=gain_db, root=root)
    if targets.picture and targets.out:
        draw(plan, targets.out, targets.picture, title)
    return PlayedPlan(targets.files(plan), summary, skipped)


def export(plan: Plan, exports: dict[str, Path], sounding: Sounding, *, gain_db: float, root: Path | None) -> None:
    """Write a plan for other tools, as loud as it was rendered."""
    with open_sources(plan, root) as reader:
        cues = make_cues(plan, reader, seams=sounding.seams)
    louder = [replace(cue, step=replace(cue.step, gain_db=cue.step.gain_db + gain_db)) for cue in cues]
    for kind, path in exports.items():
        text = EXPORTS[kind](plan, louder, Path(root or plan.database["root"]))
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def draw(plan: Plan, audio: Path, picture: Path, title: str) -> None:
    from playback.picture import save_picture
    from playback.stitch import join_runs

    seams = [run.step.at_sample for run in join_runs(plan.steps)[1:]]
    save_picture(audio, plan, picture, seams=seams, title=title)


def listen(
    plan: Plan, sounding: Sounding, *, gain_db: float = 0.0, root: Path | None = None, skip_missing: bool = False,
    progress: Progress | None = None,
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
                sound, sample_rate=plan.sample_rate, channels=plan.channels,
                progress=(lambda done: progress(done, plan.n_samples, "playing")) if progress else None,
            )  # fmt: skip
        finally:
            sound.close()
