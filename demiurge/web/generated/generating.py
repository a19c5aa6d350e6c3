"""Generate clips in the style of sounds, in a process of its own."""

from dataclasses import dataclass
from pathlib import Path

from demiurge.web.make.messages import Progressed
from demiurge.web.make.worker import Send
from files.errors import DemiurgeError

CLIPS = 4
SECONDS = 8.0  # of each


@dataclass(frozen=True)
class GenerateTask:
    """Clips to make: `sounds` are audio files, the models and `out` folders."""

    sounds: tuple[Path, ...]
    generator: Path
    vocoder: Path
    out: Path
    random_seed: int


def generate_clips(task: GenerateTask, send: Send) -> None:
    """Make the clips of a task in its folder, as `demiurge synth generate --like` does.

    Raises
    ------
    DemiurgeError
        If a sound is silent, or no clip could be made.
    """
    send(Progressed(0, "loading the models", 0, CLIPS))
    from synth.file_request import FileRequest
    from synth.generate import GenerateOptions, generate
    from synth.generator import load_generator
    from synth.vocoder import Vocoder

    summary = generate(
        load_generator(task.generator),
        Vocoder.load(task.vocoder).prepare(),
        task.out,
        options=GenerateOptions(
            minutes=CLIPS * SECONDS / 60, seconds=SECONDS, random_seed=task.random_seed
        ),
        names=(task.generator.name, task.vocoder.name),
        request=FileRequest(like=tuple((sound, 1.0) for sound in task.sounds)),
        progress=lambda done, total, _: send(Progressed(0, "generating", done, total)),
    )
    if not summary.made:
        raise DemiurgeError(
            "all that was generated was silent or stuck; pin other units, or try again"
        )
