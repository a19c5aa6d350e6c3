"""What is repaired on reading a sound is told by every command that reads one, once per file."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from synth.vocoder import Vocoder
from tests.audio.containers.made_files import encoded, flac_without_total
from tests.synth.toy_codecs import save_toy as save_toy_codec
from tests.synth.toy_flows import MEL, toy_flow

SAYS = (
    "cut.flac: its header states no length, and its last frame is incomplete: it may have been cut"
    " off"
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Sounds, one of them cut off, a database and toy models."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "sounds").mkdir()
    samples, rate = sf.read(CORPUS_DIR / "ambi_choir.ogg", dtype="float32")
    mono = np.tile(samples if samples.ndim == 1 else samples[:, 0], 6)
    sf.write(folder / "sounds" / "whole.wav", mono, rate)
    flac = flac_without_total(encoded(mono, "FLAC", rate, subtype="PCM_16"))
    (folder / "pieces").mkdir()
    (folder / "pieces" / "cut.flac").write_bytes(flac[:-100])
    invoke(f"db build {folder}/sounds {folder}/my.db --executor serial")
    invoke(f"sequencer train {folder}/my.db {folder}/my.model --epochs 1 --head mixture")
    toy_flow().save(folder / "flow")
    save_toy_codec(folder / "codec", MEL)
    (folder / "toy.json").write_text('{"width": 64, "layers": 1, "clip_frames": 256}')
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"dim": 16, "intermediate_dim": 16}
        Vocoder("vocos-small", MEL, config=sizes).save(folder / "vocoder")
    return folder


def invoke(line):
    result = CliRunner().invoke(main, shlex.split(line), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "audio.warn"]


@pytest.mark.parametrize(
    "line",
    [
        "query {seed} {work}/my.db -k 1 --steps 1 --json",
        "mosaic {seed} {work}/my.db -o {out}.wav",
        "render {seed} {work}/my.db {work}/my.model -o {out}.wav --seconds 1 --include-seed",
        "sequencer forecast {work}/my.model {seed} -o {out}.json --steps 2 --variations 2",
        "synth resynth {seed} {work}/vocoder -o {out}.wav",
        "synth resynth {seed} codec:{work}/codec -o {out}.wav",
        "synth train-generator {folder} {out}.flow --size {work}/toy.json --steps 1",
        "synth train-vocoder {folder} {out}.vocoder --from {work}/vocoder --steps 1"
        " --segment-frames 16 --batch-size 1",
    ],
)
def test_a_sound_that_was_cut_off_is_told_once(line, work, tmp_path, caplog):
    seed = tmp_path / "pieces" / "cut.flac"
    seed.parent.mkdir()
    seed.write_bytes((work / "pieces" / "cut.flac").read_bytes())
    invoke(line.format(seed=seed, folder=seed.parent, work=work, out=tmp_path / "out"))
    assert lines(caplog) == [f"warning: {SAYS}"]


def test_generation_from_a_sound_that_was_cut_off_says_so(work, tmp_path):
    seed = work / "pieces" / "cut.flac"
    line = f"synth generate {work}/flow {work}/vocoder {tmp_path}/out --continue {seed} --seconds 1"
    assert SAYS in invoke(line).stdout
    assert SAYS in json.loads(invoke(f"{line} --json").stdout)["notes"][0]


def test_a_build_tells_it_in_its_report_only(work, tmp_path, caplog):
    built = invoke(f"db build {work}/pieces {tmp_path}/new.db --executor serial")
    assert built.stderr == f"  warning: {SAYS}\n"
    assert lines(caplog) == []


def test_it_is_printed_on_standard_error(work, tmp_path):
    words = ["mosaic", work / "pieces" / "cut.flac", work / "my.db", "-o", tmp_path / "out.wav"]
    done = subprocess.run(
        [sys.executable, "-m", "demiurge", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == f"warning: {SAYS}\n"
    json.loads(done.stdout)


def test_what_was_prepared_earlier_is_told_by_another_process(work, tmp_path):
    line = f"synth train-generator {work}/pieces {tmp_path}/%s --size {work}/toy.json --steps 1"
    for name in ("a", "b"):
        done = subprocess.run(
            [sys.executable, "-m", "demiurge", *shlex.split(line % name)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"warning: {SAYS}\n" in done.stderr
