"""Resume states of a forecaster with altered values end in one error before anything is trained."""

from dataclasses import replace
from functools import partial

import pytest

from sequencer.registry import ARCHITECTURES
from sequencer.train import ForecasterOptions, ForecasterTraining
from tests.sequencer.toys import NORMALISER, SETTINGS, SONGS, TOY, WINDOW, train
from tests.training.hostile import check_altered_states
from training.distributed import Distributed
from training.loop import TrainingLoop

OPTIONS = ForecasterOptions(window=WINDOW, epochs=1)
N_ALTERED = 150


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """A training that can be resumed."""
    folder = tmp_path_factory.mktemp("training") / "m"
    entry = ARCHITECTURES["lstm"]
    with pytest.MonkeyPatch.context() as patch:
        small = replace(entry, sizes=replace(entry.sizes, **TOY["lstm"]))
        patch.setitem(ARCHITECTURES, "lstm", small)
        train(folder, epochs=1)
        training = ForecasterTraining(SONGS, SETTINGS, NORMALISER, OPTIONS, Distributed())
    return TrainingLoop(training, folder, OPTIONS, Distributed())


def test_altered_states_are_refused(loop):
    load = partial(loop.state_file.load, loop.ema)
    step = load().step
    accepted = check_altered_states(loop.folder, load, n=N_ALTERED)
    # what may as well have been saved: other flags, a parameter that has not been changed yet
    assert len(accepted) < N_ALTERED / 8, accepted
    assert load().step == step
