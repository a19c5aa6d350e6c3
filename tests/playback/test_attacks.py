from playback.attacks import DECAY_MS, bracket
from tests.playback.sounds import RATE, noise

BLOCK = round(0.7 * RATE / 1000)


def test_an_attack_counts_as_passed_once_its_block_is():
    zone = noise(4096, 0, 0.001)
    zone[60 * BLOCK :] += noise(4096 - 60 * BLOCK, 1, 0.5)
    zones = zone[None, :, None]
    decay = round(DECAY_MS * RATE / 1000)
    _, (place,) = bracket(zones, sample_rate=RATE, pivot=0)
    assert abs(place - 60 * BLOCK) <= BLOCK
    for pivot, expected in (
        (place + BLOCK - 1, (0, place)),
        (place + BLOCK, (place + decay, len(zone))),
    ):
        assert (
            tuple(side[0] for side in bracket(zones, sample_rate=RATE, pivot=int(pivot)))
            == expected
        )
