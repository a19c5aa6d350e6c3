"""What all views share: models, missing sources, indexes, and an orderly end."""

import json
import multiprocessing
import signal
import threading
import time

import pytest

from db.database import Database
from db.settings import DescriptorSettings
from demiurge.web.app import create_app
from demiurge.web.indexes import Indexes
from demiurge.web.make.models import find_models
from demiurge.web.security import Security
from demiurge.web.workspace import ClosedError, Workspace
from files.errors import CheckpointError, DatabaseError
from query.settings import SearchSettings
from tests.demiurge.web.conftest import SOUNDS


def write_model(folder, *, kind="forecaster", **settings) -> None:
    folder.mkdir(parents=True)
    values = {
        "kind": kind,
        "version": 1,
        "architecture": "lstm",
        "architecture_sizes": {},
        "head": "mixture",
        "head_sizes": {},
        "training": {},
        "descriptors": DescriptorSettings(**settings).to_dict(),
    }
    (folder / "config.json").write_text(json.dumps(values))


def test_models_that_fit_are_found_beside_the_database_and_in_the_current_folder(
    own, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_model(own / "beside")
    write_model(tmp_path / "here")
    write_model(tmp_path / "elsewhere" / "given")
    write_model(own / "coarse", hop_length=2048)
    write_model(own / "vocoder", kind="vocoder")
    (own / "broken").mkdir()
    (own / "broken" / "config.json").write_text("{")
    database = Database(own / "small.db")
    given = [tmp_path / "elsewhere" / "given", own / "beside"]
    models = find_models(given, database)
    assert [(model.name, model.architecture) for model in models] == [
        ("given", "lstm"),
        ("beside", "lstm"),
        ("here", "lstm"),
    ]
    assert len({model.id for model in models}) == 3
    write_model(own / "new")
    names = [model.name for model in find_models(given, database)]
    assert names == ["given", "beside", "here", "new"]


def test_models_of_version_0_1_0_are_found(own):
    write_model(own / "old")
    config = json.loads((own / "old" / "config.json").read_text())
    for before, now in (
        ("model", "architecture"),
        ("body", "architecture_sizes"),
        ("head_config", "head_sizes"),
    ):
        config[before] = config.pop(now)
    (own / "old" / "config.json").write_text(json.dumps(config))
    (model,) = find_models([own / "old"], Database(own / "small.db"))
    assert (model.name, model.architecture) == ("old", "lstm")


def test_given_models_that_do_not_fit_are_refused(own, tmp_path):
    write_model(own / "coarse", hop_length=2048)
    write_model(own / "vocoder", kind="vocoder")
    (own / "broken").mkdir()
    (own / "broken" / "config.json").write_text("[]")
    for name, error, message in (
        ("coarse", DatabaseError, "hop_length is 1024 in the database"),
        ("vocoder", CheckpointError, "holds a vocoder, not a forecaster"),
        ("broken", CheckpointError, "damaged"),
        ("none", CheckpointError, "no model here"),
    ):
        with pytest.raises(error, match=message):
            create_app(Workspace(own / "small.db", models=[own / name]), Security())


def test_missing_sources_are_looked_for_again_only_when_asked(own):
    workspace = Workspace(own / "small.db", root=own / "sounds")
    assert workspace.missing_sources() == {}
    (own / "sounds" / SOUNDS[0]).unlink()
    assert workspace.missing_sources() == {}
    assert list(workspace.missing_sources(again=True)) == [SOUNDS[0]]
    workspace.close()


def test_plans_are_kept_beside_the_database_unless_told_otherwise(own, tmp_path):
    workspace = Workspace(own / "small.db")
    assert workspace.folder == own / "small.plans"
    assert not workspace.folder.exists()
    workspace.close()
    assert Workspace(own / "small.db", folder=tmp_path / "x").folder == tmp_path / "x"


def test_everything_is_closed_in_order_whatever_goes_wrong(workspace):
    closed = []
    workspace.on_close += [
        lambda: closed.append(1),
        lambda: closed.append(1 / 0),
        lambda: closed.append(3),
    ]
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        workspace.close()
    assert closed == [1, 3]
    workspace.close()
    assert closed == [1, 3]


def test_processes_do_not_outlive_it(workspace):
    process = multiprocessing.get_context("spawn").Process(
        target=time.sleep, args=(60,), daemon=True
    )
    process.start()
    workspace.close()
    process.join(10)
    assert process.exitcode == -signal.SIGKILL


def test_long_work_is_given_up_at_the_end(workspace):
    begun = threading.Event()

    def work():
        begun.set()
        while True:
            workspace.check_open()
            time.sleep(0.01)

    future = workspace.executor.submit(work)
    assert begun.wait(10)
    workspace.close()
    with pytest.raises(ClosedError, match="is ending"):
        future.result(1)


def test_the_making_of_an_index_is_told(workspace):
    told = []
    workspace.events.publish = lambda kind, data: told.append((kind, data))
    assert len(workspace.index(SearchSettings())) > 0
    assert told[-1][0] == "index"
    assert set(told[-1][1]) == {"done", "total", "what"}
    workspace.close()


def test_few_indexes_are_kept_those_used_last(built):
    indexes = Indexes(Database(built / "small.db"), lambda *_: None, kept=2)
    first, second, third = (SearchSettings(weights={"mfcc0": weight}) for weight in (1.0, 2.0, 3.0))
    made = indexes.get(first)
    other = indexes.get(second)
    assert indexes.get(first) is made
    indexes.get(third)
    assert indexes.get(first) is made
    assert indexes.get(second) is not other
