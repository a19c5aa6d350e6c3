"""demiurge db as people see it: names that would disturb a terminal, and a program that is told to
end.
"""

import json
import signal
import subprocess
import sys

import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.cli import main
from demiurge.cli.terminal import counted
from files.names import quoted


def test_shown_commands_can_be_copied_whatever_a_folder_is_called():
    assert quoted("my.db") == "my.db"
    assert quoted("it's my.db") == """'it'"'"'s my.db'"""


def test_things_are_counted_in_english():
    assert [counted(n, "source") for n in (0, 1, 2)] == ["0 sources", "1 source", "2 sources"]


def test_no_name_of_a_file_can_break_a_line(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    sf.write(tmp_path / "sounds" / "a\nb.wav", tabla, 44100)
    (tmp_path / "sounds" / "c\nd.wav").write_text("no audio")
    sounds = str(tmp_path / "sounds")
    database = str(tmp_path / "my.db")
    for line in (["build", sounds, database], ["info", database], ["remove", database, "*.wav"]):
        output = CliRunner().invoke(main, ["db", *line]).output
        assert r"c\nd.wav" in output
        assert "c\nd.wav" not in output
    assert r"a\nb.wav" in output


def test_bands_are_measured_at_once_and_leave_the_settings_as_they_are(corpus, tmp_path):
    def run(*words) -> str:
        result = CliRunner().invoke(main, ["db", *map(str, words)])
        assert result.exit_code == 0, result.output
        return result.output

    with_bands, without = tmp_path / "with.db", tmp_path / "without.db"
    assert "160 bands of 4 sources" in run(
        *("build", corpus, with_bands, "--descriptors", "mfcc,bands", "--units", "frame")
    )
    run("build", corpus, without, "--descriptors", "mfcc", "--units", "frame")
    told, plain = (json.loads(run("info", path, "--json")) for path in (with_bands, without))
    assert told["settings"] == plain["settings"]
    assert told["bands"]["sources"] == 4
    assert plain["bands"] == {"sources": 0, "bands": 0, "bytes": 0}
    assert "none kept" in run("info", without)
    added = json.loads(run("build", corpus, without, "--descriptors", "bands", "--json"))
    assert added["bands"] == told["bands"]
    assert json.loads(run("info", without, "--json"))["settings"] == plain["settings"]
    assert json.loads(run("verify", without, "--json"))["bands"] == {}


def test_bands_of_a_source_that_is_gone_are_an_error_that_names_it(corpus, tmp_path):
    line = ["db", "build", str(corpus), str(tmp_path / "my.db")]
    assert CliRunner().invoke(main, line).exit_code == 0
    (corpus / "short.flac").unlink()
    result = CliRunner().invoke(main, [*line, "--descriptors", "bands"])
    assert result.exit_code == 1
    assert "1 source is not in" in result.output
    assert "short.flac; put it back" in result.output


pytestmark = pytest.mark.accounts

WRITING = """
import time
from db import tables
def write(table, path):
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
tables.WRITERS["csv"] = write
from demiurge.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends programs without asking them")
def test_a_program_that_is_told_to_end_leaves_no_temporary_file(corpus, tmp_path):
    assert (
        CliRunner().invoke(main, ["db", "build", str(corpus), str(tmp_path / "my.db")]).exit_code
        == 0
    )
    (tmp_path / "out").mkdir()
    arguments = [
        "db",
        "export",
        str(tmp_path / "my.db"),
        str(tmp_path / "out" / "t.csv"),
        "--format",
        "csv",
    ]
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        assert len(list((tmp_path / "out").iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert list((tmp_path / "out").iterdir()) == []
