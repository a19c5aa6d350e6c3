"""demiurge synth as people run it: on bundled recordings, at toy sizes."""

import dataclasses
import json
import re
import shlex
import signal
import sys
from types import SimpleNamespace

import click
import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from synth.architectures import ARCHITECTURES
from synth.codec_options import CodecOptions
from synth.codecs.mel_codec_sizes import MelCodecSizes
from synth.flow import FlowConfig
from synth.flow_generator import FlowGenerator
from synth.flow_options import FlowOptions
from synth.flow_sizes import FlowSizes
from synth.generator import load_generator
from synth.mel import PRESETS
from synth.musicnn import Musicnn
from synth.train import AudioTrainingSummary
from synth.train_vocoder import VocoderOptions, VocoderTraining
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder

QUICK = ("--batch-size", 1)
TOY_SIZES = {"width": 8, "discriminator_width": 16, "clip_frames": 128, "cycle": False}
TOY_FLOW = {"width": 64, "layers": 1, "clip_frames": 256}
UNAGAN = ("--architecture", "unagan")
COMMANDS = main.commands["synth"].commands
MEL = PRESETS["22k"]


def run(line, *more, expect=0) -> SimpleNamespace:
    """Run a command of synth: a line of words, then words as they are."""
    result = CliRunner().invoke(main, ["synth", *shlex.split(line), *map(str, more)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return SimpleNamespace(out=result.stdout, err=result.stderr)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Bundled loops and pads, and toy models of equal mel settings."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "sounds").mkdir()
    for name in ("loop_amen", "ambi_choir", "guit_em9", "ambi_haunted_hum"):
        (folder / "sounds" / f"{name}.ogg").write_bytes((CORPUS_DIR / f"{name}.ogg").read_bytes())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Vocoder("vocos-small", MEL, config={"dim": 16, "intermediate_dim": 16}).save(
            folder / "vocoder"
        )
        generator = UnaganGenerator(UnaganConfig(z_channels=6, width=16), MEL)
    generator.set_statistics(torch.full((80,), -5.0), torch.full((80,), 2.0))
    generator.save(folder / "unagan")
    (folder / "toy.json").write_text(json.dumps(TOY_SIZES))
    (folder / "toy_flow.json").write_text(json.dumps(TOY_FLOW))
    return folder


@pytest.fixture
def embedding(monkeypatch):
    """A stand-in for MusiCNN: the spectrum of each 2 s, in 8 bands."""

    def embed(audio, sample_rate):
        length = min(2 * sample_rate, len(audio))
        windows = audio[: len(audio) // length * length].reshape(-1, length)
        bands = np.array_split(np.abs(np.fft.rfft(windows)), 8, axis=1)
        return np.log(np.stack([band.mean(axis=1) for band in bands], axis=1) + 1e-6)

    found = []
    network = SimpleNamespace(embed=embed, tags=np.exp)
    monkeypatch.setattr(Musicnn, "find", lambda folder: found.append(folder) or network)
    return found


def leaves(group: click.Group):
    for command in group.commands.values():
        yield from leaves(command) if isinstance(command, click.Group) else [command]


def test_every_command_speaks_json():
    for command in leaves(main.commands["synth"]):
        assert "as_json" in {parameter.name for parameter in command.params}, command.name


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("train-vocoder", VocoderOptions),
        ("train-generator", FlowOptions),
        ("train-codec", CodecOptions),
    ],
)
def test_defaults_of_training_are_those_of_the_library(name, made):
    defaults = dataclasses.asdict(made())
    for parameter in COMMANDS[name].params:
        told = re.search(r"\[default: ([\w.]+)\]", getattr(parameter, "help", None) or "")
        if told and parameter.name in defaults:
            assert told[1] == str(defaults[parameter.name]), parameter.name


def test_models_are_those_of_the_library():
    document = json.loads(run("models", "--json").out)
    assert list(document["vocoders"]) == list(ARCHITECTURES)
    assert document["generators"]["flow"]["small"] == dataclasses.asdict(FlowSizes())
    assert document["codecs"] == {"small": dataclasses.asdict(MelCodecSizes())}
    assert document["shipped"]["vocoder"][0] == "vocoder"
    assert document["shipped"]["codec"] == ["codec"]
    said = run("models").out
    assert "vocoder melgan: channels 32, rates (8, 8, 2, 2), n_residual_layers 3\n" in said
    assert "generator unagan, size small: width 160, discriminator_width 160, " in said
    assert "codec, size small: stride 2, width 256, " in said
    assert "vocoders that come with Demiurge: shipped (vocoder)" in said


@pytest.mark.slow
def test_vocoder_is_trained_resumed_and_trained_on(work, tmp_path):
    model = tmp_path / "v"
    said = run(
        "train-vocoder", work / "sounds", model, "--steps", 2, "--segment-frames", 16, *QUICK
    )
    assert "vocos-small, best after" in said.out
    assert "of 2 steps" in said.out
    assert run("train-vocoder", work / "sounds", model, expect=2).err.endswith(
        "or --force to replace it\n"
    )
    arguments = (
        "train-vocoder",
        work / "sounds",
        model,
        "--segment-frames",
        16,
        *QUICK,
        "--resume",
        "--json",
    )
    document = json.loads(run(*arguments, "--steps", 3).out)
    assert (document["steps"], len(document["validation_losses"]), document["architecture"]) == (
        3,
        2,
        "vocos-small",
    )
    assert document["left_out"] == {}
    start = ("--from", model, "--segment-frames", 16, *QUICK)
    tuned = json.loads(
        run("train-vocoder", work / "sounds", tmp_path / "w", "--steps", 1, *start, "--json").out
    )
    assert tuned["validation_losses"][0] == pytest.approx(document["validation_loss"], rel=0.2)
    message = run(
        "train-vocoder", work / "sounds", tmp_path / "x", *start, "--mel", "44k", expect=2
    ).err
    assert "--mel: the model that --from names has its own; leave it out" in message


def test_files_that_cannot_be_used_are_named_and_the_model_is_kept(work, tmp_path):
    (tmp_path / "sounds" / "sub").mkdir(parents=True)
    for path in (work / "sounds").iterdir():
        (tmp_path / "sounds" / path.name).symlink_to(path)
    (tmp_path / "sounds" / "sub" / "bad.wav").write_bytes(b"no audio")
    sf.write(tmp_path / "sounds" / "mute.wav", np.zeros(30000), 44100)
    arguments = (
        "train-vocoder",
        tmp_path / "sounds",
        tmp_path / "v",
        "--steps",
        1,
        "--segment-frames",
        16,
        *QUICK,
    )
    said = run(*arguments, expect=1)
    assert "left out: mute.wav: silent" in said.err
    assert "left out: sub/bad.wav: not readable as audio" in said.err
    assert Vocoder.load(tmp_path / "v").architecture == "vocos-small"
    assert set(json.loads(run(*arguments, "--force", "--json", expect=1).out)["left_out"]) == {
        "mute.wav",
        "sub/bad.wav",
    }


def test_interrupted_training_ends_with_exit_status_1(work, tmp_path, monkeypatch):
    step = VocoderTraining.step
    monkeypatch.setattr(
        VocoderTraining, "step", lambda *given: signal.raise_signal(signal.SIGINT) or step(*given)
    )
    said = run(
        "train-vocoder", work / "sounds", tmp_path / "v", "--segment-frames", 16, *QUICK, expect=1
    ).out
    assert "best after 1 of 1 steps" in said
    assert "(interrupted; the best so far is kept, --resume continues)" in said


def test_training_that_made_nothing_better_says_so(work, tmp_path, monkeypatch):
    values = iter([1.08, 1.081])
    monkeypatch.setattr(VocoderTraining, "validate", lambda self, ema: {"distance": next(values)})
    arguments = (
        "train-vocoder",
        work / "sounds",
        tmp_path / "v",
        "--from",
        work / "vocoder",
        "--steps",
        1,
        *QUICK,
    )
    said = run(*arguments, "--segment-frames", 16).out
    assert (
        "still the weights that training started from: 1 steps did not improve them (1.080"
        " before, 1.081 now)" in said
    )


def test_training_goes_on_with_the_options_that_it_had(work, tmp_path):
    sizes = ("--segment-frames", 16, *QUICK)
    for kind, model, options in (
        ("vocoder", "v", sizes),
        ("generator", "g", ("--size", work / "toy.json", *UNAGAN, *QUICK)),
        ("generator", "f", ("--size", work / "toy_flow.json", *QUICK)),
    ):
        arguments = (f"train-{kind}", work / "sounds", tmp_path / model)
        run(*arguments, "--steps", 1, *options)
        assert json.loads(run(*arguments, "--resume", "--steps", 2, "--json").out)["steps"] == 2
        said = run(
            *arguments, "--resume", "--batch-size", 3, "--precision", "bfloat16", expect=2
        ).err
        assert (
            "was trained with batch_size 1 (not 3), precision float32 (not bfloat16); to resume,"
            " give the same" in said
        )
    wide = (
        "train-vocoder",
        work / "sounds",
        tmp_path / "w",
    )  # of sizes that are not the architecture's
    run(*wide, "--from", work / "vocoder", "--steps", 1, *sizes)
    assert json.loads(run(*wide, "--resume", "--steps", 2, "--json").out)["steps"] == 2


def test_sizes_are_as_named_or_as_in_a_file_and_what_is_given_beside_them_holds(
    work, monkeypatch, tmp_path
):
    made = []
    monkeypatch.setattr(
        "demiurge.cli.synth_training.run", lambda *given, **_: made.append(given[4])
    )
    sizes = ("width", "discriminator_width", "clip_frames", "batch_size", "cycle")
    for size in ("small", "small", work / "toy.json"):
        given = ("--batch-size", 3) if made else ()
        run("train-generator", "sounds", tmp_path / "g", *UNAGAN, "--size", size, *given)
    assert [tuple(getattr(options, name) for name in sizes) for options in made] == [
        (160, 160, 128, 8, True),
        (160, 160, 128, 3, True),
        (8, 16, 128, 3, False),
    ]
    tiny = ("train-generator", "sounds", tmp_path / "g", "--size", "tiny")
    said = run(*tiny, *UNAGAN, expect=2).err
    assert "size 'tiny' is not known; choose published or small, or give a file" in said
    assert "size 'tiny' is not known; choose small, or give a file" in run(*tiny, expect=2).err


def test_a_generator_of_other_mels_says_that_it_needs_a_vocoder_of_its_own(tmp_path):
    (tmp_path / "none").mkdir()
    none = (tmp_path / "none", tmp_path / "g")
    said = run("train-generator", *none, "--mel", "hifigan", expect=2).err
    assert (
        "mono audio at 22050 Hz, nothing above 8 kHz; it needs a vocoder that is trained with"
        " the same --mel\n" in said
    )


def test_folders_in_the_wrong_order_are_refused_and_nothing_but_models_is_replaced(work, tmp_path):
    for force in ((), ("--force",)):
        said = run("train-generator", work / "unagan", work / "sounds", *force, expect=2).err
        assert "unagan holds a model, not audio files; the order is AUDIO_DIR MODEL" in said
        said = run("train-vocoder", work / "sounds", work, *force, expect=2).err
        assert (
            f"{work.name} exists and holds no model; it is not replaced, even with --force" in said
        )
    (tmp_path / "empty").mkdir()
    run(
        f"train-vocoder {work / 'sounds'} {tmp_path / 'empty'} --steps 1 --segment-frames 16",
        *QUICK,
    )
    assert Vocoder.load(tmp_path / "empty").architecture == "vocos-small"


def test_missing_wandb_is_told_before_anything_is_decoded(work, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr("synth.train.open_dataset", None)
    said = run("train-vocoder", work / "sounds", tmp_path / "v", "--track", "wandb", expect=2).err
    assert "W&B is not installed" in said
    assert not (tmp_path / "v").exists()


def test_of_several_processes_only_the_first_speaks(work, tmp_path, monkeypatch):
    loop = {
        "steps": 1,
        "epochs": 1,
        "best_epoch": 1,
        "best_step": 1,
        "validation_loss": 2.0,
        "validation_losses": [2.0],
        "baselines": {"Griffin-Lim": 1.5},
    }
    loop |= {"seconds": 1.0, "wait_share": 0.0}
    data = {"train_seconds": 9.0, "validation_seconds": 3.0, "n_padded": 1, "left_out": {}}
    summary = AudioTrainingSummary(**loop, **data, stopped_by="steps", architecture="vocos")
    monkeypatch.setattr("synth.train_vocoder.train_vocoder", lambda *_, **__: summary)
    (tmp_path / "v").mkdir()
    monkeypatch.setenv("RANK", "1")
    assert run("train-vocoder", work / "sounds", tmp_path / "v") == SimpleNamespace(out="", err="")
    monkeypatch.setenv("RANK", "0")
    said = run("train-vocoder", work / "sounds", tmp_path / "v", "--force")
    assert "followed by silence: 1\n" in said.out
    assert "lower is better; Griffin-Lim: 1.500\n" in said.out
    assert said.out.endswith(f"next: demiurge synth resynth AUDIO {tmp_path / 'v'} -o again.wav\n")
    assert said.err == f"{tmp_path / 'v'}: for mono audio at 22050 Hz, nothing above 11.025 kHz\n"


def test_unagan_is_trained_and_trained_on(work, tmp_path):
    arguments = (
        "train-generator",
        work / "sounds",
        tmp_path / "g",
        *UNAGAN,
        "--steps",
        1,
        "--size",
        work / "toy.json",
        *QUICK,
    )
    said = run(*arguments)
    assert "unagan, best after 1 of 1 steps" in said.out
    assert (
        f"next: demiurge synth generate {tmp_path / 'g'} shipped generated --minutes 1\n"
        in said.out
    )
    assert load_generator(tmp_path / "g").config == UnaganConfig(width=8)
    start = ("--from", tmp_path / "g", "--size", work / "toy.json", *QUICK, "--steps", 1)
    assert (
        json.loads(run("train-generator", work / "sounds", tmp_path / "h", *start, "--json").out)[
            "steps"
        ]
        == 1
    )
    assert load_generator(tmp_path / "h").config == UnaganConfig(width=8)
    message = run(
        "train-generator", work / "sounds", tmp_path / "i", *start, "--n-mels", 8, expect=2
    ).err
    assert "--n-mels: the model that --from names has its own" in message


def test_flow_is_trained_resumed_and_trained_on(work, tmp_path):
    flow = tmp_path / "f"
    start = ("train-generator", work / "sounds", flow)
    toy = ("--size", work / "toy_flow.json", *QUICK)
    said = run(*start, "--steps", 1, *toy)
    assert "flow, best after 1 of 1 steps" in said.out
    assert f"next: demiurge synth generate {flow} shipped generated --minutes 1\n" in said.out
    assert load_generator(flow).config.width == 64
    assert json.loads(run(*start, "--resume", "--steps", 2, "--json").out)["steps"] == 2
    tuned = ("train-generator", work / "sounds", tmp_path / "h", "--from", flow, "--steps", 1)
    run(*tuned, "--batch-size", 1)
    assert load_generator(tmp_path / "h").config == load_generator(flow).config
    assert load_generator(tmp_path / "h").window_frames == 256
    assert load_generator(flow).sample(50, random_seeds=[0]).shape == (1, 80, 50)


def test_architectures_and_kinds_are_not_mixed(work, tmp_path):
    toy = ("--size", work / "toy_flow.json", *QUICK)
    flow = ("train-generator", work / "sounds", tmp_path / "f")
    run(*flow, "--steps", 1, *toy)
    said = run(*flow, *UNAGAN, "--resume", expect=2).err
    assert "was trained with architecture flow (not unagan); to resume, give the same" in said
    said = run(*flow, "--resume", "--from", work / "unagan", expect=2).err
    assert "was trained with architecture flow (not unagan); to resume, give the same" in said
    said = run(*flow, "--from", work / "unagan", "--force", *UNAGAN, expect=2).err
    assert "--architecture: the model that --from names has its own; leave it out" in said
    said = run("train-vocoder", work / "sounds", tmp_path / "f", "--resume", expect=1).err
    assert "f holds the training of a generator, not of a vocoder; resume another model" in said
    said = run(
        "train-generator", work / "sounds", tmp_path / "g", "--size", work / "toy.json", expect=2
    )
    assert "unknown cycle, discriminator_width; the sizes of this architecture are" in said.err


def test_generate_fills_a_folder_and_goes_on(work, tmp_path):
    models = (work / "unagan", work / "vocoder")
    for name in ("a", "b"):
        run(
            "generate",
            *models,
            tmp_path / name,
            "--minutes",
            0.05,
            "--seconds",
            1.5,
            "--random-seed",
            3,
            "--workers",
            1,
        )
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len([name for name in files if name.endswith(".flac")]) == 2
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for name in files
    )
    arguments = (
        "generate",
        *models,
        tmp_path / "a",
        "--minutes",
        0.075,
        "--seconds",
        1.5,
        "--workers",
        1,
    )
    document = json.loads(run(*arguments, "--random-seed", 3, "--json").out)
    assert (document["made"], document["kept"], document["failed"]) == (1, 2, [])
    run(*arguments, "--random-seed", 4, expect=2)
    assert "3 files made" in run(*arguments, "--random-seed", 4, "--force").out


def test_generate_refuses_models_of_other_mels(work, tmp_path):
    Vocoder("hifigan-v2", PRESETS["hifigan"], config={"channels": 16}).save(tmp_path / "v")
    message = run(
        "generate", work / "unagan", tmp_path / "v", tmp_path / "out", "--minutes", 1, expect=2
    ).err
    assert "mel f_max is 11025.0 in the generator unagan and 8000.0 in the vocoder v" in message
    assert (
        "no model here"
        in run(
            "generate", "shipped_", tmp_path / "v", tmp_path / "out", "--minutes", 1, expect=1
        ).err
    )


def test_resynth_keeps_length_and_channels(work, tmp_path, tabla):
    stereo = np.stack([tabla, 0.5 * tabla[::-1]], axis=1)
    sf.write(tmp_path / "in.wav", stereo, 44100)
    document = json.loads(
        run(
            "resynth", tmp_path / "in.wav", work / "vocoder", "-o", tmp_path / "o.wav", "--json"
        ).out
    )
    samples, rate = sf.read(tmp_path / "o.wav")
    assert (samples.shape, rate) == ((22050, 2), 22050)
    assert document == {
        "file": str(tmp_path / "o.wav"),
        "seconds": 1.0,
        "sample_rate": 22050,
        "channels": 2,
        "gain": document["gain"],
    }
    assert 0 < np.abs(samples).max() <= 1
    assert (
        "exists"
        in run(
            "resynth", tmp_path / "in.wav", work / "vocoder", "-o", tmp_path / "o.wav", expect=2
        ).err
    )
    assert (
        "1.00 s at 22050 Hz"
        in run("resynth", tmp_path / "in.wav", work / "vocoder", "-o", tmp_path / "o.flac").out
    )
    assert (
        "suffix"
        in run(
            "resynth", tmp_path / "in.wav", work / "vocoder", "-o", tmp_path / "o.mp3", expect=2
        ).err
    )


def test_import_makes_a_model_and_tells_what_it_is(fixtures, tmp_path):
    checkpoint = (
        fixtures / "hifigan_v3_layout.pt",
        tmp_path / "v",
        "--config",
        fixtures / "hifigan_v3_layout.json",
    )
    assert (
        "hifigan-v3 of 0.04 million parameters; 80 mel bands every 256 samples at 22050 Hz"
        in run("import", *checkpoint).out
    )
    assert "exists" in run("import", *checkpoint, expect=2).err
    document = json.loads(run("import", *checkpoint, "--force", "--json").out)
    assert (document["kind"], document["mel"]["f_max"], document["note"]) == (
        "vocoder",
        8000.0,
        None,
    )


def test_import_says_that_mels_without_statistics_are_normalised(fixtures, tmp_path):
    files = (
        fixtures / "unagan_hierarchical_layout.pt",
        tmp_path / "g",
        "--config",
        fixtures / "unagan_hierarchical_layout.json",
    )
    assert "normalised mel" in run("import", *files).out
    for name in ("mean", "std"):
        np.save(tmp_path / f"{name}.npy", np.full((1, 80, 1), 2.0))
    said = run(
        "import", *files, "--force", "--statistics", tmp_path / "mean.npy", tmp_path / "std.npy"
    ).out
    assert "normalised" not in said
    assert load_generator(tmp_path / "g").mean.unique().tolist() == [2.0]


def test_import_of_what_does_not_fit_leaves_nothing(fixtures, tmp_path):
    files = (
        fixtures / "melgan_layout.pt",
        tmp_path / "v",
        "--config",
        fixtures / "hifigan_v2_layout.json",
    )
    assert "n_mel_channels is missing" in run("import", *files, expect=1).err
    assert not (tmp_path / "v").exists()


def test_vocoders_are_evaluated_without_musicnn(work, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = run("evaluate", "vocoder", work / "vocoder", work / "sounds", "--seconds", 6, "--json")
    assert said.err == (
        "FAD, KAD and tags are left out; for them: pip install --no-deps musicnn==0.1.0, or"
        " --musicnn DIR\n"
    )
    toy, griffin_lim = json.loads(said.out)
    assert (toy["name"], toy["distances"]) == (str(work / "vocoder"), None)
    assert griffin_lim["mel_l1"] < toy["mel_l1"]  # better than random weights


def test_vocoders_are_evaluated_with_embeddings(work, embedding, tmp_path):
    arguments = (
        "evaluate",
        "vocoder",
        work / "vocoder",
        work / "sounds",
        "--seconds",
        6,
        "--musicnn",
        work,
    )
    said = run(*arguments, "--picture", tmp_path / "p.png").out
    assert embedding == [work]
    assert all(
        text in said
        for text in (
            "lower is better",
            "Griffin-Lim",
            "recordings, other half",
            "FAD of so few windows is too high",
        )
    )
    assert matplotlib.image.imread(tmp_path / "p.png").std() > 0.1
    assert "exists" in run(*arguments, "--picture", tmp_path / "p.png", expect=2).err


def test_recordings_that_cannot_be_evaluated_on_are_named(work, embedding, tmp_path):
    for folder in ("mine", "theirs"):
        (tmp_path / folder).mkdir()
        audio = np.concatenate(
            [sf.read(path, always_2d=True)[0][:, 0] for path in sorted((work / "sounds").iterdir())]
        )
        sf.write(tmp_path / folder / "long.wav", np.resize(audio, 82 * 44100), 44100)
    (tmp_path / "mine" / "bad.wav").write_bytes(b"no audio")
    (tmp_path / "theirs" / "mute.wav").write_bytes(b"")
    said = run(
        f"evaluate vocoder {work / 'vocoder'} {tmp_path / 'mine'} --seconds 6 --musicnn {work}"
        " --json",
        expect=1,
    )
    assert len(json.loads(said.out)) == 3
    assert f"left out: {tmp_path}/mine/bad.wav: not readable as audio" in said.err
    arguments = (
        "evaluate",
        "generator",
        work / "unagan",
        work / "vocoder",
        tmp_path / "mine",
        "--minutes",
        0.67,
    )
    said = run(*arguments, "--other", f"theirs={tmp_path / 'theirs'}", "--json", expect=1)
    names = {str(tmp_path / "mine" / "bad.wav"), str(tmp_path / "theirs" / "mute.wav")}
    assert set(json.loads(said.out)["left_out"]) == names
    assert all(name in said.err for name in names)


def test_generator_is_evaluated_next_to_other_recordings(work, embedding, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        audio = [
            sf.read(path, always_2d=True)[0][:, 0] for path in sorted((work / "sounds").iterdir())
        ]
        sf.write(
            tmp_path / name / "long.wav",
            0.5 * np.resize(np.concatenate(audio), 82 * 44100) + 0.01 * rng.random(),
            44100,
        )
    arguments = (
        "evaluate",
        "generator",
        work / "unagan",
        work / "vocoder",
        tmp_path / "mine",
        "--minutes",
        0.67,
    )
    said = run(*arguments, "--other", f"theirs={tmp_path / 'theirs'}")
    in_one_line = " ".join(said.out.split())  # long names of folders wrap the title
    assert all(
        name in in_one_line
        for name in (
            "lower is better",
            "best possible",
            "generated",
            "theirs",
            "white noise",
            "nearest recording",
            "KL of tags",
            "pulse clarity",
        )
    )
    assert "must be NAME=DIR" in run(*arguments, "--other", "theirs", expect=2).err
    assert "must be NAME=DIR" in run(*arguments, "--other", "a=x", "--other", "a=y", expect=2).err


def test_folders_are_compared(work, embedding, tmp_path):
    for name, sound in (("mine", "loop_amen"), ("theirs", "ambi_choir")):
        (tmp_path / name).mkdir()
        audio, rate = sf.read(work / "sounds" / f"{sound}.ogg", always_2d=True)
        sf.write(tmp_path / name / "long.wav", np.resize(audio[:, 0], 82 * rate), rate)
    line = f"evaluate folders {tmp_path / 'mine'} {tmp_path / 'theirs'} --minutes 0.67"
    said = run(line).out
    assert "4 clips of each set" in said
    assert re.search(r"theirs +│ \d+\.\d\d \(\d+\.\d\d…\d+\.\d\d\) │ \d+\.\d \(-?\d", said)
    found = json.loads(run(line, "--json").out)["distances"]
    assert list(found) == [f"{tmp_path / 'mine'}, other half", str(tmp_path / "theirs")]
    (tmp_path / "theirs" / "bad.wav").write_bytes(b"no audio")
    assert "left out: " in run(line, expect=1).err
    assert "given twice" in run(line, tmp_path / "mine", expect=2).err


def test_spans_are_filled_and_measured(work, embedding, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = FlowGenerator(FlowConfig(width=64, layers=1), MEL, window_frames=64)
    flow.set_statistics(torch.full((80,), -5.0), torch.full((80,), 2.0))
    flow.save(tmp_path / "flow")
    for name in ("loop_amen", "ambi_choir"):
        (tmp_path / "sounds").mkdir(exist_ok=True)
        audio, rate = sf.read(work / "sounds" / f"{name}.ogg", always_2d=True)
        sf.write(tmp_path / "sounds" / f"{name}.wav", np.resize(audio[:, 0], 19 * rate), rate)
    arguments = (work / "vocoder", tmp_path / "sounds", "--spans", 4)
    said = run("evaluate infilling", tmp_path / "flow", *arguments).out
    assert "4 spans of 1 s" in " ".join(said.split())  # a long name wraps the title
    assert "nearest passage" in said
    scores = json.loads(run("evaluate infilling", tmp_path / "flow", *arguments, "--json").out)
    assert list(scores["scores"]) == ["the recording", "generated", "nearest passage"]
    said = run("evaluate infilling", work / "unagan", *arguments, expect=2).err
    assert "which cannot fill spans; give a flow" in said


def test_generator_cannot_be_evaluated_without_musicnn(work, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = run(
        "evaluate", "generator", work / "unagan", work / "vocoder", work / "sounds", expect=1
    )
    assert "pip install --no-deps musicnn==0.1.0" in said.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one here")
def test_generate_on_a_device_that_is_not_there_says_so(work, tmp_path):
    message = run(
        f"generate {work / 'unagan'} {work / 'vocoder'} {tmp_path / 'out'} --minutes 1 --device"
        " cuda",
        expect=2,
    ).err
    assert "device='cuda' cannot be used here" in message
    assert "use --device cpu" in message
    assert not (tmp_path / "out").exists()


def test_resynth_does_not_write_over_its_recording(tmp_path, tabla):
    path = tmp_path / "in.wav"
    sf.write(path, tabla, 44100)
    before = path.read_bytes()
    message = run("resynth", path, "shipped", "-o", path, "--force", expect=2).err
    assert "is AUDIO itself; give the output another name" in message
    assert path.read_bytes() == before
