"""Plans of real sounds to files: what the samples are, how loud, what is left behind when it goes
wrong.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile as sf

from audio.loudness import TruePeakMeter
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError, PlanError
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions, OutputOptions, RenderOptions
from playback.plan import Plan, Step
from playback.render import RenderSummary, render, write_whole
from playback.stems import stem_paths, write_stems

RATE = 44100
HOP = 1024
PLAIN = CrossfadeOptions.plain(22.0)
CUTS = CrossfadeOptions.plain(0.0)
USUAL = CrossfadeOptions()
DEFAULT = OutputOptions()
SOUNDS = ("loop_industrial.ogg", "ambi_choir.ogg", "tabla_ghe3.ogg", "bass_hard_c.ogg")


def make_plan(root, *spans, channels=1, **rest) -> Plan:
    """Of (source, start, n_samples), one after the other."""
    at = np.cumsum([0, *(n for _, _, n in spans)])
    steps = tuple(
        Step(i, source, start, n, int(at[i])) for i, (source, start, n) in enumerate(spans)
    )
    return Plan(RATE, channels, {"id": "a database", "root": str(root)}, steps, **rest)


@pytest.fixture
def music() -> Plan:
    """Two seconds of four bundled sounds, in pieces of 23 to 93 ms.

    They are lowered, so that no crossfade is over full scale.
    """
    rng = np.random.default_rng(3)
    spans = []
    length = 0
    while length < 2 * RATE:
        n = int(rng.integers(1, 5)) * HOP
        spans.append((SOUNDS[rng.integers(4)], int(rng.integers(10)) * HOP, n))
        length += n
    plan = make_plan(CORPUS_DIR, *spans, channels=2)
    return replace(plan, steps=tuple(replace(step, gain_db=-8.0) for step in plan.steps))


def heard(path, dtype="float32") -> np.ndarray:
    return sf.read(path, dtype=dtype, always_2d=True)[0]


def render_with(plan: Plan, path, *, crossfade=USUAL, output=DEFAULT, **options) -> RenderSummary:
    return render(plan, path, render_options=RenderOptions(crossfade, output), **options)


def render_the_rest(plan: Plan, path, crossfade: CrossfadeOptions = USUAL) -> dict[str, str]:
    """Render what there is of a plan; return what is skipped."""
    with open_plan(plan, skip_missing=True) as opened:
        summary = write_whole(opened, path, RenderOptions(crossfade))
    assert summary.n_samples == plan.n_samples
    return opened.skipped


def render_stems(plan: Plan, folder, *, crossfade=USUAL, bits=None, **options) -> list[Path]:
    render_options = RenderOptions(crossfade, OutputOptions(bits))
    with open_plan(plan) as opened:
        return write_stems(opened, folder, render_options, **options)


def true_peak_db(samples: np.ndarray) -> float:
    meter = TruePeakMeter(samples.shape[1])
    meter.add(samples)
    return 20 * np.log10(meter.peak())


# What the file is


@pytest.mark.parametrize(
    ("name", "bits", "kind"),
    [
        ("o.wav", None, ("WAV", "PCM_24")),
        ("o.wav", "16", ("WAV", "PCM_16")),
        ("o.wav", "float", ("WAV", "FLOAT")),
        ("o.flac", None, ("FLAC", "PCM_24")),
        ("o.flac", "16", ("FLAC", "PCM_16")),
        ("o.FLAC", "24", ("FLAC", "PCM_24")),
        ("o.ogg", None, ("OGG", "VORBIS")),
    ],
)
def test_the_suffix_and_bits_say_what_is_written(tmp_path, music, name, bits, kind):
    summary = render_with(music, tmp_path / name, output=OutputOptions(bits))
    info = sf.info(tmp_path / name)
    assert (info.format, info.subtype) == kind
    assert (info.frames, info.samplerate, info.channels) == (music.n_samples, RATE, 2)
    assert summary.n_samples == music.n_samples
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["o.wav", "o.flac", "o.ogg"])
def test_the_file_names_its_plan_and_database(tmp_path, music, name):
    render(music, tmp_path / name)
    with sf.SoundFile(tmp_path / name) as file:
        how = "crossfade_ms=60.0 fade=matched align_ms=5.0 attacks=True level_db=12.0"
        assert (file.title, file.comment) == (
            "",
            f"Demiurge plan {music.identity}, database a database, seams {how}",  # as 0.1.0
        )
        assert file.software.startswith("Demiurge")


@pytest.mark.parametrize(
    ("name", "other"), [("o.wav", "another name.wav"), ("o.flac", "p.flac"), ("o.ogg", "p.ogg")]
)
def test_a_plan_makes_the_same_bytes_under_any_name(tmp_path, music, name, other):
    for path in (tmp_path / name, tmp_path / other):
        render(music, path)
    first = (tmp_path / name).read_bytes()
    assert first == (tmp_path / other).read_bytes()
    render(music, tmp_path / name)  # over itself
    assert first == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("block_samples", [99, 1 << 12])
def test_block_size_changes_no_byte(tmp_path, music, block_samples):
    options = RenderOptions(output=OutputOptions("float", lufs=-20))
    with open_plan(music) as opened:
        write_whole(opened, tmp_path / "a.wav", options)
        write_whole(opened, tmp_path / "b.wav", options, block_samples=block_samples)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_hard_cuts_end_with_the_last_unit(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    render_with(
        make_plan(tmp_path, ("a.wav", 0, HOP), ("a.wav", 3 * HOP, HOP)),
        tmp_path / "o.wav",
        crossfade=CUTS,
    )
    np.testing.assert_array_equal(
        heard(tmp_path / "o.wav")[:, 0], [*tabla[:HOP], *tabla[3 * HOP : 4 * HOP]]
    )


# What the samples are


@pytest.mark.parametrize(
    ("subtype", "bits"), [("PCM_16", None), ("PCM_16", "16"), ("PCM_24", None)]
)
@pytest.mark.parametrize(
    ("source", "out"), [("a.wav", "o.wav"), ("a.flac", "o.flac"), ("a.aiff", "o.wav")]
)
def test_adjacent_units_come_back_bit_exact_through_the_file(
    tmp_path, tabla, source, out, subtype, bits
):
    fine = tabla * np.float32(1 if subtype == "PCM_16" else 0.7)
    sf.write(tmp_path / source, fine, RATE, subtype=subtype)
    spans = [(source, i, min(HOP, RATE - i)) for i in range(0, RATE, HOP)]
    render_with(make_plan(tmp_path, *spans), tmp_path / out, output=OutputOptions(bits))
    np.testing.assert_array_equal(heard(tmp_path / out, "int32"), heard(tmp_path / source, "int32"))


def test_full_scale_16_bit_passes_untouched(tmp_path):
    samples = np.array([-32768, 32767, 0, 5] * 500, np.int16)
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="PCM_16")
    summary = render(make_plan(tmp_path, ("a.wav", 0, 2000)), tmp_path / "out.wav")
    np.testing.assert_array_equal(heard(tmp_path / "out.wav", "int16")[:, 0], samples)
    assert summary.gain_db == 0


def test_positions_are_exact_through_the_file(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    steps = (
        Step(0, "a.wav", 20_001, 999, 77),
        Step(1, "a.wav", 5, 1, 2000),
        Step(2, "a.wav", 30_000, 500, 2001),
    )
    plan = Plan(RATE, 1, {"id": "x", "root": str(tmp_path)}, steps, tail_samples=13)
    render_with(plan, tmp_path / "o.wav", crossfade=CUTS)
    expected = np.zeros(2514, np.float32)
    expected[77:1076] = tabla[20_001:21_000]
    expected[2000] = tabla[5]
    expected[2001:2501] = tabla[30_000:30_500]
    np.testing.assert_array_equal(heard(tmp_path / "o.wav")[:, 0], expected)


@pytest.mark.parametrize("bits", ["16", "24", "float"])
def test_over_full_scale_is_lowered_as_a_whole_and_said(tmp_path, tabla, bits):
    loud = tabla * np.float32(1.5 / np.abs(tabla).max())
    sf.write(tmp_path / "loud.wav", loud, RATE, subtype="FLOAT")
    plan = make_plan(tmp_path, ("loud.wav", 0, RATE))
    summary = render_with(plan, tmp_path / "o.wav", output=OutputOptions(bits))
    out = heard(tmp_path / "o.wav")[:, 0]
    assert summary.gain_db == pytest.approx(-0.1 - 20 * np.log10(1.5), abs=1e-3)
    assert summary.peak == pytest.approx(10 ** (-0.1 / 20), abs=1e-6)
    np.testing.assert_allclose(
        out, loud * 10 ** (summary.gain_db / 20), atol=1e-4 if bits == "16" else 1e-6
    )


def test_peak_and_gain_are_what_the_file_has(tmp_path, music):
    summary = render_with(music, tmp_path / "o.wav", output=OutputOptions("float"))
    assert summary.gain_db <= 0
    assert (summary.lufs, summary.true_peak_db) == (None, None)
    assert np.abs(heard(tmp_path / "o.wav")).max() == pytest.approx(summary.peak, rel=1e-5)


# How loud it is


@pytest.mark.parametrize("lufs", [-16.0, -23.0, -40.0])
@pytest.mark.parametrize("name", ["o.wav", "o.flac"])
def test_the_loudness_that_is_asked_for_is_reached(tmp_path, music, name, lufs):
    summary = render_with(music, tmp_path / name, output=OutputOptions(lufs=lufs, true_peak_db=0))
    measured = pyloudnorm.Meter(RATE).integrated_loudness(heard(tmp_path / name, "float64"))
    assert measured == pytest.approx(lufs, abs=0.1)
    assert summary.lufs == pytest.approx(lufs, abs=1e-9)
    assert summary.true_peak_db == pytest.approx(true_peak_db(heard(tmp_path / name)), abs=0.01)


@pytest.mark.parametrize(
    ("output", "ceiling"),
    [
        (OutputOptions(lufs=0), -1),
        (OutputOptions(lufs=-5, true_peak_db=-3), -3),
        (OutputOptions(true_peak_db=-9), -9),
    ],
)
def test_no_peak_passes_the_ceiling(tmp_path, music, output, ceiling):
    summary = render_with(music, tmp_path / "o.wav", output=output)
    assert true_peak_db(heard(tmp_path / "o.wav")) == pytest.approx(ceiling, abs=0.001)
    assert summary.true_peak_db == pytest.approx(ceiling, abs=1e-6)
    measured = pyloudnorm.Meter(RATE).integrated_loudness(heard(tmp_path / "o.wav", "float64"))
    assert summary.lufs == pytest.approx(measured, abs=0.1)


def test_what_is_below_the_ceiling_stays(tmp_path, music):
    quiet = render_with(music, tmp_path / "a.wav", output=OutputOptions(lufs=-40))
    assert quiet.true_peak_db < -1
    render(music, tmp_path / "b.wav")
    summary = render_with(music, tmp_path / "c.wav", output=OutputOptions(true_peak_db=0))
    if summary.gain_db == 0:
        assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_silence_stays_silent(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(RATE, np.float32), RATE)
    summary = render_with(
        make_plan(tmp_path, ("a.wav", 0, RATE)),
        tmp_path / "o.wav",
        output=OutputOptions("16", lufs=-14),
    )
    assert not heard(tmp_path / "o.wav").any()
    assert (summary.gain_db, summary.lufs, summary.true_peak_db, summary.peak) == (0, None, None, 0)


@pytest.mark.parametrize(
    "output", [OutputOptions(lufs=-14), OutputOptions(lufs=-14, true_peak_db=-20)]
)
def test_sound_in_the_lfe_alone_keeps_its_ceiling(tmp_path, tabla, output):
    samples = np.zeros((RATE, 6), np.float32)
    samples[:, 3] = tabla / np.abs(tabla).max()
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    summary = render_with(
        make_plan(tmp_path, ("a.wav", 0, RATE), channels=6), tmp_path / "o.wav", output=output
    )
    ceiling_db = -1 if output.true_peak_db is None else output.true_peak_db
    assert summary.lufs is None
    assert summary.true_peak_db == pytest.approx(ceiling_db, abs=1e-6)
    assert true_peak_db(heard(tmp_path / "o.wav")) == pytest.approx(ceiling_db, abs=0.001)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lufs": 1}, "lufs=1 must be -70 to 0"),
        ({"lufs": -71}, "lufs=-71 must be -70 to 0"),
        ({"lufs": float("nan")}, "lufs=nan must be -70 to 0"),
        ({"true_peak_db": 0.1}, "true_peak_db=0.1 must be -60 to 0"),
    ],
)
def test_a_level_that_cannot_be_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        OutputOptions(**options)


# Sources that are not there


def test_skipping_leaves_silence_of_the_right_length_in_the_right_place(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    spans = [
        (name, i * HOP, HOP)
        for i, name in enumerate(
            ["no.wav", "a.wav", "no.wav", "nor.wav", "a.wav", "a.wav", "no.wav"]
        )
    ]
    plan = make_plan(tmp_path, *spans, tail_samples=9)
    skipped = render_the_rest(plan, tmp_path / "o.wav", CUTS)
    expected = np.zeros(7 * HOP + 9, np.float32)
    for i in (1, 4, 5):
        expected[i * HOP : (i + 1) * HOP] = tabla[i * HOP : (i + 1) * HOP]
    np.testing.assert_array_equal(heard(tmp_path / "o.wav")[:, 0], expected)
    assert skipped == {"no.wav": "missing", "nor.wav": "missing"}


def test_with_crossfades_what_is_skipped_is_silent_and_the_rest_sounds(tmp_path, music):
    plan = replace(
        music,
        steps=tuple(replace(s, source=s.source.replace("ambi_choir", "gone")) for s in music.steps),
    )
    render_the_rest(plan, tmp_path / "o.wav")
    out = heard(tmp_path / "o.wav")
    assert len(out) == music.n_samples
    for step in plan.steps:
        part = out[step.at_sample : step.until_sample]
        assert part.any() == (step.source != "gone.ogg")


def test_nothing_skipped_is_said_and_changes_nothing(tmp_path, music):
    assert render_the_rest(music, tmp_path / "a.wav") == {}
    render(music, tmp_path / "b.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize("skip_missing", [True, False])
def test_a_plan_without_any_source_is_refused(tmp_path, skip_missing):
    which = "no step of the plan" if skip_missing else "not all of the plan"
    with pytest.raises(
        PlanError,
        match=rf"^{which} can be played from .*:\n  a.wav: missing\n  b.wav: missing$",
    ):
        open_plan(make_plan(tmp_path, ("a.wav", 0, 9), ("b.wav", 0, 9)), skip_missing=skip_missing)
    assert list(tmp_path.iterdir()) == []


def test_sources_are_looked_for_in_the_folder_that_is_given(tmp_path, music):
    render(music, tmp_path / "a.wav")
    moved = replace(music, database={"id": "a database", "root": "/nowhere"})
    with pytest.raises(
        ParameterError,
        match="^/nowhere: no such folder, but the corpus was there; say where it is now",
    ):
        render(moved, tmp_path / "b.wav")
    render(moved, tmp_path / "b.wav", root=CORPUS_DIR)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_steps_beyond_the_end_are_named_with_both_lengths_and_skipped_alone(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla[:3000], RATE)
    plan = make_plan(
        tmp_path, ("a.wav", 0, HOP), ("a.wav", 2000, HOP), ("a.wav", HOP, HOP), ("a.wav", 3000, 1)
    )
    problems = {
        f"step {number}": f"plays samples {start} to {end} of a.wav, which has 3000"
        for number, start, end in ((1, 2000, 3024), (3, 3000, 3001))
    }
    named = "".join(f"\n  {step}: {problem}" for step, problem in problems.items())
    with pytest.raises(PlanError, match=f"^not all of the plan can be played from .*:{named}$"):
        render(plan, tmp_path / "o.wav")
    skipped = render_the_rest(plan, tmp_path / "o.wav", CUTS)
    silence = np.zeros(HOP, np.float32)
    np.testing.assert_array_equal(
        heard(tmp_path / "o.wav")[:, 0], [*tabla[:HOP], *silence, *tabla[HOP : 2 * HOP], 0]
    )
    assert skipped == problems


def test_rounding_may_take_a_stretched_step_past_the_end_of_its_source(tmp_path, tabla):
    pytest.importorskip("python_stretch")
    sf.write(tmp_path / "a.wav", tabla[:3000], RATE)
    (step,) = make_plan(tmp_path, ("a.wav", 2000, 1)).steps
    last = {"n_samples": 1101, "stretch": 1.1}  # 1001 samples of the source, which has 1000
    plan = replace(make_plan(tmp_path, ("a.wav", 0, 1)), steps=(replace(step, **last),))
    render(plan, tmp_path / "o.wav")
    assert len(heard(tmp_path / "o.wav")) == 1101
    longer = replace(plan, steps=(replace(step, **last | {"n_samples": 1103}),))
    with pytest.raises(PlanError, match="step 0: plays samples 2000 to 3003 of a.wav"):
        render(longer, tmp_path / "o.wav")


@pytest.mark.parametrize("name", ["o.wav", "o.flac"])
def test_what_is_skipped_keeps_the_identity_of_the_whole_plan(tmp_path, music, name):
    plan = replace(music, steps=(*music.steps, Step(0, "gone.ogg", 0, HOP, music.n_samples)))
    render_the_rest(plan, tmp_path / name)
    with sf.SoundFile(tmp_path / name) as file:
        assert file.comment.startswith(f"Demiurge plan {plan.identity}, ")


def test_sources_that_are_played_are_never_written_over(tmp_path, tabla):
    (tmp_path / "in").mkdir()
    for name in ("1 x.wav", "x.wav"):
        sf.write(tmp_path / "in" / name, tabla, RATE)
    (tmp_path / "link.wav").symlink_to(tmp_path / "in" / "x.wav")
    plan = make_plan(tmp_path / "in", ("x.wav", 0, HOP), ("1 x.wav", 0, HOP))
    for path in (
        tmp_path / "in" / "x.wav",
        tmp_path / "in" / ".." / "in" / "x.wav",
        tmp_path / "link.wav",
    ):
        with pytest.raises(
            ParameterError,
            match=f"^{path} is the source x.wav, which the plan plays; give another name$",
        ):
            render(plan, path)
    with pytest.raises(
        ParameterError, match=r"1 x.wav is the source 1 x.wav, which the plan plays"
    ):
        open_plan(plan, outputs=stem_paths(plan, tmp_path / "in", ".wav"))
    np.testing.assert_array_equal(heard(tmp_path / "in" / "x.wav")[:, 0], tabla)


def test_non_finite_source_is_refused_and_nothing_is_left(tmp_path):
    sf.write(tmp_path / "a.wav", np.full(2000, np.nan, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(PlanError, match="a.wav: .* not all finite; repair the file"):
        render(make_plan(tmp_path, ("a.wav", 0, HOP)), tmp_path / "o.wav")
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


# Stems


@pytest.mark.parametrize("crossfade", [CrossfadeOptions(), PLAIN, CUTS])
def test_stems_add_up_to_the_whole(tmp_path, music, crossfade):
    summary = render_with(
        music, tmp_path / "o.wav", crossfade=crossfade, output=OutputOptions("float")
    )
    paths = render_stems(
        music, tmp_path, crossfade=crossfade, bits="float", gain_db=summary.gain_db
    )
    assert {len(heard(path)) for path in paths} == {music.n_samples}
    total = sum(heard(path, "float64") for path in paths)
    assert np.abs(total - heard(tmp_path / "o.wav", "float64")).max() < 1e-6


def test_a_stem_plays_its_source_only(tmp_path, music):
    for path, source in zip(
        render_stems(music, tmp_path, crossfade=CUTS),
        stem_paths(music, tmp_path, ".wav").values(),
        strict=True,
    ):
        samples = heard(path)
        for step in music.steps:
            if step.source != source:
                assert not samples[step.at_sample : step.until_sample].any()


def test_stems_are_named_by_number_and_source(tmp_path, tabla):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "out").mkdir()
    sources = ["b/x.wav", "a/x.wav", *(f"{i}.wav" for i in range(8))]
    for source in sources:
        sf.write(tmp_path / source, tabla, RATE)
    plan = make_plan(tmp_path, *[(source, 0, HOP) for source in [*sources, *sources]])
    paths = render_stems(plan, tmp_path / "out", suffix=".flac")
    assert [path.name for path in paths[:3]] == ["01 b - x.flac", "02 a - x.flac", "03 0.flac"]
    assert paths[-1].name == "10 7.flac"
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    with sf.SoundFile(paths[1]) as file:
        assert file.title == "a/x.wav"
    assert list(stem_paths(plan, tmp_path / "out", ".flac")) == paths


def test_stems_are_as_loud_as_they_are_told(tmp_path, music):
    paths = render_stems(music, tmp_path, bits="float")
    first = [heard(path) for path in paths]
    for before, path in zip(
        first, render_stems(music, tmp_path, bits="float", gain_db=-20), strict=True
    ):
        np.testing.assert_allclose(heard(path), before * 0.1, atol=1e-7)


def test_stems_of_an_over_full_plan_are_lowered_as_its_whole_is(tmp_path, tabla):
    loud = tabla * np.float32(1.5 / np.abs(tabla).max())
    for name in ("a.wav", "b.wav"):
        sf.write(tmp_path / name, loud, RATE, subtype="FLOAT")
    (tmp_path / "out").mkdir()
    plan = make_plan(tmp_path, ("a.wav", 0, RATE), ("b.wav", 0, RATE))
    summary = render_with(
        plan, tmp_path / "out" / "o.wav", output=OutputOptions("float", true_peak_db=0)
    )
    assert summary.gain_db < -3
    paths = render_stems(plan, tmp_path / "out", crossfade=CUTS)
    parts = [heard(path)[:, 0] for path in paths]
    assert [np.abs(part).max() for part in parts] == pytest.approx(
        [10 ** (-0.1 / 20)] * 2, abs=1e-6
    )
    np.testing.assert_allclose(sum(parts), np.tile(loud, 2) / 1.5 * 10 ** (-0.1 / 20), atol=1e-6)


def in_two_voices(plan: Plan) -> Plan:
    """The plan with its odd steps in a voice of their own, number 2, from the start on."""
    odd = [replace(step, voice=2) for step in plan.steps[1::2]]
    shift = odd[0].at_sample
    odd = [replace(step, at_sample=step.at_sample - shift) for step in odd]
    return replace(plan, steps=(*plan.steps[::2], *odd), tail_samples=0)


def test_stems_of_voices_add_up_to_the_whole(tmp_path, music):
    plan = in_two_voices(music)
    summary = render_with(plan, tmp_path / "o.wav", output=OutputOptions("float"))
    options = {"bits": "float", "gain_db": summary.gain_db}
    paths = render_stems(plan, tmp_path, by="voice", **options)
    assert [path.name for path in paths] == ["voice 0.wav", "voice 2.wav"]
    assert {len(heard(path)) for path in paths} == {plan.n_samples}
    total = sum(heard(path, "float64") for path in paths)
    assert np.abs(total - heard(tmp_path / "o.wav", "float64")).max() < 1e-6
    with sf.SoundFile(paths[1]) as file:
        assert file.title == "voice 2"
    by_source = sum(heard(path, "float64") for path in render_stems(plan, tmp_path, **options))
    assert np.abs(by_source - total).max() < 1e-6


def test_stems_of_many_voices_are_in_order(tmp_path, music):
    plan = replace(music, steps=tuple(replace(s, voice=15) for s in music.steps))
    plan = replace(plan, steps=(music.steps[0], *plan.steps))
    paths = stem_paths(plan, tmp_path, ".flac", "voice")
    assert {path.name: voice for path, voice in paths.items()} == {
        "voice 00.flac": 0,
        "voice 15.flac": 15,
    }


def test_voice_whose_sources_are_missing_is_a_silent_stem(tmp_path, tabla):
    for name in ("a.wav", "b.wav"):
        sf.write(tmp_path / name, tabla, RATE)
    (tmp_path / "out").mkdir()
    plan = make_plan(tmp_path, ("a.wav", 0, RATE), ("b.wav", 0, RATE))
    steps = plan.steps[0], replace(plan.steps[1], voice=1, at_sample=0)
    (tmp_path / "b.wav").unlink()
    with open_plan(replace(plan, steps=steps), skip_missing=True) as opened:
        first, second = write_stems(opened, tmp_path / "out", by="voice")
    assert heard(first).any()
    assert not heard(second).any()


def test_long_names_of_stems_are_cut(tmp_path):
    (path,) = stem_paths(
        make_plan(tmp_path, ("drums/" + "k" * 99 + ".wav", 0, 1)), tmp_path, ".ogg"
    )
    assert path.name == f"1 drums - {'k' * 52}.ogg"


# When it cannot be written


def test_a_linked_output_writes_the_file_that_it_stands_for(tmp_path, music):
    (tmp_path / "there").mkdir()
    (tmp_path / "o.wav").symlink_to(Path("there") / "real.wav")
    render(music, tmp_path / "o.wav")
    assert (tmp_path / "o.wav").is_symlink()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["real.wav"]
    assert len(heard(tmp_path / "there" / "real.wav")) == music.n_samples


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path, music):
    path = tmp_path / f"{'n' * 245}.wav"
    assert render(music, path).n_samples == len(heard(path))


@pytest.mark.parametrize(
    ("name", "output", "message"),
    [
        (
            "no/o.wav",
            OutputOptions(),
            "cannot be written .No such file or directory.; check the name",
        ),
        ("o.mp3", OutputOptions(), "the suffix '.mp3' must be one of .wav, .flac, .ogg"),
        ("o.ogg", OutputOptions("16"), "bits='16' does not apply to OGG"),
        (
            "o.flac",
            OutputOptions("float"),
            "bits='float' must be one of 16, 24 in FLAC; float samples need .wav",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, music, name, output, message):
    with pytest.raises(ParameterError, match=message):
        render_with(music, tmp_path / name, output=output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.accounts
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path, music):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(
        ParameterError,
        match="cannot be written .Permission denied.; change the permissions",
    ):
        render(music, tmp_path / "locked" / "o.wav")


@pytest.mark.parametrize("output", [OutputOptions(), OutputOptions(lufs=-20)])
def test_an_interrupted_render_leaves_what_was_there(tmp_path, music, output):
    (tmp_path / "o.wav").write_text("old")
    told = []

    def interrupt(done, total, what):
        if what == "o.wav" and 0 < done < total:
            assert len(list(tmp_path.iterdir())) == 2  # the new file is begun beside the old one
            told.append(done)
            raise KeyboardInterrupt

    options = RenderOptions(output=output)
    with open_plan(music) as opened, pytest.raises(KeyboardInterrupt):
        write_whole(opened, tmp_path / "o.wav", options, progress=interrupt, block_samples=1 << 12)
    assert told
    assert [path.name for path in tmp_path.iterdir()] == ["o.wav"]
    assert (tmp_path / "o.wav").read_text() == "old"


FULL_DISK = """
import resource, sys
from pathlib import Path
from playback.open_plan import open_plan
from playback.plan import Plan
from playback.options import OutputOptions, RenderOptions
from playback.render import render
from playback.stems import write_stems
from files.errors import ParameterError
plan = Plan.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    if sys.argv[3] == "stems":
        write_stems(open_plan(plan), Path(sys.argv[2]).parent)
    else:
        output = OutputOptions(lufs=None if sys.argv[3] == "whole" else -20.0)
        render(plan, sys.argv[2], render_options=RenderOptions(output=output))
except ParameterError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["whole", "stems", "loudness"])
def test_a_full_disk_is_told_and_no_part_is_left(tmp_path, music, what):
    (tmp_path / "out").mkdir()
    music.save(tmp_path / "plan.json")
    render(music, tmp_path / "warm.wav")  # decoded by now
    command = [
        sys.executable,
        "-c",
        FULL_DISK,
        tmp_path / "plan.json",
        tmp_path / "out" / "o.wav",
        what,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    name = "o.wav" if what != "stems" else f"1 {Path(music.steps[0].source).stem}.wav"
    assert (
        f"{tmp_path / 'out' / name}: cannot be written (File too large); raise the limit"
        in done.stdout
    ), done.stderr
    assert list((tmp_path / "out").iterdir()) == []


# How it goes


@pytest.mark.parametrize("output", [OutputOptions(), OutputOptions(lufs=-20)])
def test_progress_reaches_the_end(tmp_path, music, output):
    told = []

    def report(*given):
        told.append(given)

    with open_plan(music, progress=report) as opened:
        write_whole(
            opened,
            tmp_path / "o.wav",
            RenderOptions(output=output),
            progress=report,
            block_samples=1 << 14,
        )
    assert [(done, total) for done, total, _ in told[:4]] == [(i, 4) for i in range(1, 5)]
    assert {what for _, _, what in told[:4]} == {f"reading {sound}" for sound in SOUNDS}
    assert {given[1:] for given in told[4:]} == {(music.n_samples, "o.wav")}
    done = [given[0] for given in told[4:]]
    assert len(done) > 3
    assert done == sorted(set(done))
    assert done[-1] == music.n_samples


MEMORY = """
import resource, sys
import numpy as np
from playback.plan import Plan, Step
from playback.render import render
minutes, root, out = float(sys.argv[1]), sys.argv[2], sys.argv[3]
n = 8192
rng = np.random.default_rng(0)
starts = rng.integers(40_000 - n, size=int(minutes * 60 * 44100 / n)).tolist()
steps = tuple(Step(i, "tabla_44k.wav", start, n, i * n) for i, start in enumerate(starts))
render(Plan(44100, 1, {"id": "x", "root": root}, steps), out)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_depend_on_the_length(tmp_path, fixtures):
    used = []
    for minutes in (5, 20):
        command = [sys.executable, "-c", MEMORY, str(minutes), fixtures, tmp_path / "o.wav"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        used.append(int(done.stdout) * (1 if sys.platform == "darwin" else 1024))
    assert used[1] - used[0] < 30e6  # steps and runs; 15 minutes more of float32 would be 159 MB


def test_a_loop_is_the_same_wherever_it_begins(music, tmp_path):
    """Its end joins its beginning as any two units are joined."""
    looped = OutputOptions("float", loop=True)
    render_with(music, tmp_path / "loop.wav", output=looped)
    first = 5
    moved = music.steps[first].at_sample
    rotated = make_plan(
        CORPUS_DIR,
        *(
            (step.source, step.start_sample, step.n_samples)
            for step in (*music.steps[first:], *music.steps[:first])
        ),
        channels=2,
    )
    steps = tuple(replace(step, gain_db=-8.0) for step in rotated.steps)
    render_with(replace(rotated, steps=steps), tmp_path / "rotated.wav", output=looped)
    loop = heard(tmp_path / "loop.wav")
    np.testing.assert_array_equal(np.roll(loop, -moved, axis=0), heard(tmp_path / "rotated.wav"))
    # only what surrounds the new join differs from a render that is no loop
    render_with(music, tmp_path / "plain.wav", output=OutputOptions("float"))
    differing = np.flatnonzero((loop != heard(tmp_path / "plain.wav")).any(axis=1))
    assert len(differing)
    assert ((differing < 0.07 * RATE) | (differing >= len(loop) - 0.07 * RATE)).all()


def test_the_stems_of_a_loop_sum_to_it(music, tmp_path):
    options = RenderOptions(USUAL, OutputOptions("float", loop=True))
    (tmp_path / "stems").mkdir()
    with open_plan(music) as opened:
        write_whole(opened, tmp_path / "loop.wav", options)
        stems = write_stems(opened, tmp_path / "stems", options)
    total = np.sum([heard(path) for path in stems], axis=0)
    np.testing.assert_allclose(total, heard(tmp_path / "loop.wav"), atol=1e-6)
