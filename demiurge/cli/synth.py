"""demiurge synth: train vocoders and generators, make audio with them, import published ones, evaluate them."""

import importlib.util
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from db.errors import ParameterError
from demiurge.cli.output import (
    audio_out_option,
    check_audio_output,
    check_output,
    echo_json,
    echo_table,
    force_option,
    json_option,
    progress_bar,
)  # fmt: skip
from demiurge.shipped import model_path

audio_argument = click.argument("audio_dir", metavar="AUDIO_DIR", type=click.Path(path_type=Path))
model_argument = click.argument("model_dir", metavar="MODEL", type=click.Path(path_type=Path))
unagan_argument = click.argument("unagan_dir", metavar="UNAGAN", type=click.Path(path_type=Path))
vocoder_argument = click.argument("vocoder_dir", metavar="VOCODER", type=click.Path(path_type=Path))
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same result."
)  # fmt: skip
mel_option = click.option(
    "--mel", type=click.Choice(["22k", "44k", "hifigan", "melgan"]), help="What the spectrograms are like. [default: 22k]"
)
precision_option = click.option(
    "--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
    help="bfloat16 is less exact, and faster on processors that know it.",
)  # fmt: skip
musicnn_option = click.option(
    "--musicnn", type=click.Path(path_type=Path), help="Folder of the unpacked package musicnn. [default: the installed one]"
)


@click.group()
def synth() -> None:
    """Train vocoders and generators, and make audio with them.

    A vocoder turns mel spectrograms into audio; a generator, a UNAGAN, makes mel spectrograms of nothing. Where a model is
    asked for, the word shipped stands for the one that comes with Demiurge.
    """


def load_vocoder(name: Path):
    from synth.vocoder import Vocoder

    return Vocoder.load(model_path(name, "vocoder"))


def load_generator(name: Path):
    from synth.generator import Generator

    return Generator.load(model_path(name, "unagan"))


def training_options(*, batch_size: int) -> Callable[[Callable], Callable]:
    """How and how long a network is trained, whatever it is."""

    def add(command: Callable) -> Callable:
        for option in reversed((
            click.option("--minutes", type=click.FloatRange(0, min_open=True), help="At most, of this run."),
            click.option("--steps", type=click.IntRange(1), default=1_000_000, show_default=True, help="Updates, at most."),
            click.option("--batch-size", type=click.IntRange(1), default=batch_size, show_default=True),
            click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="[default: the architecture's own]"),
            precision_option,
            click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same model."),
            click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …"),
            click.option("--threads", type=click.IntRange(1), help="Processor threads. [default: all]"),
            click.option(
                "--judge-steps", type=click.IntRange(1), default=1000, show_default=True,
                help="Updates between two judgements on held-out recordings; the best weights so judged are kept.",
            ),
            click.option(
                "--show-minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
                help="Minutes between two pictures (and sounds) in MODEL/samples.",
            ),
            click.option(
                "--from", "start", metavar="MODEL", type=click.Path(path_type=Path), help="Go on from this model's weights."
            ),
            click.option("--resume", is_flag=True, help="Go on where training with the same options was stopped."),
            click.option("--track", type=click.Choice(["wandb"]), help="Mirror the log, MODEL/log.jsonl, to a service."),
            force_option,
            json_option,
        )):  # fmt: skip
            command = option(command)
        return command

    return add


@synth.command(
    "train-vocoder",
    epilog="\b\nExamples:\n  demiurge synth train-vocoder my_sounds my.vocoder --minutes 600\n"
    "  demiurge synth train-vocoder my_sounds my.vocoder --from shipped --minutes 60\n"
    "  demiurge synth train-vocoder my_sounds v1.vocoder --architecture hifigan-v1 --mel hifigan --device cuda",
)
@audio_argument
@model_argument
@click.option(
    "--architecture",
    type=click.Choice(["vocos-small", "vocos", "hifigan-v1", "hifigan-v2", "hifigan-v3", "melgan"]),
    help="[default: vocos-small]",
)
@mel_option
@click.option(
    "--segment-frames", type=click.IntRange(16), help="Frames of a training excerpt. [default: the architecture's own]"
)
@click.option(
    "--adversarial-from", type=click.IntRange(0), help="Updates before discriminators join. [default: the architecture's own]"
)
@training_options(batch_size=16)
def train_vocoder(audio_dir: Path, model_dir: Path, start: Path | None, **options) -> None:
    """Train a vocoder on the audio below AUDIO_DIR and leave the best, by held-out distance, in MODEL.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on. Several processes share the work when
    started by torchrun: torchrun --nproc-per-node 2 --no-python demiurge synth train-vocoder …
    """
    from synth.train_vocoder import VocoderOptions
    from synth.train_vocoder import train_vocoder as train

    started = None
    if start:
        _refuse_sizes(options, "architecture", "mel")
        started = load_vocoder(start)
        options["architecture"] = started.architecture
    _train(train, VocoderOptions, audio_dir, model_dir, started, "mel and STFT distance", **options)


@synth.command(
    "train-unagan",
    epilog="\b\nExamples:\n  demiurge synth train-unagan my_sounds my.unagan --width 64 --adversary-width 64 --minutes 600\n"
    "  demiurge synth train-unagan my_sounds my.unagan --device cuda --precision bfloat16",
)
@audio_argument
@model_argument
@click.option("--architecture", type=click.Choice(["hierarchical", "nonhierarchical"]), help="[default: hierarchical]")
@mel_option
@click.option("--cycle/--no-cycle", default=True, show_default=True, help="Whether noise must be found again in what it made.")
@click.option("--width", type=click.IntRange(1), help="Channels of the generator; 64 trains on a CPU. [default: 512]")
@click.option("--adversary-width", type=click.IntRange(1), default=512, show_default=True, help="Channels of its adversary.")
@click.option("--clip-frames", type=click.IntRange(1), default=864, show_default=True, help="Frames of a training excerpt.")
@click.option(
    "--adversarial-from", type=click.IntRange(0), default=0, show_default=True, help="Updates before the adversary joins."
)
@click.option(
    "--latent-order", type=click.IntRange(0, 16),
    help="Make noise like what recordings come from, by an autoregression of so many steps. [default: 0, white]",
)  # fmt: skip
@training_options(batch_size=5)
def train_unagan(audio_dir: Path, model_dir: Path, start: Path | None, **options) -> None:
    """Train a UNAGAN on the audio below AUDIO_DIR and leave the best, by held-out Fréchet distance, in MODEL.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on. torchrun works as with train-vocoder.
    """
    from synth.train_unagan import UnaganOptions
    from synth.train_unagan import train_unagan as train

    started = None
    if start:
        _refuse_sizes(options, "architecture", "mel", "width", "latent_order")
        started = load_generator(start)
        options["architecture"] = "hierarchical" if started.config.upsamplings else "nonhierarchical"
        options["width"], options["latent_order"] = started.config.width, started.latent.order
    _train(train, UnaganOptions, audio_dir, model_dir, started, "Fréchet distance", **options)


def _refuse_sizes(options: dict[str, Any], *names: str) -> None:
    """Refuse sizes beside --from, whose model has its own."""
    if given := [f"--{name.replace('_', '-')}" for name in names if options[name] is not None]:
        raise ParameterError(f"{', '.join(given)}: the model that --from names has its own; leave it out")


def _train(
    train: Callable, make_options: Callable, audio_dir: Path, model_dir: Path, start: Any, measure: str, *, resume: bool,
    track: str | None, force: bool, as_json: bool, **options,
) -> None:  # fmt: skip
    from training.processes import Processes

    first = Processes().first
    check_output(model_dir, force=force or resume or not first)
    given = make_options(**{name: value for name, value in options.items() if value is not None})
    with progress_bar("training", quiet=as_json or not first) as progress:
        summary = train(
            audio_dir, model_dir, options=given, start=start, resume=resume, wandb=track == "wandb", progress=progress
        )
    if as_json and first:
        echo_json({"model": str(model_dir), **asdict(summary)})
    elif first:
        _echo_training(model_dir, summary, measure)
    if summary.left_out:
        raise SystemExit(1)


def _echo_training(model_dir: Path, summary, measure: str) -> None:
    """How training went, in words."""
    from training.curve import draw_curve

    stopped = {
        "interrupt": " (interrupted; the best so far is kept, --resume goes on)",
        "minutes": " (time is up; --resume goes on)",
    }
    click.echo(
        f"{model_dir}: {summary.architecture}, best after {summary.best_step} of {summary.steps} updates, "
        f"{summary.seconds:.0f} s{stopped.get(summary.stopped_by, '')}\n"
        f"  trained on {summary.train_seconds / 60:.1f} minutes of audio; {measure} on {summary.held_out_seconds:.0f} s "
        f"of others: {summary.best:.3f}  {draw_curve(summary.judged)}"
    )
    if summary.n_padded:
        click.echo(f"  recordings shorter than an excerpt, followed by silence: {summary.n_padded}")
    for name, reason in summary.left_out.items():
        click.echo(f"  left out: {name}: {reason.removeprefix(f'{Path(name).name}: ')}", err=True)


@synth.command(
    epilog="\b\nExamples:\n  demiurge synth generate shipped shipped generated --minutes 30\n"
    "  demiurge synth generate my.unagan my.vocoder generated --minutes 600 --seconds 60 --seed 3"
)
@unagan_argument
@vocoder_argument
@click.argument("out", metavar="OUT_DIR", type=click.Path(path_type=Path))
@click.option("--minutes", type=click.FloatRange(0, min_open=True), required=True, help="Audio to make, in all.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True, help="Of each file.")
@seed_option
@click.option("--workers", type=click.IntRange(1), help="Files made side by side. [default: one per processor]")
@precision_option
@force_option
@json_option
def generate(
    unagan_dir: Path, vocoder_dir: Path, out: Path, precision: str, force: bool, as_json: bool, **options
) -> None:  # fmt: skip
    """Fill OUT_DIR with audio that a UNAGAN and a vocoder make of nothing.

    Interrupt it at any time; the same command goes on, and more --minutes add to what is there. With --force, what was
    generated there otherwise is replaced.
    """
    from synth.generate import GenerateOptions
    from synth.generate import generate as generate_audio

    asked, names = GenerateOptions(**options), (unagan_dir.absolute().name, vocoder_dir.absolute().name)
    generator, vocoder = load_generator(unagan_dir), load_vocoder(vocoder_dir).prepare(precision=precision)
    try:
        with progress_bar("generating", quiet=as_json) as progress:
            summary = generate_audio(generator, vocoder, out, options=asked, names=names, force=force, progress=progress)
    except KeyboardInterrupt:
        raise click.ClickException(f"interrupted; what was made is kept in {out}. Run the same command to go on") from None
    if as_json:
        echo_json({"folder": str(out), **asdict(summary)})
    else:
        _echo_generated(out, summary)
    if summary.failed:
        raise SystemExit(1)


def _echo_generated(out: Path, summary) -> None:
    speed = f" in {summary.seconds:.1f} s, {summary.real_time:.0f} × real time" if summary.made else ""
    click.echo(
        f"{out}: {summary.made} files made{speed}, {summary.kept} were there; {summary.audio_seconds / 60:.1f} minutes of audio"
    )
    if summary.redone:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in summary.redone.items())
        click.echo(f"  made anew with other seeds, being broken: {reasons}")
    for name in summary.failed:
        click.echo(f"  failed: {name}: broken with every seed that was tried", err=True)


@synth.command(
    epilog="\b\nExamples:\n  demiurge synth resynth my_seed.wav shipped -o again.wav\n"
    "  demiurge synth resynth my_seed.wav my.vocoder -o again.flac --force --json"
)
@click.argument("audio", metavar="AUDIO", type=click.Path(path_type=Path))
@vocoder_argument
@audio_out_option
@force_option
@json_option
def resynth(audio: Path, vocoder_dir: Path, out: Path, force: bool, as_json: bool) -> None:
    """Hear what a vocoder makes of AUDIO's mel spectrogram, each channel by itself: how good it can be."""
    from db.atomic import replacing
    from playback.writer import AudioWriter
    from synth.resynth import resynthesise

    check_audio_output(out, force=force)
    vocoder = load_vocoder(vocoder_dir).prepare()
    samples = resynthesise(audio, vocoder)
    rate, gain = vocoder.mel.sample_rate, 1 / max(abs(samples).max(), 1)
    with (
        replacing(out) as temporary,
        AudioWriter(temporary, rate, samples.shape[1], n_samples=len(samples), shown=out) as writer,
    ):
        writer.write(samples * gain)
    facts = {"file": str(out), "seconds": len(samples) / rate, "sample_rate": rate, "channels": samples.shape[1]}
    if as_json:
        echo_json({**facts, "gain": float(gain)})
        return
    lowered = ", lowered to stay below full scale" if gain < 1 else ""
    click.echo(f"{out}: {facts['seconds']:.2f} s at {rate} Hz, channels: {facts['channels']}{lowered}")


@synth.command(
    "import",
    epilog="\b\nExamples:\n  demiurge synth import generator_v1 v1.vocoder --config config.json\n"
    "  demiurge synth import unagan.pt my.unagan --config sizes.json --statistics mean.npy std.npy",
)
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@model_argument
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The JSON with its sizes.")
@click.option(
    "--statistics", nargs=2, metavar="MEAN STD", type=click.Path(path_type=Path),
    help="Of a UNAGAN's training mels, as .npy; without them it makes normalised mels.",
)  # fmt: skip
@force_option
@json_option
def import_(
    checkpoint: Path, model_dir: Path, config: Path, statistics: tuple[Path, Path] | None, force: bool, as_json: bool
) -> None:  # fmt: skip
    """Turn a published checkpoint of HiFi-GAN, MelGAN or UNAGAN into MODEL. Code in it is refused, never run.

    JSON has the names of HiFi-GAN's config.json; of MelGAN n_mel_channels, ngf, n_residual_layers and ratios; of UNAGAN
    feat_dim, z_dim, hidden_dim, num_groups and z_scale_factors. MelGAN and UNAGAN may have a sampling_rate.
    """
    from synth.published import import_published

    check_output(model_dir, force=force)
    model = import_published(checkpoint, config, statistics=statistics)
    model.save(model_dir)
    mel, note = model.mel, model.training_summary.get("note")
    architecture, parameters = getattr(model, "architecture", "unagan"), sum(p.numel() for p in model.parameters())
    if as_json:
        echo_json(
            {
                "model": str(model_dir), "kind": type(model).__name__.lower(), "architecture": architecture,
                "parameters": parameters, "mel": mel.to_dict(), "note": note,
            }
        )  # fmt: skip
        return
    click.echo(
        f"{model_dir}: {architecture} of {parameters / 1e6:.2f} million parameters; {mel.n_mels} mel bands every "
        f"{mel.hop_length} samples at {mel.sample_rate} Hz"
    )
    if note:
        click.echo(f"  {note}; import it again with --statistics MEAN STD")


@synth.group(
    epilog="\b\nExamples:\n  demiurge synth evaluate vocoder my.vocoder shipped held_out_sounds\n"
    "  demiurge synth evaluate generator my.unagan my.vocoder my_sounds --other speech=talks"
)
def evaluate() -> None:
    """Measure how good vocoders and generators are."""


@evaluate.command(
    "vocoder",
    epilog="\b\nExamples:\n  demiurge synth evaluate vocoder my.vocoder shipped held_out_sounds\n"
    "  demiurge synth evaluate vocoder my.vocoder held_out_sounds --seconds 300 --picture mels.png --json",
)
@click.argument("vocoder_dirs", metavar="VOCODER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@audio_argument
@click.option(
    "--seconds", type=click.FloatRange(6), default=120.0, show_default=True, help="Of recordings to measure on, if there are."
)
@seed_option
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw the spectrograms of one excerpt into this PNG.")
@musicnn_option
@force_option
@json_option
def evaluate_vocoder(
    vocoder_dirs: tuple[Path, ...], audio_dir: Path, seconds: float, seed: int, picture: Path | None, musicnn: Path | None,
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Synthesise recordings below AUDIO_DIR, which VOCODERs were not trained on, and compare them with what they were.

    Griffin-Lim is measured beside them. The Fréchet distance of embeddings (FAD) is left out where musicnn is not installed.
    """
    from synth.evaluate_vocoder import evaluate_vocoders

    if picture:
        check_output(picture, force=force)
    embedding = find_embedding(musicnn, needed=False)
    vocoders = {str(name): load_vocoder(name).prepare() for name in vocoder_dirs}
    with progress_bar("evaluating", quiet=as_json) as progress:
        scores = evaluate_vocoders(
            vocoders, audio_dir, seconds=seconds, seed=seed, embedding=embedding, picture=picture, progress=progress
        )
    if as_json:
        echo_json([score.to_dict() for score in scores])
        return
    measures = {"mel L1": ("mel_l1", 3), "STFT": ("stft", 3), "FAD": ("fad", 3), "windows": ("windows", 0)}
    measures[f"× real time (threads: {scores[0].threads})"] = ("real_time", 1)
    if embedding is None:
        del measures["FAD"], measures["windows"]
    rows = [[s.name, *(_number(getattr(s, name), digits) for name, digits in measures.values())] for s in scores]
    echo_table(f"{audio_dir}: how far from the recordings", ["vocoder", *measures], rows)
    _note_bias(scores)


@evaluate.command(
    "generator",
    epilog="\b\nExamples:\n  demiurge synth evaluate generator my.unagan my.vocoder my_sounds\n"
    "  demiurge synth evaluate generator shipped shipped piano --other rock=rock_songs --other drums=loops --minutes 20",
)
@unagan_argument
@vocoder_argument
@audio_argument
@click.option(
    "--other", "others", multiple=True, metavar="NAME=DIR", help="Compare with recordings of another kind, too; repeatable."
)
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="Of audio in each set."
)
@seed_option
@musicnn_option
@json_option
def evaluate_generator(
    unagan_dir: Path, vocoder_dir: Path, audio_dir: Path, others: tuple[str, ...], minutes: float, seed: int,
    musicnn: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare what UNAGAN and VOCODER make with the recordings below AUDIO_DIR, which UNAGAN was trained on.

    Sets that are better than it can be, or that it must beat, are compared beside it. Needs the package musicnn.
    """
    from synth.evaluate_generator import evaluate_generator as evaluate_clips

    folders = _named_folders(others)
    embedding = find_embedding(musicnn, needed=True)
    generator, vocoder = load_generator(unagan_dir), load_vocoder(vocoder_dir).prepare()
    with progress_bar("evaluating", quiet=as_json) as progress:
        report = evaluate_clips(
            generator, vocoder, audio_dir, others=folders, minutes=minutes, seed=seed, embedding=embedding, progress=progress
        )
    if as_json:
        echo_json(report.to_dict())
        return
    rows = [[name, f"{fad:.3f}"] for name, fad in report.fad.items()]
    echo_table(f"{audio_dir}: {report.clips} clips of each set", ["set", "FAD"], rows)
    d = report.diversity
    click.echo(
        f"  spread of clips: {d.spread:.3f}, of recordings: {d.recorded_spread:.3f}; far less is monotony\n"
        f"  nearest recording: {d.nearest:.3f} (at least {d.closest:.3f}), of another recording: {d.recorded_nearest:.3f} "
        f"(at least {d.recorded_closest:.3f}); far less is copying"
    )
    _note_bias([report])


def find_embedding(folder: Path | None, *, needed: bool):
    """MusiCNN in a folder or as installed; None if it is in neither and not needed."""
    from synth.musicnn import Musicnn

    if folder is None and not needed and importlib.util.find_spec("musicnn") is None:
        click.echo("FAD is left out; for it: pip install --no-deps musicnn==0.1.0, or --musicnn DIR", err=True)
        return None
    return Musicnn.find(folder)


def _named_folders(others: tuple[str, ...]) -> dict[str, Path]:
    """NAME=DIR, … as a dict."""
    folders: dict[str, Path] = {}
    for other in others:
        name, equals, folder = other.partition("=")
        if not (name and equals and folder) or name in folders:
            raise ParameterError(f"--other {other} must be NAME=DIR, each with another name")
        folders[name] = Path(folder)
    return folders


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _note_bias(measured: list) -> None:
    """Say that FAD is not to be compared with others, if it is not."""
    if any(one.fad_is_biased for one in measured):
        click.echo("  FAD of so few windows is too high: compare rows of this table only, or measure on more audio")
