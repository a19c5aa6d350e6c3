"""demiurge synth train-codec."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from demiurge.cli.options.command import command
from demiurge.cli.options.models import audio_argument, load_vocoder, model_argument
from demiurge.cli.options.output import force_option, json_option
from demiurge.cli.options.synth_training import AskedCodec, codec_options
from demiurge.cli.synth_training import prepare, run
from demiurge.shipped import SHIPPED, model_path

if TYPE_CHECKING:
    from synth.mel import MelSettings
    from synth.vocoder import Vocoder


@command(
    "train-codec",
    examples=(
        "demiurge synth train-codec my_sounds my.codec --minutes 10",
        "demiurge synth train-codec my_sounds my.codec --resume --minutes 60",
        "demiurge synth train-codec my_sounds my.codec --from shipped --minutes 60",
        "demiurge synth train-codec my_sounds sharper.codec --from my.codec --discriminators dac",
        "demiurge synth train-codec my_sounds my.codec --size my_sizes.json --vocoder my.vocoder",
    ),
)
@audio_argument
@model_argument
@codec_options
@force_option
@json_option
def train_codec(
    audio_dir: Path, model_dir: Path, asked: AskedCodec, force: bool, as_json: bool
) -> None:
    """Train a codec on audio and save it in MODEL.

    A codec turns sound into a few numbers or codes for each moment, and these into sound again. A
    JSON file of sizes has some of the names that demiurge synth models shows for codecs; the rest
    is as in the first size. With --from, the sizes of networks are those of that model.

    Stopping, --resume and torchrun work as with train-vocoder.
    """
    from synth.codec_options import CodecOptions
    from synth.codecs.mel_codec import MelCodecModel
    from synth.train_codec import train_codec as train

    saved, start = prepare(audio_dir, model_dir, asked, kind="codec", force=force)
    saved.pop("architecture", None)
    started = MelCodecModel.load(model_path(start, "codec")) if start else None
    sizes = CodecOptions.sizes_of(started) if started else {}
    options = CodecOptions(**{**saved, **asked.values(), **sizes})
    mel = started.mel if started else options.mel_settings()
    vocoder = vocoder_for(model_dir, asked, mel)
    train_it = partial(train, vocoder=vocoder)
    run(train_it, audio_dir, model_dir, started, options, asked, as_json=as_json)


def vocoder_for(model_dir: Path, asked: AskedCodec, mel: MelSettings) -> Vocoder:
    """Return the vocoder that is asked for: by default the one before, or a shipped one."""
    from synth.codecs.mel_codec import VOCODER

    before = model_dir / VOCODER
    if asked.vocoder is None and asked.resume and before.is_dir():
        return load_vocoder(before)
    return load_vocoder(asked.vocoder or Path(SHIPPED), mel)
