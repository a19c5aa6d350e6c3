"""Published generators fill folders: right rate, exact seconds, manifest, resumable, same bytes."""

import json

import numpy as np
import pytest
import soundfile as sf

from audio.read import read_audio
from db.build import build_database
from demiurge.bundled import CORPUS_DIR
from files.errors import AudioError, ParameterError
from synth.file_request import FileRequest
from synth.generate import GenerateOptions
from synth.generated_manifest import MANIFEST
from synth.plugins.generate import checked_clip, generate_with
from tests.synth.plugins import toy_pipelines

CHOIR = CORPUS_DIR / "ambi_choir.ogg"
TWO = GenerateOptions(minutes=2.2 / 60, seconds=1.1, random_seed=5)
SHAPES = {  # sample rate, channels
    "dance": (2000, 2),
    "audio-diffusion": (8000, 1),
    "audio-ldm": (8000, 1),
    "stable-audio": (8000, 2),
    "musicgen": (32000, 1),
    "musicgen-melody": (32000, 1),
}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def filled(opened, tmp_path_factory):
    """Two files by each plug-in, with a text where it hears one."""
    folder = tmp_path_factory.mktemp("filled")
    for name, plugin in opened.items():
        request = FileRequest(prompt="rain on glass" if plugin.takes_prompt else None)
        generate_with(plugin, folder / name, options=TWO, request=request)
    return folder


@pytest.mark.parametrize("name", SHAPES)
def test_files_have_the_rate_channels_and_exact_seconds(name, filled):
    rate, channels = SHAPES[name]
    for number in (1, 2):
        info = sf.info(filled / name / f"generated-{number:06d}.flac")
        assert (info.samplerate, info.channels) == (rate, channels)
        assert info.frames == round(1.1 * rate)


@pytest.mark.parametrize("name", SHAPES)
def test_the_manifest_tells_model_hash_licence_text_and_seed(name, filled, opened):
    header, *files = map(json.loads, (filled / name / MANIFEST).read_text().splitlines())
    plugin = opened[name]
    assert header["generator"] == plugin.name
    assert plugin.name.endswith(f" {name}")
    assert len(header["generator_hash"]) == 32
    assert header["licence"] == ("unknown" if "musicgen" in name else toy_pipelines.LICENCE)
    assert (header["seed"], header["seconds"]) == (5, 1.1)
    assert (header["sample_rate"], header["channels"]) == SHAPES[name]
    expected = {"prompt": "rain on glass"} if plugin.takes_prompt else {}
    assert header.get("request", {}) == expected
    assert len({file["seed"] for file in files}) == 2
    assert files[0]["hash"] != files[1]["hash"]


@pytest.mark.parametrize("name", SHAPES)
def test_an_interrupted_folder_is_finished_to_the_same_bytes(name, filled, opened, tmp_path):
    plugin = opened[name]
    request = FileRequest(prompt="rain on glass" if plugin.takes_prompt else None)
    first = GenerateOptions(seconds=1.1, random_seed=5)
    assert generate_with(plugin, tmp_path / "o", options=first, request=request).made == 1
    summary = generate_with(plugin, tmp_path / "o", options=TWO, request=request)
    assert (summary.made, summary.kept) == (1, 1)
    assert content(tmp_path / "o") == content(filled / name)


@pytest.mark.parametrize(
    ("name", "options", "request_", "message"),
    [
        ("dance", {}, {"prompt": "rain"}, "DanceDiffusion dance has no use for text; leave --pro"),
        ("dance", {}, {"continues": CHOIR}, "dance cannot go on from a sound; leave --continue"),
        ("musicgen", {}, {"follows": CHOIR}, "musicgen cannot follow a sound; leave --follow out"),
        ("musicgen", {}, {"loop": True}, "musicgen has no use for --loop; leave it out"),
        ("dance", {}, {"like": ((CHOIR, 1.0),)}, "dance has no use for --like; leave it out"),
        ("musicgen", {"workers": 2}, {}, "with all processors; leave --workers out"),
        ("stable-audio", {"seconds": 3}, {}, "seconds=3 is more than StableAudio stable-audio can"),
    ],
)
def test_what_a_model_has_no_use_for_is_refused(name, options, request_, message, opened, tmp_path):
    with pytest.raises(ParameterError, match=message):
        generate_with(
            opened[name],
            tmp_path / "o",
            options=GenerateOptions(**options),
            request=FileRequest(**request_),
        )
    assert not (tmp_path / "o").exists()


def test_a_melody_is_not_followed_beyond_its_end(opened, tmp_path):
    with pytest.raises(AudioError, match="lasts 1.572 s, and cannot be followed for 2 s"):
        generate_with(
            opened["musicgen-melody"],
            tmp_path / "o",
            options=GenerateOptions(seconds=2),
            request=FileRequest(follows=CHOIR),
        )


@pytest.mark.parametrize("name", ["musicgen", "audio-diffusion"])
def test_files_that_go_on_from_a_sound_hold_it(name, opened, tmp_path):
    options = GenerateOptions(seconds=1)
    request = FileRequest(continues=CHOIR)
    summary = generate_with(opened[name], tmp_path / "o", options=options, request=request)
    rate = SHAPES[name][0]
    assert summary.notes == [
        f"ambi_choir.ogg: 2 channels are mixed to one, resampled from 44100 to {rate} Hz"
    ]
    made = read_audio(tmp_path / "o" / "generated-000001.flac").samples
    n_given = -(-sf.info(CHOIR).frames * rate // 44100)
    assert len(made) == n_given + rate
    assert np.abs(made[n_given:]).max() > 0.01


def test_a_folder_of_another_model_is_told_from_this_one(filled, opened, tmp_path):
    with pytest.raises(ParameterError, match="another generator .*dance, .*; not Musicgen"):
        generate_with(opened["musicgen"], filled / "dance", options=TWO)
    other = FileRequest(prompt="wind")
    with pytest.raises(ParameterError, match="the request --prompt 'rain on glass', not --prompt "):
        generate_with(opened["musicgen"], filled / "musicgen", options=TWO, request=other)


def test_a_database_is_built_of_what_was_made(filled, tmp_path):
    report = build_database(filled / "musicgen", tmp_path / "my.db")
    assert (len(report.added), report.failed) == (2, [])


@pytest.mark.parametrize("name", ["musicgen", "audio-ldm"])
def test_text_and_seed_change_what_is_made(name, opened):
    plugin = opened[name]
    first = plugin.generate(0.5, random_seed=1, prompt="rain on glass")
    for others in ({"prompt": "piano"}, {"random_seed": 2}):
        request = {"random_seed": 1, "prompt": "rain on glass", **others}
        assert not np.array_equal(plugin.generate(0.5, **request), first)


def test_broken_clips_are_told_and_loud_ones_lowered():
    noise = np.random.default_rng(0).normal(0, 0.3, (2, 9000)).astype(np.float32)
    clip = checked_clip(noise * 10, 8000)
    assert clip.fault is None
    assert np.abs(clip.audio).max() == pytest.approx(0.999)
    assert checked_clip(noise * 0, 8000).fault == "silent"
    assert checked_clip(np.stack([noise[0], noise[0] * 0]), 8000).fault is None
    noise[1, 100] = np.nan
    assert checked_clip(noise, 8000).fault == "not finite"
    given = checked_clip(noise[:, :100] * 5, 8000, noise[:, :50] * 5).audio
    np.testing.assert_array_equal(given[:, :50], noise[:, :50] * 5)
