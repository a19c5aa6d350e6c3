"""scripts/train/all.py, with a fake in place of `demiurge synth train-…`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from files.errors import ParameterError
from scripts.train.all import choose, status, train
from scripts.train.models import Model, Place, next_model, read_models
from scripts.train.ship import MOST_BYTES, ship, size_of
from scripts.train.turns import Turns, arguments_of, lower_priority
from synth.mel import MelSettings
from synth.open_codec import open_codec
from synth.vocoder import Vocoder
from tests.pages import ROOT
from tests.synth.toy_codecs import toy_codec, toy_model, toy_vocoder

FAKE = (sys.executable, str(Path(__file__).with_name("fake_training.py")))
PIANO = Model("piano", "train-generator", ("piano/train",), 3, ("--architecture", "flow"))
DRUMS = Model("drums", "train-vocoder", ("drums/train", "gm/train"), 1, start="shipped")


def be_nice():
    """Stand for the lowest priority, with which a busy machine would never get here."""
    os.nice(1)


@pytest.fixture
def place(tmp_path):
    for name in ("piano/train", "drums/train", "gm/train"):
        (tmp_path / "music" / name).mkdir(parents=True)
    return Place(tmp_path)


@pytest.fixture
def turns(place):
    handlers = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGCONT)
    }
    made = Turns(place, FAKE, be_nice)
    yield made
    made.lock.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def calls(place, model):
    lines = (place.folder(model) / "calls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def wait_for(path):
    for _ in range(1000):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.01)
    raise AssertionError(f"{path} does not appear")


def test_table_names_models_that_can_be_trained():
    models = read_models()
    assert [model.name for model in models] == [
        "flow-piano",
        "flow-drums",
        "unagan",
        "vocoder",
        "vocoder-44k",
        "codec",
    ]
    known = subprocess.run(
        [sys.executable, "-m", "demiurge", "synth", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    assert all(model.command in known for model in models)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('command = "train"\naudio = ["a"]\nshare = 1', "command='train' must be one of train-gen"),
        ('command = "train-vocoder"\naudio = []\nshare = 1', "must name at least one folder"),
        ('command = "train-vocoder"\naudio = ["a"]\nshare = 0', "share=0 must be positive"),
        ('command = "train-vocoder"\naudio = ["a"]\nshare = 1\nlr = 2', "unexpected keyword"),
    ],
)
def test_bad_tables_are_refused(tmp_path, line, message):
    (tmp_path / "models.toml").write_text(f"[one]\n{line}\n")
    with pytest.raises(ParameterError, match=message):
        read_models(tmp_path / "models.toml")


def test_training_begins_with_its_options_and_resumes_without_them(place):
    audio = str(place.root / "music/piano/train")
    folder = str(place.folder(PIANO))
    begun = f"synth train-generator {audio} {folder}"
    new = " ".join(arguments_of(place, PIANO, 30))
    assert new == f"{begun} --architecture flow --force --minutes 30 --json"
    place.folder(PIANO).mkdir(parents=True)
    (place.folder(PIANO) / "training.pt").touch()
    assert " ".join(arguments_of(place, PIANO, 2.5)) == f"{begun} --resume --minutes 2.5 --json"
    assert arguments_of(place, DRUMS, 1)[4:6] == ["--from", "shipped"]


def test_several_folders_of_audio_become_one_with_links(place):
    for _ in range(2):
        together = place.audio(DRUMS)
    links = {path.name: path.resolve() for path in together.iterdir()}
    music = place.root / "music"
    assert links == {"drums-train": music / "drums/train", "gm-train": music / "gm/train"}
    with pytest.raises(ParameterError, match=r"no such folder; make it with scripts/make"):
        place.audio(Model("a", "train-vocoder", ("none",), 1))


def test_the_next_model_has_had_least_for_its_share():
    assert next_model([PIANO, DRUMS], {}) == PIANO
    assert next_model([PIANO, DRUMS], {"piano": 1.0}) == DRUMS
    assert next_model([PIANO, DRUMS], {"piano": 1.0, "drums": 0.5}) == PIANO


def stop_after(turns, n_turns):
    take = turns.take

    def counted(model, minutes):
        turn = take(model, minutes)
        turns.stopping = len(place_log(turns.place)) >= n_turns
        return turn

    turns.take = counted


def place_log(place):
    text = place.hours_log.read_text() if place.hours_log.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def test_time_is_shared_and_logged(turns, place, capsys):
    stop_after(turns, 6)
    assert train(turns, [PIANO, DRUMS], minutes=60, turn_minutes=20)
    log = place_log(place)
    assert [turn["model"] for turn in log[:2]] == ["piano", "drums"]
    assert [turn["model"] for turn in log].count("piano") > 3
    assert all(turn["exit"] == 0 and turn["minutes"] >= 0 for turn in log)
    assert log[0]["validation"] == {"step": 7, "distance": 0.5}
    first, second, *_ = calls(place, PIANO)
    assert first["nice"] == os.nice(0) + 1
    assert first["threads"] == "1"
    assert "--resume" not in first["options"]
    assert "--resume" in second["options"]
    assert "piano: step 7, distance 0.5" in capsys.readouterr().out


def test_training_gets_the_lowest_priority():
    code = "import os; print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE)"
    process = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lower_priority,
        start_new_session=True,
    )
    assert process.stdout.split() == ["19", "True"]


def test_a_model_that_fails_is_set_aside_and_the_others_go_on(turns, place, capsys):
    stop_after(turns, 3)
    place.folder(PIANO).mkdir(parents=True)
    (place.folder(PIANO) / "broken").touch()
    assert not train(turns, [PIANO, DRUMS], minutes=60, turn_minutes=20)
    assert len(calls(place, PIANO)) == 1
    assert len(calls(place, DRUMS)) == 2
    assert "piano: failed with exit status 2; see" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_model_save_and_ends_all(turns, place, number):
    place.folder(PIANO).mkdir(parents=True)
    (place.folder(PIANO) / "endless").touch()

    def send():
        wait_for(place.folder(PIANO) / "ready")
        os.kill(int((place.root / "pid").read_text()), number)

    sender = threading.Thread(target=send)
    sender.start()
    assert train(turns, [PIANO, DRUMS], minutes=60, turn_minutes=30)
    sender.join()
    assert place.has_begun(PIANO)
    assert not place.has_begun(DRUMS)
    (turn,) = place_log(place)
    assert turn["exit"] == 1
    assert turn["cpu_minutes"] < 1


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until(pid, *states):
    for _ in range(1000):
        if state_of(pid) in states:
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} is in state {state_of(pid)}, not in {states}")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_the_training_is_paused_and_continued_with_the_script(place):
    """In a process of its own, which can be stopped."""
    place.folder(PIANO).mkdir(parents=True)
    (place.folder(PIANO) / "endless").touch()
    code = (
        "from tests.scripts.test_train_all import *\n"
        f"train(Turns(Place(Path({str(place.root)!r})), FAKE, be_nice), [PIANO], 60, 30)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)
    training = int(wait_for(place.folder(PIANO) / "ready"))
    process.send_signal(signal.SIGTSTP)
    wait_until(training, "T")
    wait_until(process.pid, "T")
    process.send_signal(signal.SIGCONT)
    wait_until(training, "S", "R")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert place.has_begun(PIANO)


def test_two_processes_do_not_train_in_one_folder(turns, place):
    with pytest.raises(ParameterError, match=r"another process trains here; stop it with kill"):
        Turns(place, FAKE)


def test_status_shows_hours_and_validation_of_every_model(turns, place):
    turns.take(PIANO, 1)
    (place.folder(PIANO) / "config.json").write_text(
        json.dumps({"training": {"step": 4, "measures": {"distance": 0.25}}})
    )
    place.log_turn({"model": "piano", "cpu_minutes": 90.0})
    piano, drums = status(place, [PIANO, DRUMS]).splitlines()
    assert " 1.5 h  share 3  last: step 7, distance 0.5  kept: step 4, distance 0.25" in piano
    assert " 0.0 h  share 1  last: nothing yet  kept: nothing yet" in drums


def test_unknown_names_are_refused_with_those_that_are_known():
    with pytest.raises(ParameterError, match="flute: no such model; choose of piano, drums"):
        choose([PIANO, DRUMS], ["drums", "flute"])
    assert choose([PIANO, DRUMS], ["drums"]) == [DRUMS]


@pytest.fixture
def trained(place):
    """A vocoder of toy size, as training keeps it."""
    sizes = {"dim": 8, "intermediate_dim": 16, "n_layers": 1, "refinements": 1}
    summary = {"step": 3, "measures": {"distance": 0.1}, "train": ["a.flac"]}
    vocoder = Vocoder("vocos-small", MelSettings(), config=sizes, training=summary)
    vocoder.save(place.folder(DRUMS))
    return vocoder


def test_shipped_weights_are_the_kept_ones_in_8_bits(place, trained, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    place.log_turn({"model": "drums", "cpu_minutes": 120.0})
    for _ in range(2):  # the second replaces the first
        out = ship(place, DRUMS, weights=weights)
    assert [path.name for path in weights.iterdir()] == ["drums"]
    shipped = Vocoder.load(out)
    assert shipped.training_summary == {"step": 3, "measures": {"distance": 0.1}, "hours": 2.0}
    for name, tensor in trained.network.state_dict().items():
        error = (shipped.network.state_dict()[name] - tensor).abs().max()
        assert error <= tensor.abs().max() / 254 + 1e-9, name
    assert size_of(out) < 0.5 * size_of(place.folder(DRUMS))


def test_a_shipped_codec_leaves_its_vocoder_out_and_says_its_licence(place, tmp_path):
    codec = Model("codec", "train-codec", ("drums/train",), 1)
    toy_model().save(place.folder(codec))
    toy_vocoder().save(place.folder(codec) / "vocoder")
    toy_vocoder().save(tmp_path / "vocoder")
    out = ship(place, codec, weights=tmp_path)
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors"]
    shipped = open_codec(out)
    assert (shipped.licence, shipped.name) == ("MIT", "codec")
    audio = np.sin(np.arange(4000) / 5).astype(np.float32)
    latents = toy_codec().latents(audio)
    assert np.abs(shipped.latents(audio) - latents).mean() < 0.1 * latents.std()


def test_weights_that_would_be_too_large_together_are_not_shipped(place, trained, tmp_path):
    weights = tmp_path / "weights"
    (weights / "other").mkdir(parents=True)
    with (weights / "other" / "model.safetensors").open("wb") as file:
        file.truncate(MOST_BYTES - 1000)
    with pytest.raises(ParameterError, match=r"together would be 35\.. MB, and may be 35"):
        ship(place, DRUMS, weights=weights)
    assert [path.name for path in weights.iterdir()] == ["other"]
    with pytest.raises(ParameterError, match="holds no weights yet; train piano"):
        ship(place, PIANO, weights=weights)
