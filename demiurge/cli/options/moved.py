"""Commands and options of version 0.1.0 that have another name or another place now.

The error message for one names its replacement. The tables can be removed in the next version.
"""

RENDERING = ("render", "mosaic")
SEARCHING = ("render", "mosaic", "query")
SYNTH_TRAINING = ("synth train-vocoder", "synth train-generator")
RANDOM = (
    "demo",
    "sequencer train",
    "sequencer forecast",
    "sequencer evaluate",
    "sequencer compare",
    "synth generate",
    "synth evaluate vocoder",
    "synth evaluate generator",
    *SEARCHING,
    *SYNTH_TRAINING,
)
PLAYBACK = "is an option of demiurge playback now: render the plan again with it"
SIZE = "is a key in the file of --size FILE.json now"
PYTHON = "is set from Python now"

# what a command is now
MOVED_COMMANDS = {"synth train-unagan": "synth train-generator --architecture unagan"}
# commands, option, what to say after its name
MOVED: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (RANDOM, "--seed", "is --random-seed now"),
    (("mosaic", "query"), "--temperature", "is --path-temperature now"),
    (("sequencer train",), "--model", "is --architecture now"),
    (("render",), "--steps", "is gone: say how long with --seconds (43 frames are a second)"),
    (
        ("render",),
        "-k",
        "is gone: all units of passages that sound like the seed are considered",
    ),
    (("render",), "--top-p", "is an option of sequencer forecast only"),
    (("render",), "--rest-threshold", "is an option of mosaic and query only"),
    (SEARCHING, "--search", f"{PYTHON}: PathOptions(search=…) of query.options"),
    (RENDERING, "--index", "is an option of demiurge query now; here the best kind is chosen"),
    (SEARCHING, "--within", "is a condition now: --where 'start_s>=0.5' --where 'start_s<=2'"),
    (SEARCHING, "--length", "is a condition now: --where 'length_ms>=100'"),
    (SEARCHING, "--loudness", "is a condition now: --where 'loudness>=-30'"),
    (RENDERING, "--fade", PLAYBACK),
    (RENDERING, "--align", PLAYBACK),
    (RENDERING, "--keep-attacks", PLAYBACK),
    (RENDERING, "--fade-attacks", PLAYBACK),
    (RENDERING, "--match-level", PLAYBACK),
    (RENDERING, "--true-peak", PLAYBACK),
    (("sequencer train",), "--threads", f"{PYTHON}: ForecasterOptions(threads=…)"),
    (SYNTH_TRAINING, "--threads", "is gone: set OMP_NUM_THREADS"),
    (SYNTH_TRAINING, "--judge-steps", f"{PYTHON}: validate_steps=…"),
    (SYNTH_TRAINING, "--judge-minutes", f"{PYTHON}: validate_minutes=…"),
    (SYNTH_TRAINING, "--show-minutes", f"{PYTHON}: show_minutes=…"),
    (("synth train-vocoder",), "--adversarial-from", f"{PYTHON}: VocoderOptions"),
    (("synth train-generator",), "--adversarial-from", f"{SIZE}: adversarial_from"),
    (("synth train-generator",), "--width", f"{SIZE}: width"),
    (("synth train-generator",), "--adversary-width", f"{SIZE}: discriminator_width"),
    (("synth train-generator",), "--clip-frames", f"{SIZE}: clip_frames"),
    (("synth train-generator",), "--latent-order", f"{SIZE}: latent_order"),
    (("synth train-generator",), "--cycle", f"{SIZE}: cycle"),
    (("synth train-generator",), "--no-cycle", f"{SIZE}: cycle"),
)


def find_advice(command: str, option: str) -> str | None:
    """Return what replaces an option of a command; None if the command never had it."""
    for commands, moved, advice in MOVED:
        if moved == option and command in commands:
            return f"{option} {advice}"
    return None
