"""Toy folders of published codecs, written once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.synth import codec_toys

WRITERS = {
    "encodec_24k": codec_toys.write_encodec_24k,
    "encodec_48k": codec_toys.write_encodec_48k,
    "dac": codec_toys.write_dac,
    "mimi": codec_toys.write_mimi,
}


@pytest.fixture(scope="session")
def toy_codec(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function that returns the folder of a toy by its name; none is to be changed."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("codecs")

    def find(name: str) -> Path:
        path = folder / name
        return path if path.exists() else WRITERS[name](path)

    return find
