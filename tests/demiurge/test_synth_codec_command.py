"""demiurge synth codec: what a codec is, in words and as JSON; and what is none."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import synth.open_codec
from demiurge.cli import main

FACTS = {
    "name": "EnCodec here",
    "sample_rate": 32000,
    "channels": 1,
    "hop_length": 640,
    "frame_rate": 50.0,
    "n_latents": 128,
    "n_codebooks": 4,
    "codebook_size": 2048,
    "licence": "CC-BY-NC-4.0",
    "hash": "00ff" * 8,
    "details": {"delay_seconds": 0.25},
}


def run(*words, expect=0) -> str:
    result = CliRunner().invoke(main, ["synth", "codec", *map(str, words)])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture
def opened(monkeypatch):
    """Return the function that makes `open_codec` give a codec of these facts."""
    asked = []

    def give(**facts):
        codec = SimpleNamespace(**{**FACTS, **facts})
        monkeypatch.setattr(
            synth.open_codec, "open_codec", lambda path: asked.append(path) or codec
        )
        return asked

    return give


def test_facts_in_words(opened):
    asked = opened()
    assert run("some/where") == (
        "EnCodec here: 32000 Hz, 1 channel; a frame is 640 samples, 50 frames a second\n"
        "  a frame has 128 latents, or codes of 4 codebooks of 2048 entries (2.2 kbit/s)\n"
        "  licence of the weights: CC-BY-NC-4.0, not for commercial use\n"
        f"  hash {FACTS['hash']}\n"
        "  delay seconds: 0.25\n"
    )
    run("codec:some/where")
    assert asked == [Path("some/where")] * 2


def test_facts_as_json(opened):
    opened()
    assert json.loads(run("here", "--json")) == {
        "codec": "here",
        **FACTS,
        "bits_per_second": 2200.0,
    }


def test_codec_without_codes(opened):
    opened(n_codebooks=0, codebook_size=0, n_latents=1, licence="unknown")
    said = run("here")
    assert "  a frame has 1 latent and no codes\n" in said
    assert (
        "  licence of the weights: unknown; look at the page that the weights come from\n" in said
    )
    assert json.loads(run("here", "--json"))["bits_per_second"] == 0


@pytest.mark.parametrize(("licence", "shown"), [("mit", "mit"), ("cc-by-4.0", "cc-by-4.0")])
def test_free_licences_are_shown_as_they_are(opened, licence, shown):
    opened(licence=licence)
    assert f"weights: {shown}\n" in run("here")


def test_what_is_no_codec_is_one_line(tmp_path):
    said = run("facebook/encodec_24khz", expect=1)
    assert "hf download facebook/encodec_24khz --local-dir encodec_24khz, then give" in said
    assert said.count("\n") == 1
    assert run(tmp_path, expect=1).startswith(f"Error: {tmp_path}: no model here")


def test_broken_torchaudio_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "torchaudio.py").write_text("raise OSError('libc10_cuda.so: no such file')")
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "dac").mkdir()
    (tmp_path / "dac" / "config.json").write_text('{"model_type": "dac"}')
    (tmp_path / "dac" / "model.safetensors").write_bytes(b"")
    said = run(tmp_path / "dac", expect=2)
    assert said.startswith("Error: torchaudio is installed but broken (libc10_cuda.so: no such")
    assert said.endswith(" -m pip uninstall torchaudio\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("kind", ["codec", "rave"])
def test_a_word_without_a_path_is_refused(kind):
    assert f"{kind}: names no codec; give {kind}:PATH" in run(f"{kind}:", expect=2)
