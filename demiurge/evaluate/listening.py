"""Write a page on which people compare continuations without knowing what made them.

trials ──► pairs of methods, shuffled ──► sounds of equal loudness, numbered ──► a folder with a
page that any browser opens, without a server or a network

    listening/index.html       the page, with its scripts and sheets beside it
    listening/pairs.js         which two sounds are compared, in which order, and the key
    listening/sounds/01.flac   a seed's end and one continuation
"""

import base64
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from audio.write import AudioWriter
from demiurge.evaluate.listening_pairs import Pair, choose_pairs
from demiurge.evaluate.listening_sounds import SAMPLE_RATE, ComparableSounds, make_comparable
from files.atomic import make_folder, write_text, writing_errors
from files.errors import ParameterError
from files.hashing import hash_file

STATIC = Path(__file__).parent / "static"
SHARED = Path(__file__).parents[1] / "web" / "static"  # the look of demiurge browse
SHARED_FILES = ("style.css", "icon.svg")


@dataclass(frozen=True)
class Sound:
    """A continuation, without its seed: an audio file and the name of the method that made it."""

    method: str
    path: Path


@dataclass(frozen=True)
class Trial:
    """A seed, as an audio file, and its continuations by several methods.

    The recording's own continuation may be one of them.
    """

    seed: Path
    sounds: tuple[Sound, ...]


def write_listening_page(folder: Path, trials: Sequence[Trial], *, random_seed: int = 0) -> Path:
    """Write the page to `folder`/listening, in place of one that is there.

    Every pair of methods is compared for every seed, or a balanced part of 40 pairs. A listener
    hears up to 6 s of the seed, then up to 20 s of either continuation; all continuations of a
    seed are as long as the shortest. The same trials and random seed give the same bytes.

    Returns
    -------
    Path
        Of index.html, which opens in a browser.

    Raises
    ------
    ParameterError
        If there is no trial, a trial has fewer than two methods or one twice, or the folder cannot
        be written or holds something else.
    AudioError
        If a sound is missing, unreadable, or shorter than 0.1 s.
    """
    _check_trials(trials)
    target = Path(folder) / "listening"
    _check_target(target)
    make_folder(folder)
    unfinished = target.with_name(".listening-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _fill(unfinished, trials, np.random.default_rng(random_seed))
        with writing_errors(target):
            if target.exists():
                shutil.rmtree(target)
            unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target / "index.html"


def _fill(folder: Path, trials: Sequence[Trial], rng: np.random.Generator) -> None:
    sounds = folder / "sounds"
    make_folder(sounds)
    pairs = choose_pairs([[sound.method for sound in one.sounds] for one in trials], rng)
    names = _number_sounds(pairs, rng)
    seconds = {}
    for number in sorted({pair.trial for pair in pairs}):
        compared = {method: name for (trial, method), name in names.items() if trial == number}
        seconds[number] = _write_sounds(sounds, trials[number], compared)
    content = {
        "pairs": [_describe(pair, names, seconds[pair.trial]) for pair in pairs],
        "key": _hide(pairs, names, trials),
    }
    _write_script(folder, content)
    with writing_errors(folder):
        for path in [*STATIC.iterdir(), *(SHARED / name for name in SHARED_FILES)]:
            shutil.copyfile(path, folder / path.name)


def _write_script(folder: Path, content: dict[str, Any]) -> None:
    """Write what the page shows, and by what its answers are kept: a hash of all that is heard."""
    hashes = [hash_file(path) for path in sorted((folder / "sounds").iterdir())]
    page = xxhash.xxh3_64_hexdigest(json.dumps([content, hashes]).encode())
    script = json.dumps({"page": page, **content}, indent=1)
    write_text(folder / "pairs.js", f"const LISTENING = {script};\n")


def _number_sounds(pairs: Sequence[Pair], rng: np.random.Generator) -> dict[tuple[int, str], str]:
    """Give each (trial, method) that is compared a file name, a number that says nothing."""
    heard = sorted({(pair.trial, method) for pair in pairs for method in (pair.a, pair.b)})
    digits = max(2, len(str(len(heard))))
    numbers = rng.permutation(len(heard)) + 1
    return {
        sound: f"{number:0{digits}d}.flac" for sound, number in zip(heard, numbers, strict=True)
    }


def _write_sounds(folder: Path, trial: Trial, names: dict[str, str]) -> tuple[float, float]:
    """Write the sounds of a trial in the order of their names; return seconds of seed and of all.

    Parameters
    ----------
    names : dict
        The file name of each method.
    """
    compared = [sound for sound in trial.sounds if sound.method in names]
    compared.sort(key=lambda sound: names[sound.method])
    made = make_comparable(trial.seed, [sound.path for sound in compared])
    for sound, samples in zip(compared, made.samples, strict=True):
        _write_flac(folder / names[sound.method], samples)
    return _seconds(made)


def _write_flac(path: Path, samples: np.ndarray) -> None:
    n_samples, channels = samples.shape
    with AudioWriter(path, SAMPLE_RATE, channels, bits="16", n_samples=n_samples) as writer:
        writer.write(samples)


def _seconds(made: ComparableSounds) -> tuple[float, float]:
    return made.seed_samples / SAMPLE_RATE, len(made.samples[0]) / SAMPLE_RATE


def _describe(
    pair: Pair, names: dict[tuple[int, str], str], seconds: tuple[float, float]
) -> dict[str, Any]:
    return {
        "a": names[pair.trial, pair.a],
        "b": names[pair.trial, pair.b],
        "seed_seconds": round(seconds[0], 3),
        "seconds": round(seconds[1], 3),
    }


def _hide(pairs: Sequence[Pair], names: dict[tuple[int, str], str], trials: Sequence[Trial]) -> str:
    """Return the methods of the files and the seeds of the pairs, so that no glance reads them."""
    key = {
        "methods": {name: method for (_, method), name in sorted(names.items())},
        "seeds": [trials[pair.trial].seed.name for pair in pairs],
    }
    return base64.b64encode(json.dumps(key, ensure_ascii=False).encode()).decode()


def _check_trials(trials: Sequence[Trial]) -> None:
    if not trials:
        raise ParameterError(
            "0 trials: there is nothing to listen to; give a seed that two methods continue"
        )
    for trial in trials:
        methods = [sound.method for sound in trial.sounds]
        if len(methods) < 2:
            raise ParameterError(
                f"{trial.seed.name}: {len(methods)} of the at least 2 methods that a comparison"
                " needs; add a continuation, or leave out this seed"
            )
        for method in methods:
            if methods.count(method) > 1:
                raise ParameterError(
                    f"{trial.seed.name}: {methods.count(method)} sounds of the method {method!r},"
                    " which can have one for each seed; remove one, or give it another name"
                )


def _check_target(target: Path) -> None:
    """Refuse to replace what is not such a page."""
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / "pairs.js").is_file()):
        raise ParameterError(
            f"{target}: exists and is no listening page, which could be replaced; move it away, or"
            " choose another folder"
        )
