"""Options: those of 0.1.0 say where they went, choices are the registries', help is plain."""

import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from audio.formats import BITS, FORMATS
from db.columns import DESCRIPTOR_NAMES
from db.descriptors import DESCRIPTORS
from db.executors import EXECUTORS
from db.names import EXPORT_FORMATS, UNIT_KINDS, WINDOW_CENTRES
from db.settings import FOR_CONTINUATIONS, DescriptorSettings
from db.tables import WRITERS
from demiurge.cli import main
from demiurge.cli.options.command import OTHERS, full_name, headed
from demiurge.cli.options.moved import MOVED, MOVED_COMMANDS, find_advice
from playback.exports import EXPORTS
from playback.options import FADES, CrossfadeOptions
from query.metrics import parse_metric
from query.names import AUTO, INDEX_KINDS, METRICS
from query.options import CONTINUATION_PATH, DEFAULT_K, PathOptions
from scripts.measure.options import commands, options
from sequencer.infill import InfillOptions
from sequencer.names import MASKED
from sequencer.patterns import PATTERNS
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.sampling import SamplingOptions
from sequencer.tokens import PATTERN
from sequencer.train import ForecasterOptions
from sequencer.train_masked import MaskedOptions
from synth.architectures import ARCHITECTURES as VOCODERS
from synth.mel import PRESETS
from synth.names import GENERATORS
from training.precision import PRECISIONS

COMMANDS = {name.removeprefix("demiurge "): command for name, command in commands()}
BEFORE = json.loads((Path(__file__).parent / "options_0_1_0.json").read_text())
MANY = 12  # more options than these are under headings


def names(command: click.Command) -> set[str]:
    found = options(command)
    return {name for option in found for name in (*option.opts, *option.secondary_opts)}


# the options of commands of 0.1.0, by the names that these have now
for moved, now in MOVED_COMMANDS.items():
    BEFORE[" ".join(now.split()[:2])] = BEFORE.pop(moved)


@pytest.mark.parametrize("name", BEFORE)
def test_every_option_of_0_1_0_is_there_or_says_what_to_use_instead(name):
    lost = set(BEFORE[name].split()) - names(COMMANDS[name])
    assert [option for option in lost if find_advice(name, option) is None] == []


def test_a_command_of_0_1_0_says_what_it_is_now():
    now = "synth train-generator --architecture unagan"
    said = CliRunner().invoke(
        main, ["synth", "train-unagan", "my_sounds", "my.unagan", "--width", "64"]
    )
    assert said.exit_code == 2
    assert said.stderr.endswith(f"\nError: synth train-unagan is {now} now\n")
    parse(f"{now} my_sounds my.unagan")


def test_advice_names_options_that_are_there():
    known = names(COMMANDS["playback"]) | names(COMMANDS["query"])
    for moved, option, advice in MOVED:
        for name in moved:
            assert option in BEFORE[name].split()
            assert option not in names(COMMANDS[name])
            for named in re.findall(r"--[\w-]+", advice):
                assert named in names(COMMANDS[name]) | known, advice


def test_advice_is_the_error_of_a_moved_option():
    with pytest.raises(click.UsageError, match="^--seed is --random-seed now$"):
        parse("mosaic voice.wav my.db -o out.wav --seed 3")
    with pytest.raises(click.UsageError, match="^--search is set from Python now: PathOptions"):
        parse("query voice.wav my.db --search=greedy")
    with pytest.raises(click.NoSuchOption, match="No such option '--seed'"):
        parse("db info my.db --seed 3")


def parse(line: str) -> click.Context:
    """Parse a command line without running it."""
    words = shlex.split(line)
    context = click.Context(main, info_name="demiurge")
    command: click.Command = main
    while isinstance(command, click.Group):
        name = words.pop(0)
        command = command.commands[name]
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
    if words and words[0] in command.commands:
        own = words.pop(0)
        name, command = f"{name} {own}", command.commands[own]
    return command.make_context(name, words, parent=context)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_understood(name):
    assert len(COMMANDS[name].examples) >= 2
    for example in COMMANDS[name].examples:
        context = parse(example.partition("demiurge ")[2])
        assert full_name(context) == name


@pytest.mark.parametrize("name", COMMANDS)
def test_many_options_are_under_headings(name):
    by_heading = headed(COMMANDS[name].params)
    if len(options(COMMANDS[name])) > MANY:
        assert len(by_heading) > 1
        assert len(by_heading[OTHERS]) < MANY / 2


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_an_option_is_a_sentence_of_its_own(name):
    for option in options(COMMANDS[name]):
        sentence = re.sub(r" ?\[default: .*\]$", "", option.help or "")
        assert re.fullmatch(r"[A-Z].*[.…]", sentence, re.DOTALL), (option.opts, option.help)
        assert not sentence.startswith(("Its ", "Of ", "It "))


def choices(command: str, option: str) -> list[str]:
    (found,) = (one for one in options(COMMANDS[command]) if option in one.opts)
    assert isinstance(found.type, click.Choice)
    return list(found.type.choices)


def test_choices_are_those_of_the_registries():
    assert choices("db build", "--executor") == list(EXECUTORS)
    assert choices("db build", "--window-centre") == list(WINDOW_CENTRES)
    assert choices("db export", "--format") == list(EXPORT_FORMATS) == list(WRITERS)
    assert choices("query", "--index") == [AUTO, *INDEX_KINDS]
    assert choices("playback", "--fade") == list(FADES)
    assert choices("playback", "--export") == list(EXPORTS)
    bits = dict.fromkeys(bits for format_ in FORMATS.values() for bits in format_.encodings if bits)
    assert choices("render", "--bits") == list(BITS) == list(bits)
    assert choices("sequencer train", "--architecture") == [*ARCHITECTURES, MASKED]
    assert choices("sequencer train", "--head") == list(HEADS)
    assert choices("sequencer train", "--pattern") == list(PATTERNS)
    assert choices("synth train-vocoder", "--architecture") == list(VOCODERS)
    assert choices("synth train-generator", "--architecture") == list(GENERATORS)
    assert choices("synth train-generator", "--mel") == list(PRESETS)
    for command in ("sequencer train", "synth train-vocoder", "synth generate"):
        assert choices(command, "--precision") == list(PRECISIONS)


def test_names_in_help_are_those_of_the_registries():
    assert list(DESCRIPTOR_NAMES) == list(DESCRIPTORS)
    for kind in UNIT_KINDS:
        DescriptorSettings(units=kind.replace("MS", "250").replace("/N", "/4"))
    for centre in WINDOW_CENTRES:
        DescriptorSettings(window_centre=centre)
    for metric in METRICS:
        parse_metric(metric.replace("P", "3"))


def told_defaults(command: str) -> dict[str, object]:
    """Return the defaults of options by name: click's, or what the help says as text."""
    told = {}
    for option in options(COMMANDS[command]):
        in_help = re.search(r"\[default: ([\w.,/-]+)\]", option.help or "")
        default = option.default if isinstance(option.default, str | int | float) else None
        told[str(option.name)] = in_help[1] if in_help else default
    return told


@pytest.mark.parametrize(
    ("command", "made", "elsewhere"),
    [
        ("db build", FOR_CONTINUATIONS, {"descriptors": "mfcc,chroma,loudness"}),
        ("render", CrossfadeOptions(), {}),
        (
            "mosaic",
            PathOptions(),
            {"k": str(DEFAULT_K), "rest_threshold": "never", "novelty": None},
        ),
        ("render", SamplingOptions(), {"random_seed": "0"}),
        ("render", CONTINUATION_PATH, {"temperature": 1.0, "random_seed": "0"}),
        (
            "sequencer train",
            ForecasterOptions(),
            {"random_seed": "0", "learning_rate": None, "head": "contrast", "pattern": PATTERN},
        ),
        ("sequencer train", MaskedOptions(), {"random_seed": "0", "learning_rate": None}),
        ("infill", InfillOptions(), {}),
        ("infill", SamplingOptions(), {"random_seed": "0"}),
    ],
)
def test_defaults_are_those_of_the_library(command, made, elsewhere):
    told = told_defaults(command)
    shared = [field.name for field in fields(made) if field.name in told]
    assert len(shared) > 0
    for name in shared:
        value = elsewhere.get(name, getattr(made, name))
        told_value = told[name]
        if isinstance(told_value, str) and not isinstance(value, str):
            told_value = type(value)(told_value)
        assert told_value == value, name
