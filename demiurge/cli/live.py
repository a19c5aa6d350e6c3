"""demiurge live: play a corpus that answers what is played into it."""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demiurge.cli.live_control import controlled, scenes_kept
from demiurge.cli.options.command import command, option
from demiurge.cli.options.databases import databases_options
from demiurge.cli.options.live import (
    MODES,
    Control,
    Sound,
    control_options,
    live_search,
    sound_option,
    sound_options,
)
from demiurge.cli.options.output import (
    check_audio_output,
    check_output,
    force_option,
    json_option,
    random_seed_option,
)
from demiurge.cli.options.paths import ANY_PATH, FILE_PATH
from demiurge.cli.options.roots import roots_option
from demiurge.cli.terminal import echo_json, echo_line, progress_bar
from files.errors import ParameterError

if TYPE_CHECKING:
    from demiurge.cli.options.databases import Databases
    from demiurge.cli.options.roots import MovedRoot
    from demiurge.live.session import Session
    from query.settings import SearchSettings

PLAN = "live.plan.json"
THE_TAKE = "The take"
take_option = partial(option, heading=THE_TAKE)


def list_devices(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the devices and ports that --in, --out and --midi can name, and end."""
    from demiurge.live.midi_ports import list_ports
    from playback.devices import import_sounddevice

    if not asked:
        return
    for number, device in enumerate(import_sounddevice().query_devices()):
        inputs = device["max_input_channels"]
        outputs = device["max_output_channels"]
        echo_line(f"{number}  {device['name']}: {inputs} in, {outputs} out")
    try:
        for name in list_ports():
            echo_line(f"MIDI  {name}")
    except ParameterError as error:
        echo_line(str(error))
    context.exit()


@command(
    examples=(
        "demiurge live my.db",
        "demiurge live my.db my.model --mode continue --osc 9000 --page",
        "demiurge live my.db --in voice.wav --out answer.wav",
        "demiurge live my.db --mode free --out free.wav --seconds 60 --knob temperature=0.5",
    )
)
@databases_options
@click.argument("model", required=False, type=ANY_PATH)
@sound_option(
    "--mode",
    type=click.Choice(MODES),
    default="mosaic",
    show_default=True,
    help="How to play: continue goes on when the input ends, or when told; mosaic follows the input"
    " unit by unit; accompany plays a line of its own beside it; free plays without it.",
)
@sound_options
@sound_option(
    "--devices",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=list_devices,
    help="List the audio devices and MIDI ports, and end.",
)
@control_options
@live_search
@take_option(
    "--plan",
    "plan_path",
    type=FILE_PATH,
    help="Where to save what was played. [default: OUT.plan.json; without a file, live.plan.json or"
    " live-2.plan.json, …]",
)
@random_seed_option(THE_TAKE)
@roots_option
@force_option
@json_option
def live(
    databases: Databases,
    model: Path | None,
    mode: str,
    sound: Sound,
    control: Control,
    search: SearchSettings,
    plan_path: Path | None,
    random_seed: int,
    root: MovedRoot,
    force: bool,
    as_json: bool,
) -> None:
    """Play DB live: it answers, follows or goes with what is played into it.

    MODEL is a forecaster, which chooses in the modes continue, accompany and free; without one,
    units go on wherever they sound alike. From file to file it is as fast as can be. What was
    played is a plan, which is saved while it grows.
    """
    from demiurge.live.session import Session

    sound.check(mode)
    check_not_overwritten(sound)
    control.check(to_file=sound.out_file is not None)
    plan = plan_path or default_plan(sound.out_file)
    check_output(plan, force=force)
    if control.scenes is not None:
        check_output(control.scenes, force=True)
    if sound.out_file is not None:
        check_audio_output(sound.out_file, force=force)
    knobs = control.knobs(mode, search)
    with progress_bar("getting ready", quiet=as_json) as progress:
        session = Session(
            databases.open(root, progress),
            knobs,
            search,
            plan=plan,
            model=model,
            random_seed=random_seed,
            threaded=sound.out_file is None,
            progress=progress,
        )
    tell_beginning(session)
    with session, scenes_kept(session, control.scenes):
        if sound.out_file is not None:
            play_files(session, sound, as_json=as_json)
        else:
            with controlled(session, control):
                play_devices(session, mode, sound)
    tell_end(session, plan, sound.out_file, as_json=as_json)


def check_not_overwritten(sound: Sound) -> None:
    """Raise a ParameterError if the output would be written over the input."""
    source = sound.in_file
    target = sound.out_file
    if source and target and os.path.realpath(source) == os.path.realpath(target):
        raise ParameterError(f"{source} would be written over; give another name with --out")


def default_plan(out: Path | None) -> Path:
    """Return where the plan is saved: beside a file, or a free name in this folder."""
    from demiurge.live.take import free_name
    from demiurge.results import plan_path

    if out is not None:
        return plan_path(out)
    return free_name(Path(PLAN))


def play_files(session: Session, sound: Sound, *, as_json: bool) -> None:
    """Play from file to file; Ctrl-C ends it, and what was played stays."""
    from demiurge.live.ending import ended_by_signals
    from demiurge.live.file_session import run_files

    assert sound.out_file is not None
    with ended_by_signals(session.controls), progress_bar("playing", quiet=as_json) as progress:
        run_files(
            session.engine,
            sound.in_file,
            sound.out_file,
            seconds=sound.seconds,
            progress=progress,
        )


def play_devices(session: Session, mode: str, sound: Sound) -> None:
    """Play through audio devices until Ctrl-C, stop, or the time is over."""
    from demiurge.live.devices import DeviceSession
    from demiurge.live.ending import ended_by_signals
    from demiurge.live.streams import DeviceOptions

    assert not isinstance(sound.source, Path)
    assert not isinstance(sound.target, Path)
    options = DeviceOptions(
        output=sound.target, input=sound.source, has_input=sound.has_input(mode)
    )
    engine = session.engine
    device = DeviceSession(engine, options)
    most = math.inf if sound.seconds is None else sound.seconds * engine.sample_rate
    with ended_by_signals(session.controls):
        device.run(stop=lambda: engine.played >= most)
    if device.overruns:
        echo_line(f"samples of the input were lost {device.overruns} times", err=True)


def tell_beginning(session: Session) -> None:
    """Say what was found when everything is ready."""
    if session.recovered is not None:
        echo_line(f"an unfinished take was saved as {session.recovered}", err=True)
    for name, problem in session.corpus.problems.items():
        echo_line(f"{name} is not played: {problem}", err=True)


def tell_end(session: Session, plan: Path, out: Path | None, *, as_json: bool) -> None:
    """Say what was played, and how well."""
    from demiurge.cli.render_report import shares_facts, shares_lines

    facts = session.facts()
    if session.plan is not None:
        facts |= shares_facts(session.plan)
    if as_json:
        echo_json({"out": None if out is None else str(out), "plan": str(plan), **facts})
        return
    if session.plan is None:
        echo_line("nothing was played, so that there is no plan")
        return
    echo_line(
        f"played {facts['seconds']:.1f} s in {facts['steps']} steps, {facts['joins']} joins;"
        f" work per unit: median {facts['work_ms_p50']:.1f} ms, 99 % within"
        f" {facts['work_ms_p99']:.1f} ms"
    )
    for line in shares_lines(facts):
        echo_line(line)
    troubles = {name: facts[name] for name in ("late", "underruns", "clipped", "repaired")}
    if any(troubles.values()):
        echo_line(", ".join(f"{name}: {count}" for name, count in troubles.items()))
    echo_line(f"{out}, {plan}" if out is not None else str(plan))
