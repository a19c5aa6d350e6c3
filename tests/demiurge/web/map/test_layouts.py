"""Where units lie on the map: the two layouts, how they are kept, and damaged files."""

import os
import time

import faiss
import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from demiurge.bundled import CORPUS_DIR
from demiurge.web.map import layouts
from demiurge.web.map.landmarks import LANDMARKS, choose_landmarks, place
from demiurge.web.map.layout_files import layout_key
from demiurge.web.map.layouts import Layouts
from demiurge.web.map.points import by_size, fit_square, principal_axes, project
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from tests.demiurge.web.conftest import wait_until


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """An empty folder of layouts."""
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "layouts"


@pytest.fixture
def database(built) -> Database:
    return Database(built / "small.db")


def scores(database: Database) -> np.ndarray:
    return database.normaliser.apply(database.descriptors)


def ignore() -> None: ...


def wait(made: Layouts, seconds: float = 5) -> dict:
    """Wait until the quality layout is no longer running; return its state."""
    until = time.monotonic() + seconds
    while (state := made.states()["quality"])["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.01)
    return state


def test_principal_axes_are_those_of_a_singular_value_decomposition(database):
    rows = scores(database).astype(np.float64)
    mean, axes = principal_axes(database, ignore)
    _, _, vectors = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    assert mean == pytest.approx(rows.mean(axis=0), abs=1e-5)
    assert np.abs((axes * vectors[:2].T).sum(axis=0)) == pytest.approx([1, 1], abs=1e-4)
    assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()


def test_blocks_of_units_make_no_difference(database):
    whole = project(database, ignore)
    parts = project(database, ignore, block_units=37)
    assert parts.xy == pytest.approx(whole.xy, abs=1e-4)
    assert (parts.clusters == whole.clusters).mean() > 0.99


def test_projection_is_the_same_every_time_and_fills_the_square(database):
    first = project(database, ignore)
    second = project(database, ignore)
    assert (first.xy == second.xy).all()
    assert (first.clusters == second.clusters).all()
    assert (first.xy.dtype, first.xy.shape, first.clusters.dtype) == (
        np.float32,
        (2, len(database.units)),
        np.uint8,
    )
    assert 0.8 < np.abs(first.xy).max() <= 1
    sizes = np.bincount(first.clusters)
    assert (np.diff(sizes) <= 0).all()
    assert len(sizes) == 12


def test_an_outlier_does_not_shrink_the_picture_and_lies_at_the_rim():
    points = np.random.default_rng(0).standard_normal((2000, 2))
    usual = fit_square(points)
    far = fit_square(np.concatenate([points, [[1e6, -1e6]]]))
    assert far[:, -1] == pytest.approx([1, -1], abs=1e-3)
    assert far[:, :-1] == pytest.approx(usual, abs=0.02)
    inside = np.abs(usual).max(axis=0) < 0.85
    assert inside.mean() > 0.95


def test_both_directions_have_one_scale_and_order_is_kept_up_to_the_rim():
    points = np.stack([np.linspace(-8, 8, 1001), np.linspace(-1, 1, 1001)], axis=1)
    x, y = fit_square(points)
    assert (np.diff(x) > 0).all()
    middle = slice(100, -100)
    assert x[middle] == pytest.approx(8 * y[middle], abs=1e-6)


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.ones((50, 2)), np.array([[0, 0], [1, 0]])])
def test_few_or_equal_points_are_drawn_as_well(points):
    drawn = fit_square(points)
    assert np.isfinite(drawn).all()
    assert np.abs(drawn).max() <= 1


def test_clusters_are_numbered_by_size():
    assert by_size(np.array([5, 5, 2, 2, 2, 7])).tolist() == [1, 1, 0, 0, 0, 2]


def test_rare_sounds_have_their_landmarks():
    clusters = np.repeat([0, 1, 2], [90_000, 9_900, 100])
    chosen = choose_landmarks(clusters)
    assert (np.diff(chosen) > 0).all()
    assert 0.8 * LANDMARKS < len(chosen) <= LANDMARKS
    shares = np.bincount(clusters[chosen]) / [90_000, 9_900, 100]
    assert shares[2] > 0.9 > 5 * shares[1] > 10 * shares[0]
    assert (choose_landmarks(np.repeat([0, 1], [20, 10])) == np.arange(30)).all()


def test_a_unit_lies_between_its_landmarks_but_never_between_islands():
    places = np.array([[[0.0, 0], [1, 0], [100, 0]]])
    assert place(np.array([[0.0, 1, 1]]), places, reach=5) == pytest.approx(
        np.array([[0, 0]]), abs=1e-3
    )
    assert place(np.array([[1.0, 1, 1]]), places, reach=5) == pytest.approx(np.array([[0.5, 0]]))
    assert place(np.array([[1.0, 1, 1]]), places, reach=500)[0, 0] > 30


def test_layouts_are_made_once_and_kept(built, kept, monkeypatch):
    first = Workspace(built / "small.db")
    drawn = Layouts(first).start_pca().result()
    first.close()
    assert [path.name for path in kept.iterdir()] == [f"{layout_key(first.database)}-pca.npz"]
    monkeypatch.setattr(layouts, "project", None)
    second = Workspace(built / "small.db")
    loaded = Layouts(second)
    assert (loaded.start_pca().result().xy == drawn.xy).all()
    assert loaded.states()["pca"] == {"state": "ready", "done": 1.0, "note": ""}
    second.close()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip", None])
def test_a_damaged_file_is_made_anew(built, kept, damage, caplog):
    def drawn():
        workspace = Workspace(built / "small.db")
        made = Layouts(workspace)
        xy = made.start_pca().result().xy
        workspace.close()
        return xy

    whole = drawn()
    (path,) = kept.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content if damage is None else damage)
    assert (drawn() == whole).all()
    assert "is computed again" in caplog.text
    caplog.clear()
    assert (drawn() == whole).all()
    assert not caplog.text


def test_a_database_that_has_grown_or_changed_has_other_layouts(own, tabla, kept):
    import soundfile as sf

    before = Database(own / "small.db", root=own / "sounds")
    sf.write(own / "sounds" / "tabla.wav", tabla, 44100)
    build_database(own / "sounds", own / "small.db", moved=True)
    after = Database(own / "small.db")
    assert after.n_units > before.n_units
    assert layout_key(before) != layout_key(after)
    sf.write(own / "sounds" / "tabla.wav", tabla[::-1], 44100)
    build_database(own / "sounds", own / "small.db")
    changed = Database(own / "small.db")
    assert changed.n_units == after.n_units
    assert layout_key(changed) != layout_key(after)


def test_a_folder_that_cannot_be_written_is_no_harm(built, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "file"))
    workspace = Workspace(built / "small.db")
    made = Layouts(workspace)
    assert made.start_pca().result().xy.shape[0] == 2
    workspace.close()
    assert "cannot be saved" in caplog.text


def test_without_umap_the_page_says_what_to_install(built, monkeypatch):
    monkeypatch.setattr(layouts, "find_spec", lambda name: None)
    workspace = Workspace(built / "small.db")
    made = Layouts(workspace)
    state = made.states()["quality"]
    assert state["state"] == "unavailable"
    assert '-m pip install "umap-learn>=' in state["note"]
    with pytest.raises(ParameterError, match="needs UMAP; install it with"):
        made.start_quality()


def die(*arguments) -> None:
    os._exit(9)


def hang(files, key, positions, first, connection) -> None:
    connection.send((0.5, "hanging"))
    time.sleep(600)


def test_a_process_that_dies_is_told_and_can_be_started_again(workspace, monkeypatch):
    monkeypatch.setattr(layouts, "compute_layout", die)
    made = Layouts(workspace)
    made.start_quality()
    state = wait(made, 60)
    assert (state["state"], "ended early" in state["note"]) == ("failed", True)
    made.start_quality()
    assert made.states()["quality"]["state"] == "running"
    workspace.close()


@pytest.mark.parametrize(
    "error", [OSError("no more processes"), RuntimeError("cannot schedule new futures")]
)
def test_a_process_that_cannot_be_had_is_told(workspace, monkeypatch, error):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(Layouts, "_run_process", refuse)
    made = Layouts(workspace)
    made.start_quality()
    state = wait(made, 60)
    assert (state["state"], state["note"]) == ("failed", str(error))
    workspace.close()


def test_the_end_of_the_server_ends_the_process(workspace, monkeypatch):
    monkeypatch.setattr(layouts, "compute_layout", hang)
    made = Layouts(workspace)
    made.start_quality()
    wait_until(lambda: made.states()["quality"]["note"] == "hanging", 60)
    workspace.close()
    assert wait(made)["note"] == "demiurge browse is ending"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """A third of the bundled sounds."""
    folder = tmp_path_factory.mktemp("bundled")
    (folder / "sounds").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[::3]:
        (folder / "sounds" / path.name).symlink_to(path)
    build_database(folder / "sounds", folder / "bundled.db")
    return folder / "bundled.db"


def neighbours(rows: np.ndarray, k: int) -> np.ndarray:
    index = faiss.IndexFlatL2(rows.shape[1])
    rows = np.ascontiguousarray(rows, np.float32)
    index.add(rows)
    return index.search(rows, k + 1)[1][:, 1:]


def kept_neighbours(points: np.ndarray, rows: np.ndarray, k: int = 20) -> float:
    """Share of the k nearest in all dimensions that are among the k nearest in the picture."""
    pairs = zip(neighbours(points.T, k), neighbours(rows, k), strict=True)
    return float(np.mean([np.isin(drawn, real).mean() for drawn, real in pairs]))


@pytest.mark.slow
def test_quality_layout_keeps_neighbours_better_than_principal_components(bundled, kept):
    workspace = Workspace(bundled)
    made = Layouts(workspace, n_landmarks=1500)
    told = []
    workspace.events.publish = lambda kind, data: told.append(data)
    pca = made.start_pca().result()
    assert workspace.database.n_units > 1500
    made.start_quality()
    assert wait(made, 300) == {"state": "ready", "done": 1.0, "note": ""}
    quality = made.points("quality")
    rows = scores(workspace.database)
    assert (quality.shape, quality.dtype) == (pca.xy.shape, np.float32)
    assert np.abs(quality).max() <= 1
    assert kept_neighbours(quality, rows) > 2 * kept_neighbours(pca.xy, rows)
    done = [state["done"] for state in told if state["name"] == "quality"]
    assert len(done) > 5
    assert done == sorted(done)
    workspace.close()
    again = Layouts(Workspace(bundled))
    assert (again.points("quality") == quality).all()
    assert again.states()["quality"]["state"] == "ready"
