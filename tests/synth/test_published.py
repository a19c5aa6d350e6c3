"""Published checkpoints: imported, saved and loaded they give the published output; what does not
fit is refused by name.
"""

import json
import os
import pickle

import numpy as np
import pytest
import torch

from files.errors import CheckpointError, ParameterError
from synth.generator import load_generator
from synth.mel import PRESETS
from synth.published import import_published
from synth.published_files import read_statistic
from synth.vocoder import Vocoder

ARCHITECTURES = {"hifigan_v2": "hifigan-v2", "hifigan_v3": "hifigan-v3", "melgan": "melgan"}


@pytest.fixture
def files(fixtures):
    """Checkpoint and config of a fixture."""
    return lambda name: (fixtures / f"{name}_layout.pt", fixtures / f"{name}_layout.json")


@pytest.fixture
def changed(files, tmp_path):
    """A fixture's files after `of_state` and `of_config` have changed what they hold."""

    def change(name, of_state=lambda state: state, of_config=lambda values: values):
        checkpoint, config = files(name)
        torch.save(of_state(torch.load(checkpoint, weights_only=True)), tmp_path / "g.pt")
        (tmp_path / "config.json").write_text(json.dumps(of_config(json.loads(config.read_text()))))
        return tmp_path / "g.pt", tmp_path / "config.json"

    return change


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vocoder_gives_the_published_audio_after_import_save_and_load(
    name, files, fixtures, tmp_path
):
    imported = import_published(*files(name))
    assert imported.architecture == ARCHITECTURES[name]
    assert imported.mel == PRESETS["melgan" if name == "melgan" else "hifigan"]
    assert all(parameter.requires_grad for parameter in imported.parameters())
    imported.save(tmp_path / "model")
    data = np.load(fixtures / f"{name}_layout.npz")
    with torch.inference_mode():
        audio = Vocoder.load(tmp_path / "model")(torch.from_numpy(data["mel"]))
    np.testing.assert_allclose(audio, data["audio"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("layout", ["hierarchical", "nonhierarchical"])
def test_unagan_gives_the_published_mel_after_import_save_and_load(
    layout, files, fixtures, tmp_path
):
    np.save(tmp_path / "mean.npy", np.linspace(-3, -1, 80, dtype=np.float32))
    np.save(tmp_path / "std.npy", np.linspace(0.5, 1.5, 80).reshape(1, 80, 1))
    statistics = (tmp_path / "mean.npy", tmp_path / "std.npy")
    imported = import_published(*files(f"unagan_{layout}"), statistics=statistics)
    assert "note" not in imported.training_summary
    imported.save(tmp_path / "model")
    loaded = load_generator(tmp_path / "model")
    data = np.load(fixtures / f"unagan_{layout}_layout.npz")
    with torch.inference_mode():
        scores = loaded.network(torch.from_numpy(data["z"]))
        mel = loaded.denormalise(scores)
    np.testing.assert_allclose(scores, data["mel"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(mel[:, -1], 1.5 * data["mel"][:, -1] - 1, rtol=0, atol=2e-4)
    assert loaded.mel == PRESETS["melgan"]


def test_unagan_without_statistics_says_that_its_mels_are_normalised(files):
    imported = import_published(*files("unagan_hierarchical"))
    assert "normalised mel" in imported.training_summary["note"]
    assert torch.equal(imported.mean, torch.zeros(80))
    assert torch.equal(imported.std, torch.ones(80))
    assert imported.sample(20, random_seeds=[0]).shape == (1, 80, 20)


def test_bare_and_already_folded_hifigan_states_give_the_same_weights(changed, files):
    def fold(state):
        return import_published(*files("hifigan_v2")).network.state_dict()

    whole = import_published(*files("hifigan_v2")).network.state_dict()
    for of_state in (lambda state: state["generator"], fold):
        again = import_published(*changed("hifigan_v2", of_state)).network.state_dict()
        assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


def test_half_precision_becomes_float32(changed):
    vocoder = import_published(
        *changed("melgan", lambda state: {name: t.half() for name, t in state.items()})
    )
    assert {parameter.dtype for parameter in vocoder.parameters()} == {torch.float32}


def test_mel_settings_are_those_of_the_config(changed):
    values = {
        "sampling_rate": 44100,
        "n_fft": 2048,
        "win_size": 2048,
        "fmin": 40,
        "fmax": None,
        "num_gpus": 4,
    }
    mel = import_published(*changed("hifigan_v3", of_config=lambda v: {**v, **values})).mel
    assert (mel.sample_rate, mel.n_fft, mel.f_min, mel.f_max, mel.hop_length) == (
        44100,
        2048,
        40.0,
        22050.0,
        256,
    )
    mel = import_published(
        *changed("melgan", of_config=lambda v: {**v, "sampling_rate": 16000})
    ).mel
    assert (mel.sample_rate, mel.f_max, mel.log) == (16000, 8000.0, "log10")


class Hostile:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("dump", [lambda o, path: path.write_bytes(pickle.dumps(o, 2)), torch.save])
def test_code_in_a_checkpoint_is_refused_and_never_run(dump, files, tmp_path):
    dump({"generator": Hostile(tmp_path / "made_by_code")}, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match="never run"):
        import_published(tmp_path / "g.pt", files("hifigan_v2")[1])
    assert not (tmp_path / "made_by_code").exists()


@pytest.mark.parametrize("length", [0, 10, 5000])
def test_truncated_checkpoint_raises(length, files, tmp_path):
    checkpoint, config = files("hifigan_v2")
    (tmp_path / "g.pt").write_bytes(checkpoint.read_bytes()[:length])
    with pytest.raises(
        CheckpointError,
        match=r"g\.pt: damaged, or holds code, which is never run; give",
    ):
        import_published(tmp_path / "g.pt", config)


def without(*names):
    return lambda state: {name: tensor for name, tensor in state.items() if name not in names}


@pytest.mark.parametrize(
    ("name", "of_state", "message"),
    [
        (
            "hifigan_v2",
            lambda s: {"mpd": {}, "steps": 3},
            "holds mpd, steps, not the weights of a generator",
        ),
        ("hifigan_v2", lambda s: [1], "holds a list, not the weights"),
        ("melgan", lambda s: {}, "are not those of a HiFi-GAN, MelGAN or UNAGAN"),
        (
            "melgan",
            lambda s: {"encoder.weight": torch.ones(3)},
            r"its weights \(encoder.weight\) are not those",
        ),
        (
            "melgan",
            without("model.3.bias"),
            "lacks model.3.bias; give the config.json of this model",
        ),
        (
            "melgan",
            without("model.3.weight_g"),
            "lacks model.3.weight and has unknown model.3.weight_v",
        ),
        ("unagan_hierarchical", lambda s: {**s, "extra": torch.ones(1)}, "has unknown extra;"),
        (
            "unagan_hierarchical",
            lambda s: {**s, "head0.bias": torch.ones(3)},
            r"head0.bias has shape \(3,\), but .* implies \(80,\)",
        ),
        (
            "unagan_hierarchical",
            lambda s: {**s, "head0.bias": torch.full((80,), torch.nan)},
            "head0.bias holds NaN",
        ),
        (
            "melgan",
            lambda s: {**s, "model.1.weight_v": 0 * s["model.1.weight_v"]},
            "model.1.weight holds NaN",
        ),
    ],
)
def test_weights_that_do_not_fit_raise(name, of_state, message, changed):
    with pytest.raises(CheckpointError, match=message):
        import_published(*changed(name, of_state))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "hifigan_v2",
            {"upsample_initial_channel": 64},
            r"conv_pre.weight has shape \(32, 80, 7\), but .* implies \(64, 80, 7\)",
        ),
        (
            "hifigan_v2",
            {"upsample_initial_channel": 1 << 28},
            "channels=268435456 must be an integer from 1 to 16384",
        ),
        (
            "hifigan_v2",
            {"upsample_initial_channel": 33},
            "channels=33 must be a multiple of 16",
        ),
        (
            "hifigan_v2",
            {"resblock": "2"},
            r"lacks resblocks.0.convs.0.bias, .* and \d+ more and has unknown",
        ),
        ("hifigan_v2", {"resblock": "3"}, "resblock=.3. .*; write there the sizes"),
        ("hifigan_v2", {"win_size": 800}, "win_size=800 must be n_fft=1024"),
        ("hifigan_v2", {"hop_size": 128}, "gives 256 samples a frame, the mel's hop_length is 128"),
        ("hifigan_v2", {"fmax": 20000}, "end at 11025"),
        (
            "hifigan_v2",
            {"upsample_rates": "8822"},
            "upsample_rates=.*8822.* must be a list",
        ),
        (
            "hifigan_v2",
            {"resblock_dilation_sizes": [1, 3, 5]},
            "resblock_dilation_sizes.0.=1 must be a list",
        ),
        ("melgan", {"ratios": [8, 8, 4]}, "lacks .* and has unknown"),
        ("melgan", {"sampling_rate": "22050"}, "sampling_rate=.*22050.* must be an integer"),
        (
            "unagan_hierarchical",
            {"z_scale_factors": []},
            "lacks body.0.bias, .* and has unknown block0",
        ),
        ("unagan_hierarchical", {"num_groups": 5}, "width=32 must be a multiple of groups=5"),
    ],
)
def test_sizes_that_do_not_fit_raise(name, values, message, changed):
    with pytest.raises(CheckpointError, match=message):
        import_published(*changed(name, of_config=lambda v: {**v, **values}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ngf: 32", "line 1, column 5: invalid character"),
        ("[8]", ".* must be an object"),
        ('{"ngf": 4, "ratios": [8, 8, 2, 2]}', "n_mel_channels is missing"),
    ],
)
def test_config_that_does_not_tell_the_sizes_raises(text, message, files, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        import_published(files("melgan")[0], tmp_path / "config.json")


def test_missing_files_raise(files, tmp_path):
    checkpoint, config = files("melgan")
    with pytest.raises(CheckpointError, match=r"g\.pt: cannot be read .No such file"):
        import_published(tmp_path / "g.pt", config)
    with pytest.raises(CheckpointError, match=r"no\.json: cannot be read \(No such file"):
        import_published(checkpoint, tmp_path / "no.json")


def test_statistics_that_do_not_fit_raise(files, tmp_path):
    paths = (tmp_path / "mean.npy", tmp_path / "std.npy")
    for std, message in (
        (np.ones(79), "std.npy: must hold 80 numbers"),
        (np.zeros(80), "standard deviation positive"),
        (
            np.array([Hostile(tmp_path / "made_by_code")] * 80),
            "std.npy: must hold 80 numbers",
        ),
    ):
        for path, values in zip(paths, (np.ones(80), std), strict=True):
            np.save(path, values)
        with pytest.raises(CheckpointError, match=message):
            import_published(*files("unagan_hierarchical"), statistics=paths)
    assert not (tmp_path / "made_by_code").exists()
    with pytest.raises(ParameterError, match="statistics go with a UNAGAN"):
        import_published(*files("melgan"), statistics=paths)


@pytest.mark.parametrize("header", [b"{'descr': ('<f4',\n", b"{'descr' '<f4'}\n", b"\n"])
def test_statistics_with_a_damaged_header_are_refused(header, tmp_path):
    path = tmp_path / "std.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(320))
    with pytest.raises(CheckpointError, match=r"std.npy: not a .npy file of numbers; give the"):
        read_statistic(path, 80)
