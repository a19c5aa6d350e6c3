"""The whole evaluation, and its command, on two short pieces and a corpus of two melodies."""

import json
import os
import shlex
from pathlib import Path
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.cli import main
from demiurge.evaluate import open_loop
from demiurge.evaluate.baselines import RandomPassage
from demiurge.evaluate.columns import COLUMNS
from demiurge.evaluate.continuation_folder import _load_windows
from demiurge.evaluate.report import MEANS, WHOLE
from synth.musicnn import Musicnn
from tests.demiurge.evaluate.conftest import melody
from tests.sounds import RATE

METHODS = ["the track itself", "random passage", "oracle, beats", "oracle, frames", "0.1.0"]


def embed(audio, sample_rate):
    """A stand-in for MusiCNN: the spectrum of each second, in 8 bands."""
    windows = audio[: len(audio) // sample_rate * sample_rate].reshape(-1, sample_rate)
    bands = np.array_split(np.abs(np.fft.rfft(windows))[:, : sample_rate // 8], 8, axis=1)
    return np.log(np.stack([band.mean(axis=1) for band in bands], axis=1) + 1e-3)


def run(line, *more, expect=0):
    result = CliRunner().invoke(main, [*shlex.split(line), *map(str, more)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture(scope="module")
def work(melodies, tmp_path_factory):
    """A database, a model, pieces, and an evaluation of all of them, made by commands."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "pieces").mkdir()
    for number in (5, 6):
        sf.write(folder / "pieces" / f"piece {number}.wav", melody(number, 40), RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(open_loop.TRAINING, "epochs", 1)
        patch.setattr(Musicnn, "find", lambda folder: SimpleNamespace(embed=embed))
        run("db build", melodies, folder / "my.db")
        run("sequencer train", folder / "my.db", folder / "my.model", "--epochs", 1)
        result = run(command(folder, "evaluation"), "--json")
        yield SimpleNamespace(folder=folder, document=json.loads(result.stdout))


def command(folder, out):
    inputs = f"{folder}/my.db {folder}/my.model --seeds {folder}/pieces"
    return f"evaluate {inputs} -o {folder}/{out} --seconds 6"


def test_report_has_every_method_measure_and_seed(work):
    document = work.document
    assert [report["method"] for report in document["methods"]] == [*METHODS, "render, my.model"]
    for report in document["methods"]:
        assert report["seeds"] == 6
        for measure in (*MEANS, *WHOLE):
            estimate = report[measure]
            if estimate["lower"] is not None:
                assert estimate["lower"] <= estimate["upper"]
            if estimate["lower"] is not None and measure in MEANS:
                assert estimate["lower"] - 1e-9 <= estimate["value"] <= estimate["upper"] + 1e-9
    assert {seed.rpartition("-")[0] for seed in document["seeds"]["0.1.0"]} == {
        "piece 5",
        "piece 6",
    }
    assert {column.measure for column in COLUMNS} <= {*MEANS, *WHOLE}
    assert document["left_out"] == {}


def test_true_continuation_is_nearest_to_itself(work):
    true, *others = work.document["methods"]
    assert true["kad"]["value"] < min(other["kad"]["value"] for other in others)
    assert true["told_apart"]["value"] == pytest.approx(0.5)
    assert true["joins_per_second"]["value"] == 0
    assert true["pulse"]["value"] > 0.5


def test_report_is_kept_beside_the_sounds_and_a_picture(work):
    out = work.folder / "evaluation"
    assert json.loads((out / "evaluation.json").read_text()) == work.document
    assert matplotlib.image.imread(out / "evaluation.png").std() > 0.05
    assert (out / "listening" / "index.html").is_file()
    for method in ("the-track-itself", "oracle-beats", "render-my.model"):
        sounds = sorted((out / method).glob("*.flac"))
        assert len(sounds) == 6
        assert sf.info(sounds[0]).duration == pytest.approx(6, abs=1e-4)


def test_what_an_earlier_run_made_is_used_unless_forced(work, monkeypatch):
    def fail(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr(RandomPassage, "continue_seed", fail)
    unfinished = work.folder / "evaluation" / "0.1.0" / "piece 5-1.npy"  # as after Ctrl-C
    unfinished.unlink()
    again = run(command(work.folder, "evaluation"), "--json")
    assert json.loads(again.stdout) == work.document
    with pytest.raises(AssertionError, match="rendered again"):
        run(command(work.folder, "evaluation"), "--force")


def test_embeddings_that_are_damaged_are_made_again(tmp_path):
    path = tmp_path / "a.npy"
    good = np.ones((3, 4), np.float32)
    np.save(path, good)
    assert np.array_equal(_load_windows(path), good)
    content = path.read_bytes()
    for damaged in (b"", content[:20], content[:-1], content.replace(b"{", b"(", 1)):
        path.write_bytes(damaged)
        assert _load_windows(path) is None
    for other in (good[:0], good[0], good.astype(int), good * np.nan, np.array([None])):
        np.save(path, other)
        assert _load_windows(path) is None
    path.unlink()
    assert _load_windows(path) is None
    os.mkfifo(path)
    assert _load_windows(path) is None


def test_table_shows_each_method_and_what_could_not_be_used(work):
    bad = work.folder / "pieces" / "bad.wav"
    bad.write_bytes(b"no audio")
    try:
        result = run(command(work.folder, "evaluation"), expect=1)
    finally:
        bad.unlink()
    assert "6 seeds of 2 pieces, each continued for 6 s" in result.stdout
    for text in (*METHODS, "render, my.model", *(column.label for column in COLUMNS)):
        assert text in result.stdout
    assert "left out: bad.wav: not readable as audio" in result.stderr


def test_evaluate_refuses(work, melodies, tmp_path):
    folder = work.folder
    line = f"evaluate {folder}/my.db {folder}/my.model"
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("Dear")
    out = tmp_path / "out"
    for more, said in {
        f"--seeds {melodies} -o {out}": "must not be sources of the database",
        f"--seeds {tmp_path}/empty -o {out}": "no audio files in this folder",
        f"--seeds {folder}/pieces -o {tmp_path}/other": "holds something else",
        f"--seeds {folder}/pieces -o {melodies}/out": "lies in the corpus",
        f"{folder}/my.model --seeds {folder}/pieces -o {out}": "give each model once",
        f"--seeds {folder}/pieces -o {out} --seconds 1": "6<=x<=600",
    }.items():
        assert said in run(f"{line} {more}", expect=2).output
    assert not Path(melodies, "out").exists()
    missing = f"evaluate {folder}/my.db {folder}/none --seeds {folder}/pieces -o {out}"
    assert f"{folder}/none" in run(missing, expect=1).output
    assert not out.exists()
