"""demiurge synth generate --with, as people run it."""

import json

import pytest
from click.testing import CliRunner

from demiurge.cli import main
from tests.synth.codec_toys import write_musicgen
from tests.synth.plugins.conftest import write_with_words


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory):
    pytest.importorskip("transformers")
    return write_with_words(write_musicgen, tmp_path_factory.mktemp("published") / "my-musicgen")


def run(*words, expect=False):
    result = CliRunner().invoke(main, ["synth", "generate", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert (result.exit_code > 0) == expect, result.output
    return result


def test_a_text_fills_a_folder_and_the_licence_is_said_once(musicgen, tmp_path):
    (musicgen / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    line = ("--with", f"transformers:{musicgen}", tmp_path / "o", "--prompt", "rain on glass")
    told = run(*line, "--seconds", 1).stdout
    assert (
        told.count(
            "Musicgen my-musicgen; licence of the weights: cc-by-nc-4.0, not for commercial use"
        )
        == 1
    )
    assert "1 file made" in told
    again = json.loads(run(*line, "--seconds", 1, "--minutes", 0.03, "--json").stdout)
    assert (again["made"], again["kept"]) == (1, 1)
    other = run(*line, "--seconds", 1, "--random-seed", 3, expect=True).stderr
    assert "was generated with seed=0, not 3" in other
    assert "1 file made" in run(*line, "--seconds", 1, "--random-seed", 3, "--force").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--with", "transformers:SELF", "a", "b"), "with --with, give OUT_DIR alone"),
        (("a", "b"), "give GENERATOR, VOCODER and OUT_DIR; or OUT_DIR alone"),
        ((), "give GENERATOR, VOCODER and OUT_DIR; or OUT_DIR alone"),
        (("--with", "transformers:SELF", "o", "--precision", "bfloat16"), "--precision has no use"),
        (("--with", "transformers:SELF", "o", "--prompt", " "), "--prompt is empty; say what"),
        (("--with", "transformers:SELF", "o", "--prompt", "a\udc80"), "holds bytes that are no te"),
        (("--with", "musicgen", "o"), "names no plug-in; give one of transformers:DIR"),
        (("--with", "diffusers:facebook/x", "o"), "hf download facebook/x --local-dir x"),
        (
            ("shipped", "shipped", "o", "--prompt", "rain"),
            "no use for text; leave --prompt out, or",
        ),
    ],
)
def test_wrong_usage_is_answered_with_what_is_right(
    words, message, musicgen, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    given = [word.replace("SELF", str(musicgen)) for word in words]
    assert message in run(*given, expect=True).stderr.replace("\n", " ")
    assert not list(tmp_path.iterdir())
