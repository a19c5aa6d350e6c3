"""Pipelines of diffusers: arguments that the table names are there; pictures go on."""

import inspect

import numpy as np
import pytest

from synth.plugins.diffusion import PIPELINES

PARTS = {  # what the table reads of a pipeline's parts
    "StableAudioPipeline": {"AutoencoderOobleck": ("sampling_rate", "audio_channels")},
    "StableAudio3Pipeline": {
        "AutoencoderSAME": ("sampling_rate", "audio_channels"),
        "StableAudio3DurationEmbedder": ("max_val",),
    },
    "AceStepPipeline": {"AutoencoderOobleck": ("sampling_rate", "audio_channels")},
    "DanceDiffusionPipeline": {"UNet1DModel": ("sample_rate", "out_channels")},
}


def class_of(name):
    diffusers = pytest.importorskip("diffusers")
    if name == "StableAudio3DurationEmbedder":
        from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder

        return StableAudio3DurationEmbedder
    return getattr(diffusers, name)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_takes_what_it_is_called_with(name):
    kind = PIPELINES[name]
    pipeline = class_of(name)
    arguments = inspect.signature(pipeline.__call__).parameters
    wanted = {kind.seconds, "generator", "num_inference_steps"}
    assert wanted <= set(arguments)
    assert ("prompt" in arguments) == kind.takes_prompt
    for part, names in PARTS.get(name, {}).items():
        assert set(names) <= set(inspect.signature(class_of(part).__init__).parameters)
    if name == "AceStepPipeline":
        assert "self.is_turbo = " in inspect.getsource(pipeline.__init__)


def test_a_picture_keeps_the_beginning_that_it_is_given(opened, monkeypatch):
    plugin = opened["audio-diffusion"]
    pictures = []
    sound_of = plugin.pipeline.mel.image_to_audio

    def watched(picture):
        pictures.append(np.asarray(picture).astype(int))
        return sound_of(picture)

    monkeypatch.setattr(plugin.pipeline.mel, "image_to_audio", watched)
    made = plugin.generate(3.5, random_seed=1)
    assert made.shape == (1, 28_000)
    assert len(pictures) == 3  # of 2 s, each after the first half new
    n_given = plugin.picture_samples // 2 // plugin.pipeline.mel.hop_length
    given = plugin.pipeline.mel.audio_slice_to_image(0)  # of the last picture
    expected = np.asarray(given).astype(int)[:, :n_given]
    kept = pictures[2][:, :n_given]
    assert expected.std() > 5
    assert np.abs(kept - expected).mean() < 5


def test_two_seeds_give_two_pictures_and_the_phases_are_of_the_seed(opened):
    plugin = opened["audio-diffusion"]
    first = plugin.generate(1.0, random_seed=1)
    np.testing.assert_array_equal(plugin.generate(1.0, random_seed=1), first)
    assert not np.array_equal(plugin.generate(1.0, random_seed=2), first)
