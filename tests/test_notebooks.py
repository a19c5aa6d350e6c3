"""The notebooks run; their outputs are small and hold nothing of the machine that made them."""

import json

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from tests.pages import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 200_000
# in tests, cells are shorter than when the outputs were made
SHORTER = {
    "MINUTES = 0.05": "MINUTES = 0.02",
    "SECONDS = 4": "SECONDS = 1.5",
    "range(3)": "range(2)",
}


def code_of(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def shortened(code):
    for as_written, shorter in SHORTER.items():
        code = code.replace(as_written, shorter)
    return code


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    names: dict[str, object] = {}
    with mpl.rc_context({"backend": "agg"}):
        for code in code_of(notebook):
            exec(shortened(code), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_and_small(notebook):
    text = notebook.read_text()
    assert len(text) < MOST_BYTES
    assert str(ROOT) not in text
    cells = json.loads(text)["cells"]
    assert any(cell.get("outputs") for cell in cells)
    assert not any(
        out["output_type"] == "error" for cell in cells for out in cell.get("outputs", [])
    )


def test_there_are_three():
    assert len(NOTEBOOKS) == 3
