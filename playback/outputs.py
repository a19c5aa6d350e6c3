"""A plan, as it was written or edited: to a file, to parts, to other tools, to a picture, to the
loudspeaker.
"""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from audio.decibels import to_amplitude
from files.atomic import make_folder, write_text
from files.errors import ParameterError
from playback.cues import Cue, make_cues
from playback.exports import EXPORTS
from playback.live import Played, play
from playback.names import EXPORT_SUFFIXES
from playback.opened import OpenPlan
from playback.plan import Plan
from playback.render import RenderOptions, RenderSummary, stem_paths, write_stems, write_whole
from playback.sources import Progress
from playback.stitch import join_runs, stitch


@dataclass(frozen=True)
class Outputs:
    """What is wanted of a plan: audio in `out`, a `picture` of it, one file per source in `stems`,
    files for other tools by their format, each where it should lie."""

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
            raise ParameterError(
                f"{self.picture}: a picture is a PNG; give a name that ends in .png"
            )
        stems = self.stem_paths(plan)
        files = [path for path in (self.out, self.picture, *stems, *self.exports.values()) if path]
        counts = Counter(
            path.absolute() for path in (*files, *([self.stems] if self.stems else []))
        )
        if twice := [path for path, count in counts.items() if count > 1]:
            raise ParameterError(
                f"{twice[0]} would be written twice; give each output a name of its own"
            )
        return files

    def stem_paths(self, plan: Plan) -> dict[Path, str]:
        """The file of each source's part, in the format of the whole."""
        return stem_paths(plan, self.stems, self.suffix) if self.stems else {}

    @property
    def suffix(self) -> str:
        """Of the stems."""
        return self.out.suffix if self.out else ".wav"


@dataclass(frozen=True)
class WrittenOutputs:
    """What became of a plan.

    `summary` tells of the whole, `skipped` what was wrong with each source, or step, that was left
    out, and `n_steps` how many are heard."""

    files: list[Path]
    summary: RenderSummary | None
    skipped: dict[str, str]
    n_steps: int


def export_path(base: Path, kind: str) -> Path:
    """OUT.wav or OUT.plan.json -> OUT.rpp and so on."""
    name = (
        base.name.removesuffix(".json").removesuffix(".plan")
        if base.suffix == ".json"
        else base.stem
    )
    return base.with_name(name + EXPORT_SUFFIXES[kind])


def write_outputs(
    opened: OpenPlan,
    title: str,
    outputs: Outputs,
    render_options: RenderOptions,
    *,
    progress: Progress | None = None,
) -> WrittenOutputs:
    """Make of a plan whatever is wanted.

    Raises
    ------
    PlanError, AudioError, ParameterError
        As `playback.render.render`.
    """
    files = outputs.files(opened.whole)
    crossfade = render_options.crossfade
    summary = None
    cues = make_cues(opened.plan, opened.sound, crossfade=crossfade) if outputs.exports else []
    cues = [replace(cue, number=opened.numbers[cue.number]) for cue in cues]
    texts = export_texts(opened, cues, outputs, gain_db=0.0)  # refused before anything is written
    if outputs.out:
        summary = write_whole(
            opened,
            outputs.out,
            crossfade=crossfade,
            output=render_options.output,
            progress=progress,
        )
    gain_db = summary.gain_db if summary else None
    if outputs.stems:
        make_folder(outputs.stems, "choose another")
        write_stems(
            opened,
            outputs.stems,
            suffix=outputs.suffix,
            gain_db=gain_db,
            crossfade=crossfade,
            bits=render_options.output.bits,
            progress=progress,
        )
    if gain_db:
        texts = export_texts(opened, cues, outputs, gain_db=gain_db)
    for path, text in texts.items():
        write_text(path, text)
    if outputs.picture and outputs.out:
        draw(opened.plan, outputs.out, outputs.picture, title)
    left_out = [
        path
        for path, source in outputs.stem_paths(opened.whole).items()
        if source in opened.skipped
    ]
    return WrittenOutputs(
        [path for path in files if path not in left_out],
        summary,
        opened.skipped,
        len(opened.plan.steps),
    )


def export_texts(
    opened: OpenPlan, cues: list[Cue], outputs: Outputs, *, gain_db: float
) -> dict[Path, str]:
    """The plan for other tools; those that play it do so as loudly as it was rendered."""
    louder = (
        [replace(cue, step=replace(cue.step, gain_db=cue.step.gain_db + gain_db)) for cue in cues]
        if gain_db
        else cues
    )
    return {
        path: EXPORTS[kind](
            opened.plan, louder if kind in ("reaper", "edl") else cues, opened.sound.root
        )
        for kind, path in outputs.exports.items()
    }


def draw(plan: Plan, audio: Path, picture: Path, title: str) -> None:
    """A picture of what was rendered."""
    from playback.picture import save_picture

    joins = [run.step.at_sample for run in join_runs(plan.steps)[1:]]
    save_picture(audio, plan, picture, joins=joins, title=title)


def listen(
    opened: OpenPlan,
    render_options: RenderOptions,
    *,
    gain_db: float = 0.0,
    device: str | None = None,
    progress: Progress | None = None,
) -> Played:
    """Play a plan on the machine's audio output as it is made, clipped where it passes full scale.

    Raises
    ------
    ParameterError
        If there is no output, or the extra `live` is not installed.
    """
    plan = opened.plan
    gain = np.float32(to_amplitude(gain_db))

    def blocks() -> Generator[np.ndarray, None, None]:
        for block in stitch(plan, opened.sound, crossfade=render_options.crossfade):
            yield np.clip(block * gain, -1, 1)

    sound = blocks()
    try:
        return play(
            sound,
            sample_rate=plan.sample_rate,
            channels=plan.channels,
            device=device,
            progress=(lambda done: progress(done, plan.n_samples, "playing")) if progress else None,
        )
    finally:
        sound.close()
