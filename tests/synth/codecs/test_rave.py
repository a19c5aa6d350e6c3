"""Exports of RAVE as codecs: what is found in them, exact lengths, no memory between sounds."""

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from files.errors import AudioError, CheckpointError, ParameterError
from synth.codecs import rave_model
from synth.codecs.rave_model import SHORTEST
from synth.open_codec import open_codec
from tests.synth.rave_toy_parts import FULL, HOP, RATE
from tests.synth.rave_toys import BOOKS, ENTRIES, KINDS, RaveV2, save_rave, save_script


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rave")


@pytest.fixture(scope="module")
def codecs(folder):
    return {kind: open_codec(save_rave(folder / f"{kind}.ts", kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def exact(folder):
    """Codecs without anything by chance."""
    return {
        kind: open_codec(save_rave(folder / f"exact_{kind}.ts", kind, latent_size=FULL, spread=0))
        for kind in ("v2", "streaming")
    }


def sound(n_samples=4000, seed=0, hertz=300):
    tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(n_samples) / RATE)
    noise = np.random.default_rng(seed).normal(0, 0.1, n_samples)
    return (tone + noise).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_rate_ratio_and_sizes_are_found(codecs, kind):
    codec = codecs[kind]
    is_discrete = kind == "discrete"
    assert (codec.sample_rate, codec.hop_length, codec.channels) == (RATE, HOP, 1)
    assert codec.n_latents == (FULL if is_discrete else 4)
    assert codec.n_codebooks == (BOOKS if is_discrete else 0)
    assert codec.codebook_size == (ENTRIES if is_discrete else 0)
    assert codec.details["version"] == (1 if kind == "v1" else 2)
    assert codec.model.is_streaming == (kind == "streaming")
    assert codec.name == f"rave {kind}.ts"
    assert len(codec.hash) == 32


def test_details_show_how_many_latents_are_used(codecs):
    assert codecs["v2"].details["latents_used"] == "4 of 8"
    assert codecs["v2"].details["fidelity"] == pytest.approx(0.6 + 0.4 * 3 / 7, abs=1e-4)
    assert codecs["streaming"].details["kind"] == "continuous, streaming"
    assert "latents_used" not in codecs["discrete"].details


@pytest.mark.parametrize("n_samples", [1, HOP - 1, HOP, HOP + 1, 4001])
@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_exact(codecs, kind, n_samples):
    codec = codecs[kind]
    latents = codec.latents(sound(n_samples))
    assert latents.shape == (-(-n_samples // HOP), codec.n_latents)
    audio = codec.decode(latents, n_samples=n_samples)
    assert audio.shape == (1, n_samples)
    assert latents.dtype == audio.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_decoded_is_not_late(codecs, kind):
    audio = sound()
    codec = codecs[kind]
    decoded = codec.decode(codec.latents(audio), n_samples=len(audio))[0]
    lags = range(-HOP, HOP + 1)
    agreement = [audio[100:-100] @ np.roll(decoded, -lag)[100:-100] for lag in lags]
    assert abs(lags[int(np.argmax(agreement))]) <= 1


def test_exports_that_keep_all_latents_restore_the_sound(exact):
    audio = sound()
    for kind, codec in exact.items():
        most = 0.1 if kind == "streaming" else 0.02  # its delay is measured to a sample or so
        decoded = codec.decode(codec.latents(audio), n_samples=len(audio))[0]
        below = np.fft.rfft(np.stack([decoded, audio]))[:, :400]  # up to 800 Hz
        rest = np.abs(below[0] - below[1]) ** 2
        assert rest.sum() < most * (np.abs(below[1]) ** 2).sum()


def test_windows_of_a_streaming_export_are_the_whole_bit_for_bit(exact, monkeypatch):
    codec = exact["streaming"]
    audio = sound(40_000)
    whole = codec.latents(audio)
    decoded = codec.decode(whole, n_samples=len(audio))
    monkeypatch.setattr(rave_model, "WINDOW_SECONDS", 0.7)
    np.testing.assert_array_equal(codec.latents(audio), whole)
    np.testing.assert_array_equal(codec.decode(whole, n_samples=len(audio)), decoded)


def test_windows_of_other_exports_are_the_whole(exact, monkeypatch):
    codec = exact["v2"]
    audio = sound(40_000)
    whole = codec.latents(audio)
    decoded = codec.decode(whole, n_samples=len(audio))
    monkeypatch.setattr(rave_model, "WINDOW_SECONDS", 0.7)
    monkeypatch.setattr(rave_model, "CONTEXT_SECONDS", 0.01)
    np.testing.assert_allclose(codec.latents(audio), whole, atol=1e-6)
    np.testing.assert_allclose(codec.decode(whole, n_samples=len(audio)), decoded, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_is_encoded_and_decoded_as_if_it_were_the_first(codecs, kind, folder):
    codec = codecs[kind]
    first, second = sound(), sound(3000, seed=1, hertz=700)
    codec.latents(first)
    after = codec.latents(second)
    codec.decode(codec.latents(first), n_samples=len(first))
    decoded = codec.decode(after, n_samples=len(second))
    alone = open_codec(folder / f"{kind}.ts")
    np.testing.assert_array_equal(alone.latents(second), after)
    np.testing.assert_array_equal(alone.decode(after, n_samples=len(second)), decoded)


class Recurrent(RaveV2):
    """It keeps its last latents, in a buffer that it replaces, of another shape."""

    def __init__(self) -> None:
        super().__init__(4, 0.0, streaming=False, has_prior=False)
        self.register_buffer("last", torch.zeros(1, 4, 5))

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        z = self.sample(x)
        before = self.last.mean(-1, keepdim=True)
        self.last = z[..., -2:].clone()
        return z + before


def test_state_that_is_replaced_is_set_back(tmp_path):
    codec = open_codec(save_script(tmp_path / "x.ts", Recurrent()))
    assert codec.model.is_streaming
    loud = np.concatenate([sound(SHORTEST), sound(seed=1)])
    first = codec.latents(loud)
    np.testing.assert_array_equal(codec.latents(loud), first)


def test_the_streaming_toy_itself_remembers(codecs):
    script = codecs["streaming"].model.script
    audio = torch.from_numpy(sound())[None, None]
    with script.seeded(0):
        first, second = (script.call("encode", audio) for _ in range(2))
    assert (first - second)[..., 0].abs().max() > 0.1


def test_chance_is_the_same_at_every_call_and_leaves_that_of_the_caller(codecs):
    codec = codecs["v2"]
    audio = sound()
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    latents = codec.latents(audio)
    decoded = codec.decode(latents, n_samples=len(audio))
    assert torch.equal(torch.randn(3), expected)
    np.testing.assert_array_equal(codec.latents(audio), latents)
    np.testing.assert_array_equal(codec.decode(latents, n_samples=len(audio)), decoded)
    own = torch.from_numpy(latents.T.copy())[None]
    first, second = (codec.model.script.call("decode", own) for _ in range(2))
    assert not torch.equal(first, second)


def test_codes_are_the_indices_of_the_export(codecs):
    codec = codecs["discrete"]
    audio = sound()
    codes = codec.encode(audio)
    assert codes.shape == (len(audio) // HOP, BOOKS)
    assert codes.dtype == np.int64
    script = codec.model.script
    own = script.call("encode", torch.from_numpy(audio)[None, None])
    np.testing.assert_array_equal(codes[:200], own[0].T[:200].long().numpy())
    decoded = codec.decode(codes, n_samples=len(audio))
    np.testing.assert_allclose(decoded, script.call("decode", own)[0].numpy(), atol=1e-6)


def test_latents_of_a_discrete_export_are_the_sums_of_its_entries(codecs):
    codec = codecs["discrete"]
    audio = sound()
    codes = codec.encode(audio)
    latents = codec.latents(audio)
    np.testing.assert_array_equal(codec.restore(codes), latents)
    assert (codec.quantise(latents) == codes).mean() > 0.99
    np.testing.assert_array_equal(codec.encode(audio, 2), codes[:, :2])


def test_fewer_codebooks_decode_to_something_less_like_the_sound(codecs):
    codec = codecs["discrete"]
    audio = sound()
    codes = codec.encode(audio)
    all_books = codec.decode(codes, n_samples=len(audio))
    errors = [
        np.square(codec.decode(codes[:, :n], n_samples=len(audio)) - all_books).mean()
        for n in range(1, BOOKS + 1)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 100 * errors[-2] > errors[-1] == 0


def test_discrete_export_without_codebooks_has_codes_only(folder, monkeypatch):
    monkeypatch.setattr("synth.codecs.rave_codebooks.find_codebooks", lambda *_: None)
    codec = open_codec(save_rave(folder / "hidden.ts", "discrete"))
    audio = sound()
    assert (codec.n_latents, codec.codebook_size) == (0, 1024)
    codes = codec.encode(audio)
    assert codec.decode(codes, n_samples=len(audio)).shape == (1, len(audio))
    for refused in (
        lambda: codec.latents(audio),
        lambda: codec.decode(codes[:, :2], n_samples=len(audio)),
        lambda: codec.decode(np.zeros((250, 0), np.float32), n_samples=len(audio)),
    ):
        with pytest.raises(ParameterError, match="has codes but no latents, as its codebooks"):
            refused()


def test_variational_export_has_no_codes(codecs):
    with pytest.raises(ParameterError, match="rave v2.ts has latents but no codebooks"):
        codecs["v2"].encode(sound())
    with pytest.raises(ParameterError, match="rave v2.ts has latents but no codebooks"):
        codecs["v2"].decode(np.zeros((1, 4), int), n_samples=HOP)


def test_stereo_export_decodes_mono_latents_to_two_channels(folder):
    codec = open_codec(save_rave(folder / "stereo.ts", "v1", stereo=True))
    assert codec.channels == 2
    audio = np.stack([sound(), sound(seed=1)])
    latents = codec.latents(audio)
    np.testing.assert_array_equal(latents, codec.latents(audio.mean(0)))
    decoded = codec.decode(latents, n_samples=4000)
    assert decoded.shape == (2, 4000)
    assert not np.array_equal(decoded[0], decoded[1])  # the cut latents are by chance in each


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.full(100, np.nan, np.float32), "NaN or infinite samples cannot be encoded"),
        (np.zeros(0, np.float32), "0 samples cannot be encoded by rave v2.ts"),
        (np.zeros((2, 100), np.float32), r"shape \(2, 100\) does not fit rave v2.ts"),
    ],
)
def test_sounds_that_cannot_be_encoded_are_refused(codecs, audio, message):
    with pytest.raises(AudioError, match=message):
        codecs["v2"].latents(audio)


def test_latents_of_other_shapes_or_values_are_refused(codecs):
    codec = codecs["v2"]
    for latents, message in (
        (np.zeros((2, 5), np.float32), r"must be \(frames, 4\)"),
        (np.full((2, 4), np.inf, np.float32), "hold NaN or infinite values"),
        (np.zeros((3, 4), np.float32), "3 frames of rave v2.ts cannot give 32 samples"),
    ):
        with pytest.raises(ParameterError, match=message):
            codec.decode(latents, n_samples=2 * HOP)


def test_loading_is_silent(folder, codecs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_codec(folder / "v2.ts")


def test_no_file_is_refused(folder):
    with pytest.raises(CheckpointError, match=r"none\.ts: no such file or folder; give"):
        open_codec(folder / "none.ts")
