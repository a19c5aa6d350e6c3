"""Files made from sounds by a flow: continued, filled, resembled, followed, looped."""

import json
import math

import numpy as np
import pytest
import soundfile as sf
import torch

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from demiurge.shipped import shipped_model
from files.errors import AudioError, ParameterError
from synth.clips import make_clip, vocode_loop
from synth.file_request import FileRequest
from synth.flow import FlowConfig
from synth.flow_conditions import curves_of
from synth.flow_generator import FlowGenerator
from synth.generate import GenerateOptions, generate
from synth.generated_manifest import MANIFEST
from synth.join_recording import FADE_SECONDS
from synth.mel import PRESETS, MelSettings, log_mel
from synth.plan_clips import plan_clips
from synth.recordings import cut_mel
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.synth.toy_flows import MEL, PATCH, RATE, WINDOW, toy_flow
from training.threads import torch_threads

NAMES = ("my.flow", "my.vocoder")
HOP = MEL.hop_length
FADE = round(FADE_SECONDS * RATE)
TINY = {"dim": 16, "intermediate_dim": 32, "n_layers": 2, "refinements": 1}
PCM = 1 / 32768


@pytest.fixture(scope="module")
def flow():
    return toy_flow()


@pytest.fixture(scope="module")
def vocoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Vocoder("vocos-small", MEL, config=TINY).eval()


def sound(seconds, *, seed=0, rate=RATE):
    """Noise that swells four times a second, in steps of 16 bits."""
    n_samples = round(seconds * rate)
    noise = np.random.default_rng(seed).normal(0, 0.1, n_samples)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(n_samples) / rate)
    return (np.rint(noise * swell / PCM) * PCM).clip(-1, 1).astype(np.float32)


def write(path, samples, rate=RATE, subtype="PCM_16"):
    sf.write(path, samples, rate, subtype=subtype)
    return path


def made(flow, vocoder, out, request, *, minutes=None, seconds=None, random_seed=0, workers=1):
    """Generate into a folder; return the summary and the first file's audio."""
    options = GenerateOptions(minutes, seconds, random_seed, workers)
    summary = generate(flow, vocoder, out, options=options, names=NAMES, request=request)
    return summary, sf.read(out / "generated-000001.flac", dtype="float32")[0]


def test_continuation_holds_the_file_and_as_much_new_sound_as_asked(flow, vocoder, tmp_path):
    recorded = sound(3)
    path = write(tmp_path / "a.wav", recorded)
    summary, audio = made(flow, vocoder, tmp_path / "out", FileRequest(path), seconds=2)
    assert len(audio) == 5 * RATE
    np.testing.assert_array_equal(audio[: 3 * RATE - FADE], recorded[: 3 * RATE - FADE])
    assert np.abs(audio[3 * RATE :]).max() > 0.01
    assert (summary.made, summary.audio_seconds, summary.notes) == (1, 5.0, [])


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0])
def test_short_files_are_continued_too(seconds, flow, vocoder, tmp_path):
    path = write(tmp_path / "a.wav", sound(seconds))
    _, audio = made(flow, vocoder, tmp_path / "out", FileRequest(path), seconds=1.5)
    assert len(audio) == round(seconds * RATE) + round(1.5 * RATE)


@pytest.mark.parametrize(
    "span", [(1.0, 1.5), (0.0, 0.7), (2.0, 3.0), (1.0, 1.05), (0.01, 2.9), (2.9, 2.999)]
)
def test_only_the_span_is_made_new(span, flow, vocoder, tmp_path):
    recorded = sound(3)
    path = write(tmp_path / "a.wav", recorded)
    request = FileRequest(fills=path, span=span)
    _, audio = made(flow, vocoder, tmp_path / "out", request)
    start, stop = (round(seconds * RATE) for seconds in span)
    assert len(audio) == len(recorded)
    np.testing.assert_array_equal(audio[:start], recorded[:start])
    np.testing.assert_array_equal(audio[stop:], recorded[stop:])
    inside = slice(start + FADE, stop - FADE)
    assert not np.array_equal(audio[inside], recorded[inside])


def test_only_a_window_on_either_side_is_given_to_the_network(flow, tmp_path):
    path = write(tmp_path / "a.wav", sound(60))
    for request, first in [
        (FileRequest(fills=path, span=(30, 31)), 30 * RATE - WINDOW * HOP),
        (FileRequest(path), 60 * RATE - (WINDOW + 2) * HOP),
    ]:
        plan = plan_clips(flow, "f", request, None if request.span else 1.0).plan
        assert plan.n_frames <= 2 * WINDOW + 90
        assert abs(plan.join.first - first) <= HOP
        given = plan.request.given
        heard = log_mel(sound(60), MEL)
        mel = plan.request.mel[:, given].numpy()
        assert mel.shape[1] == WINDOW if request.continues else mel.shape[1] > 2 * WINDOW - PATCH
        assert np.abs(mel).max() <= np.abs(heard).max() + 1e-3


def test_given_frames_are_those_of_the_whole_recording():
    audio = sound(4)
    whole = log_mel(audio, MEL)
    for start, frames in [(0, 20), (5, 100), (200, 60)]:
        part = cut_mel(audio, start * HOP, frames, MEL)
        np.testing.assert_allclose(part, whole[:, start : start + frames], atol=1e-4)


def test_continuation_is_by_default_in_the_style_of_what_is_continued(flow, tmp_path):
    recorded = sound(3)
    path = write(tmp_path / "a.wav", recorded)
    plan = plan_clips(flow, "f", FileRequest(path), 1.0).plan
    expected = flow.style_of(plan.request.mel[:, plan.request.given])
    torch.testing.assert_close(plan.request.style, expected)
    other = write(tmp_path / "b.wav", sound(3, seed=1) * 0.1)
    like = plan_clips(flow, "f", FileRequest(path, like=((other, 1.0),)), 1.0).plan
    assert not torch.allclose(like.request.style, expected, atol=0.1)


def test_styles_are_mixed_by_their_weights(flow, tmp_path):
    loud = write(tmp_path / "loud.wav", sound(3))
    soft = write(tmp_path / "soft.wav", sound(3) * 0.05)

    def style(*like):
        return plan_clips(flow, "f", FileRequest(like=like), 2.0).plan.request.style

    one = style((loud, 2.0))
    other = style((soft, 1.0))
    torch.testing.assert_close(style((loud, 3.0), (soft, 1.0)), 0.75 * one + 0.25 * other)
    torch.testing.assert_close(one, flow.style_of(torch.from_numpy(log_mel(sound(3), MEL))))


def test_a_fifth_of_a_second_has_a_style(flow, vocoder, tmp_path):
    request = FileRequest(like=((write(tmp_path / "a.wav", sound(0.2)), 1.0),))
    _, audio = made(flow, vocoder, tmp_path / "out", request, seconds=1)
    assert len(audio) == RATE


def test_curves_of_a_file_are_followed_for_its_length(flow, vocoder, tmp_path):
    recorded = sound(2.3)
    request = FileRequest(follows=write(tmp_path / "a.wav", recorded))
    _, audio = made(flow, vocoder, tmp_path / "out", request)
    assert len(audio) == len(recorded)
    curves = plan_clips(flow, "f", request, None).plan.request.curves
    expected = curves_of(torch.from_numpy(log_mel(recorded, MEL)), MEL)
    torch.testing.assert_close(curves, expected, atol=1e-3, rtol=0)
    _, shorter = made(flow, vocoder, tmp_path / "shorter", request, seconds=1.5)
    assert len(shorter) == round(1.5 * RATE)
    with pytest.raises(AudioError, match=r"lasts 2.300 s, and cannot be followed for 4 s; leave"):
        plan_clips(flow, "f", request, 4.0)


@pytest.mark.parametrize("seconds", [1.0, 2.7])
def test_loop_lasts_whole_patches_and_says_how_long(seconds, flow, vocoder, tmp_path):
    summary, audio = made(flow, vocoder, tmp_path, FileRequest(loop=True), seconds=seconds)
    assert len(audio) % (PATCH * HOP) == 0
    assert 0 <= len(audio) - seconds * RATE < PATCH * HOP
    assert summary.notes == [f"each loop lasts {len(audio) / RATE:.6f} s, {len(audio)} samples"]


@pytest.mark.parametrize("frames", [8, 60, 200])
def test_loop_is_vocoded_without_a_beginning(frames, vocoder):
    """Whatever frame comes first, the same circle of samples is made."""
    mel = log_mel(sound(frames * HOP / RATE), MEL)[:, :frames]
    audio = vocode_loop(vocoder, mel)
    turned = vocode_loop(vocoder, np.roll(mel, 3, axis=1))
    assert len(audio) == frames * HOP
    np.testing.assert_allclose(turned, np.roll(audio, 3 * HOP), atol=1e-4)


def test_samples_of_a_loop_take_no_larger_step_at_its_ends(flow, vocoder):
    plan = plan_clips(flow, "f", FileRequest(loop=True), 2.0).plan
    for seed in range(5):
        audio = make_clip(flow, vocoder, plan, random_seed=seed).audio
        steps = np.abs(np.diff(audio))
        assert abs(audio[0] - audio[-1]) <= steps.max()


@pytest.mark.parametrize("kind", ["continue", "fill", "like", "follow", "loop"])
def test_same_seed_same_bytes_whatever_the_workers(kind, flow, vocoder, tmp_path):
    path = write(tmp_path / "a.wav", sound(2))
    request = {
        "continue": FileRequest(path),
        "fill": FileRequest(fills=path, span=(0.5, 1.7)),
        "like": FileRequest(like=((path, 1.0),)),
        "follow": FileRequest(follows=path),
        "loop": FileRequest(loop=True),
    }[kind]
    seconds = 1.5 if kind in ("continue", "like", "loop") else None
    folders = []
    for workers in (1, 2):
        folder = tmp_path / f"{workers}"
        with torch_threads(workers):
            made(flow, vocoder, folder, request, minutes=0.06, seconds=seconds, workers=workers)
        folders.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert folders[0] == folders[1]
    assert len(folders[0]) > 2
    other = tmp_path / "other"
    made(flow, vocoder, other, request, seconds=seconds, random_seed=1)
    assert (other / "generated-000001.flac").read_bytes() != folders[0]["generated-000001.flac"]


@pytest.mark.parametrize("name", ["ambi_choir", "guit_em9"])
def test_vocoded_sound_joins_a_recording_without_a_click(name, tmp_path):
    """The generator gives the recording's own mel: what is heard are the vocoder's phases."""
    read, info = read_mono(CORPUS_DIR / f"{name}.ogg")
    recorded = resample(read, info.sample_rate, RATE)
    path = write(tmp_path / "a.wav", recorded)
    seconds = len(recorded) / RATE

    class Perfect(FlowGenerator):
        def sample(self, frames, *, random_seeds, request):
            return cut_mel(recorded, plan.join.first, frames, MEL)[None]

    generator = Perfect(FlowConfig(width=64, layers=1), MEL, window_frames=256)
    shipped = Vocoder.load(shipped_model("vocoder"))
    span = (0.4 * seconds, 0.6 * seconds)
    plan = plan_clips(generator, "f", FileRequest(fills=path, span=span), None).plan
    audio = make_clip(generator, shipped, plan, random_seed=0).audio
    assert roughness(audio, plan.join) <= 1
    hard = recorded.copy()
    vocoded = shipped.synthesise(plan.request.mel.numpy())
    hard[plan.join.start : plan.join.stop] = vocoded[plan.join.start - plan.join.first :][
        : plan.join.stop - plan.join.start
    ]
    assert roughness(hard, plan.join) > roughness(audio, plan.join)


def roughness(audio, join):
    """The sharpest bend at the borders of a span, as a ratio to the sharpest anywhere else."""
    bends = np.abs(np.diff(audio, 2))
    at_borders = np.zeros(len(bends), bool)
    for border in (join.start, join.stop):
        at_borders[border - FADE - 2 : border + FADE] = True
    return bends[at_borders].max() / bends[~at_borders].max()


def test_manifest_tells_the_request_and_another_one_is_refused(flow, vocoder, tmp_path):
    path = write(tmp_path / "a.wav", sound(2))
    out = tmp_path / "out"
    request = FileRequest(path, like=((path, 0.5),))
    made(flow, vocoder, out, request, minutes=0.02, seconds=1.5)
    header = json.loads((out / MANIFEST).read_text().splitlines()[0])
    asked = header["request"]
    assert asked["continue"]["file"] == "a.wav"
    assert asked["like"] == [{**asked["continue"], "weight": 0.5}]
    summary, _ = made(flow, vocoder, out, request, minutes=0.04, seconds=1.5)
    assert (summary.made, summary.kept) == (1, 1)
    moved = path.rename(tmp_path / "moved.wav")
    request = FileRequest(moved, like=((moved, 0.5),))
    assert made(flow, vocoder, out, request, minutes=0.04, seconds=1.5)[0].kept == 2
    for other, there in [
        (FileRequest(moved), r"--continue moved.wav --like moved.wav=0.5, not --continue moved"),
        (FileRequest(), r"the request --continue moved.wav --like moved.wav=0.5, not \(none\);"),
    ]:
        with pytest.raises(ParameterError, match=there):
            made(flow, vocoder, out, other, seconds=1.5)
    write(moved, sound(2, seed=5))
    with pytest.raises(ParameterError, match="the request --continue moved.wav"):
        made(flow, vocoder, out, request, seconds=1.5)


def test_other_rates_and_channels_are_converted_and_told(flow, vocoder, tmp_path):
    left = sound(2, rate=44100)
    path = write(tmp_path / "a.wav", np.stack([left, -0.5 * left], axis=1), 44100)
    summary, audio = made(flow, vocoder, tmp_path / "out", FileRequest(path), seconds=1)
    assert len(audio) == 3 * RATE
    assert summary.notes == ["a.wav: 2 channels are mixed to one, resampled from 44100 to 22050 Hz"]


def test_file_above_full_scale_is_lowered_and_told(flow, vocoder, tmp_path):
    path = write(tmp_path / "a.wav", sound(2) * 8, subtype="FLOAT")
    summary, audio = made(flow, vocoder, tmp_path / "out", FileRequest(path), seconds=1)
    assert summary.notes[0].startswith("a.wav: lowered by ")
    assert np.abs(audio).max() <= 1


def test_a_frame_of_many_kinds_is_refused(flow, tmp_path):
    silent = write(tmp_path / "silent.wav", np.zeros(RATE, np.float32))
    ends = write(tmp_path / "ends.wav", np.concatenate([sound(1), np.zeros(2 * RATE)]))
    tiny = write(tmp_path / "tiny.wav", sound(0.04))
    short = write(tmp_path / "short.wav", sound(0.05))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    broken = write(tmp_path / "nan.wav", np.full(RATE, np.nan, np.float32), subtype="FLOAT")
    cases = [
        (FileRequest(silent), "silent.wav: its end: silent; give a sound"),
        (FileRequest(ends), "ends.wav: its end: silent; give a sound"),
        (FileRequest(fills=ends, span=(2.0, 2.5)), "around the span: silent"),
        (FileRequest(follows=silent), "silent.wav: silent"),
        (FileRequest(like=((silent, 1.0),)), "silent.wav: silent"),
        (FileRequest(tiny), r"tiny.wav: 0.040 s are too short .* give at least 0.046 s"),
        (FileRequest(short), r"short.wav: 0.050 s are too short .* give at least 0.064 s"),
        (FileRequest(like=((tiny, 1.0),)), "give at least 0.046 s"),
        (FileRequest(follows=tiny), "give at least 0.046 s"),
        (FileRequest(fills=tiny, span=(0.01, 0.02)), "give at least 0.046 s"),
        (FileRequest(text), "text.wav: not readable as audio"),
        (FileRequest(like=((broken, 1.0),)), "nan.wav: 22050 samples are NaN, infinite or beyond"),
        (FileRequest(tmp_path / "none.wav"), "none.wav: no such audio file"),
        (FileRequest(tmp_path), "a folder, not a file"),
    ]
    for request, message in cases:
        with pytest.raises(AudioError, match=message):
            plan_clips(flow, "f", request, None)


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((1.0, 1.0), r"--from 1 --to 1: a span must begin at 0 or later, and end after that"),
        ((2.0, 1.0), "--from 2 --to 1: a span must"),
        ((-1.0, 1.0), "--from -1 --to 1: a span must"),
        ((math.nan, 1.0), "--from nan --to 1: a span must"),
        ((1.0, math.inf), r"--to inf lies after the end of a.wav, which lasts 3.000 s"),
        ((1.0, 3.1), r"--to 3.1 lies after the end of a.wav, which lasts 3.000 s"),
        ((5.0, 6.0), "--to 6 lies after the end"),
        ((1.0, 1.01), r"0.010 s of new sound must be 0.046 to 3600 s"),
        ((0.0, 3.0), r"leaves almost nothing of a.wav to be heard; give a shorter span"),
    ],
)
def test_impossible_spans_are_refused(span, message, flow, tmp_path):
    path = write(tmp_path / "a.wav", sound(3))
    with pytest.raises(ParameterError, match=message):
        plan_clips(flow, "f", FileRequest(fills=path, span=span), None)


def test_requests_that_exclude_each_other_are_refused(tmp_path):
    path = tmp_path / "a.wav"
    for values, message in [
        ({"continues": path, "loop": True}, "--continue and --loop cannot be combined"),
        ({"follows": path, "continues": path}, "--continue and --follow cannot be combined"),
        ({"fills": path}, "--fill needs --from and --to"),
        ({"span": (1, 2)}, "they need --fill"),
        ({"like": ((path, 0.0),)}, "--like a.wav=0: a weight must be a positive number"),
        ({"like": ((path, math.nan),)}, "--like a.wav=nan: a weight must be"),
    ]:
        with pytest.raises(ParameterError, match=message):
            FileRequest(**values)


def test_length_of_a_filled_span_cannot_be_given_twice(flow, tmp_path):
    path = write(tmp_path / "a.wav", sound(3))
    with pytest.raises(ParameterError, match=r"seconds=2 cannot be combined with --fill"):
        plan_clips(flow, "f", FileRequest(fills=path, span=(1.0, 2.0)), 2.0)


def test_unagan_is_refused_by_its_architecture(vocoder, tmp_path):
    unagan = UnaganGenerator(UnaganConfig(width=8), MEL).eval()
    with pytest.raises(
        ParameterError, match=r"my.flow is a generator of the architecture unagan.*, and --loop"
    ):
        made(unagan, vocoder, tmp_path / "out", FileRequest(loop=True))
    assert not (tmp_path / "out").exists()


def test_models_of_other_mels_are_refused(flow, tmp_path):
    other = Vocoder("vocos-small", PRESETS["hifigan"], config=TINY).eval()
    with pytest.raises(ParameterError, match=r"mel f_max is 11025.0 in the generator my.flow"):
        made(flow, other, tmp_path / "out", FileRequest(loop=True))


def test_steady_new_sound_is_broken_but_a_short_one_is_not(flow, vocoder, tmp_path):
    path = write(tmp_path / "a.wav", sound(3))

    class Steady(type(flow)):
        def sample(self, frames, *, random_seeds, request):
            mel = request.mel.clone()
            mel[:, ~request.given] = -4.0
            return mel[None]

    steady = Steady(flow.config, MelSettings(), window_frames=WINDOW).eval()
    for span, fault in [((1.0, 2.5), "stuck"), ((1.0, 1.2), None)]:
        plan = plan_clips(steady, "f", FileRequest(fills=path, span=span), None).plan
        assert make_clip(steady, vocoder, plan, random_seed=0).fault == fault
