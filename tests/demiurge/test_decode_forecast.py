"""A codec's codes, learnt and forecast, and decoded to sound without a corpus."""

import json

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner

import demiurge.decode_forecast
from db.database import Database
from demiurge.cli import main
from demiurge.decode_forecast import decode_long
from files.errors import AudioError, ParameterError
from sequencer.forecaster import Forecaster
from sequencer.patterns import PATTERNS
from sequencer.quantiser import Quantiser, sizes_of
from sequencer.registry import build_network
from synth.codec import Level
from synth.open_codec import open_codec
from tests.synth import codec_toys
from tests.synth.toy_codecs import HOP, save_toy, toy_codec
from tests.toy_codec import ToyCodec

RATE = 8000


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


def noise(codec, n_frames=40):
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.3, n_frames * codec.hop_length).astype(np.float32)


def quantiser_of(codec, latents):
    """Return the quantiser that a head makes of a codec's levels, and the z-scores of latents."""
    levels = codec.levels()
    _, head = build_network(
        "lstm",
        "tokens",
        codec.n_latents,
        n_extra=0,
        architecture_sizes={"hidden_size": 8},
        head_sizes={"pattern": "delayed", "depth": 4, **sizes_of(levels)},
    )
    mean, std = latents.mean(axis=0), latents.std(axis=0) + 0.01
    head.quantiser.take(levels, mean=torch.from_numpy(mean), std=torch.from_numpy(std))
    return head.quantiser, torch.from_numpy((latents - mean) / std)


def codec_named(kind, folder):
    if kind == "own":
        return toy_codec()
    pytest.importorskip("transformers")
    return open_codec(getattr(codec_toys, f"write_{kind}")(folder))


@pytest.mark.parametrize("kind", ["own", "dac", "encodec_24k"])
def test_codes_are_those_of_the_codec(kind, tmp_path):
    codec = codec_named(kind, tmp_path / "codec")
    latents = codec.latents(noise(codec))
    quantiser, scores = quantiser_of(codec, latents)
    codes = quantiser.quantise(scores)
    np.testing.assert_array_equal(codes.numpy(), codec.quantise(latents))
    assert len(np.unique(codes[:, 0])) > 2
    mean, std = quantiser.offset.numpy(), quantiser.scale.numpy()
    restored = quantiser.restore(codes).numpy() * std + mean
    np.testing.assert_allclose(restored, codec.restore(codes.numpy()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["encodec_48k", "mimi"])
def test_codebooks_that_are_no_levels_are_refused(kind, tmp_path):
    codec = codec_named(kind, tmp_path / "codec")
    with pytest.raises(ParameterError, match=r"cannot be learnt, .*; use our own codec"):
        codec.levels()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(16, 4), (8, 4)], "the levels of the codec differ"),
        ([(12, 4)], "12 codes in a level must be a power of two"),
    ],
)
def test_levels_that_do_not_fit_a_head_are_refused(shapes, message):
    with pytest.raises(ParameterError, match=message):
        sizes_of([Level(np.zeros(shape, np.float32)) for shape in shapes])


def test_a_level_by_distance_takes_the_nearest_entry():
    quantiser = Quantiser(1, levels=2, n_codes=2, of_codec=True)
    books = [np.array([[0.0], [4.0]], np.float32), np.array([[-1.0], [1.0]], np.float32)]
    quantiser.take(
        [Level(book) for book in books], mean=torch.tensor([10.0]), std=torch.tensor([2.0])
    )
    # latents 10 + 2 z: -1 -> 0 and -1, 2.5 -> 4 and -1, 5 -> 4 and 1
    codes = quantiser.quantise(torch.tensor([[-5.5], [-3.75], [-2.5]]))
    assert codes.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert quantiser.restore(codes).flatten().tolist() == [-5.5, -3.5, -2.5]


@pytest.fixture(scope="session")
def learnt(tmp_path_factory):
    """Sounds, a codec, a database of its frames, and models of its codes in each pattern."""
    folder = tmp_path_factory.mktemp("codes")
    (folder / "sounds").mkdir()
    save_toy(folder / "codec")
    codec = open_codec(folder / "codec")
    rng = np.random.default_rng(0)
    for name in "abcd":
        t = np.arange(60 * HOP) / codec.sample_rate
        sound = 0.3 * np.sin(2 * np.pi * 300 * t) * (np.sin(9 * t) > 0) + rng.normal(
            0, 0.05, t.size
        )
        sf.write(folder / "sounds" / f"{name}.wav", sound, codec.sample_rate)
    run("db", "build", folder / "sounds", folder / "my.db", "--units", "frame",
        "--descriptors", f"codec:{folder / 'codec'}")  # fmt: skip
    for pattern in PATTERNS:
        train = ["sequencer", "train", folder / "my.db", folder / f"{pattern}.model"]
        run(*train, "--head", "tokens", "--pattern", pattern, "--epochs", 1, "--window", 16)
    return folder


def test_a_model_of_a_codecs_frames_has_its_codebooks(learnt):
    model = Forecaster.load(learnt / "delayed.model")
    codec = open_codec(learnt / "codec")
    rows = next(iter(Database(learnt / "my.db").sequences()))[1]
    codes = model.head.quantiser.quantise(model.normalise(torch.from_numpy(rows.copy())))
    np.testing.assert_array_equal(codes.numpy(), codec.quantise(rows.copy()))
    assert model.head.pattern.delay == codec.n_codebooks - 1


def test_a_forecast_sounds_for_exactly_as_long_as_asked(learnt, tmp_path):
    forecast = ["sequencer", "forecast"]
    seed = learnt / "sounds" / "a.wav"
    rate = open_codec(learnt / "codec").sample_rate
    for pattern in PATTERNS:
        out = tmp_path / f"{pattern}.wav"
        run(*forecast, learnt / f"{pattern}.model", seed, "--decode", "--seconds", 0.503, "-o", out)
        assert len(sf.read(out)[0]) == round(0.503 * rate)
    said = run(*forecast, learnt / "parallel.model", seed, "--steps", 7, "--variations", 2,
               "--decode", "-o", tmp_path / "v.wav", "--json")  # fmt: skip
    first, second = json.loads(said)
    assert first["decode"]["hash"] == open_codec(learnt / "codec").hash
    sounds = [sf.read(one["sound"])[0] for one in (first, second)]
    assert [len(sound) for sound in sounds] == [7 * HOP, 7 * HOP]
    assert not np.array_equal(*sounds)


def test_a_forecast_beyond_full_scale_is_lowered(learnt, tmp_path, monkeypatch):
    loud = lambda *given, **how: decode_long(*given, **how) * 0 + 4  # noqa: E731
    monkeypatch.setattr(demiurge.decode_forecast, "decode_long", loud)
    said = run("sequencer", "forecast", learnt / "parallel.model", learnt / "sounds" / "a.wav",
               "--decode", "--steps", 3, "-o", tmp_path / "a.wav")  # fmt: skip
    assert "lowered by 12.0 dB to stay below full scale" in said
    np.testing.assert_allclose(sf.read(tmp_path / "a.wav")[0], 1, atol=2**-14)


def test_the_same_random_seed_gives_the_same_bytes(learnt, tmp_path):
    outs = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav")]
    for out, number in zip(outs, (3, 3, 4), strict=True):
        run("sequencer", "forecast", learnt / "parallel.model", learnt / "sounds" / "a.wav",
            "--decode", "--steps", 9, "--random-seed", number, "-o", out)  # fmt: skip
    a, b, c = (out.read_bytes() for out in outs)
    assert a == b != c


def test_forecasts_of_other_descriptors_are_not_decoded(learnt, tmp_path):
    run("db", "build", learnt / "sounds", tmp_path / "m.db", "--units", "frame",
        "--descriptors", "mfcc", "--sample-rate", RATE, "--hop-length", 128)  # fmt: skip
    run("sequencer", "train", tmp_path / "m.db", tmp_path / "m", "--head", "point", "--epochs", 1)
    said = run("sequencer", "forecast", tmp_path / "m", learnt / "sounds" / "a.wav", "--decode",
               "--steps", 9, "-o", tmp_path / "x.wav", exit_code=2)  # fmt: skip
    assert "forecasts mfcc of units of the kind frame, which no codec decodes" in said


def test_only_the_tokens_head_has_a_pattern(learnt, tmp_path):
    train = ["sequencer", "train", learnt / "my.db", tmp_path / "m", "--pattern", "delayed"]
    said = run(*train, "--head", "mixture", exit_code=2)
    assert "pattern=delayed is of the tokens head; leave it out with mixture" in said
    said = run(*train, "--architecture", "masked", exit_code=2)
    assert "--pattern delayed does not go with --architecture masked" in said


def test_long_forecasts_are_decoded_in_windows():
    """Of a codec whose frames are independent, to the same samples."""
    codec = ToyCodec(sample_rate=RATE, hop_length=80, n_latents=8)
    latents = np.random.default_rng(0).normal(size=(2345, 8)).astype(np.float32)
    n_samples = 2345 * 80 - 33
    audio = decode_long(codec, latents, n_samples=n_samples)
    np.testing.assert_array_equal(audio, codec.decode(latents, n_samples=n_samples))


class NaNDecoder(ToyCodec):
    def _decode(self, latents, n_samples):
        return super()._decode(latents, n_samples) * np.nan


def test_sound_that_is_not_finite_is_refused():
    with pytest.raises(AudioError, match="decodes the forecast to samples that are NaN"):
        decode_long(NaNDecoder(), np.zeros((3, 128), np.float32), n_samples=3 * 64)
