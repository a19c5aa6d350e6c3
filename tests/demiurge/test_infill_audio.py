"""demiurge infill of audio: a toy codec's tokens are filled in and decoded."""

import json

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner

from db.database import Database
from demiurge.cli import main
from demiurge.infill_audio import fill_latents
from sequencer.infill import InfillOptions
from sequencer.masked import MaskedModel
from tests.demiurge.plans.masked_model import masked_model
from tests.toy_codec import open_toy, write_toy

RATE = 8000
HOP = 80
SECONDS = 0.7


def run(*words, expect=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory, tabla):
    """A toy codec, a database of its frames alone, and an untrained masked model of these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.open_codec.open_codec", open_toy)
        folder = tmp_path_factory.mktemp("audio")
        (folder / "sounds").mkdir()
        for name, samples in (("x", tabla), ("y", tabla[::-1])):
            sf.write(folder / "sounds" / f"{name}.wav", samples, 44100)
        toy = write_toy(folder / "toy", sample_rate=RATE, hop_length=HOP, n_latents=160)
        frames = "--units", "frame", "--descriptors", f"codec:{toy}"
        run("db", "build", folder / "sounds", folder / "my.db", *frames)
        other = "--hop-length", 2 * HOP
        run("db", "build", folder / "sounds", folder / "other.db", *frames, *other)
        masked_model(Database(folder / "my.db")).save(folder / "my.model")
        masked_model(Database(folder / "other.db")).save(folder / "other.model")
        n_samples = int(SECONDS * RATE) + 7  # the last frame is part of a hop
        rng = np.random.default_rng(0)
        sf.write(folder / "in.wav", rng.normal(0, 0.1, n_samples).astype(np.float32), RATE)
        yield folder


def infill(made, out, *options, expect=0, audio="in.wav", model="my.model"):
    return run("infill", made / audio, made / model, "-o", out, *options, expect=expect)


def test_what_is_kept_is_decoded_as_it_was_and_the_length_is_exact(made, tmp_path):
    """This codec loses nothing, so that kept frames come back as they were."""
    out = tmp_path / "out.wav"
    facts = json.loads(infill(made, out, "--keep", "prefix:0.3", "--json").stdout)
    before, _ = sf.read(made / "in.wav", dtype="float32")
    after, rate = sf.read(out, dtype="float32")
    assert (len(after), rate) == (len(before), RATE)
    assert facts["samples"] == len(before)
    assert facts["steps"] == -(-len(before) // HOP)
    assert facts["kept"] == 30
    assert facts["kept_tokens"] == 60
    assert (facts["codec"], facts["licence"]) == ("toy-0", "CC0-1.0")
    after /= 10 ** (facts["gain_db"] / 20)
    until = 29 * HOP
    np.testing.assert_allclose(after[:until], before[:until], atol=1e-3)
    assert np.abs(after[until + HOP :] - before[until + HOP :]).max() > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_kept_tokens_never_change(made, seed):
    model = MaskedModel.load(made / "my.model")
    rng = np.random.default_rng(seed)
    latents = rng.normal(0, 0.1, (40, 160)).astype(np.float32)
    keep = rng.random((40, model.levels)) < 0.5
    keep[3] = True
    heard = {}

    def quantise(rows):
        codes = type(model.head.quantiser).quantise(model.head.quantiser, rows)
        heard["before"] = codes
        return codes

    def restore(codes):
        heard["after"] = codes
        return type(model.head.quantiser).restore(model.head.quantiser, codes)

    model.head.quantiser.quantise = quantise
    model.head.quantiser.restore = restore
    generator = torch.Generator().manual_seed(seed)
    made_latents = fill_latents(model, latents, keep, InfillOptions(passes=4), generator=generator)
    kept = torch.from_numpy(keep)
    assert torch.equal(heard["before"][kept], heard["after"][kept])
    assert (heard["after"] < model.mask).all()
    whole = keep.all(axis=1)
    np.testing.assert_array_equal(made_latents[whole], latents[whole])


def test_variations_differ_and_the_same_random_seed_gives_the_same_bytes(made, tmp_path):
    options = "--keep", "periodic:3", "--keep", "prefix:0.1", "--variations", 2
    said = infill(made, tmp_path / "a.wav", *options)
    assert "a-1.wav: 0.70 s of 71 frames of toy-0; " in said.output
    assert "tokens filled in" in said.output
    infill(made, tmp_path / "b.wav", *options)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(files) == ["a-1.wav", "a-2.wav", "b-1.wav", "b-2.wav"]
    assert files["a-1.wav"] == files["b-1.wav"] != files["a-2.wav"] == files["b-2.wav"]


def test_onsets_are_those_of_the_audio(made, tmp_path, monkeypatch):
    monkeypatch.setattr("demiurge.infill_audio.find_onsets", lambda audio, rate: np.array([0.205]))
    said = infill(made, tmp_path / "a.wav", "--keep", "onsets:1", "--json")
    assert json.loads(said.stdout)["kept"] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--keep prefix:0", "prefix:0: none of the 71 frames is kept"),
        ("--keep prefix:9", "prefix:9: all 71 frames are kept, so that nothing is filled in"),
        ("--keep locked", "locked: no step is locked"),
        ("--keep periodic:2 --root .", "--root . is of a plan's corpus; leave it out"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(made, tmp_path, words, message):
    refused = infill(made, tmp_path / "out.wav", *words.split(), expect=2)
    assert message in " ".join(refused.output.split())


def test_models_of_other_frames_and_wrong_arguments_are_refused(made, tmp_path):
    out = tmp_path / "out.wav"
    refused = infill(made, out, "--keep", "periodic:2", model="other.model", expect=2)
    said = " ".join(refused.output.split())
    assert "its frames are of 160 samples at 8000 Hz, the codec's of 80 at 8000" in said
    assert "build a database with --sample-rate 8000 --hop-length 80" in said
    words = made / "in.wav", made / "my.db", made / "my.model", "-o", out, "--keep", "periodic:2"
    assert "audio needs a model and no database" in run("infill", *words, expect=2).output
    words = made / "in.plan.json", made / "my.model", "-o", out, "--keep", "periodic:2"
    assert "a plan needs a database and a model" in run("infill", *words, expect=2).output


def test_a_codec_that_has_changed_is_refused(made, tmp_path):
    toy = made / "toy" / "toy.json"
    before = toy.read_text()
    try:
        toy.write_text(json.dumps({**json.loads(before), "random_seed": 5}))
        refused = infill(made, tmp_path / "out.wav", "--keep", "periodic:2", expect=1)
    finally:
        toy.write_text(before)
    assert "but descriptors were measured with" in " ".join(refused.output.split())
