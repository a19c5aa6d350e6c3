"""Cases that have failed once are kept with their files, and run first."""

import json

from scripts.fuzz import found
from scripts.fuzz.cases import Case, at_this_place, lay_out
from scripts.fuzz.found import ARCHIVE, keep_case, load_found, main
from scripts.fuzz.recipes import RECIPES

CASE = Case(7, "forecast", {"next.json": "next.json"}, "next.json", (3,), ("query", "next.json"))


def test_kept_cases_are_of_known_kinds_and_few_bytes():
    cases = load_found()
    assert len(cases) > 30
    assert {case.kind for case in cases} <= {recipe.kind for recipe in RECIPES}
    assert [case.number for case in cases] == [-1 - index for index in range(len(cases))]
    assert ARCHIVE.stat().st_size < 200_000


def test_a_saved_case_is_kept_and_laid_out_again(tmp_path, monkeypatch):
    healthy = tmp_path / "healthy"
    saved = tmp_path / "saved"
    folder = tmp_path / "case"
    for one in (healthy, saved, folder):
        one.mkdir()
    (healthy / "next.json").write_text("healthy")
    (tmp_path / "next.json").write_text("[" * 100)
    monkeypatch.setattr(found, "ARCHIVE", tmp_path / "found.tar.xz")
    keep_case(CASE, tmp_path / "next.json", saved)
    main([str(saved)], standalone_mode=False)
    (case,) = load_found()
    assert (case.number, case.command, case.copies) == (-1, CASE.command, CASE.copies)
    assert lay_out(case, healthy, folder).read_text() == "[" * 100


def test_what_is_no_file_is_not_kept(tmp_path):
    keep_case(CASE, tmp_path, tmp_path)
    assert json.loads((tmp_path / "case.json").read_text())["target"] == "next.json"
    assert not (tmp_path / "content").exists()


def test_a_kept_file_names_the_folder_of_this_run(tmp_path):
    here = tmp_path / "fuzz-abcdefgh" / "healthy"
    there = str(here).replace("abcdefgh", "12345678").encode()
    assert at_this_place(b"\0" + there + b"/sounds", here) == f"\0{here}/sounds".encode()
    assert at_this_place(b"/x/fuzz-12345678/healthy", here) == b"/x/fuzz-12345678/healthy"
