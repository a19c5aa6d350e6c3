"""demiurge sequencer as people run it, where it is stopped."""

import json
import signal

import pytest
from click.testing import CliRunner

from db.build import build_database
from demiurge.cli import main
from sequencer.loss import batch_loss


@pytest.fixture
def database(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    return tmp_path / "db"


@pytest.mark.parametrize("as_json", [False, True])
def test_interrupted_training_ends_with_exit_status_1_and_says_so(
    database, tmp_path, monkeypatch, as_json
):
    def press(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return batch_loss(*arguments, **options)

    monkeypatch.setattr("sequencer.train.batch_loss", press)
    arguments = ["sequencer", "train", str(database), str(tmp_path / "m"), "--window", "16"]
    result = CliRunner().invoke(main, [*arguments, "--json"] if as_json else arguments)
    assert result.exit_code == 1
    if as_json:
        assert json.loads(result.stdout)["stopped_by"] == "interrupt"
    else:
        assert "stopped within epoch 1, best in epoch 1" in result.stdout
        assert "(interrupted; the best so far is kept, --resume continues)" in result.stdout
    assert (tmp_path / "m" / "training.pt").is_file()


@pytest.mark.parametrize("extra", [(), ("--force",), ("--resume",)])
def test_a_model_is_not_written_among_other_files(database, corpus, extra):
    before = {folder: sorted(folder.iterdir()) for folder in (database, corpus, database.parent)}
    for folder in before:
        arguments = ["sequencer", "train", str(database), str(folder), *extra]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        said = " ".join(result.stderr.split())
        assert f"{folder} exists and holds no model; it is not replaced, even with --force" in said
    assert before == {folder: sorted(folder.iterdir()) for folder in before}


def test_a_comparison_is_not_written_among_other_files(database, corpus):
    for folder in (database, corpus):
        result = CliRunner().invoke(main, ["sequencer", "compare", str(database), str(folder)])
        assert result.exit_code == 2
        said = " ".join(result.stderr.split())
        assert f"{folder}: the folder is not empty and holds no comparison; give a new" in said
        assert not (folder / "options.json").exists()
