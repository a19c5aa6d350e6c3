"""Published codecs at toy width against the classes of transformers, called directly."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import synth.codecs.published
import synth.hub_model
from files.errors import AudioError, CheckpointError, ParameterError
from synth.codec import Codec
from synth.open_codec import open_codec
from tests.synth import codec_toys

transformers = pytest.importorskip("transformers")
NAMES = ("encodec_24k", "encodec_48k", "dac", "mimi")
CLASSES = {"encodec_24k": "EncodecModel", "encodec_48k": "EncodecModel", "dac": "DacModel"}


class Direct(NamedTuple):
    """What a class of transformers gives."""

    codes: np.ndarray  # (frames, codebooks)
    audio: np.ndarray  # (channels, samples)


@pytest.fixture(scope="session")
def codecs(toy_codec) -> dict[str, Codec]:
    return {name: open_codec(toy_codec(name)) for name in NAMES}


@pytest.fixture(scope="session")
def models(toy_codec) -> dict[str, Any]:
    return {
        name: getattr(transformers, CLASSES.get(name, "MimiModel"))
        .from_pretrained(toy_codec(name), local_files_only=True)
        .eval()
        for name in NAMES
    }


def noise(codec: Codec, n_samples: int) -> np.ndarray:
    """Noise that swells and fades, so that its frames differ."""
    rng = np.random.default_rng(n_samples)
    level = np.repeat(rng.random(n_samples // 999 + 1), 999)[:n_samples]
    return (level * rng.normal(size=(codec.channels, n_samples)) * 0.3).astype(np.float32)


@torch.inference_mode()
def direct(model: Any, codec: Codec, audio: np.ndarray) -> Direct:
    """Pass audio, padded to whole hops, through the class."""
    x = F.pad(torch.from_numpy(audio), (0, -audio.shape[1] % codec.hop_length))[None]
    if not isinstance(model, transformers.EncodecModel):
        codes = model.encode(x).audio_codes
        sound = model.decode(audio_codes=codes).audio_values
        return Direct(codes[0].T.numpy(), sound.reshape(1, -1).numpy())
    if model.config.normalize:
        model.config.overlap = 0.0
    given = model.encode(x, bandwidth=3.6)
    sound = model.decode(*given.to_tuple()[:2], last_frame_pad_length=given.last_frame_pad_length)
    codes = given.audio_codes[:, 0].transpose(1, 2).flatten(0, 1)
    return Direct(codes[: codec.n_frames(audio.shape[1])].numpy(), sound.audio_values[0].numpy())


@pytest.mark.parametrize("name", NAMES)
def test_facts(codecs, name):
    codec = codecs[name]
    assert (codec.sample_rate, codec.channels, codec.hop_length, codec.n_latents) == {
        "encodec_24k": (24000, 1, 320, 16),
        "encodec_48k": (48000, 2, 320, 17),
        "dac": (44100, 1, 512, 32),
        "mimi": (24000, 1, 1920, 32),
    }[name]
    assert (codec.n_codebooks, codec.codebook_size) == (
        {"encodec_24k": 8, "encodec_48k": 5, "dac": 4, "mimi": 8}[name],
        64,
    )
    assert name in codec.name


@pytest.mark.parametrize("name", NAMES)
def test_every_length_comes_back_to_the_sample(codecs, name):
    codec = codecs[name]
    hop = codec.hop_length
    lengths = {1, 2, hop - 1, hop, hop + 1, 2 * hop - 1, 2 * hop, 2 * hop + 1, 3 * hop, 3 * hop + 1}
    lengths |= set(np.random.default_rng(0).integers(1, 3 * hop, 12))
    for n_samples in map(int, sorted(lengths)):
        latents = codec.latents(noise(codec, n_samples))
        assert latents.shape == (-(-n_samples // hop), codec.n_latents)
        assert latents.dtype == np.float32
        audio = codec.decode(latents, n_samples=n_samples)
        assert audio.shape == (codec.channels, n_samples)
        assert audio.dtype == np.float32


@pytest.mark.parametrize("name", ["encodec_24k", "dac", "mimi"])
@pytest.mark.parametrize("hops", [0.002, 1, 3.01, 25.5])
def test_codes_and_audio_are_those_of_the_class(codecs, models, name, hops):
    codec = codecs[name]
    audio = noise(codec, max(int(hops * codec.hop_length), 1))
    expected = direct(models[name], codec, audio)
    codes = codec.encode(audio)
    np.testing.assert_array_equal(codes, expected.codes)
    assert codes.dtype == np.int64
    n_samples = audio.shape[1]
    found = codec.decode(codes, n_samples=n_samples)
    np.testing.assert_array_equal(found, expected.audio[:, :n_samples])
    if hops > 9:  # the toys use what they have
        assert min(len(set(book)) for book in codes.T) > 5
        assert found.std() > 0.005


@pytest.mark.parametrize("name", ["encodec_24k", "dac", "mimi"])
def test_fewer_codebooks_are_the_first_ones_and_sound_as_in_the_class(codecs, models, name):
    codec = codecs[name]
    audio = noise(codec, 8 * codec.hop_length)
    codes = codec.encode(audio, n_codebooks=2)
    np.testing.assert_array_equal(codes, codec.encode(audio)[:, :2])
    tensor = torch.from_numpy(codes.T.copy())[None]
    with torch.inference_mode():
        if name == "encodec_24k":
            expected = models[name].decode(tensor[None], [None]).audio_values
        else:
            expected = models[name].decode(audio_codes=tensor).audio_values
    found = codec.decode(codes, n_samples=audio.shape[1])
    np.testing.assert_allclose(found, expected.reshape(1, -1), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_quantised_latents_are_the_codes(codecs, name):
    codec = codecs[name]
    audio = noise(codec, 5 * codec.hop_length)
    latents = codec.latents(audio)
    np.testing.assert_array_equal(codec.quantise(latents), codec.encode(audio))
    np.testing.assert_array_equal(codec.quantise(latents, 3), codec.encode(audio, 3))
    codes = codec.encode(audio)
    restored = codec.restore(codes)
    np.testing.assert_array_equal(
        codec.decode(restored, n_samples=audio.shape[1]),
        codec.decode(codes, n_samples=audio.shape[1]),
    )


@torch.inference_mode()
def test_latents_are_what_the_models_quantise(codecs, models):
    audio = {name: noise(codecs[name], 4 * codecs[name].hop_length) for name in NAMES}
    found = {name: codecs[name].latents(audio[name]).T for name in NAMES}
    x = {name: torch.from_numpy(audio[name])[None] for name in NAMES}
    np.testing.assert_array_equal(
        found["encodec_24k"], models["encodec_24k"].encoder(x["encodec_24k"])[0]
    )
    np.testing.assert_array_equal(found["dac"], models["dac"].encode(x["dac"]).projected_latents[0])
    heard = []
    hook = models["mimi"].quantizer.semantic_residual_vector_quantizer.input_proj
    handle = hook.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    models["mimi"].encode(x["mimi"])
    handle.remove()
    np.testing.assert_array_equal(found["mimi"], heard[0][0])


def test_dac_rounds_latents_to_its_codebooks(codecs):
    codec = codecs["dac"]
    audio = noise(codec, 4 * codec.hop_length)
    latents = codec.latents(audio)
    n_samples = audio.shape[1]
    np.testing.assert_array_equal(
        codec.decode(latents, n_samples=n_samples),
        codec.decode(codec.quantise(latents), n_samples=n_samples),
    )


def test_latents_of_the_others_are_not_rounded(codecs):
    for name in ("encodec_24k", "mimi"):
        audio = noise(codecs[name], 4 * codecs[name].hop_length)
        latents = codecs[name].latents(audio)
        codes = codecs[name].quantise(latents)
        n_samples = audio.shape[1]
        one = codecs[name].decode(latents, n_samples=n_samples)
        assert abs(one - codecs[name].decode(codes, n_samples=n_samples)).max() > 1e-4


@pytest.mark.parametrize("seconds", [0.004, 0.8, 2.3])
def test_stereo_chunks_have_the_codes_and_levels_of_the_class(codecs, models, seconds):
    codec = codecs["encodec_48k"]
    audio = noise(codec, int(48000 * seconds))
    expected = direct(models["encodec_48k"], codec, audio)
    codes = codec.encode(audio)
    np.testing.assert_array_equal(codes[:, 1:], expected.codes)
    for start in range(0, len(codes), 150):
        chunk = audio[:, start * 320 : (start + 150) * 320]
        chunk = np.pad(chunk, ((0, 0), (0, -chunk.shape[1] % 320)))
        level = np.log2(np.sqrt(np.square(chunk.mean(axis=0)).mean()) + 1e-8)
        np.testing.assert_allclose(codec.latents(audio)[start : start + 150, 0], level, atol=1e-5)
        assert (codes[start : start + 150, 0] == round((level + 27) * 2)).all()


def test_stereo_audio_of_one_chunk_is_that_of_the_class(codecs, models):
    codec = codecs["encodec_48k"]
    audio = noise(codec, 47999)
    restored = codec.restore(codec.encode(audio))
    restored[:, 0] = codec.latents(audio)[:, 0]  # levels before rounding
    expected = direct(models["encodec_48k"], codec, audio).audio
    assert expected.std() > 0.01
    np.testing.assert_allclose(
        codec.decode(restored, n_samples=47999), expected[:, :47999], atol=1e-6
    )


def test_stereo_audio_of_many_chunks_is_near_that_of_the_class(codecs, models):
    codec = codecs["encodec_48k"]
    audio = noise(codec, 48000 * 3)
    restored = codec.restore(codec.encode(audio))
    restored[:, 0] = codec.latents(audio)[:, 0]
    found = codec.decode(restored, n_samples=48000 * 3)
    expected = direct(models["encodec_48k"], codec, audio).audio
    inner = np.ones(48000 * 3, bool)
    for join in (48000, 96000):
        inner[join - 2000 : join + 2000] = False
    error = np.abs(found - expected)[:, inner].max() / np.abs(expected).max()
    assert error < 0.01  # chunks are normalised with two frames more


@pytest.mark.parametrize("frames", [300, 301, 302, 330])
def test_stereo_chunks_are_faded_over(codecs, monkeypatch, frames):
    """Chunks that sound as a constant each: 0, 1, 2; a fade of two frames leads to the next."""
    codec = codecs["encodec_48k"]
    chunks = iter(range(9))
    monkeypatch.setattr(
        codec,
        "_decode_chunk",
        lambda latents: torch.full((1, 2, latents.shape[-1] * 320), float(next(chunks))),
    )
    audio = codec.decode(np.zeros((frames, 17), np.float32), n_samples=frames * 320)
    assert (audio[:, :48000] == 0).all()
    fade = np.arange(1, 641) / 641
    np.testing.assert_allclose(audio[0, 48000:48640], fade, atol=1e-6)
    assert (audio[:, 48640:96000] == 1).all()
    n_fade = min(frames - 300, 2) * 320
    fade = 1 + np.arange(1, n_fade + 1) / (n_fade + 1)
    np.testing.assert_allclose(audio[1, 96000 : 96000 + n_fade], fade, atol=1e-6)
    assert (audio[:, 96640:] == 2).all()


def test_levels_of_stereo_frames_are_each_heard(codecs):
    """Frames of chunks of other levels can be put together."""
    codec = codecs["encodec_48k"]
    latents = codec.latents(noise(codec, 16000))
    louder = latents.copy()
    louder[25:, 0] += 2
    one, two = (codec.decode(frames, n_samples=16000) for frames in (latents, louder))
    np.testing.assert_array_equal(two[:, : 25 * 320], one[:, : 25 * 320])
    np.testing.assert_allclose(two[:, 25 * 320 :], 4 * one[:, 25 * 320 :], rtol=1e-5)


def test_silence_in_stereo(codecs):
    codec = codecs["encodec_48k"]
    codes = codec.encode(np.zeros(1000, np.float32))
    assert (codes[:, 0] == 1).all()  # log2 of 1e-8, in half octaves above -27
    audio = codec.decode(codes, n_samples=1000)
    assert np.abs(audio).max() < 1e-6
    level_only = codec.decode(codes[:, :1], n_samples=1000)
    assert np.isfinite(level_only).all()


def test_mono_is_copied_to_both_channels(codecs):
    codec = codecs["encodec_48k"]
    mono = noise(codec, 900)[0]
    np.testing.assert_array_equal(codec.latents(mono), codec.latents(np.stack([mono, mono])))


@pytest.mark.parametrize("name", ["encodec_24k", "dac", "mimi"])
def test_long_audio_in_windows_is_the_whole(codecs, monkeypatch, name):
    """Windows of 1.5 s, and of 2 layers' reach: 20 s for the transformers of the toy Mimi."""
    codec = codecs[name]
    audio = noise(codec, int(codec.sample_rate * (21.03 if name == "mimi" else 4.03)))
    n_samples = audio.shape[1]
    whole = codec.latents(audio)
    heard = codec.decode(whole, n_samples=n_samples)
    codes = codec.encode(audio)
    lengths = []
    run = synth.codecs.published.run_in_windows

    def noting(network, signal, **options):
        lengths.append(signal.shape[-1] / options["window"])
        return run(network, signal, **options)

    monkeypatch.setattr(synth.codecs.published, "WINDOW_SECONDS", 1.5)
    monkeypatch.setattr(synth.codecs.published, "run_in_windows", noting)
    found = codec.latents(audio)
    np.testing.assert_allclose(found, whole, atol=1e-5 * np.abs(whole).max())
    found_audio = codec.decode(whole, n_samples=n_samples)
    np.testing.assert_allclose(found_audio, heard, atol=1e-5 * np.abs(heard).max())
    np.testing.assert_array_equal(codec.quantise(found), codes)
    assert min(lengths) > 2


def test_transformers_hear_as_far_as_their_context(codecs, monkeypatch):
    codec = codecs["mimi"]
    audio = noise(codec, 24000 * 31)
    whole = codec.latents(audio)
    monkeypatch.setattr(codec, "reach", 10**6)
    np.testing.assert_allclose(codec.latents(audio), whole, atol=1e-5 * np.abs(whole).max())
    monkeypatch.setattr(codec, "reach", 20)
    assert np.abs(codec.latents(audio) - whole).max() > 1e-4 * np.abs(whole).max()


def test_same_weights_same_hash_and_other_weights_another(toy_codec, codecs, tmp_path):
    again = open_codec(codec_toys.write_dac(tmp_path / "again"))
    other = open_codec(codec_toys.write_dac(tmp_path / "other", random_seed=1))
    assert again.hash == codecs["dac"].hash != other.hash
    audio = noise(again, 999)
    np.testing.assert_array_equal(again.latents(audio), codecs["dac"].latents(audio))
    assert (other.latents(audio) != codecs["dac"].latents(audio)).any()


def test_dac_whose_decoder_ends_early_is_filled_with_zeros(tmp_path):
    codec = open_codec(codec_toys.write_dac(tmp_path, downsampling_ratios=[2, 4, 5, 8]))
    audio = codec.decode(codec.encode(noise(codec, 3 * 320)), n_samples=3 * 320)
    assert audio.shape == (1, 960)
    assert (audio[0, -8:] == 0).all()
    assert (audio[0, :-8] != 0).any()


def copied(toy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy, tmp_path / "toy"))


def test_licence_of_the_folder(toy_codec, tmp_path):
    folder = copied(toy_codec("encodec_24k"), tmp_path)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    assert open_codec(folder).licence == "cc-by-nc-4.0"


def test_wrong_audio_codes_and_latents_are_refused(codecs):
    codec = codecs["dac"]
    with pytest.raises(AudioError, match=r"shape \(2, 9\) does not fit DAC dac; give mono"):
        codec.latents(np.zeros((2, 9), np.float32))
    with pytest.raises(AudioError, match="0 samples cannot be encoded"):
        codec.latents(np.zeros(0, np.float32))
    with pytest.raises(ParameterError, match="n_codebooks=5 must be from 1 to 4"):
        codec.encode(np.zeros(9, np.float32), n_codebooks=5)
    with pytest.raises(ParameterError, match="codes from 0 to 64 must be from 0 to 63"):
        codec.decode(np.array([[0, 64]]), n_samples=9)
    with pytest.raises(ParameterError, match="NaN or infinite"):
        codec.decode(np.full((1, 32), np.nan, np.float32), n_samples=9)


@pytest.mark.parametrize(
    ("name", "config", "reason"),
    [
        ("encodec_24k", {"hidden_size": 24}, "config and weights do not fit"),
        ("encodec_24k", {"codebook_size": 63}, "config and weights do not fit"),
        ("encodec_24k", {"sampling_rate": "fast"}, "config and weights do not fit"),
        ("encodec_24k", {"target_bandwidths": [1.8, 7.2]}, "its weights lack"),
        ("encodec_24k", {"normalize": True}, "levels without chunks"),
        ("encodec_24k", {"chunk_length_s": 1.0, "overlap": 0.1}, "must have levels and be whole"),
        ("encodec_48k", {"chunk_length_s": 0.5001}, "must have levels and be whole frames of 320"),
        ("dac", {"sampling_rate": 0}, "sampling_rate=0 must be from 1 to"),
        ("mimi", {"sliding_window": 0}, "its transformers hear nothing"),
        ("mimi", {"encoder_config": None}, "it lacks a part of Mimi"),
        ("mimi", {"upsampling_ratios": [16, 6, 5, 4]}, "it lacks a part of Mimi|do not fit"),
    ],
)
def test_config_that_does_not_fit(toy_codec, tmp_path, name, config, reason):
    folder = copied(toy_codec(name), tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(CheckpointError, match=rf"^[^\n]*({reason})[^\n]*$"):
        open_codec(folder)


def test_weights_with_nan(toy_codec, tmp_path):
    folder = copied(toy_codec("mimi"), tmp_path)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in tensors if name.endswith("embed_sum"))
    tensors[name][0, 0] = torch.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="embed_sum holds NaN or infinite values; download"):
        open_codec(folder)


def test_weights_cut_short_and_weights_of_another_model(toy_codec, tmp_path):
    folder = copied(toy_codec("encodec_24k"), tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:9999])
    with pytest.raises(CheckpointError, match="config and weights do not fit"):
        open_codec(folder)
    shutil.copy(toy_codec("dac") / "model.safetensors", weights)
    with pytest.raises(CheckpointError, match="its weights lack decoder.layers"):
        open_codec(folder)


def test_transformers_that_is_too_old_for_the_class(toy_codec, monkeypatch):
    monkeypatch.setattr(synth.hub_model, "transformers", lambda: json)
    monkeypatch.setattr(json, "__version__", "4.0", raising=False)
    with pytest.raises(ParameterError, match=r"this transformers \(4.0\) has no DacModel"):
        open_codec(toy_codec("dac"))


def test_opening_prints_nothing(toy_codec, capfd):
    open_codec(toy_codec("encodec_24k"))
    assert capfd.readouterr() == ("", "")
