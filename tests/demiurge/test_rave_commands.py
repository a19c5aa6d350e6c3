"""Exports of RAVE at the command line: shown, and sounds passed through them."""

import json

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.cli import main
from tests.synth.rave_toys import save_prior, save_rave


def run(*words, expect=0) -> str:
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rave")
    save_rave(folder / "strings.ts", "streaming")
    save_rave(folder / "codes.ts", "discrete")
    save_rave(folder / "wide.ts", "v1", stereo=True)
    save_prior(folder / "prior.ts")
    time = np.arange(11_025) / 22_050
    stereo = np.stack([np.sin(2000 * time), np.sin(3000 * time)], 1)
    sf.write(folder / "voice.wav", 0.3 * stereo, 22_050)
    return folder


def test_codec_shows_the_latents_that_are_used(folder):
    said = run("synth", "codec", f"rave:{folder / 'strings.ts'}")
    assert said.startswith("rave strings.ts: 8000 Hz, 1 channel; a frame is 16 samples, 500 frames")
    assert "  a frame has 4 latents and no codes\n" in said
    assert "  kind: variational, streaming\n" in said
    assert "  latents used: 4 of 8\n" in said
    facts = json.loads(run("synth", "codec", folder / "codes.ts", "--json"))
    assert facts["details"] == {"version": 2, "kind": "discrete", "prior": "no"}
    assert facts["bits_per_second"] == 500 * 4 * 5


def test_licence_is_that_of_the_file_beside_it(folder, tmp_path):
    path = save_rave(tmp_path / "strings.ts", "v2")
    assert json.loads(run("synth", "codec", path, "--json"))["licence"] == "unknown"
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# Strings\n")
    assert "licence of the weights: cc-by-nc-4.0, not for comm" in run("synth", "codec", path)


@pytest.mark.parametrize("file", ["strings.ts", "codes.ts", "wide.ts"])
def test_resynth_passes_a_sound_through(folder, tmp_path, file):
    out = tmp_path / "through.wav"
    run("synth", "resynth", folder / "voice.wav", f"rave:{folder / file}", "-o", out)
    through, rate = sf.read(out)
    assert (len(through), through.shape[1], rate) == (4000, 2, 8000)
    assert np.square(through).mean() > 0.001
    first = out.read_bytes()
    run("synth", "resynth", folder / "voice.wav", f"rave:{folder / file}", "-o", out, "--force")
    assert out.read_bytes() == first


def test_resynth_by_some_codebooks(folder, tmp_path):
    out = tmp_path / "through.wav"
    words = ("synth", "resynth", folder / "voice.wav", f"rave:{folder / 'codes.ts'}", "-o", out)
    facts = json.loads(run(*words, "--codebooks", 2, "--json"))
    assert facts["bits_per_second"] == 2 * 500 * 5  # for each channel
    assert sf.info(out).frames == 4000
    (tmp_path / "through.wav").unlink()
    message = "n_codebooks=5 must be from 1 to 4, those of rave codes.ts"
    assert message in run(*words, "--codebooks", 5, expect=1)


def test_prior_is_refused_in_one_line(folder, tmp_path):
    out = tmp_path / "through.wav"
    words = ("synth", "resynth", folder / "voice.wav", f"rave:{folder / 'prior.ts'}", "-o", out)
    said = run(*words, expect=1)
    assert "prior.ts: a prior, which makes latents and knows no audio; give the RAVE" in said
    assert said.count("\n") == 1
    assert not out.exists()
