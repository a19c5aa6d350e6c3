"""What every generator does: any length, the same from the same seed, and from its checkpoint."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from files.errors import CheckpointError, ParameterError
from synth.flow import FlowConfig
from synth.flow_generator import N_STYLES, FlowGenerator
from synth.generated_header import make_header
from synth.generator import Generator, load_generator
from synth.mel import MelSettings
from synth.names import GENERATORS
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.synth.toys import MEL, TOY
from training.checkpoint import CONFIG, WEIGHTS


def unagan(mel: MelSettings, **sizes: object) -> UnaganGenerator:
    config = UnaganConfig(z_channels=6, width=16, **sizes)
    return UnaganGenerator(config, mel, latent_order=2, training={"steps": 3})


def flow(mel: MelSettings) -> FlowGenerator:
    config = FlowConfig(width=64, layers=1)
    made = FlowGenerator(config, mel, window_frames=64, training={"steps": 3})
    made.set_condition_statistics(torch.randn(N_STYLES, config.style_size), torch.randn(4, 2, 50))
    return made


MADE = {
    "flow": flow,
    "unagan": unagan,
    "unagan-nonhierarchical": lambda mel: unagan(mel, upsamplings=()),
}


@pytest.fixture(scope="module", params=MADE)
def generator(request) -> Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = MADE[request.param](MEL)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    made.set_statistics(torch.linspace(-6, -3, MEL.n_mels), torch.linspace(1, 2, MEL.n_mels))
    assert made.architecture == request.param
    return made.eval()


def test_all_are_tested():
    assert list(MADE) == list(GENERATORS)


@pytest.mark.parametrize("frames", [1, 63, 64, 150, 1500])
def test_any_length(generator, frames):
    mel = generator.sample(frames, random_seeds=[0])
    assert mel.shape == (1, MEL.n_mels, frames)
    assert mel.dtype == torch.float32
    assert mel.isfinite().all()
    assert mel.min() >= MEL.silence


def test_a_seed_decides_whatever_is_made_beside_it(generator):
    clips = generator.sample(100, random_seeds=[3, 5, 3])
    assert not torch.allclose(clips[0], clips[1])
    torch.testing.assert_close(clips[0], clips[2], rtol=0, atol=1e-4)
    alone = generator.sample(100, random_seeds=[5])
    assert torch.equal(alone, generator.sample(100, random_seeds=[5]))
    torch.testing.assert_close(alone[0], clips[1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("frames", [0, -1, 1.0, True])
def test_lengths_that_are_none_are_refused(generator, frames):
    with pytest.raises(ParameterError, match="frames=.* must be a positive integer"):
        generator.sample(frames, random_seeds=[0])


@pytest.mark.parametrize("seeds", [[], [-1], [0.5]])
def test_seeds_that_are_none_are_refused(generator, seeds):
    with pytest.raises(ParameterError, match="must be a list of integers of at least 0"):
        generator.sample(10, random_seeds=seeds)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 0.05), (torch.int8, 0.3)]
)
def test_checkpoint_gives_the_same_clips(generator, tmp_path, dtype, tolerance):
    generator.save(tmp_path, dtype=dtype)
    again = load_generator(tmp_path)
    assert type(again) is type(generator)
    assert (again.architecture, again.config, again.mel) == (
        generator.architecture,
        generator.config,
        MEL,
    )
    assert again.training_summary == {"steps": 3}
    assert not again.training
    assert {tensor.dtype for tensor in again.state_dict().values()} == {torch.float32}
    assert dtype in {tensor.dtype for tensor in load_file(tmp_path / WEIGHTS).values()}
    mels = [made.sample(100, random_seeds=[7]) for made in (generator, again)]
    torch.testing.assert_close(mels[1], mels[0], rtol=0, atol=tolerance)


def test_manifest_tells_generators_apart(generator, tmp_path):
    vocoder = Vocoder("vocos-small", MEL, config=TOY["vocos-small"])
    options = {"seconds": 1.0, "random_seed": 0, "names": ("g", "v"), "request": {}}
    generator.save(tmp_path)
    again = load_generator(tmp_path)
    before = make_header(generator, vocoder, **options)
    assert make_header(again, vocoder, **options) == before
    with torch.no_grad():
        next(again.network.parameters()).add_(0.01)
    assert make_header(again, vocoder, **options) != before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("std", 0.0, "std must be positive; train the model again or restore a copy"),
        ("mean", float("nan"), "mean holds NaN or infinite values; train the model again"),
        (
            "network",
            float("inf"),
            r"network\..* holds NaN or infinite values; train the model again",
        ),
    ],
)
def test_damaged_weights_are_refused(generator, tmp_path, name, value, message):
    generator.save(tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    next(tensor for key, tensor in sorted(tensors.items()) if key.startswith(name)).fill_(value)
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match=f"{tmp_path}: {message}"):
        load_generator(tmp_path)


def test_truncated_weights_are_refused(generator, tmp_path):
    generator.save(tmp_path)
    data = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=f"{WEIGHTS}: damaged.*; train the model again"):
        load_generator(tmp_path)


def changed_config(folder, **changes):
    config = json.loads((folder / CONFIG).read_text()) | changes
    config = {name: value for name, value in config.items() if value is not None}
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flow": None, "unagan": None, "wavenet": {}}, "holds none; train the model again"),
        ({"flow": {}, "unagan": {}}, "holds flow and unagan; train"),
        ({"mel": {**MEL.to_dict(), "n_mels": 21}}, "do not fit"),
        ({"mel": {"n_mels": 20}}, "mel settings .* are unknown or missing"),
        ({"training": None}, "damaged: training is missing"),
        ({"kind": "vocoder"}, "holds a vocoder, not a generator"),
    ],
)
def test_config_that_does_not_fit_is_refused(generator, tmp_path, changes, message):
    generator.save(tmp_path)
    changed_config(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_generator(tmp_path)
