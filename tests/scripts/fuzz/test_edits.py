"""Edits are drawn from their numbers alone, fit the kind of file, and change it."""

import json
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from scripts.fuzz.edit_bytes import edit_page, ogg_checksum, split_blocks
from scripts.fuzz.edit_json import edit_json
from scripts.fuzz.edits import ODD_SHARE, apply_edits
from scripts.fuzz.healthy_requests import write_requests


def make_database(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE sources (id INTEGER PRIMARY KEY, path TEXT NOT NULL)")
        connection.execute("CREATE TABLE config (key TEXT, value TEXT)")
        connection.execute("INSERT INTO config VALUES ('descriptors', '{\"hop\": 512}')")
        connection.executemany("INSERT INTO sources (path) VALUES (?)", [("a",), ("b",)])


MAKERS = {
    "a.json": lambda path: path.write_text('{"steps": [{"unit": 1}, {"unit": 2}], "rate": 44.1}'),
    "a.jsonl": lambda path: path.write_text('{"format": "x"}\n{"seed": 1, "peak": 0.5}\n'),
    "a.csv": lambda path: path.write_text("path,mfcc0\nx.wav,1.5\ny.wav,2.5\n"),
    "a.requests": write_requests,
    "a.sqlite": make_database,
    "a.npz": lambda path: np.savez(path, mean=np.zeros(3, np.float32), names=np.array(["a"])),
    "a.npy": lambda path: np.save(path, np.zeros(3, np.float32)),
    "a.pt": lambda path: torch.save({"step": 3, "ema": [torch.zeros(2, 3)]}, path),
    "a.safetensors": lambda path: save_file({"weight": torch.zeros(2, 3)}, path),
    "a.wav": lambda path: shutil.copyfile("tests/fixtures/tabla_22k.wav", path),
}


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_an_edit_is_decided_by_its_number(tmp_path, name):
    results = []
    for folder in (tmp_path / "once", tmp_path / "again"):
        folder.mkdir()
        contents = []
        for number in range(20):
            (folder / name).unlink(missing_ok=True)
            MAKERS[name](folder / name)
            if Random(number).random() < ODD_SHARE:
                continue  # no file any more
            before = (folder / name).read_bytes()
            apply_edits(folder / name, [number], [])
            contents.append((folder / name).read_bytes())
        assert sum(content != before for content in contents) > 12
        results.append(contents)
    assert results[0] == results[1]


def test_edited_json_differs_in_one_place():
    document = json.dumps({"a": [1, 2, 3], "b": {"c": "text"}})
    edited = {edit_json(document, Random(number)) for number in range(300)}
    assert len(edited) > 100
    assert any("NaN" in text for text in edited)
    assert '{"a": [1, 2, 3]}' in edited
    assert any(text.count('"b":') == 2 for text in edited)


def test_files_that_are_none_any_more_stay(tmp_path):
    (tmp_path / "x.json").mkdir()
    apply_edits(tmp_path / "x.json", range(5), [])
    assert (tmp_path / "x.json").is_dir()


def ogg_page(sequence: int) -> bytes:
    header = b"OggS\0\0" + struct.pack("<qIIIB", 1000, 7, sequence, 0, 1) + bytes([4])
    page = header + b"data"
    return page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]


def test_ogg_checksum_is_that_of_libogg(fixtures):
    page = (fixtures.parents[1] / "demiurge/data/corpus/bd_ada.ogg").read_bytes()[:58]
    stored = struct.unpack_from("<I", page, 22)[0]
    assert ogg_checksum(page[:22] + bytes(4) + page[26:]) == stored


def test_containers_are_split_into_their_pages_and_chunks(fixtures):
    pages = [ogg_page(number) for number in range(4)]
    assert split_blocks(b"".join(pages)) == pages
    names = [block[:4] for block in split_blocks((fixtures / "tabla_22k.wav").read_bytes())]
    assert {b"RIFF", b"WAVE", b"fmt ", b"data"} <= set(names)


def test_an_edited_ogg_page_has_a_right_checksum():
    for number in range(10):
        page = edit_page(ogg_page(1), Random(number))
        stored = struct.unpack_from("<I", page, 22)[0]
        assert ogg_checksum(page[:22] + bytes(4) + page[26:]) == stored
