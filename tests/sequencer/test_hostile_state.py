"""Resume states of a forecaster with altered values end in one error before anything is trained."""

import pytest

from files.errors import CheckpointError, ParameterError
from sequencer.train import ForecasterOptions, ForecasterTraining
from tests.sequencer.toys import NORMALISER, SETTINGS, SONGS, WINDOW, train
from tests.training.hostile import altered
from training.checkpoint import STATE, load_training_state, save_training_state
from training.distributed import Distributed
from training.loop import TrainingLoop

OPTIONS = ForecasterOptions(window=WINDOW, epochs=1)
N_ALTERED = 150


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """A training that can be resumed."""
    folder = tmp_path_factory.mktemp("training") / "m"
    train(folder, epochs=1)
    training = ForecasterTraining(SONGS, SETTINGS, NORMALISER, OPTIONS, Distributed())
    return TrainingLoop(training, folder, OPTIONS, Distributed())


def test_altered_states_are_refused(loop):
    good = load_training_state(loop.folder)
    accepted = []
    for what, state in altered(good, N_ALTERED, tensors=True):
        save_training_state(loop.folder, state)
        try:
            loop.state_file.load(loop.ema)
        except CheckpointError as error:
            assert f"{STATE}: " in str(error), what
            assert "train anew with --force" in str(error), what
        except ParameterError as error:
            assert "was trained " in str(error), what
        else:
            accepted.append(what)
    save_training_state(loop.folder, good)
    assert loop.state_file.load(loop.ema).step == good["position"]["step"]
    # what is as likely as what was there: flags, weights of a parameter that was not yet changed
    assert len(accepted) < N_ALTERED / 8, accepted
