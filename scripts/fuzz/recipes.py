"""What is edited in each kind of case, and the commands that read it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Files of a kind and the commands for them.

    Attributes
    ----------
    commands : tuple of str
        As in a shell; {healthy} is the folder of healthy files, {picked} the picked one.
    copies : tuple of str
        Healthy files and folders that the case has copies of.
    targets : tuple of str
        Patterns of files among them, of which one is edited.
    picks : str
        Pattern of healthy files, of which one is copied into the folder `c` and edited.
    share : int
        How many cases it has, compared with the others.
    """

    kind: str
    commands: tuple[str, ...]
    copies: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    picks: str = ""
    share: int = 1


BUILD = "db build c my.db --executor serial --json"
AUDIO = (
    *(f"{BUILD} --units frame --descriptors mfcc",) * 8,
    f"{BUILD} --units beat/4",
    f"{BUILD} --units onset --descriptors mfcc,spectral,chroma,loudness",
    "mosaic {picked} {healthy}/frames.db -o out.wav",
    "query {picked} {healthy}/frames.db -k 2",
    "render {picked} {healthy}/onsets.db {healthy}/contrast.model -o out.wav --seconds 1",
    "sequencer forecast {healthy}/lstm.model {picked} --steps 4 -o next.json",
    "synth resynth {picked} {healthy}/vocos.vocoder -o out.wav",
    "synth train-vocoder c my.vocoder --steps 1 --batch-size 1",
    "synth generate {healthy}/flow.generator {healthy}/vocos.vocoder out --continue {picked}"
    " --seconds 1",
    "page {healthy}/frames.db upload {picked}",
)


def database_commands(database: str, model: str) -> tuple[str, ...]:
    """Return commands that read or change a database."""
    exports = ("csv", "npz", "demiurge-json", "flucoma", "parquet")
    return (
        f"db info {database}",
        f"db info {database} --json",
        f"db verify {database}",
        f"db verify {database} --rows-only --json",
        f"db verify {database} --repair",
        f"db compact {database}",
        f"db tag {database} '*.ogg' some",
        f"db remove {database} 'more/*'",
        f"db build {{healthy}}/sounds {database} --executor serial --json",
        f"db build {{healthy}}/sounds {database} --prune --moved --executor serial",
        *(f"db export {database} out.{kind} --format {kind}" for kind in exports),
        f"db import {{healthy}}/table.npz {database}",
        f"query {{healthy}}/seed.wav {database} -k 3",
        f"query {{healthy}}/seed.wav {database} --explain --tag more --json",
        f"query {{healthy}}/seed.wav {database} --where 'start_s<1' --index ivf",
        f"mosaic {{healthy}}/seed.wav {database} -o out.wav",
        f"render {{healthy}}/seed.wav {database} {{healthy}}/{model} -o out.wav --seconds 1",
        f"sequencer train {database} my.model --epochs 1 --window 16",
        f"sequencer evaluate {{healthy}}/lstm.model {database}",
        f"page {database} requests {{healthy}}/page.requests",
    )


def database_recipe(database: str, model: str) -> Recipe:
    manifest = f"{database}/manifest.sqlite"
    return Recipe(
        "manifest",
        database_commands(database, model),
        copies=(database,),
        targets=(*(manifest,) * 8, f"{database}/shards/*", f"{database}/index/*"),
        share=8,
    )


PLANS = ("mosaic.plan.json", "frames.plan.json", "render.plan.json", "voices.plan.json")


def plan_recipe(plan: str) -> Recipe:
    playback = f"playback {plan}"
    commands = (
        *(f"{playback} -o again.wav",) * 3,
        f"{playback} -o again.flac --lufs -16 --align 5 --match-level 6 --keep-attacks",
        f"{playback} --show",
        f"{playback} --show --json",
        f"{playback} --stems stems",
        f"{playback} --export reaper --export labels",
        f"{playback} --export csv --export edl --json",
        f"{playback} -o again.wav --skip-missing --picture again.png",
        f"page {{healthy}}/onsets.db plan {plan}",
    )
    return Recipe("plan", commands, copies=(plan,), targets=(plan,), share=3)


FORECAST = Recipe(
    "forecast",
    (
        "query next.json {healthy}/frames.db -k 3 --json",
        "mosaic next.json {healthy}/frames.db -o out.wav",
        "sequencer forecast {healthy}/lstm.model next.json --steps 4 -o more.json",
    ),
    copies=("next.json",),
    targets=("next.json",),
    share=3,
)
TABLES = ("demiurge.json", "table.csv", "table.npz", "table.parquet")


def table_recipe(table: str, root: str = "sounds") -> Recipe:
    commands = (
        f"db import {table} new.db --root {{healthy}}/{root} --json",
        f"db import {table} frames.db",
        f"sequencer forecast {{healthy}}/lstm.model {table} --steps 2 -o more.json",
    )
    return Recipe("table", commands, copies=(table, "frames.db"), targets=(table,), share=2)


def model_recipe(kind: str, model: str, commands: tuple[str, ...], share: int = 1) -> Recipe:
    """Return cases of a model's config and weights, or of its state of training."""
    files = ("config.json", "config.json", "model.safetensors")
    names = files if kind == "config" else ("training.pt",)
    targets = tuple(f"{model}/{name}" for name in names)
    return Recipe(kind, commands, copies=(model,), targets=targets, share=share)


def forecaster_commands(model: str) -> tuple[str, ...]:
    return (
        f"sequencer forecast {model} {{healthy}}/seed.wav --steps 4 -o more.json",
        f"sequencer evaluate {model} {{healthy}}/frames.db",
        f"render {{healthy}}/seed.wav {{healthy}}/frames.db {model} -o out.wav --seconds 1",
        f"page {{healthy}}/frames.db models {model}",
    )


GENERATE = "synth generate {generator} {vocoder} out --seconds 1 --workers 1"
RESUME = "--resume --batch-size 1 --steps 3"


def generator_commands(model: str) -> tuple[str, ...]:
    vocoder = "{healthy}/vocos.vocoder"
    plain = GENERATE.format(generator=model, vocoder=vocoder)
    start = f"synth train-generator {{healthy}}/sounds new.generator --from {model} --steps 1"
    return (plain, plain, f"{start} --batch-size 1")


def published_recipe(name: str, options: str = "", more: tuple[str, ...] = ()) -> Recipe:
    """Return cases of a published checkpoint, its config, and `more` files that go with it."""
    command = f"synth import {name}.pt new.model --config {name}.json {options}"
    files = (f"{name}.pt", f"{name}.json", *more)
    return Recipe("config", (command,), copies=files, targets=(f"{name}.json", *files))


CONFIGS = (
    model_recipe("config", "lstm.model", forecaster_commands("lstm.model")),
    model_recipe("config", "transformer.model", forecaster_commands("transformer.model")),
    model_recipe("config", "tokens.model", forecaster_commands("tokens.model")),
    model_recipe(
        "config",
        "contrast.model",
        ("render {healthy}/seed.wav {healthy}/onsets.db contrast.model -o out.wav --seconds 1",),
    ),
    model_recipe(
        "config",
        "vocos.vocoder",
        (
            "synth resynth {healthy}/seed.wav vocos.vocoder -o out.wav",
            "synth train-vocoder {healthy}/sounds new.vocoder --from vocos.vocoder --steps 1"
            " --batch-size 1",
        ),
    ),
    model_recipe(
        "config",
        "my.codec",
        (
            "synth resynth {healthy}/seed.wav codec:my.codec --codebooks 2 -o out.wav",
            "synth train-codec {healthy}/sounds new.codec --from my.codec --size small --steps 1"
            " --batch-size 1",
        ),
    ),
    model_recipe("config", "flow.generator", generator_commands("flow.generator")),
    model_recipe("config", "unagan.generator", generator_commands("unagan.generator")),
    Recipe(
        "config",
        ("synth train-generator {healthy}/sounds new.generator --size sizes.json --steps 1",),
        copies=("sizes.json",),
        targets=("sizes.json",),
    ),
    *map(published_recipe, ("hifigan_layout", "melgan_layout")),
    published_recipe("unagan_layout", "--statistics mean.npy std.npy", ("mean.npy", "std.npy")),
)
STATES = (
    model_recipe(
        "state",
        "lstm.model",
        (
            "sequencer train {healthy}/frames.db lstm.model --architecture lstm --head mixture"
            " --epochs 2 --window 16 --resume",
        ),
    ),
    model_recipe(
        "state",
        "contrast.model",
        ("sequencer train {healthy}/onsets.db contrast.model --epochs 2 --window 16 --resume",),
    ),
    model_recipe(
        "state",
        "vocos.vocoder",
        (f"synth train-vocoder {{healthy}}/sounds vocos.vocoder {RESUME}",),
    ),
    model_recipe(
        "state",
        "my.codec",
        (f"synth train-codec {{healthy}}/sounds my.codec {RESUME}",),
    ),
    model_recipe(
        "state",
        "flow.generator",
        (f"synth train-generator {{healthy}}/sounds flow.generator {RESUME}",),
    ),
    model_recipe(
        "state",
        "unagan.generator",
        (f"synth train-generator {{healthy}}/sounds unagan.generator {RESUME}",),
    ),
)
MODELS = {"generator": "{healthy}/old.generator", "vocoder": "{healthy}/old.vocoder"}
GENERATED = Recipe(
    "generated",
    (
        "synth generate {generator} {vocoder} generated --seconds 1 --minutes 0.05"
        " --workers 1".format(**MODELS),
        "synth generate {generator} {vocoder} generated --seconds 1 --minutes 0.06"
        " --workers 1 --json".format(**MODELS),
        "synth generate {generator} {vocoder} generated --seconds 1 --random-seed 2"
        " --workers 1 --force".format(**MODELS),
    ),
    copies=("generated",),
    targets=(*("generated/manifest.jsonl",) * 5, "generated/generated-000001.flac"),
    share=2,
)
REQUEST = Recipe(
    "request",
    ("page {healthy}/frames.db requests page.requests",)
    + ("page {healthy}/onsets.db requests page.requests",) * 2,
    copies=("page.requests",),
    targets=("page.requests",),
    share=3,
)
RECORDS = Recipe(
    "request",
    ("page {healthy}/onsets.db records page",),
    copies=("page",),
    targets=("page/seeds/*.json", "page/jobs/*/job.json", "page/jobs/*/*.plan.json"),
)

RECIPES = (
    Recipe("audio", AUDIO, picks="audio/*", share=16),
    database_recipe("frames.db", "lstm.model"),
    database_recipe("onsets.db", "contrast.model"),
    *map(plan_recipe, PLANS),
    FORECAST,
    *map(table_recipe, TABLES),
    table_recipe("original.json", "tabla"),
    *CONFIGS,
    *STATES,
    GENERATED,
    REQUEST,
    RECORDS,
)
