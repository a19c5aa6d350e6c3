"""The demo: what it leaves, and how it ends."""

import json
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from demiurge.demo import SECONDS, save_after
from demiurge.demo_figures import Figures, figures_table, measure_result
from demiurge.demo_text import farewell
from demiurge.pipeline import RenderResult
from playback.plan import Plan, Step
from playback.render import render

MADE = (
    "continuation.wav",
    "texture.wav",
    "mosaic.wav",
    "seed_and_continuation.wav",
    "seed_and_texture.wav",
    "target_and_mosaic.wav",
    "overview.png",
    "corpus.db",
    "forecaster",
    "sounds",
)


@pytest.mark.slow
def test_demo_leaves_what_it_says(tmp_path):
    out = tmp_path / "demo"
    result = CliRunner().invoke(main, ["demo", "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    for name in MADE:
        assert name in result.output
        assert (out / name).exists()
    samples, rate = sf.read(out / "continuation.wav", always_2d=True)
    assert (len(samples), rate) == (SECONDS * 44100, 44100)
    assert 0.02 < np.abs(samples).max() < 1
    assert SECONDS <= sf.info(out / "texture.wav").duration < SECONDS + 2
    generated = sorted((out / "sounds" / "generated").glob("*.flac"))
    assert [sf.info(path).duration for path in generated] == [10.0] * 6
    recorded = {path.name for path in (out / "sounds" / "recorded").iterdir()}
    bundled = {path.name for path in CORPUS_DIR.iterdir()}
    assert bundled - recorded == {"loop_amen.ogg"}
    both = sf.info(out / "seed_and_continuation.wav")
    assert both.frames == len(samples) + sf.info(SEED_FILE).frames
    told = next(line for line in result.output.splitlines() if "continuation  " in line)
    pulse, ratio, tempo = (float(cell) for cell in told.split()[1:4])
    assert ratio > 0.9
    assert tempo > 0.7
    picture = matplotlib.image.imread(out / "overview.png")
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 200


@pytest.mark.parametrize(
    ("path", "called", "start"),
    [
        ("there", ".venv/bin/demiurge", "demiurge"),
        ("nowhere", ".venv/bin/demiurge", ".venv/bin/demiurge"),
        ("nowhere", "site-packages/demiurge/__main__.py", f"{sys.executable} -m demiurge"),
    ],
)
def test_the_demo_ends_with_commands_that_start_here(tmp_path, monkeypatch, path, called, start):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "demiurge").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / path))
    monkeypatch.setattr(sys, "argv", [called, "demo"])
    browse = f"\n  {start} browse out/corpus.db --plan out/continuation.plan.json\n"
    assert browse in farewell(Path("out"), 1.0)


def test_force_keeps_nothing_that_was_generated_before(tmp_path, monkeypatch):
    """Another version may have made other bytes of the same models and options."""
    generated = tmp_path / "demo" / "sounds" / "generated"
    generated.mkdir(parents=True)
    for name in ("generated-000001.flac", "manifest.jsonl"):
        (generated / name).touch()

    def stop(*_, **__):
        assert list(generated.iterdir()) == []
        raise KeyboardInterrupt

    monkeypatch.setattr("demiurge.demo.generate", stop)
    arguments = ["demo", "--out", str(tmp_path / "demo"), "--force"]
    assert "Aborted" in CliRunner().invoke(main, arguments).output
