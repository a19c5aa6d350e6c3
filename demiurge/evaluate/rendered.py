"""The method under test: a database and a model, rendered with the program's defaults."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.database import Database
from demiurge.evaluate.continuation import Continuation, read_continuation
from demiurge.pipeline import render_continuation
from files.hashing import hash_file
from query.options import CONTINUATION_PATH
from query.settings import SearchSettings
from sequencer.sampling import SamplingOptions


@dataclass(frozen=True)
class Rendered:
    """`demiurge render SEED DB MODEL` without other options than the random seed."""

    database: Database
    model: Path
    model_name: str

    @property
    def name(self) -> str:
        return f"render, {self.model_name}"

    @property
    def identity(self) -> dict[str, Any]:
        files = sorted(path for path in self.model.iterdir() if path.is_file())
        return {
            "database": self.database.id,
            "sources": len(self.database.sources),
            "units": self.database.n_units,
            "model": {
                path.name: hash_file(path)
                for path in files
                if path.name in ("config.json", "model.safetensors")
            },
        }

    def continue_seed(self, seed: Path, seconds: float, random_seed: int) -> Continuation:
        """Continue a seed; raises as `render_continuation`."""
        with tempfile.TemporaryDirectory(prefix="demiurge-") as folder:
            (result,) = render_continuation(
                seed,
                self.database,
                self.model,
                Path(folder) / "continuation.wav",
                seconds=seconds,
                sampling=SamplingOptions(random_seed=random_seed),
                search=SearchSettings(path=CONTINUATION_PATH),
            )
            return read_continuation(result.wav, result.plan, seconds)
