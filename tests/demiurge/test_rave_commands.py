"""Exports of RAVE at the command line: shown, and sounds passed through them."""

import json
import shutil

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from tests.pages import ROOT, demiurge_commands, run_as_written
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
    save_rave(folder / "piano.ts", "v2", has_prior=True)
    save_prior(folder / "prior.ts")
    time = np.arange(11_025) / 22_050
    stereo = np.stack([np.sin(2000 * time), np.sin(3000 * time)], 1)
    sf.write(folder / "voice.wav", 0.3 * stereo, 22_050)
    return folder


def test_codec_shows_the_latents_that_are_used(folder):
    said = run("synth", "codec", f"rave:{folder / 'strings.ts'}")
    assert said.startswith("rave strings.ts: 8000 Hz, 1 channel; a frame is 16 samples, 500 frames")
    assert "  a frame has 4 latents and no codes\n" in said
    assert "  kind: continuous, streaming\n" in said
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
    assert message in run(*words, "--codebooks", 5, expect=2)


def test_export_whose_codebooks_are_hidden_is_passed_by_codes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("synth.codecs.rave_codebooks.find_codebooks", lambda *_: None)
    out = tmp_path / "through.wav"
    words = ("synth", "resynth", folder / "voice.wav", f"rave:{folder / 'codes.ts'}", "-o", out)
    assert "has codes but no latents, as its codebooks cannot be found" in run(*words, expect=2)
    run(*words, "--codebooks", 4)
    assert sf.info(out).frames == 4000


def test_prior_is_refused_in_one_line(folder, tmp_path):
    out = tmp_path / "through.wav"
    words = ("synth", "resynth", folder / "voice.wav", f"rave:{folder / 'prior.ts'}", "-o", out)
    said = run(*words, expect=1)
    assert "prior.ts: a prior, which makes latents and knows no audio; give the RAVE" in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_generate_fills_a_folder_by_the_prior_inside(folder, tmp_path):
    words = ("synth", "generate", "--with", f"rave:{folder / 'piano.ts'}", tmp_path / "one")
    asked = ("--seconds", 1.2345, "--random-seed", 3)
    said = run(*words, *asked, "--minutes", 0.02)
    assert "rave piano.ts" in said
    files = sorted((tmp_path / "one").glob("*.flac"))
    assert [sf.info(file).frames for file in files] == [9876]
    first = files[0].read_bytes()
    header = json.loads((tmp_path / "one" / "manifest.jsonl").read_text().splitlines()[0])
    assert header["generator"] == "rave piano.ts"
    assert (header["licence"], header["sample_rate"]) == ("unknown", 8000)
    assert "2 files made" in run(*words, *asked, "--minutes", 0.05)  # it goes on
    run(*words[:-1], tmp_path / "two", *asked, "--minutes", 0.05)
    for name in ("generated-000001.flac", "generated-000002.flac", "generated-000003.flac"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "two" / "generated-000001.flac").read_bytes() == first


def test_generate_by_a_prior_of_its_own(folder, tmp_path):
    words = ("synth", "generate", "--with", f"rave:{folder / 'strings.ts'}", "--seconds", 1)
    said = run(*words, tmp_path / "out", expect=1)
    assert "strings.ts: it has no prior, so that it can only turn sounds into sounds;" in said
    assert said.count("\n") == 1
    facts = json.loads(run(*words, "--prior", folder / "prior.ts", tmp_path / "out", "--json"))
    assert facts["made"] == 1


def test_prior_without_a_rave_is_refused(folder, tmp_path):
    prior = ("--prior", folder / "prior.ts")
    said = run("synth", "generate", "shipped", "shipped", tmp_path / "out", *prior, expect=2)
    assert "--prior goes with --with rave:FILE" in said
    said = run("synth", "generate", "--with", "diffusers:x", tmp_path / "out", *prior, expect=2)
    assert "goes with --with rave:FILE, not diffusers:x" in said


def test_commands_of_the_page_do_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "rooms" / "codecs.md").read_text()
    section = page.partition("\n## RAVE\n")[2].partition("\n## ")[0]
    save_rave(tmp_path / "strings.ts", "v2", has_prior=True)
    save_prior(tmp_path / "strings_prior.ts")
    (tmp_path / "my_sounds").mkdir()
    shutil.copy(CORPUS_DIR / "loop_tabla.ogg", tmp_path / "my_sounds")
    samples, rate = sf.read(SEED_FILE)
    sf.write("my_seed.wav", samples[:rate], rate)
    run_as_written(demiurge_commands(section))
    assert sf.info("mosaic.wav").duration == pytest.approx(1, abs=0.01)
    assert sf.info("by_strings.wav").samplerate == 8000
    assert len(list(tmp_path.glob("strings/*.flac"))) == 3
    assert len(list(tmp_path.glob("by_prior/*.flac"))) == 1
