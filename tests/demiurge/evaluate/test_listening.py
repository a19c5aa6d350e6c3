"""The folder of a listening page."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from demiurge.evaluate.listening import Sound, Trial, write_listening_page
from files.errors import AudioError, ParameterError
from tests.pages import ROOT, blocks

RATE = 22050
METHODS = ("truth", "oracle", "forecaster")
PAGE_FILES = {"index.html", "style.css", "listening.css", "icon.svg"}
SCRIPTS = {"pairs.js", "answers.js", "player.js", "listening.js"}


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """Two seeds, each continued by three methods for about two seconds."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "made"
    folder.mkdir()

    def write(name: str, seconds: float, level: float) -> Path:
        path = folder / f"{name}.wav"
        sf.write(path, level * rng.standard_normal(round(seconds * RATE)), RATE, subtype="FLOAT")
        return path

    return [
        Trial(
            write(f"seed{k}", 1, 0.1),
            tuple(
                Sound(method, write(f"{method}{k}", 2 + 0.1 * k, 0.02 * (m + 1)))
                for m, method in enumerate(METHODS)
            ),
        )
        for k in range(2)
    ]


def content_of(index: Path) -> dict:
    script = (index.parent / "pairs.js").read_text()
    return json.loads(script.removeprefix("const LISTENING = ").removesuffix(";\n"))


def key_of(index: Path) -> dict:
    return json.loads(base64.b64decode(content_of(index)["key"]))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_folder_holds_the_page_and_a_sound_of_each_method(trials, tmp_path):
    index = write_listening_page(tmp_path / "new" / "out", trials)
    assert index == tmp_path / "new" / "out" / "listening" / "index.html"
    sounds = {f"sounds/{number:02d}.flac" for number in range(1, 7)}
    assert set(bytes_of(index.parent)) == PAGE_FILES | SCRIPTS | sounds
    assert [path.name for path in index.parent.parent.iterdir()] == ["listening"]


def test_pairs_and_key_name_every_sound(trials, tmp_path):
    index = write_listening_page(tmp_path, trials)
    pairs = content_of(index)["pairs"]
    key = key_of(index)
    assert len(pairs) == len(key["seeds"]) == 6
    assert sorted(key["methods"].values()) == sorted(2 * METHODS)
    assert {name for pair in pairs for name in (pair["a"], pair["b"])} == set(key["methods"])
    for pair, seed in zip(pairs, key["seeds"], strict=True):
        assert seed in ("seed0.wav", "seed1.wav")
        seconds = 3.0 if seed == "seed0.wav" else 3.1
        assert (pair["seed_seconds"], pair["seconds"]) == (1.0, pytest.approx(seconds, abs=1e-3))
        for side in "ab":
            assert sf.info(index.parent / "sounds" / pair[side]).duration == pytest.approx(seconds)


def test_sound_is_the_one_that_the_key_says(trials, tmp_path):
    index = write_listening_page(tmp_path, trials)
    key = key_of(index)
    for pair, seed in zip(content_of(index)["pairs"], key["seeds"], strict=True):
        for side in "ab":
            samples, rate = sf.read(index.parent / "sounds" / pair[side])
            level = samples[rate + 1000 : -rate // 10].std() / samples[:rate].std()
            method = METHODS.index(key["methods"][pair[side]])
            assert level == pytest.approx(0.2 * (method + 1), rel=0.05), seed


def test_nothing_but_the_key_tells_the_methods(trials, tmp_path):
    index = write_listening_page(tmp_path, trials)
    for name, content in bytes_of(index.parent).items():
        for told in (*METHODS, "seed0", "seed1"):
            assert told not in name
            assert told.encode() not in content, name
    numbers = [int(name.split(".")[0]) for name in key_of(index)["methods"]]
    assert numbers != sorted(numbers)


def test_page_asks_for_nothing_outside_its_folder(trials, tmp_path):
    page = bytes_of(write_listening_page(tmp_path, trials).parent)
    for name in PAGE_FILES - {"icon.svg"} | SCRIPTS:
        for asking in (b"http:", b"https:", b"url(", b"@import", b"import ", b"fetch", b'="/'):
            assert asking not in page[name], name


def test_same_random_seed_gives_the_same_bytes_and_another_does_not(trials, tmp_path):
    pages = [
        write_listening_page(tmp_path / str(k), trials, random_seed=random_seed)
        for k, random_seed in enumerate((3, 3, 4))
    ]
    first, again, other = (bytes_of(page.parent) for page in pages)
    assert first == again
    assert first["pairs.js"] != other["pairs.js"]
    assert content_of(pages[0])["page"] != content_of(pages[2])["page"]


def test_other_sounds_make_another_page(trials, tmp_path):
    before = content_of(write_listening_page(tmp_path, trials))
    samples, rate = sf.read(trials[0].sounds[1].path)
    sf.write(trials[0].sounds[1].path, samples[::-1], rate, subtype="FLOAT")
    after = content_of(write_listening_page(tmp_path, trials))
    assert after["pairs"] == before["pairs"]
    assert after["page"] != before["page"]


def test_page_is_replaced_as_a_whole(trials, tmp_path):
    index = write_listening_page(tmp_path, trials)
    write_listening_page(tmp_path, [Trial(trials[0].seed, trials[0].sounds[:2])])
    assert len(list((index.parent / "sounds").iterdir())) == 2


def test_failure_leaves_the_page_as_it_was(trials, tmp_path):
    index = write_listening_page(tmp_path, trials)
    before = bytes_of(index.parent)
    trials[1].sounds[2].path.unlink()
    with pytest.raises(AudioError, match="forecaster1.wav: no such audio file"):
        write_listening_page(tmp_path, trials, random_seed=1)
    assert bytes_of(index.parent) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["listening", "made"]


def test_folder_with_something_else_is_not_replaced(trials, tmp_path):
    (tmp_path / "listening").mkdir()
    (tmp_path / "listening" / "mine.txt").write_text("mine")
    with pytest.raises(ParameterError, match="listening: exists and is no listening page"):
        write_listening_page(tmp_path, trials)
    assert (tmp_path / "listening" / "mine.txt").read_text() == "mine"


def test_seeds_that_are_in_no_pair_are_not_read(trials, tmp_path):
    two = trials[0].sounds[:2]
    unread = [Trial(tmp_path / "missing.wav", two)] * 41
    with pytest.raises(AudioError, match="missing.wav"):
        write_listening_page(tmp_path, unread)
    many = [Trial(trials[0].seed, two)] * 41
    index = write_listening_page(tmp_path, many)
    assert len(content_of(index)["pairs"]) == 40
    assert len(list((index.parent / "sounds").iterdir())) == 80


def test_no_trial_raises(tmp_path):
    with pytest.raises(ParameterError, match="0 trials: there is nothing to listen to"):
        write_listening_page(tmp_path, [])


def test_trial_with_one_method_raises(trials, tmp_path):
    alone = Trial(trials[0].seed, trials[0].sounds[:1])
    with pytest.raises(ParameterError, match=r"seed0.wav: 1 of the at least 2 methods"):
        write_listening_page(tmp_path, [trials[1], alone])


def test_method_twice_in_a_trial_raises(trials, tmp_path):
    twice = Trial(trials[0].seed, (*trials[0].sounds, trials[0].sounds[1]))
    with pytest.raises(ParameterError, match="seed0.wav: 2 sounds of the method 'oracle'"):
        write_listening_page(tmp_path, [twice])


def test_unreadable_sound_raises(trials, tmp_path):
    trials[0].sounds[0].path.write_bytes(b"no audio")
    with pytest.raises(AudioError, match=r"truth0.wav: not readable as audio"):
        write_listening_page(tmp_path, trials)


def test_example_of_the_docs_runs(tmp_path, tabla, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("seed", "true", "next", "old"):
        sf.write(f"{name}.wav", tabla, 44100)
    ((language, example),) = blocks((ROOT / "docs" / "listening.md").read_text())
    assert language == "python"
    exec(example, {})
    assert capsys.readouterr().out == f"{Path('out', 'listening', 'index.html')}\n"
