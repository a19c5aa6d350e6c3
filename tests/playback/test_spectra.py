"""The spectra that a plan's voices were fitted to, in plan files."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.errors import PlanError
from playback.plan import Plan, Step
from playback.spectra import Spectra
from playback.targets import Targets

ROWS = np.array([[0.5, 3.0], [0.0, 100.0]], np.float32)
F0 = np.array([440.0, 0.0], np.float32)
LENGTHS = np.array([1024, 700])
SPECTRA = Spectra.of(ROWS, F0, LENGTHS)
STEPS = (Step(3, "a.wav", 0, 1024, 0, target=0),)
PLAN = Plan(
    22050,
    1,
    {"id": "x", "root": "/sounds"},
    STEPS,
    targets=Targets.of(np.ones((2, 3))),
    spectra=SPECTRA,
)


def in_base64(*values: float, kind: str = "<f2") -> str:
    return base64.b64encode(np.array(values, kind).tobytes()).decode()


def test_spectra_come_back_as_they_were_saved(tmp_path):
    PLAN.save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    assert document["version"] == 2
    assert list(document)[-2:] == ["targets", "spectra"]
    assert document["spectra"] == {
        "n_bands": 2,
        "exponent": -8,  # 100 * 2 ** 8 is between 2 ** 14 and 2 ** 15
        "float16": in_base64(128, 768, 440, 0, 25600, 0),
        "n_samples": in_base64(1024, 700, kind="<u4"),
    }
    loaded = Plan.load(tmp_path / "p.json")
    assert loaded == PLAN
    assert loaded.spectra.rows.tolist() == ROWS.tolist()
    assert loaded.spectra.f0.tolist() == [440, 0]
    assert loaded.spectra.n_samples.tolist() == [1024, 700]
    assert Plan.load(tmp_path / "p.json", alternatives=False) == PLAN


@given(
    st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=20),
    st.floats(0, 10_000, width=32),
)
def test_what_is_kept_is_near_and_kept_the_same_again(values, f0):
    rows = np.array([values], np.float32)
    kept = Spectra.of(rows, np.array([f0], np.float32), np.array([7]))
    assert np.allclose(kept.rows, rows, rtol=1e-3, atol=rows.max() * 1e-9)
    assert kept.f0[0] == pytest.approx(f0, rel=1e-3, abs=1e-7)
    assert Spectra.of(kept.rows, kept.f0, kept.n_samples) == kept


def test_silence_and_what_is_too_loud_are_kept():
    silent = Spectra.of(np.zeros((1, 3), np.float32), np.zeros(1), np.array([5]))
    assert not silent.rows.any()
    loudest = np.full((1, 1), np.finfo(np.float32).max)
    loud = Spectra.of(loudest, np.zeros(1), np.array([5]))
    assert 1e34 < loud.rows[0, 0] < np.inf
    assert Spectra.of(loud.rows, loud.f0, loud.n_samples) == loud


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(spectra=None), "spectra=null must be an object"),
        (lambda d: d["spectra"].update(more=1), "spectra: more is not known; known are n_bands"),
        (lambda d: d["spectra"].pop("exponent"), "spectra: exponent is missing"),
        (lambda d: d["spectra"].update(n_bands=0), "spectra.n_bands=0 must be an integer from 1"),
        (lambda d: d["spectra"].update(n_bands=1 << 40), "spectra.n_bands=1099511627776 must be"),
        (lambda d: d["spectra"].update(exponent=101), "spectra.exponent=101 must be an integer"),
        (lambda d: d["spectra"].update(exponent=-161), "spectra.exponent=-161 must be an integer"),
        (lambda d: d["spectra"].update(n_bands=4), '"spectra": 12 bytes must be one or more rows'),
        (lambda d: d["spectra"].update(float16=""), '"spectra": 0 bytes must be one or more rows'),
        (lambda d: d["spectra"].update(float16="AA A"), 'spectra.float16="AA A" must be base64'),
        (
            lambda d: d["spectra"].update(n_samples=in_base64(1024, kind="<u4")),
            '"spectra": n_samples holds 4 bytes, but 2 rows need as many uint32 values, 8 bytes',
        ),
        (
            lambda d: d["spectra"].update(n_samples=in_base64(1024, 0, kind="<u4")),
            '"spectra": n_samples must be above 0, and at most',
        ),
        (
            lambda d: d["spectra"].update(n_samples=in_base64(1024, 4294967295, kind="<u4")),
            '"spectra": n_samples must be above 0, and at most',
        ),
        (
            lambda d: d["spectra"].update(float16=in_base64(0, 1, 440, 0, np.nan, 0)),
            '"spectra": row 1 must be finite, 0 at least',
        ),
        (
            lambda d: d["spectra"].update(float16=in_base64(0, 1, np.inf, 0, 1, 0)),
            '"spectra": row 0 must be finite, 0 at least',
        ),
        (
            lambda d: d["spectra"].update(float16=in_base64(-1, 1, 440, 0, 1, 0)),
            '"spectra": row 0 must be finite, 0 at least',
        ),
        (
            lambda d: d["targets"].update(float32=in_base64(1, 1, 1, kind="<f4")),
            '"spectra" have 2 rows, but "targets" 1; make the plan again, or leave spectra out',
        ),
        (lambda d: d.pop("targets"), "target=0 must be -1"),
        (
            lambda d: d.update(version=1, steps=[{**STEPS[0].to_dict(), "target": 1}]),
            '"spectra" is not known in "version": 1; write "version": 2, or leave spectra out',
        ),
    ],
)
def test_bad_spectra_are_refused_by_name(tmp_path, change, message):
    PLAN.save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    change(document)
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(PlanError) as caught:
        Plan.load(tmp_path / "p.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [49, -48.5, "2", None, [1]])
def test_alternatives_are_transposed_as_far_as_steps(tmp_path, value):
    other = {"unit": 7, "distance": 1.0, "transpose": -48.0}
    plan = Plan(22050, 1, PLAN.database, (Step(3, "a.wav", 0, 9, 0, alternatives=(other,)),))
    plan.save(tmp_path / "p.json")
    assert Plan.load(tmp_path / "p.json") == plan
    document = json.loads((tmp_path / "p.json").read_text())
    document["steps"][0]["alternatives"][0]["transpose"] = value
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(PlanError, match=r"step 0: alternative 0: transpose=.* must be -48"):
        Plan.load(tmp_path / "p.json")
