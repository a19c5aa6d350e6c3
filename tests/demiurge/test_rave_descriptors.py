"""A real kind of codec from the command line: opened in worker processes, and decoding plans."""

import json

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.database import Database
from demiurge.cli import main
from tests.db.rows import read_frames
from tests.synth.rave_toys import save_rave


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.fixture(scope="module")
def rave(tmp_path_factory):
    return save_rave(tmp_path_factory.mktemp("rave") / "toy.ts", "v2")


@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_the_executor_does_not_change_latents(corpus, tmp_path, rave, executor):
    asked = ("--descriptors", f"mfcc,rave:{rave}", "--units", "frame", "--jobs", "1")
    run("db", "build", corpus, tmp_path / "one.db", *asked, "--executor", "serial")
    run("db", "build", corpus, tmp_path / "two.db", *asked, "--executor", executor)
    wanted = read_frames(tmp_path / "one.db")
    assert Database(tmp_path / "one.db").settings.frame_names[-4:] == tuple(
        f"rave{i}" for i in range(4)
    )
    for name, rows in read_frames(tmp_path / "two.db").items():
        np.testing.assert_array_equal(rows, wanted[name])


def test_a_mosaic_of_latents_alone_is_decoded_by_the_same_codec(corpus, tmp_path, rave):
    path = tmp_path / "my.db"
    run("db", "build", corpus, path, "--descriptors", f"rave:{rave}", "--units", "frame")
    assert Database(path).settings.sample_rate == 8000
    out = tmp_path / "o.wav"
    facts = json.loads(
        run(
            *("mosaic", corpus / "a" / "x.wav", path, "-o", out, "--decode", rave, "--json"),
            *("--where", "rave0>-100", "--weight", "rave1=0.5"),
        )
    )
    assert facts["decode"]["codec"] == "rave toy.ts"
    assert sf.info(out).frames == 8000
    assert np.abs(sf.read(out)[0]).max() > 0.01
