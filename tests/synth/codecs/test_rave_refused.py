"""Files that are no exports of RAVE, damaged ones, and those that say too little of themselves."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from files.errors import AudioError, CheckpointError
from synth.open_codec import open_codec
from tests.synth.rave_toys import RaveV1, RaveV2, save_prior, save_rave, save_script


class NoRave(nn.Module):
    """A network with one method, that of every network."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Faulty(RaveV2):
    """It fails, or gives what it should not, above a level."""

    def __init__(self, fault: str) -> None:
        super().__init__(4, 0.0, streaming=False, has_prior=False)
        self.fault = fault

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        if self.fault == "raises":
            raise RuntimeError("the first line\nno such operation")
        z = self.sample(x)
        if self.fault == "short":
            return z[..., 1:]
        if self.fault == "nan" and bool((x > 1).any()):
            return z * float("nan")
        return z


@pytest.mark.parametrize("kind", ["prior", "msprior"])
def test_prior_is_refused_as_a_codec(tmp_path, kind):
    path = save_prior(tmp_path / "prior.ts", kind)
    with pytest.raises(
        CheckpointError, match=r"prior\.ts: a prior, .*; give the RAVE export that it was trained"
    ):
        open_codec(path)


def test_other_network_is_refused(tmp_path):
    path = save_script(tmp_path / "x.ts", NoRave())
    with pytest.raises(CheckpointError, match="its methods are none, those of a RAVE export"):
        open_codec(path)


def test_weights_without_code_are_refused(tmp_path):
    path = tmp_path / "weights.ts"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="an archive without code, no TorchScript; export"):
        open_codec(path)


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "changed"])
def test_damaged_file_is_refused_in_one_line(tmp_path, damage):
    path = save_rave(tmp_path / "x.ts", "v2")
    data = path.read_bytes()
    at = data.index(b"latent_mean") - 200
    damaged = {
        "empty": b"",
        "text": b"RAVE\n",
        "cut off": data[:-100],
        "changed": data[:at] + b"?" * 100 + data[at + 100 :],
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(CheckpointError, match=r"^[^\n]*x\.ts: [^\n]*damaged[^\n]*$"):
        open_codec(path)


def without_rate(path):
    model = RaveV1(4, 0.0, stereo=False)
    del model.sampling_rate
    return save_script(path, model)


def test_export_without_a_rate_says_where_to_write_it(tmp_path):
    path = without_rate(tmp_path / "x.ts")
    with pytest.raises(CheckpointError, match=r'write \{"sample_rate": 44100\},.* into .*x\.json'):
        open_codec(path)
    (tmp_path / "x.json").write_text(json.dumps({"sample_rate": 16000}))
    assert open_codec(path).sample_rate == 16000
    (tmp_path / "x.json").write_text(json.dumps({"sample_rate": 0}))
    with pytest.raises(CheckpointError, match=r"x\.json: .*sample_rate.*; write there"):
        open_codec(path)


def test_rate_inside_an_export_combined_with_its_prior_is_found(tmp_path):
    model = RaveV1(4, 0.0, stereo=False)
    inner = NoRave()
    inner.register_buffer("sampling_rate", model.sampling_rate)
    del model.sampling_rate
    model._rave = inner
    assert open_codec(save_script(tmp_path / "x.ts", model)).sample_rate == 8000


def test_rate_that_makes_no_sense_is_refused(tmp_path):
    model = RaveV1(4, 0.0, stereo=False)
    model.sampling_rate.zero_()
    with pytest.raises(CheckpointError, match="its sample rate is 0; it must be from 1"):
        open_codec(save_script(tmp_path / "x.ts", model))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("encode_params", [1, 1, 4], r"encode_params is \[1, 1, 4\], which must be channels"),
        ("encode_params", [1, 1, 4, 0], r"encode_params is \[1, 1, 4, 0\], which must be"),
        ("decode_params", [4, 32, 1, 1], "it encodes to 4 latents of 16 samples, but decodes 4 of"),
        ("decode_params", [4, 16, 1, 4], "encodes or decodes something else than audio"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(tmp_path, name, values, message):
    model = RaveV1(4, 0.0, stereo=False)
    setattr(model, name, torch.tensor(values))
    with pytest.raises(CheckpointError, match=message):
        open_codec(save_script(tmp_path / "x.ts", model))


def test_sizes_that_are_not_those_of_the_network_are_refused(tmp_path):
    path = save_script(tmp_path / "x.ts", Faulty("short"))
    with pytest.raises(CheckpointError, match=r"its method encode gives \(1, 4, 1023\), where its"):
        open_codec(path)


def test_method_that_fails_is_one_line(tmp_path):
    path = save_script(tmp_path / "x.ts", Faulty("raises"))
    with pytest.raises(CheckpointError, match=r"^[^\n]*encode failed \([^\n]*\); export it again$"):
        open_codec(path)


def test_latents_that_come_out_as_nan_are_refused(tmp_path):
    codec = open_codec(save_script(tmp_path / "x.ts", Faulty("nan")))
    assert codec.latents(np.zeros(16, np.float32)).shape == (1, 4)
    with pytest.raises(AudioError, match="its method encode gives NaN or infinite values; leave"):
        codec.latents(np.full(16, 2, np.float32))
