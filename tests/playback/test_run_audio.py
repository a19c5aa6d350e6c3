import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback.plan import Step
from playback.run_audio import RunAudio
from tests.playback.sounds import RATE, Memory, noise, plan, played

pytest.importorskip("python_stretch")


def read(audio, offset, n, channels=1):
    out = np.full((n, channels), np.nan, np.float32)
    audio.read(out, offset)
    return out[:, 0]


@settings(deadline=None, max_examples=80)
@given(
    start=st.integers(0, 900),
    n=st.integers(1, 100),
    offset=st.integers(-1200, 1200),
    length=st.integers(1, 500),
    reverse=st.booleans(),
    ahead=st.sampled_from([None, 40, 5000]),
)
def test_a_run_is_its_source_around_the_unit_and_silence_beyond(
    start, n, offset, length, reverse, ahead
):
    a = noise(1000)
    audio = RunAudio(Step(0, "a", start, n, 0, reverse=reverse), Memory(a=a), plan([]))
    if ahead:
        audio.read_ahead(ahead)
    line = np.concatenate([np.zeros(3000), a, np.zeros(3000)]).astype(np.float32)
    first = 3000 + start
    if reverse:
        first = len(line) - (3000 + start + n)
        line = line[::-1]
    np.testing.assert_array_equal(read(audio, offset, length), line[first + offset :][:length])


def test_gain_counts_in_decibels(tabla):
    audio = RunAudio(Step(0, "a", 100, 50, 0, gain_db=-20.0), Memory(a=tabla), plan([]))
    np.testing.assert_allclose(read(audio, -10, 70), tabla[90:160] * 0.1, rtol=1e-6)


def test_reversed_unit_is_read_where_it_is_heard(tabla):
    class Counting(Memory):
        n_read = 0

        def read_into(self, out, source, start):
            self.n_read += len(out)
            super().read_into(out, source, start)

    sound = Counting(a=tabla)
    audio = RunAudio(Step(0, "a", 1000, 40_000, 0, reverse=True, gain_db=-20.0), sound, plan([]))
    assert sound.n_read == 0
    np.testing.assert_allclose(read(audio, -5, 30), tabla[40_975:41_005][::-1] * 0.1, rtol=1e-6)
    assert sound.n_read == 30


@pytest.mark.parametrize("stretch", [0.5, 1.5, 2.0])
def test_stretched_unit_has_its_attack_in_its_place(tabla, stretch):
    """The loudest stroke of the fixture, by the time at which its energy has half come."""
    start = 9000
    n = 12000
    audio = RunAudio(Step(0, "a", start, n, 0, stretch=stretch), Memory(a=tabla), plan([]))
    sound = read(audio, 0, n)
    source = tabla[start : start + round(n / stretch)]
    middle = [np.searchsorted(np.cumsum(x**2), (x**2).sum() / 2) for x in (source, sound)]
    assert abs(middle[1] - middle[0] * stretch) < 0.02 * RATE
    assert np.mean(sound**2) == pytest.approx(np.mean(source**2), rel=0.5)


def test_transposed_unit_is_higher_and_as_long(tabla):
    n = 20000
    higher = read(
        RunAudio(Step(0, "a", 10000, n, 0, transpose=12.0), Memory(a=tabla), plan([])), 0, n
    )
    spectra = [np.abs(np.fft.rfft(x * np.hanning(n))) for x in (tabla[10000 : 10000 + n], higher)]
    centroids = [(x * np.arange(len(x))).sum() / x.sum() for x in spectra]
    assert 1.5 < centroids[1] / centroids[0] < 2.5


def test_plan_of_changed_units_is_as_long_as_it_says(tabla):
    stereo = np.stack([tabla, np.roll(tabla, 99)], axis=1)
    how = [
        {"reverse": True},
        {"transpose": -5.0},
        {"stretch": 2.0},
        {"stretch": 0.4, "reverse": True, "gain_db": -3.0},
        {},
    ]
    steps = []
    at = 0
    for i, options in enumerate(how):
        steps.append(Step(i, "a", 3000 + 1000 * i, 3000 + i, at, **options))
        at += 3000 + i
    out = played(plan(steps, 2), Memory(a=stereo))
    assert out.shape == (at, 2)
    assert np.isfinite(out).all()
    assert all(np.abs(out[step.at_sample : step.until_sample]).max() > 0.01 for step in steps)
    np.testing.assert_array_equal(played(plan(steps, 2), Memory(a=stereo)), out)


def test_reversed_neighbours_of_one_source_are_no_run(tabla):
    steps = [
        Step(0, "a", 5000, 1000, 0, reverse=True),
        Step(1, "a", 6000, 1000, 1000, reverse=True),
    ]
    out = played(plan(steps), Memory(a=tabla))[:, 0]
    assert not np.array_equal(out[100:1900], tabla[5000:7000][::-1][100:1900])


def test_adjacent_stretched_steps_sound_as_one(tabla):
    """As one long step does, to the bit; its source ends a sample before rounding says."""
    sound = Memory(a=tabla[: 4000 + 16 * 1024 - 1])
    ends = np.round(np.arange(17) * 1024 * 1.1).astype(int).tolist()
    how = {"stretch": 1.1, "transpose": 2.0, "gain_db": -3.0}
    steps = [
        Step(i, "a", 4000 + 1024 * i, ends[i + 1] - ends[i], ends[i], **how) for i in range(16)
    ]
    whole = Step(0, "a", 4000, ends[-1], 0, **how)
    assert steps[-1].end_sample > sound.length("a")
    out = played(plan(steps), sound)
    np.testing.assert_array_equal(out, played(plan([whole]), sound))
    assert np.abs(out[-2000:]).max() > 0.001


def test_a_part_of_a_stretched_run_has_the_samples_of_the_whole(tabla):
    steps = [
        Step(0, "a", 9000, 3000, 0),
        *(Step(i, "a", 1000 * i, 1250, 1750 + 1250 * i, stretch=1.25) for i in range(1, 9)),
        Step(9, "a", 500, 3000, 13000),
    ]
    whole = played(plan(steps), Memory(a=tabla))
    for start, stop in ((0, 3500), (5000, 6001), (12500, 14000)):
        part = played(plan(steps), Memory(a=tabla), start=start, stop=stop)
        np.testing.assert_array_equal(part, whole[start:stop])
