"""Resume states of audio trainings with altered values end in one error."""

import pytest

from files.errors import CheckpointError, ParameterError
from synth.dataset import open_dataset
from synth.flow_options import FlowOptions
from synth.train_vocoder import VocoderOptions
from synth.unagan_options import UnaganOptions
from tests.synth import test_training as trainings
from tests.synth.toys import MEL
from tests.training.hostile import altered
from training.checkpoint import STATE, load_training_state, save_training_state
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.saved_state import load_state

KINDS = {"vocoder": VocoderOptions, "unagan": UnaganOptions, "flow": FlowOptions}
N_ALTERED = 40

audio = trainings.audio
narrow = trainings.narrow


@pytest.mark.parametrize("kind", KINDS)
def test_altered_states_are_refused(kind, audio, tmp_path):
    trainings.TRAIN[kind](audio, tmp_path, steps=1)
    good = load_training_state(tmp_path)
    options = KINDS[kind](**{**trainings.OPTIONS[kind], "steps": 1})
    training = trainings.TRAINABLES[kind](open_dataset(audio, MEL), options, Distributed())
    loop = TrainingLoop(training, tmp_path, options, Distributed())
    accepted = []
    for what, state in altered(good, N_ALTERED, tensors=True):
        save_training_state(tmp_path, state)
        try:
            load_state(tmp_path).check_options(KINDS[kind], tmp_path)
            loop.state_file.load(loop.ema)
        except CheckpointError as error:
            assert f"{STATE}: " in str(error), what
            assert "train anew with --force" in str(error), what
        except ParameterError as error:
            assert "was trained " in str(error), what
        else:
            accepted.append(what)
    save_training_state(tmp_path, good)
    assert loop.state_file.load(loop.ema).step == 1
    assert len(accepted) < N_ALTERED / 8, accepted
