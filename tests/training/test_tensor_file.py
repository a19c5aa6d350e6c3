"""Files of torch.save that take more memory than they have bytes, or never end."""

import os
import zipfile

import pytest
import torch

from files.errors import CheckpointError
from training.tensor_file import load_tensors


def test_tensors_come_back(tmp_path):
    path = tmp_path / "t.pt"
    for zipped in (True, False):
        torch.save({"a": torch.arange(3)}, path, _use_new_zipfile_serialization=zipped)
        assert load_tensors(path, remedy="r")["a"].tolist() == [0, 1, 2]


def test_compressed_parts_are_refused(tmp_path):
    torch.save({"a": torch.zeros(1 << 20)}, tmp_path / "t.pt")
    with (
        zipfile.ZipFile(tmp_path / "t.pt") as stored,
        zipfile.ZipFile(tmp_path / "z.pt", "w", zipfile.ZIP_DEFLATED) as compressed,
    ):
        for name in stored.namelist():
            compressed.writestr(name, stored.read(name))
    assert (tmp_path / "z.pt").stat().st_size < 1 << 16
    with pytest.raises(CheckpointError, match=r"z.pt: damaged \(its parts are compressed .*; r$"):
        load_tensors(tmp_path / "z.pt", remedy="r")


@pytest.mark.parametrize("n_bytes", [0, 3, 100, -1])
def test_damaged_files_are_refused(n_bytes, tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "t.pt")
    data = (tmp_path / "t.pt").read_bytes()
    (tmp_path / "t.pt").write_bytes(data[:n_bytes])
    with pytest.raises(CheckpointError, match="t.pt: damaged"):
        load_tensors(tmp_path / "t.pt", remedy="r")


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.pt")
    with pytest.raises(CheckpointError, match="t.pt: a named pipe, not a file; r"):
        load_tensors(tmp_path / "t.pt", remedy="r")
