"""Plans that a codec sounds: lengths, places, fades of latents, voices, channels, rates."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from hypothesis import given, settings

from demiurge import decode_windows, voice_latents
from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from demiurge.decode_plan import CodecDecoder
from demiurge.voice_latents import Fade
from files.errors import AudioError
from playback.options import CrossfadeOptions
from playback.plan import Plan, Step
from tests.playback.drawn_plans import SOUND, drawn_plans
from tests.playback.sounds import HOP, RATE, Memory, noise, plan, played, units
from tests.toy_codec import NaNCodec, ToyCodec, toys_open, write_toy

__all__ = ["toys_open"]
CUTS = CrossfadeOptions.plain(0)
FADED = CrossfadeOptions.plain(60)
PERFECT = ToyCodec(sample_rate=RATE, hop_length=256, n_latents=512)
COARSE = ToyCodec(sample_rate=8000, hop_length=80, n_latents=8)


def decoded(plan, reader, *, codec=PERFECT, crossfade=CUTS):
    return np.concatenate(list(CodecDecoder(codec).blocks(plan, reader, crossfade)))


def test_a_fade_shares_frames_by_its_mean():
    edges = np.arange(5) * 10.0
    np.testing.assert_allclose(Fade(12, 12).shares(edges), [0, 0.8, 1, 1])
    np.testing.assert_allclose(Fade(10, 30).shares(edges), [0, 0.25, 0.75, 1])
    np.testing.assert_allclose(Fade(15, 25).shares(edges), [0, 0.125, 0.875, 1])


@settings(deadline=None, max_examples=15)
@given(drawn=drawn_plans())
def test_every_plan_lasts_as_long_as_it_says(drawn):
    out = decoded(drawn, SOUND[drawn.channels], codec=COARSE, crossfade=FADED)
    assert out.shape == (drawn.n_samples, drawn.channels)
    assert np.isfinite(out).all()


@pytest.mark.parametrize("crossfade", [CUTS, FADED], ids=["cuts", "faded"])
def test_sound_that_goes_on_is_as_it_was(crossfade):
    sound = Memory(a=noise(20 * HOP))
    steps = units([("a", (3 + i) * HOP, HOP) for i in range(10)])
    out = decoded(plan(steps), sound, crossfade=crossfade)
    inside = slice(512, -512)  # the first and last samples are faded
    np.testing.assert_allclose(
        out[inside, 0], sound.sources["a"][3 * HOP : 13 * HOP, 0][inside], atol=1e-5
    )


def test_units_are_in_their_places_to_the_sample():
    sound = Memory(a=noise(9 * HOP), b=noise(9 * HOP, 1))
    at = [0, 1001, 2500]
    spans = [("a", 777, 1001), ("b", 3001, 1499), ("a", 5003, 2000)]
    steps = [Step(i, *span, place) for i, (span, place) in enumerate(zip(spans, at, strict=True))]
    out = decoded(plan(steps), sound)
    cut = played(plan(steps), sound, crossfade=CUTS)
    near = np.zeros(len(out), bool)
    for join in (0, 1001, 2500, 4500):  # the frame of a join, and half a window around it
        near[max(0, join - 3 * 256) : join + 3 * 256] = True
    np.testing.assert_allclose(out[~near], cut[~near], atol=1e-5)
    assert np.abs(out - cut)[near].max() > 0.01


def test_shares_of_two_units_add_up_to_one():
    sound = Memory(a=noise(30 * HOP))
    sound.sources["b"] = sound.sources["a"]
    steps = units([("a" if i % 2 else "b", (3 + i) * HOP, HOP) for i in range(10)])
    for crossfade in (CUTS, FADED):
        out = decoded(plan(steps), sound, crossfade=crossfade)
        wanted = sound.sources["a"][3 * HOP : 13 * HOP]
        np.testing.assert_allclose(out[512:-512], wanted[512:-512], atol=1e-5)


def test_units_shorter_than_a_frame_are_all_in_it():
    sound = Memory(a=noise(9 * HOP), b=noise(9 * HOP, 1))
    steps = units([("ab"[i % 2], 100 * i, 50) for i in range(40)], hop=50)
    out = decoded(plan(steps), sound, crossfade=FADED)
    assert out.shape == (2000, 1)
    assert np.abs(out).max() < 0.6


def test_rests_are_silent_and_a_unit_beside_them_ends():
    sound = Memory(a=noise(30 * HOP))
    steps = [Step(0, "a", 5 * HOP, 2 * HOP, 0), Step(1, "a", 9 * HOP, 2 * HOP, 12 * HOP)]
    out = decoded(plan(steps, tail_samples=5 * HOP), sound, crossfade=FADED)
    assert len(out) == 19 * HOP
    assert np.abs(out[2 * HOP + 512 : 12 * HOP - 512]).max() < 1e-6
    assert np.abs(out[14 * HOP + 512 :]).max() < 1e-6
    assert np.abs(out[HOP : 2 * HOP - 512]).max() > 0.1


def test_gains_are_those_of_the_plan():
    sound = Memory(a=noise(30 * HOP))
    step = Step(0, "a", 5 * HOP, 4 * HOP, 0)
    loud = decoded(plan([step]), sound)
    quiet = decoded(plan([replace(step, gain_db=-20.0)]), sound)
    np.testing.assert_allclose(quiet, 0.1 * loud, atol=1e-6)


def test_voices_are_decoded_apart_and_added():
    sound = Memory(a=noise(30 * HOP), b=noise(30 * HOP, 1))
    one = Step(0, "a", 5 * HOP, 8 * HOP, 0)
    other = Step(1, "b", 3 * HOP, 4 * HOP, 2 * HOP, voice=1)
    both = decoded(plan([one, other]), sound, codec=COARSE)
    alone = decoded(plan([one]), sound, codec=COARSE)
    rest = decoded(plan([replace(other, voice=0)], tail_samples=2 * HOP), sound, codec=COARSE)
    np.testing.assert_allclose(both, alone + rest, atol=1e-5)


def test_a_mono_codec_takes_every_channel_by_itself():
    left, right = noise(20 * HOP), noise(20 * HOP, 1)
    step = Step(0, "a", 5 * HOP, 8 * HOP, 0)
    out = decoded(plan([step], channels=2), Memory(a=np.stack([left, right], axis=1)))
    for channel, own in enumerate((left, right)):
        np.testing.assert_allclose(
            out[:, channel], decoded(plan([step]), Memory(a=own))[:, 0], atol=1e-6
        )


def test_a_stereo_codec_sounds_a_mono_plan():
    codec = ToyCodec(sample_rate=RATE, hop_length=256, n_latents=512)
    codec.channels = 2
    mono = codec._decode
    codec._decode = lambda latents, n_samples: np.repeat(mono(latents, n_samples), 2, axis=0)
    sound = Memory(a=noise(20 * HOP))
    step = Step(0, "a", 5 * HOP, 8 * HOP, 0)
    np.testing.assert_allclose(
        decoded(plan([step]), sound, codec=codec), decoded(plan([step]), sound), atol=1e-6
    )


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 48000])
def test_a_codec_of_another_rate_keeps_time(rate):
    time = np.arange(RATE) / RATE
    sweep = np.sin(2 * np.pi * (200 + 1000 * time) * time).astype(np.float32)
    steps = [Step(0, "a", 10_001, 7001, 0), Step(1, "a", 20_011, 5003, 7001)]
    codec = ToyCodec(sample_rate=rate, hop_length=64, n_latents=128)
    out = decoded(plan(steps), Memory(a=sweep), codec=codec)
    cut = played(plan(steps), Memory(a=sweep), crossfade=CUTS)
    assert len(out) == 12_004
    for part in (slice(1000, 6000), slice(8000, 11_000)):
        np.testing.assert_allclose(out[part], cut[part], atol=0.002)


def test_windows_of_decoding_are_not_heard(monkeypatch):
    sound = Memory(a=noise(60 * HOP), b=noise(60 * HOP, 1))
    steps = units([("ab"[i % 2], (3 + i) * HOP, HOP) for i in range(30)])
    whole = decoded(plan(steps), sound, crossfade=FADED)
    monkeypatch.setattr(decode_windows, "WINDOW_SECONDS", 0.05)
    monkeypatch.setattr(decode_windows, "CONTEXT_SECONDS", 0.02)
    np.testing.assert_allclose(decoded(plan(steps), sound, crossfade=FADED), whole, atol=1e-5)


def test_the_surroundings_of_a_unit_are_those_of_its_source(monkeypatch):
    monkeypatch.setattr(voice_latents, "CONTEXT_SECONDS", 0.02)
    short = decoded(plan(units([("a", 5 * HOP, HOP)])), Memory(a=noise(20 * HOP)))
    monkeypatch.undo()
    usual = decoded(plan(units([("a", 5 * HOP, HOP)])), Memory(a=noise(20 * HOP)))
    np.testing.assert_allclose(short, usual, atol=1e-6)


def test_latents_that_are_not_numbers_are_refused():
    codec = NaNCodec(sample_rate=RATE, hop_length=256, n_latents=512)
    with pytest.raises(AudioError, match="latents that are NaN"):
        decoded(plan(units([("a", 0, HOP)])), Memory(a=noise(9 * HOP)), codec=codec)


def test_samples_that_are_not_numbers_are_refused():
    codec = ToyCodec(sample_rate=RATE, hop_length=256, n_latents=512)
    codec._decode = lambda latents, n_samples: np.full((1, n_samples), np.nan, np.float32)
    with pytest.raises(AudioError, match="toy-0 decodes the plan to samples that are NaN"):
        decoded(plan(units([("a", 0, HOP)])), Memory(a=noise(9 * HOP)), codec=codec)


@pytest.fixture
def plan_file(tmp_path):
    steps = tuple(Step(i, "bd_haus.ogg", 2048 * (i % 3), 2048, i * 2048) for i in range(6))
    made = Plan(RATE, 1, {"id": "x", "root": str(CORPUS_DIR)}, steps)
    made.save(tmp_path / "p.plan.json")
    return tmp_path / "p.plan.json"


@pytest.fixture
def toy(tmp_path, toys_open):
    return write_toy(tmp_path / "toy", sample_rate=16000, n_latents=40)


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("prefix", ["", "codec:"])
def test_playback_says_which_codec_sounded_it(plan_file, toy, tmp_path, prefix):
    out = tmp_path / "o.wav"
    told = run("playback", plan_file, "-o", out, "--decode", f"{prefix}{toy}")
    assert f"sounded by toy-0 (hash {'0' * 32}, licence of its weights CC0-1.0)" in told
    assert sf.info(out).frames == 6 * 2048
    run("playback", plan_file, "-o", tmp_path / "again.wav", "--decode", toy)
    assert (tmp_path / "again.wav").read_bytes() == out.read_bytes()
    told = run("playback", plan_file, "-o", out, "--decode", toy, "--json", "--force")
    assert json.loads(told)["decode"] == {
        "codec": "toy-0",
        "hash": "0" * 32,
        "licence": "CC0-1.0",
    }
    with sf.SoundFile(out) as file:
        assert "codec=toy-0" in file.comment


def test_a_mosaic_keeps_the_codec_in_its_plan(corpus, toy, tmp_path):
    run("db", "build", corpus, tmp_path / "db", "--units", "frame", "--descriptors", "mfcc")
    out = tmp_path / "o.wav"
    facts = json.loads(
        run("mosaic", corpus / "a" / "x.wav", tmp_path / "db", "-o", out, "--decode", toy, "--json")
    )
    assert facts["decode"]["codec"] == "toy-0"
    assert sf.info(out).frames == 44100
    made = json.loads((tmp_path / "o.plan.json").read_text())
    assert made["settings"]["decode"] == facts["decode"]
    run("playback", tmp_path / "o.plan.json", "-o", tmp_path / "crossfaded.wav")
    assert (tmp_path / "crossfaded.wav").read_bytes() != out.read_bytes()


def test_what_is_over_full_scale_is_lowered(plan_file, toy, tmp_path, monkeypatch):
    decode = ToyCodec._decode
    monkeypatch.setattr(ToyCodec, "_decode", lambda self, *given: 50 * decode(self, *given))
    told = run("playback", plan_file, "-o", tmp_path / "o.wav", "--decode", toy, "--json")
    assert json.loads(told)["gain_db"] < 0
    assert json.loads(told)["peak"] <= 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--play",), "leave out --play and --stems"),
        (("--stems", "{folder}/s", "-o", "{folder}/o.wav"), "leave out --play and --stems"),
        (("--export", "csv"), "give -o OUT as well"),
        (("--show",), "give -o OUT as well"),
    ],
)
def test_only_the_whole_is_decoded(plan_file, toy, tmp_path, options, says):
    asked = [option.format(folder=tmp_path) for option in options]
    assert says in run("playback", plan_file, "--decode", toy, *asked, exit_code=2)


def test_no_codec_is_said_before_anything_is_written(plan_file, toy, tmp_path):
    told = run("playback", plan_file, "-o", tmp_path / "o.wav", "--decode", "nowhere", exit_code=1)
    assert "nowhere: no codec here" in told
    assert not (tmp_path / "o.wav").exists()
