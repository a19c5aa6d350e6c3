"""A plan, as it was written or edited: to a file, to parts, to other tools, to a picture, to the loudspeaker."""

from collections import Counter
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from db.atomic import replacing
from db.errors import ParameterError
from playback.crossfade import SeamOptions
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
        counts = Counter(path.absolute() for path in files)
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
    files, seams, summary = targets.files(plan), sounding.seams, None
    with open_sources(plan, root) as reader:
        _, skipped = playable(plan, reader, skip_missing=skip_missing, progress=progress)
    if targets.out:
        summary = render(
            plan, targets.out, root=root, seams=seams, output=sounding.output, skip_missing=skip_missing, progress=progress
        )
    gain_db = summary.gain_db if summary else 0.0
    if targets.stems:
        make_folder(targets.stems)
        render_stems(
            plan, targets.stems, suffix=targets.suffix, gain_db=gain_db, root=root, seams=seams, bits=sounding.output.bits,
            skip_missing=skip_missing, progress=progress,
        )  # fmt: skip
    if targets.exports:
        export(plan, targets.exports, seams, gain_db=gain_db, root=root, skip_missing=skip_missing)
    if targets.picture and targets.out:
        draw(plan, targets.out, targets.picture, title, skipped)
    left_out = [path for path, source in targets.stem_paths(plan).items() if source in skipped]
    return PlayedPlan([path for path in files if path not in left_out], summary, skipped)


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


def export(
    plan: Plan, exports: dict[str, Path], seams: SeamOptions, *, gain_db: float, root: Path | None, skip_missing: bool
) -> None:
    """Write a plan for other tools, as loud as it was rendered."""
    with open_sources(plan, root) as reader:
        heard, skipped = playable(plan, reader, skip_missing=skip_missing)
        cues = make_cues(heard, reader, seams=seams)
    numbers = [number for number, step in enumerate(plan.steps) if step.source not in skipped]
    cues = [
        replace(cue, number=numbers[cue.number], step=replace(cue.step, gain_db=cue.step.gain_db + gain_db)) for cue in cues
    ]
    for kind, path in exports.items():
        text = EXPORTS[kind](heard, cues, Path(root or plan.database["root"]))
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def draw(plan: Plan, audio: Path, picture: Path, title: str, skipped: Collection[str]) -> None:
    """A picture of what was rendered, without the sources that were left out."""
    from playback.picture import save_picture
    from playback.stitch import join_runs

    steps = tuple(step for step in plan.steps if step.source not in skipped)
    plan = replace(plan, steps=steps, tail_samples=plan.n_samples - steps[-1].until_sample)
    seams = [run.step.at_sample for run in join_runs(steps)[1:]]
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
