"""demiurge sequencer: train forecasters and forecast."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audio.decibels import to_decibels
from demiurge.cli.options.command import Group, command
from demiurge.cli.options.output import (
    check_audio_output,
    check_output,
    force_option,
    json_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.options.sampling import (
    accompanied_option,
    forecast_option,
    sampling_options,
)
from demiurge.cli.render_report import echo_decoded, lowered
from demiurge.cli.sequencer_evaluation import evaluate
from demiurge.cli.sequencer_training import compare, train
from demiurge.cli.terminal import echo_json, echo_line
from files.errors import ParameterError
from files.names import quoted

if TYPE_CHECKING:
    from sequencer.sampling import SamplingOptions


@click.group(cls=Group)
def sequencer() -> None:
    """Train forecasters and forecast how a file goes on."""


@command(
    examples=(
        "demiurge sequencer forecast my.model seed.wav --seconds 10 -o next.json",
        "demiurge sequencer forecast my.model a.wav b.wav --steps 430 --variations 3"
        " --temperature 0.8 -o next.json",
        "demiurge sequencer forecast codes.model seed.wav --seconds 10 --decode -o next.wav",
    )
)
@click.argument("model", metavar="MODEL", type=ANY_PATH)
@click.argument("seed_files", metavar="SEED…", nargs=-1, required=True, type=ANY_PATH)
@forecast_option(
    "--steps", type=click.IntRange(1), help="Number of steps to forecast, instead of --seconds."
)
@forecast_option(
    "--seconds", type=click.FloatRange(0, min_open=True), help="How long to forecast, in seconds."
)
@forecast_option(
    "--variations",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of different forecasts of each SEED.",
)
@sampling_options
@accompanied_option
@click.option(
    "-o",
    "--out",
    type=FILE_PATH,
    required=True,
    help="The forecast file (JSON), with --decode the WAV, FLAC or OGG file, to write.",
)
@click.option(
    "--decode",
    is_flag=True,
    help="Write sound: MODEL forecasts the frames of a codec, which decodes them.",
)
@force_option
@json_option
def forecast(
    model: Path,
    seed_files: tuple[Path, ...],
    steps: int | None,
    seconds: float | None,
    variations: int,
    sampling: SamplingOptions,
    accompanied: Path | None,
    out: Path,
    decode: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Forecast how each SEED, an audio or descriptor file, goes on.

    Several forecasts are written to OUT-SEED-1.json, OUT-SEED-2.json, …
    """
    paths = forecast_paths(out, seed_files, variations)
    for path in paths:
        (check_audio_output if decode else check_output)(path, force=force)
    asked = {"steps": steps, "seconds": seconds, "variations": variations}
    write = write_sounds if decode else write_forecasts
    written = write(
        paths, model, list(seed_files), asked, sampling=sampling, accompanied=accompanied
    )
    if as_json:
        echo_json(written[0] if len(written) == 1 else written)
    elif decode:
        echo_sounds(written)
    else:
        echo_forecasts(written)


def write_forecasts(
    paths: list[Path],
    model: Path,
    seed_files: list[Path],
    asked: dict[str, Any],
    *,
    sampling: SamplingOptions,
    accompanied: Path | None,
) -> list[dict[str, Any]]:
    """Write forecasts as JSON; return the facts about each."""
    from db.sequence_file import save_sequence
    from db.units import step_lengths
    from demiurge.sequences import forecast as forecast_seeds

    forecasts, settings = forecast_seeds(
        list(seed_files), model, **asked, sampling=sampling, accompanied=accompanied
    )
    asked = asked | asdict(sampling)
    if accompanied is not None:
        asked["accompanied"] = accompanied.name
    origins = [
        {"model": model.name, "seed": seed.name, "variation": number, **asked}
        for seed in seed_files
        for number in range(1, asked["variations"] + 1)
    ]
    sequences = chain.from_iterable(forecasts)
    written = []
    for path, origin, sequence in zip(paths, origins, sequences, strict=True):
        save_sequence(path, sequence, settings, origin=origin)
        lasting = float(step_lengths(sequence, settings).sum() / settings.sample_rate)
        written.append({"forecast": str(path), "steps": len(sequence), "seconds": lasting})
    return written


def write_sounds(
    paths: list[Path],
    model: Path,
    seed_files: list[Path],
    asked: dict[str, Any],
    *,
    sampling: SamplingOptions,
    accompanied: Path | None,
) -> list[dict[str, Any]]:
    """Write forecasts as their codec decodes them; return the facts about each."""
    from demiurge.decode_forecast import forecast_and_decode
    from demiurge.write_sound import write_sound

    decoded = forecast_and_decode(
        seed_files, model, **asked, sampling=sampling, accompanied=accompanied
    )
    codec = decoded.codec
    of_codec = {"codec": codec.name, "hash": codec.hash, "licence": codec.licence}
    written = []
    for path, audio in zip(paths, decoded.audio, strict=True):
        gain = write_sound(path, audio.T, codec.sample_rate)
        seconds = audio.shape[1] / codec.sample_rate
        facts = {"sound": str(path), "seconds": seconds, "gain_db": to_decibels(gain)}
        written.append({**facts, "decode": of_codec})
    return written


def echo_sounds(written: list[dict[str, Any]]) -> None:
    """Print the files that were written, and which codec sounded them."""
    for one in written:
        echo_line(f"{one['sound']}: {one['seconds']:.2f} s{lowered(one['gain_db'])}")
    echo_decoded(written[0]["decode"])


def echo_forecasts(written: list[dict[str, Any]]) -> None:
    """Print the files that were written, and what to do with them."""
    for one in written:
        echo_line(f"{one['forecast']}: {one['steps']} steps ({one['seconds']:.2f} s)")
    echo_line(f"find units for it with: demiurge query {quoted(written[0]['forecast'])} DB")


def forecast_paths(out: Path, seeds: tuple[Path, ...], variations: int) -> list[Path]:
    """Return a path for each variation of each seed; `out` itself if there is one in all.

    Raises
    ------
    ParameterError
        If two of them would be the same.
    """
    paths = []
    for seed in seeds:
        for number in range(1, variations + 1):
            name = out.stem
            if len(seeds) > 1:
                name += f"-{seed.stem}"
            if variations > 1:
                name += f"-{number}"
            paths.append(out.with_name(name + out.suffix))
    if len(set(paths)) < len(paths):
        raise ParameterError("two seeds have the same name; forecast them one by one")
    return paths


@command(examples=("demiurge sequencer models", "demiurge sequencer models --json"))
@json_option
def models(as_json: bool) -> None:
    """List the architectures and their sizes, and the heads."""
    from sequencer.registry import ARCHITECTURES, HEADS

    architectures = {name: entry.default_sizes for name, entry in ARCHITECTURES.items()}
    if as_json:
        echo_json({"architectures": architectures, "heads": list(HEADS)})
        return
    for name, sizes in architectures.items():
        echo_line(f"{name}: {', '.join(f'{key} {value}' for key, value in sizes.items())}")
    echo_line(f"heads: {', '.join(HEADS)}")


for part in (train, forecast, evaluate, compare, models):
    sequencer.add_command(part)
