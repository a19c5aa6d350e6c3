"""A masked model of a database that has not been trained: it wants something, and no more."""

import torch

from db.database import Database
from db.descriptors.derived import static_columns
from sequencer.masked import MaskedConfig, MaskedModel


def masked_model(database: Database, *, levels: int = 2, bits: int = 3) -> MaskedModel:
    """Random weights, with codebooks fitted to the units of the database."""
    sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "span": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MaskedModel(
            MaskedConfig(database.settings, sizes, {"levels": levels, "bits": bits})
        )
        rows = database.normaliser.apply(database.descriptors)[:, static_columns(database.settings)]
        scores = torch.from_numpy(rows.copy())
        model.set_statistics(database.normaliser, low=scores.amin(0), high=scores.amax(0))
        model.fit([scores])
    return model.eval()
