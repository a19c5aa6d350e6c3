"""Defects 1 to 6 of the original, each by name, and what must always hold."""

import tracemalloc

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import AudioError, ParameterError, PlanError
from playback import render as render_module
from playback.plan import Plan, Step
from playback.render import render, render_blocks
from playback.sources import SourceReader

RATE, HOP = 44100, 1024


class Memory:
    """Sources held in arrays, for tests that draw many."""

    def __init__(self, **sources):
        self.sources = {name: np.asarray(a, np.float32).reshape(len(a), -1) for name, a in sources.items()}

    def length(self, source):
        return len(self.sources[source])

    def read(self, source, start, n):
        assert start >= 0
        assert start + n <= len(self.sources[source])
        return self.sources[source][start : start + n]


def plan(steps, channels=1, root="."):
    return Plan(RATE, channels, {"id": "x", "root": str(root)}, tuple(steps))


def units(spans, hop=HOP):
    """Steps of (source, start, length), one every hop."""
    return [Step(i, source, start, n, i * hop) for i, (source, start, n) in enumerate(spans)]


def played(plan, reader, **options):
    return np.concatenate(list(render_blocks(plan, reader, **options)))


def noise(n, seed=0, level=0.3):
    return np.random.default_rng(seed).uniform(-level, level, n).astype(np.float32)


def test_defect_1_first_unit_of_a_source_plays_its_span_and_no_more():
    a = noise(10 * RATE)
    out = played(plan(units([("a", 0, HOP)])), Memory(a=a), crossfade_ms=0)
    np.testing.assert_array_equal(out[:, 0], a[:HOP])


@settings(deadline=None, max_examples=80)
@given(
    starts=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 39)), min_size=1, max_size=12),
    hop=st.sampled_from([1, 2, 63, 100, 256, 1024]),
    crossfade_ms=st.sampled_from([0.0, 0.01, 1.0, 22.0, 500.0]),
)
def test_defect_2_n_units_of_h_samples_give_exactly_n_h_samples(starts, hop, crossfade_ms):
    reader = Memory(a=noise(40 * hop), b=noise(40 * hop, 1))
    spans = [(source, number * hop, hop) for source, number in starts]
    out = played(plan(units(spans, hop)), reader, crossfade_ms=crossfade_ms)
    assert out.shape == (len(starts) * hop, 1)
    assert np.abs(out).max() <= 0.3 * np.sqrt(2) + 1e-6  # equal power, never more


def test_defect_3_adjacent_units_come_back_bit_exact_through_the_file(fixtures, tmp_path, tabla):
    spans = [("tabla_44k.wav", i * HOP, min(HOP, len(tabla) - i * HOP)) for i in range(44)]
    render(plan(units(spans), root=fixtures), tmp_path / "out.wav")
    np.testing.assert_array_equal(
        sf.read(tmp_path / "out.wav", dtype="int32")[0], sf.read(fixtures / "tabla_44k.wav", dtype="int32")[0]
    )


@settings(deadline=None, max_examples=60)
@given(tail=st.integers(1, HOP), crossfade_ms=st.sampled_from([0.0, 5.0, 22.0, 60.0]))
def test_defect_4_last_unit_of_any_length_plays(tail, crossfade_ms):
    a, b = noise(3 * HOP + tail), noise(4 * HOP, 1)
    steps = [Step(0, "b", HOP, HOP, 0), Step(1, "a", 3 * HOP, tail, HOP), Step(2, "b", 0, HOP, HOP + tail)]
    out = played(plan(steps), Memory(a=a, b=b), crossfade_ms=crossfade_ms)
    assert len(out) == 2 * HOP + tail


@settings(deadline=None, max_examples=60)
@given(start=st.integers(0, 5000), length=st.integers(1, 3000), at=st.integers(0, 3000))
def test_defect_5_positions_are_exact_to_the_sample(start, length, at):
    a = np.arange(1, 8001, dtype=np.float32) / 8001
    out = played(plan([Step(0, "a", start, length, at)]), Memory(a=a), crossfade_ms=0)
    np.testing.assert_array_equal(out[:at], 0)
    np.testing.assert_array_equal(out[at:, 0], a[start : start + length])


def test_defect_6_each_sample_is_read_twice_at_most_and_memory_stays_flat():
    class Counting(Memory):
        n_read = 0

        def read(self, source, start, n):
            self.n_read += n
            return super().read(source, start, n)

    rng = np.random.default_rng(0)
    reader = Counting(a=noise(400 * HOP))
    peaks = []
    for n_steps in (200, 2000):
        reader.n_read = 0
        steps = units([("a", int(i) * HOP, HOP) for i in rng.integers(399, size=n_steps)])
        tracemalloc.start()
        for _ in render_blocks(plan(steps), reader):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert reader.n_read <= 2 * n_steps * HOP
    assert peaks[1] < peaks[0] + 2000 * 1000  # the runs' bookkeeping; 1800 more hops of audio would be 7.4 MB


def test_uncorrelated_seam_keeps_its_power():
    reader = Memory(a=noise(400 * HOP, 0), b=noise(400 * HOP, 1))
    out = played(plan(units([("ab"[i % 2], i * HOP, HOP) for i in range(300)])), reader)
    seams = np.concatenate([out[i * HOP - 200 : i * HOP + 200] for i in range(1, 300)])
    assert np.mean(seams**2) == pytest.approx(0.3**2 / 3, rel=0.03)


def test_seam_does_not_jump_more_than_the_sources_do():
    t = np.arange(40 * HOP)
    a, b = 0.4 * np.sin(t * 0.05), 0.4 * np.sin(t * 0.031 + 1)
    out = played(plan(units([("ab"[i % 2], (3 * i + 1) * HOP, HOP) for i in range(10)])), Memory(a=a, b=b))[:, 0]
    largest = max(np.abs(np.diff(a)).max(), np.abs(np.diff(b)).max())
    assert np.abs(np.diff(out)).max() < 1.5 * largest
    assert (
        np.abs(
            np.diff(played(plan(units([("a", HOP, HOP), ("b", 5 * HOP, HOP)])), Memory(a=a, b=b), crossfade_ms=0)[:, 0])
        ).max()
        > 0.1
    )


def test_units_keep_their_time_inside_a_crossfade():
    a, b = np.zeros(8 * HOP, np.float32), np.zeros(8 * HOP, np.float32)
    b[4 * HOP + 700] = 0.5  # after the overlap of the unit that starts at 4 hops
    out = played(plan(units([("a", 0, HOP), ("b", 4 * HOP, HOP), ("a", 0, HOP)])), Memory(a=a, b=b), crossfade_ms=10)
    assert np.flatnonzero(out).tolist() == [HOP + 700]
    assert out[HOP + 700, 0] == 0.5


def test_gap_is_silence_and_its_edges_are_faded():
    reader = Memory(a=np.full(10 * HOP, 0.5))
    out = played(plan([Step(0, "a", HOP, HOP, 0), Step(1, "a", 5 * HOP, HOP, 3 * HOP)]), reader)[:, 0]
    assert len(out) == 4 * HOP
    assert not out[HOP : 3 * HOP].any()
    assert abs(out[HOP - 1]) < 0.02
    assert abs(out[3 * HOP]) < 0.02
    assert out[HOP // 2] == 0.5


def test_a_recordings_own_beginning_and_end_are_not_faded():
    reader = Memory(a=np.full(2 * HOP, 0.5))
    np.testing.assert_array_equal(played(plan(units([("a", 0, HOP), ("a", HOP, HOP)])), reader), 0.5)


def test_loud_seam_stays_within_full_scale():
    reader = Memory(a=np.full(9 * HOP, 0.9), b=np.full(9 * HOP, 0.95))
    out = played(plan(units([("a", HOP, HOP), ("b", 3 * HOP, HOP), ("a", 5 * HOP, HOP)])), reader)
    assert np.abs(out).max() <= 0.9500001


@pytest.mark.parametrize("block", [37, 1000, 1 << 17])
def test_block_size_does_not_change_the_samples(monkeypatch, block):
    reader = Memory(a=noise(60 * HOP), b=noise(60 * HOP, 1))
    p = plan([Step(0, "a", 100, 20 * HOP, 50), Step(1, "b", 7, 9 * HOP, 20 * HOP + 50), Step(2, "b", 5, 99, 40 * HOP)])
    expected = played(p, reader)
    monkeypatch.setattr(render_module, "BLOCK_SAMPLES", block)
    np.testing.assert_array_equal(played(p, reader), expected)


def test_stereo_equals_two_monos():
    left, right = noise(20 * HOP, 0), noise(20 * HOP, 1)
    steps = units([("a", i * 3 * HOP, HOP) for i in range(6)])
    stereo = played(plan(steps, 2), Memory(a=np.stack([left, right], axis=1)))
    for channel, samples in enumerate((left, right)):
        np.testing.assert_allclose(stereo[:, channel], played(plan(steps), Memory(a=samples))[:, 0], atol=1e-7)


def test_gain_is_applied_and_makes_a_seam():
    steps = [Step(0, "a", 0, HOP, 0), Step(1, "a", HOP, HOP, HOP, gain_db=-20.0)]
    out = played(plan(steps), Memory(a=np.full(2 * HOP, 0.5)))
    assert out[0, 0] == 0.5
    assert out[-1, 0] == pytest.approx(0.05)


def test_over_full_scale_is_lowered_as_a_whole_and_said(tmp_path, tabla):
    sf.write(tmp_path / "loud.wav", tabla * (1.5 / np.abs(tabla).max()), RATE, subtype="FLOAT")
    summary = render(plan(units([("loud.wav", 0, 40 * HOP)]), root=tmp_path), tmp_path / "out.wav")
    out = sf.read(tmp_path / "out.wav", dtype="float32")[0]
    assert np.abs(out).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-4)
    assert summary.gain_db == pytest.approx(20 * np.log10(10 ** (-0.1 / 20) / 1.5), abs=1e-3)
    assert np.corrcoef(out, tabla[: len(out)])[0, 1] > 0.999999


def test_full_scale_16_bit_passes_untouched(tmp_path):
    samples = np.array([-32768, 32767, 0, 5] * 500, np.int16)
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="PCM_16")
    summary = render(plan([Step(0, "a.wav", 0, 2000, 0)], root=tmp_path), tmp_path / "out.wav")
    np.testing.assert_array_equal(sf.read(tmp_path / "out.wav", dtype="int16")[0], samples)
    assert summary.gain_db == 0


def test_lossy_and_other_rate_sources_give_exact_spans(tmp_path, tabla):
    sf.write(tmp_path / "a.ogg", tabla, RATE)
    sf.write(tmp_path / "b.wav", tabla, 48000)
    with SourceReader(tmp_path, sample_rate=RATE, channels=2) as reader:
        for name in ("a.ogg", "b.wav"):
            whole = reader.read(name, 0, reader.length(name))
            np.testing.assert_array_equal(reader.read(name, 12345, 100), whole[12345:12445])
        assert reader.length("b.wav") == 40517


def test_cache_puts_aside_what_does_not_fit_and_reads_it_again(tmp_path, tabla):
    for name in ("a.ogg", "b.ogg", "c.ogg"):
        sf.write(tmp_path / name, tabla, RATE)
    with SourceReader(tmp_path, sample_rate=RATE, channels=1, cache_bytes=2 * 44100 * 4) as reader:
        first = reader.read("a.ogg", 500, 50).copy()
        reader.read("b.ogg", 0, 1)
        reader.read("c.ogg", 0, 1)
        assert list(reader._decoded) == ["b.ogg", "c.ogg"]
        np.testing.assert_array_equal(reader.read("a.ogg", 500, 50), first)


def test_many_sources_do_not_exhaust_file_handles(tmp_path, tabla):
    for i in range(80):
        sf.write(tmp_path / f"{i}.wav", tabla[: 3 * HOP] * (i / 80), RATE, subtype="FLOAT")
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        for i in [*range(80), *range(80)]:
            np.testing.assert_allclose(reader.read(f"{i}.wav", 5, 10)[:, 0], tabla[5:15] * (i / 80), atol=1e-7)
        assert len(reader._files) <= 64


@pytest.mark.parametrize(("given", "wanted"), [(1, 2), (2, 1), (2, 4), (6, 2), (3, 3)])
def test_channels_are_fitted(tmp_path, given, wanted):
    samples = np.arange(1, given + 1, dtype=np.float32) / 10 * np.ones((50, 1), np.float32)
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with SourceReader(tmp_path, sample_rate=RATE, channels=wanted) as reader:
        row = reader.read("a.wav", 0, 50)[7]
    expected = {(1, 2): [0.1, 0.1], (2, 1): [0.15], (2, 4): [0.1, 0.2, 0, 0], (6, 2): [0.1, 0.2], (3, 3): [0.1, 0.2, 0.3]}
    np.testing.assert_allclose(row, expected[given, wanted], atol=1e-6)


def test_missing_source_is_named(tmp_path):
    with pytest.raises(PlanError, match="a.wav: not in the corpus folder .*--root"):
        render(plan([Step(0, "a.wav", 0, 1, 0)], root=tmp_path), tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_shortened_source_is_named_with_both_lengths(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla[:500], RATE)
    with pytest.raises(PlanError, match="plays samples 0 to 1024, but the file has 500; it has changed"):
        render(plan(units([("a.wav", 0, HOP)]), root=tmp_path), tmp_path / "out.wav")


def test_non_finite_source_is_refused_and_nothing_is_left(tmp_path):
    sf.write(tmp_path / "a.wav", np.full(2000, np.nan, np.float32), RATE, subtype="FLOAT")
    with pytest.raises((PlanError, AudioError), match="not all finite; repair the file"):
        render(plan(units([("a.wav", 0, HOP)]), root=tmp_path), tmp_path / "out.wav")
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("crossfade_ms", [-1.0, float("nan"), float("inf")])
def test_bad_crossfade_is_refused(crossfade_ms):
    with pytest.raises(ParameterError, match="crossfade_ms=.* must be a finite number of at least 0"):
        played(plan(units([("a", 0, 10)])), Memory(a=noise(100)), crossfade_ms=crossfade_ms)


def test_unwritable_output_is_refused(fixtures, tmp_path):
    with pytest.raises(ParameterError, match="cannot be written"):
        render(plan(units([("tabla_44k.wav", 0, HOP)]), root=fixtures), tmp_path / "no" / "out.wav")
