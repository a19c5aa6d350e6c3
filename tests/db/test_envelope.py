import numpy as np
import pytest

from db.envelope import BACK_BLOCKS, ENVELOPE_SAMPLES, Envelope


def envelope_of(samples, *, pieces=1) -> Envelope:
    envelope = Envelope()
    for piece in np.array_split(np.asarray(samples, np.float32), pieces):
        envelope.add(piece)
    envelope.finish()
    return envelope


def levels(*values) -> np.ndarray:
    """A signal of one level per block, whose last sample in each block is half as far from zero."""
    signal = np.repeat(np.array(values, np.float32), ENVELOPE_SAMPLES)
    signal[ENVELOPE_SAMPLES - 1 :: ENVELOPE_SAMPLES] /= 2
    return signal


@pytest.mark.parametrize("pieces", [1, 7])
def test_blocks_have_their_energy_however_the_signal_is_cut(pieces):
    samples = np.concatenate([np.ones(64), np.full(64, -0.5), np.full(63, 9.0)])
    envelope = envelope_of(samples, pieces=pieces)
    assert envelope.energy.tolist() == [64, 16]  # the last 63 samples are no block
    assert envelope.n_blocks == 2


def test_the_latest_block_as_good_as_the_quietest_is_taken():
    envelope = envelope_of(levels(0.9, 0.1, 0.9, 0.13, 0.9))  # 0.13² is less than twice 0.1²
    assert envelope.quiet_sample(0, 4) == 3 * ENVELOPE_SAMPLES + 63
    assert envelope.quiet_sample(0, 2) == 1 * ENVELOPE_SAMPLES + 63
    assert envelope.quiet_sample(2, 2) == 2 * ENVELOPE_SAMPLES + 63
    louder = envelope_of(levels(0.9, 0.1, 0.9, 0.15, 0.9))
    assert louder.quiet_sample(0, 4) == 1 * ENVELOPE_SAMPLES + 63


def test_an_attack_begins_before_the_steepest_rise():
    signal = levels(*[0.01] * 40, *[0.5] * 40)
    start = envelope_of(signal).start_of_attack(0, len(signal))
    assert 39 * ENVELOPE_SAMPLES <= start <= 40 * ENVELOPE_SAMPLES + 63


def test_an_attack_is_not_looked_for_far_back():
    signal = levels(0.1, *[0.3] * 40, *[3.0] * 40)
    start = envelope_of(signal).start_of_attack(0, len(signal))
    assert start >= (41 - BACK_BLOCKS - 1) * ENVELOPE_SAMPLES


def test_where_there_is_no_signal_a_unit_begins_at_0():
    envelope = envelope_of(levels(0.1, 0.2))
    assert envelope.start_of_attack(-500, -300) == 0
    assert envelope.start_of_attack(5000, 6000) == 0
    assert envelope_of(np.ones(10)).start_of_attack(0, 100) == 0
