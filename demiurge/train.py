"""Train a forecaster or a masked model on the sequences of a database."""

from pathlib import Path
from typing import Any

from db.database import Database
from demiurge.model_descriptors import codec_of_frames
from demiurge.tracks import pair_tracks
from files.errors import ParameterError
from sequencer.condition import GroupSteps
from sequencer.names import MASKED
from sequencer.sequence_training import ForecasterSummary
from sequencer.train import ForecasterOptions, train_forecaster
from sequencer.train_masked import MaskedOptions, train_masked


def train_on(
    database: Database,
    folder: str | Path,
    options: ForecasterOptions | MaskedOptions,
    *,
    coarse: GroupSteps | None = None,
    with_sources: str | None = None,
    **how: Any,
) -> ForecasterSummary:
    """Train what the options are of on a database, and save it in a folder.

    Of frames that are a codec's latents, tokens are the codec's own codes.

    Parameters
    ----------
    coarse : int, "beats" or "bars", optional
        As `sequencer.train.train_forecaster`.
    with_sources : str, optional
        As `demiurge.tracks.pair_tracks`.
    how
        Other arguments of `train_forecaster` or `train_masked`.

    Raises
    ------
    ParameterError
        If coarse or with_sources goes with a masked model; and as those two.
    """
    if not isinstance(options, ForecasterOptions):
        refuse_with_masked({"--coarse": coarse, "--with": with_sources})
    how |= {"settings": database.settings, "normaliser": database.normaliser}
    of_tokens = not isinstance(options, ForecasterOptions) or options.head == "tokens"
    codec = codec_of_frames(database.settings) if of_tokens else None
    if codec and codec.n_codebooks:
        how["levels"] = codec.levels()
    if not isinstance(options, ForecasterOptions):
        return train_masked(list(database.sequences()), folder, options=options, **how)
    tracks = None
    if with_sources is None:
        sequences = list(database.sequences())
    else:
        sequences, tracks = pair_tracks(database, with_sources)
    return train_forecaster(sequences, folder, options=options, coarse=coarse, tracks=tracks, **how)


def refuse_with_masked(given: dict[str, Any]) -> None:
    """Raise ParameterError if one of these options is given, which is not None."""
    for name, value in given.items():
        if value is not None:
            raise ParameterError(
                f"{name} {value} does not go with --architecture {MASKED}; leave {name} out"
            )
