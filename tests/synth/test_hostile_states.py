"""Resume states of audio trainings with altered values end in one error."""

import pytest

from synth.codec_options import CodecOptions
from synth.dataset import open_dataset
from synth.flow_options import FlowOptions
from synth.train_vocoder import VocoderOptions
from synth.unagan_options import UnaganOptions
from tests.synth import test_training as trainings
from tests.synth.toy_codecs import toy_vocoder
from tests.synth.toys import MEL
from tests.training.hostile import check_altered_states
from training.distributed import Distributed
from training.loop import TrainingLoop
from training.saved_state import load_state

KINDS = {
    "vocoder": VocoderOptions,
    "unagan": UnaganOptions,
    "flow": FlowOptions,
    "codec": CodecOptions,
}
N_ALTERED = 40

audio = trainings.audio
narrow = trainings.narrow


@pytest.mark.parametrize("kind", KINDS)
def test_altered_states_are_refused(kind, audio, tmp_path):
    trainings.TRAIN[kind](audio, tmp_path, steps=1)
    options = KINDS[kind](**{**trainings.OPTIONS[kind], "steps": 1})
    own = {"vocoder": toy_vocoder()} if kind == "codec" else {}
    training = trainings.TRAINABLES[kind](open_dataset(audio, MEL), options, Distributed(), **own)
    loop = TrainingLoop(training, tmp_path, options, Distributed())

    def load():
        load_state(tmp_path).check_options(KINDS[kind], tmp_path)
        return loop.state_file.load(loop.ema)

    accepted = check_altered_states(tmp_path, load, n=N_ALTERED)
    assert len(accepted) < N_ALTERED / 8, accepted
    assert load().step == 1
