"""What --like asks for, as a vector of the CLAP that a database was built with."""

from pathlib import Path

import numpy as np

from audio.read import AUDIO_SUFFIXES
from db.database import Database
from db.model_descriptor import ModelDescriptor
from demiurge.model_descriptors import CLAP, clap_of, one_at_a_time
from files.errors import AudioError, ParameterError
from query.likeness import FLOAT, HOW_TO_GET_THEM, Likeness


def make_likeness(asked: tuple[tuple[str, float], ...], database: Database) -> Likeness:
    """Return the weighted mean of texts and sounds.

    Parameters
    ----------
    asked : tuple of (str, float)
        Texts, or paths of audio files, with their weights.
    database : Database
        One that was built with clap:DIR.

    Raises
    ------
    ParameterError
        If it was not, or a weight or a text is not one.
    AudioError, CheckpointError, DatabaseError
        If a file cannot be read, or the model is not there any more or knows no texts.
    """
    from synth.clap import unit_length

    for name, weight in asked:
        if not (np.isfinite(weight) and weight > 0):
            raise ParameterError(f"--like {name}={weight:g}: a weight must be a positive number")
    model = _model_of(database)
    vectors = np.stack([_vector(name, model) for name, _ in asked])
    weights = np.array([weight for _, weight in asked])
    mean = unit_length((weights[:, None] * vectors).sum(axis=0) / weights.sum())
    named = tuple((Path(name).name if Path(name).is_file() else name, w) for name, w in asked)
    return Likeness(named, mean.astype(FLOAT).tobytes())


def _model_of(database: Database) -> ModelDescriptor:
    for model in database.settings.models:
        if model.kind == CLAP:
            return model
    raise ParameterError(
        f"{database.path} has no columns of CLAP, which --like needs; {HOW_TO_GET_THEM}"
    )


def _vector(name: str, model: ModelDescriptor) -> np.ndarray:
    """Return the vector of a file, or else of a text."""
    from synth.file_request import check_text
    from synth.recordings import check_audible, read_recording

    path = Path(name)
    clap = clap_of(model)
    if path.is_file():
        recording = read_recording(path, clap.sample_rate)
        check_audible(recording.name, recording.audio)
        with one_at_a_time():
            return clap.audio(recording.audio)
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise AudioError(f"{name}: no such audio file")
    check_text("--like", name)
    with one_at_a_time():
        return clap.text(name)
