"""The demo: what it leaves, and how it ends."""

import sys
from pathlib import Path
from types import SimpleNamespace

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
from playback.plan import Plan, Step

MADE = (
    "continuation.wav",
    "texture.wav",
    "mosaic.wav",
    "seed_and_continuation.wav",
    "seed_and_texture.wav",
    "target_and_mosaic.wav",
    "overview.png",
    "corpus.db",
    "frames.db",
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
    ratio, tempo = (float(cell) for cell in told.split()[3:5])
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


@pytest.fixture
def halved(tmp_path) -> SimpleNamespace:
    """The seed as if it were a result whose level had to be lowered by 6 dB."""
    samples, rate = sf.read(SEED_FILE, dtype="float32")
    sf.write(tmp_path / "halved.wav", samples / 2, rate, subtype="FLOAT")
    step = Step(0, "a.wav", 0, len(samples), 0)
    return SimpleNamespace(
        plan=Plan(rate, 2, {"id": "0", "root": "."}, (step,)),
        wav=tmp_path / "halved.wav",
        summary=SimpleNamespace(gain_db=-6.0206),
    )


def test_measures_are_those_beside_the_seed_at_the_same_level(halved):
    measures = measure_result("loop", halved, SEED_FILE, has_beat=True).measures
    assert measures["pulse_ratio"] == pytest.approx(1, abs=1e-3)
    assert measures["tempo"] == pytest.approx(1, abs=1e-3)
    assert measures["harmony"] == pytest.approx(1, abs=1e-3)
    assert measures["joins_per_second"] == 0
    assert measures["n_sources"] == 1
    rate = halved.plan.sample_rate
    assert measures["longest_run"] == pytest.approx(halved.plan.n_samples / rate)


def test_measures_of_what_has_no_beat_are_blank(halved):
    measured = measure_result("texture", halved, SEED_FILE, has_beat=False)
    assert not measured.measures.keys() & {"pulse", "pulse_ratio", "tempo"}
    heading, row, best = figures_table([measured]).splitlines()
    assert heading.split()[0] == "joins/s"
    assert heading.index("harmony") + len("harmony") == row.index("1.00") + len("1.00")
    assert best.split()[0] == "best"


def test_a_table_shows_what_is_measured():
    table = figures_table([Figures("loop", {"pulse": 0.51, "longest_run": 2.44})])
    assert [line.split()[:2] for line in table.splitlines()[1:2]] == [["loop", "0.51"]]
    assert "2.4" in table


def test_a_seed_is_heard_before_its_continuation_at_the_same_level(halved, tmp_path):
    save_after(SEED_FILE, halved, tmp_path / "both.wav")
    both, rate = sf.read(tmp_path / "both.wav", dtype="float32")
    half = len(both) // 2
    assert rate == halved.plan.sample_rate
    np.testing.assert_allclose(both[:half], both[half:], atol=1e-4)
