"""Exports read back: the REAPER project is played by a small interpreter of its own, the tables by
their parsers.
"""

import csv
import io
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from demiurge.bundled import CORPUS_DIR
from files.errors import PlanError
from files.roots import Roots
from playback.cues import Cue
from playback.exports import EXPORTS
from playback.plan import Plan, Step

RATE = 44100


def make_step(source="tabla.wav", start=1000, n=2000, at=500, **how) -> Step:
    return Step(how.pop("unit", 7), source, start, n, at, **how)


def make_cue(
    step: Step, *, number=0, lead=0, tail=0, fade_in=0, fade_out=0, envelope=((0, 1.0),)
) -> Cue:
    return Cue(
        number,
        step,
        step.at_sample - lead,
        lead + step.n_samples + tail,
        fade_in,
        fade_out,
        envelope,
    )


def make_plan(cues: list[Cue], *, sample_rate=RATE, channels=1) -> Plan:
    return Plan(sample_rate, channels, {"id": "x", "root": "."}, tuple(cue.step for cue in cues))


def export(name: str, cues: list[Cue], root=Path("/sounds"), **plan) -> str:
    return EXPORTS[name].write(make_plan(cues, **plan), cues, Roots.of(root))


# A REAPER of forty lines: blocks, then items placed, faded, scaled and summed.


class Block(NamedTuple):
    head: list[str]
    fields: dict[str, list[str]]
    points: list[tuple[float, float]]
    blocks: list["Block"]

    def all(self, kind: str) -> list["Block"]:
        return [block for block in self.blocks if block.head[0] == kind]

    def number(self, key: str, index: int = 0) -> float:
        return float(self.fields[key][index])


def split(line: str) -> list[str]:
    """Fields of a line; one that begins with a quote ends at the next of the same."""
    fields = []
    rest = line.strip()
    while rest:
        quote = rest[0] if rest[0] in "\"'`" else None
        field, _, rest = rest[1:].partition(quote) if quote else rest.partition(" ")
        fields.append(field)
        rest = rest.lstrip()
    return fields


def parse_rpp(text: str) -> Block:
    open_blocks = [Block([], {}, [], [])]
    for line in map(str.strip, text.splitlines()):
        if line.startswith("<"):
            block = Block(split(line[1:]), {}, [], [])
            open_blocks[-1].blocks.append(block)
            open_blocks.append(block)
        elif line == ">":
            open_blocks.pop()
        elif line.startswith("PT "):
            open_blocks[-1].points.append((float(split(line)[1]), float(split(line)[2])))
            assert split(line)[3] == "0"  # straight
        else:
            open_blocks[-1].fields[split(line)[0]] = split(line)[1:]
    (project,) = open_blocks[0].blocks
    return project


def items(text: str) -> list[Block]:
    """Items of both tracks in order of position."""
    tracks = parse_rpp(text).all("TRACK")
    return sorted(
        (item for track in tracks for item in track.all("ITEM")),
        key=lambda item: item.number("POSITION"),
    )


def play_item(item: Block, rate: int) -> np.ndarray:
    n_samples = round(item.number("LENGTH") * rate)
    seconds = np.arange(n_samples) / rate
    (source,) = item.all("SOURCE")
    reverse = source.head[1] == "SECTION"
    (file,) = source.all("SOURCE") if reverse else [source]
    samples = sf.read(file.fields["FILE"][0])[0]
    if reverse:
        assert (source.number("MODE"), source.number("OVERLAP")) == (2, 0)
        start = round(source.number("STARTPOS") * rate)
        samples = samples[start : start + round(source.number("LENGTH") * rate)][::-1]
    speed = item.number("PLAYRATE")
    where = item.number("SOFFS") * rate + np.arange(n_samples) * speed
    sound = np.interp(where, np.arange(len(samples)), samples)  # pitch is not kept here, places are
    for envelope in item.all("VOLENV"):
        sound = sound * np.interp(seconds * speed, *zip(*envelope.points, strict=True))
    for key, since in (("FADEIN", seconds), ("FADEOUT", n_samples / rate - seconds)):
        assert item.number(key, 0) == item.number(key, 3) == 0  # linear
        if length := item.number(key, 1):
            sound = sound * np.clip(since / length, 0, 1)
    return sound * item.number("VOLPAN", 0) * item.number("VOLPAN", 2)


def play(text: str) -> np.ndarray:
    """The project's mono mix."""
    rate = int(parse_rpp(text).number("SAMPLERATE"))
    placed = [
        (round(item.number("POSITION") * rate), play_item(item, rate)) for item in items(text)
    ]
    mix = np.zeros(max(at + len(sound) for at, sound in placed))
    for at, sound in placed:
        mix[at : at + len(sound)] += sound
    return mix


@pytest.fixture
def sounds(tmp_path, fixtures) -> Path:
    """A folder with the tabla, a bundled OGG, and a ramp whose every sample says where it lies."""
    shutil.copy(fixtures / "tabla_44k.wav", tmp_path / "tabla.wav")
    ogg = next(
        path
        for path in sorted(CORPUS_DIR.rglob("*.ogg"))
        if sf.info(path).channels == 1 and sf.info(path).samplerate == RATE
    )
    shutil.copy(ogg, tmp_path / "bundled.ogg")
    sf.write(tmp_path / "ramp.wav", np.arange(20000) / 32768, RATE, "DOUBLE")
    return tmp_path


def test_exports_have_suffixes_of_their_own():
    suffixes = [export.suffix for export in EXPORTS.values()]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") for suffix in suffixes)


def test_choices_for_the_command_line_import_nothing_that_takes_long():
    code = (
        "import sys, audio.formats, playback.exports, playback.options;"
        " print({'numpy', 'scipy', 'soundfile', 'xxhash'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_same_plan_same_text(name):
    cues = [
        make_cue(make_step()),
        make_cue(make_step(at=2500, source="a/b c.flac"), number=1, lead=10, fade_in=20),
    ]
    assert export(name, cues) == export(name, cues)
    assert export(name, cues).endswith("\n")


def test_reaper_project_plays_the_mix_of_the_cues(sounds):
    envelope = ((0, 1.0), (40, 1.5), (300, 1.25), (301, 0.5))
    cues = [
        make_cue(
            make_step(start=1000, n=2000, at=500, gain_db=-6), tail=30, fade_in=64, fade_out=60
        ),
        make_cue(
            make_step("bundled.ogg", 4000, 1500, 2500),
            number=1,
            lead=30,
            tail=50,
            fade_in=60,
            fade_out=90,
            envelope=envelope,
        ),
        make_cue(
            make_step(start=9000, n=900, at=4000, gain_db=3, reverse=True),
            number=2,
            lead=40,
            fade_in=90,
            fade_out=1,
        ),
    ]
    tabla, bundled = (sf.read(sounds / name)[0] for name in ("tabla.wav", "bundled.ogg"))
    spans = [tabla[1000:3030], bundled[3970:5550], tabla[9000:9940][::-1]]
    expected = np.zeros(4900)
    for cue, span in zip(cues, spans, strict=True):
        for k, sample in enumerate(span):
            fade = min(1, k / cue.fade_in) * min(1, (len(span) - k) / cue.fade_out)
            straight = np.interp(
                k, [at for at, _ in cue.envelope], [gain for _, gain in cue.envelope]
            )
            expected[cue.at_sample + k] += sample * fade * straight * 10 ** (cue.step.gain_db / 20)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(play(export("reaper", cues, sounds)), expected, atol=1e-6)


def test_reaper_items_alternate_so_that_none_overlaps_on_a_track():
    cues = [
        make_cue(make_step(at=1000 * i, n=1000, start=500), number=i, lead=10 * (i > 0), tail=20)
        for i in range(7)
    ]
    tracks = parse_rpp(export("reaper", cues)).all("TRACK")
    assert [len(track.all("ITEM")) for track in tracks] == [4, 3]
    for track in tracks:
        ends = [item.number("POSITION") + item.number("LENGTH") for item in track.all("ITEM")]
        starts = [item.number("POSITION") for item in track.all("ITEM")]
        assert all(end < start for end, start in zip(ends[:-1], starts[1:], strict=True))


def voice_cues():
    """Of voices 0 and 2, each with two cues."""
    return [
        make_cue(make_step(at=1000 * i, n=1000, start=500 + 100 * v, voice=v), number=i, tail=20)
        for v in (0, 2)
        for i in range(2)
    ]


def test_reaper_voices_are_folders_of_two_tracks(sounds):
    text = export("reaper", voice_cues(), sounds)
    tracks = parse_rpp(text).all("TRACK")
    assert [(t.fields["NAME"], t.fields.get("ISBUS"), len(t.all("ITEM"))) for t in tracks] == [
        (["voice 0"], ["1", "1"], 0),
        (["voice 0, 1"], None, 1),
        (["voice 0, 2"], ["2", "-1"], 1),
        (["voice 2"], ["1", "1"], 0),
        (["voice 2, 1"], None, 1),
        (["voice 2, 2"], ["2", "-1"], 1),
    ]
    tabla = sf.read(sounds / "tabla.wav")[0]
    expected = np.zeros(2020)
    for cue in voice_cues():
        start = cue.step.start_sample
        expected[cue.at_sample : cue.at_sample + 1020] += tabla[start : start + 1020]
    np.testing.assert_allclose(play(text), expected, atol=1e-6)


def test_one_voice_is_exported_without_a_word_of_voices():
    cues = [make_cue(make_step(at=2000 * i), number=i) for i in range(3)]
    for name in EXPORTS:
        assert "voice" not in export(name, cues)
    tracks = parse_rpp(export("reaper", cues)).all("TRACK")
    assert [track.fields["NAME"] for track in tracks] == [["Demiurge 1"], ["Demiurge 2"]]
    assert 'Track 2: "Demiurge 2" Solo: 0 Mute: 0' in export("edl", cues)


def test_labels_csv_and_edl_name_the_voice():
    labels = export("labels", voice_cues()).splitlines()
    assert [line.split("\t")[2] for line in labels] == ["voice 0: tabla 7"] * 2 + [
        "voice 2: tabla 7"
    ] * 2
    rows = list(csv.DictReader(io.StringIO(export("csv", voice_cues()))))
    assert [row["voice"] for row in rows] == ["0", "0", "2", "2"]
    assert list(rows[0])[:3] == ["number", "voice", "unit"]
    lines = export("edl", voice_cues()).splitlines()
    assert [line.split('"')[1] for line in lines if line.startswith("Track ")] == [
        f"voice {voice}, {n}" for voice in (0, 2) for n in (1, 2)
    ]
    rows = [split(line) for line in lines if line.strip() and line.strip()[0].isdigit()][1:]
    assert [row[1] for row in rows] == ["1", "2", "3", "4"]


def test_reaper_reversed_step_plays_back_from_its_end(sounds):
    cue = make_cue(make_step("ramp.wav", 1000, 200, 500, reverse=True), lead=30, tail=20)
    heard = play(export("reaper", [cue], sounds))[470:] * 32768
    np.testing.assert_allclose(heard, np.arange(1229, 979, -1), atol=1e-6)
    assert heard[30] == pytest.approx(1199)  # the unit's last sample, where the step begins


def test_reaper_stretched_step_reads_half_as_fast(sounds):
    cue = make_cue(
        make_step("ramp.wav", 1000, 200, 500, stretch=2.0, transpose=-3.5), lead=30, tail=20
    )
    text = export("reaper", [cue], sounds)
    np.testing.assert_allclose(play(text)[470:] * 32768, 985 + np.arange(250) / 2, atol=1e-6)
    assert [float(field) for field in items(text)[0].fields["PLAYRATE"]] == [0.5, 1, -3.5, -1]


def test_reaper_stretched_and_reversed_step(sounds):
    cue = make_cue(
        make_step("ramp.wav", 1000, 200, 500, stretch=0.5, reverse=True), lead=30, tail=20
    )
    heard = play(export("reaper", [cue], sounds))[470:] * 32768
    np.testing.assert_allclose(heard, 1400 + 60 - 1 - 2 * np.arange(250), atol=1e-6)


def test_reaper_reversed_section_never_begins_before_the_file():
    cue = make_cue(make_step(start=0, n=1001, reverse=True, stretch=2.0))
    (source,) = items(export("reaper", [cue]))[0].all("SOURCE")
    assert source.number("STARTPOS") == 0
    assert source.number("LENGTH") * RATE == pytest.approx(500)


def test_reaper_envelope_points_run_at_the_take_rate(sounds):
    cue = make_cue(
        make_step("ramp.wav", 1000, 200, 500, stretch=4.0),
        envelope=((0, 1.0), (100, 0.0), (200, 1.0)),
    )
    points = items(export("reaper", [cue]))[0].all("VOLENV")[0].points
    np.testing.assert_allclose(points, [(0, 1), (25 / RATE, 0), (50 / RATE, 1)], atol=1e-12)
    played = play(export("reaper", [cue], sounds))
    assert played[600] == pytest.approx(0, abs=1e-9)
    assert played[650] * 32768 == pytest.approx((1000 + 150 / 4) * 0.5)


def test_reaper_envelope_above_its_limit_goes_into_the_volume(sounds):
    envelope = ((0, 1.0), (100, 3.98), (200, 0.5))
    cue = make_cue(make_step("ramp.wav", 1000, 201, 0, gain_db=-12), envelope=envelope)
    text = export("reaper", [cue], sounds)
    (item,) = items(text)
    assert [gain for _, gain in item.all("VOLENV")[0].points] == pytest.approx([0.5, 1.99, 0.25])
    assert item.number("VOLPAN", 2) == pytest.approx(2 * 10 ** (-12 / 20))
    straight = np.interp(np.arange(201), *zip(*envelope, strict=True))
    np.testing.assert_allclose(
        play(text) * 32768, (1000 + np.arange(201)) * straight * 10 ** (-12 / 20), atol=1e-6
    )


def test_reaper_envelope_of_ones_is_left_out():
    (item,) = items(export("reaper", [make_cue(make_step(), envelope=((0, 1.0), (10, 1.0)))]))
    assert item.all("VOLENV") == []


@given(
    st.integers(0, 10 * 3600 * 192000), st.integers(1, 192000), st.integers(0, 10 * 3600 * 192000)
)
def test_reaper_seconds_are_exact_to_the_sample_for_hours(at, n, start):
    (item,) = items(
        export("reaper", [make_cue(make_step(start=start, n=n, at=at))], sample_rate=192000)
    )
    for key, samples in (("POSITION", at), ("LENGTH", n), ("SOFFS", start)):
        assert abs(item.number(key) * 192000 - samples) < 1e-4
        assert len(item.fields[key][0].partition(".")[2]) >= 12


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("a.wav", "WAVE"),
        ("a.aiff", "WAVE"),
        ("a.FLAC", "FLAC"),
        ("a.ogg", "VORBIS"),
        ("a.opus", "OPUS"),
        ("a.mp3", "MP3"),
    ],
)
def test_reaper_source_type_follows_the_suffix(source, kind):
    assert (
        items(export("reaper", [make_cue(make_step(source))]))[0].all("SOURCE")[0].head[1] == kind
    )


@pytest.mark.parametrize(
    "source",
    ["it's.wav", 'a "b" c.wav', "'\"x.wav", "Bässe/Ünit 東京.wav", "a`b.wav", "  two  spaces.wav"],
)
def test_reaper_odd_names_come_back(source):
    (item,) = items(export("reaper", [make_cue(make_step(source))]))
    assert item.all("SOURCE")[0].fields["FILE"] == [f"/sounds/{source}"]
    assert item.fields["NAME"] == [f"{Path(source).with_suffix('')} 7"]


def test_reaper_relative_root_becomes_absolute():
    (item,) = items(export("reaper", [make_cue(make_step())], Path("corpus")))
    assert item.all("SOURCE")[0].fields["FILE"] == [str(Path.cwd() / "corpus" / "tabla.wav")]


def test_reaper_path_with_every_quote_raises():
    with pytest.raises(PlanError, match="step 3: .* needs one to quote it; rename the file"):
        export("reaper", [make_cue(make_step("a\"b'c`.wav"), number=3)])


@pytest.mark.parametrize("name", ["reaper", "edl"])
@pytest.mark.parametrize("source", ["two\nlines.wav", "latin\udce9.wav"])
def test_path_that_no_project_can_hold_raises(name, source):
    with pytest.raises(PlanError, match="step 0: .* has a line break or is not UTF-8"):
        export(name, [make_cue(make_step(source))])


@pytest.mark.parametrize(
    ("channels", "tracks", "mode"), [(1, 2, 2), (2, 2, 0), (3, 4, 0), (8, 8, 0)]
)
def test_reaper_channels(channels, tracks, mode):
    project = parse_rpp(export("reaper", [make_cue(make_step())], channels=channels))
    assert project.number("MASTER_NCH") == tracks
    assert project.all("TRACK")[0].number("NCHAN") == tracks
    assert project.all("TRACK")[0].all("ITEM")[0].number("CHANMODE") == mode


def test_reaper_colour_is_the_source_s():
    cues = [
        make_cue(make_step(source, at=2000 * i), number=i)
        for i, source in enumerate(["a.wav", "b.wav", "a.wav"])
    ]
    first, second, third = (item.fields["COLOR"] for item in items(export("reaper", cues)))
    assert first == third != second


def test_labels_are_the_steps_own_times():
    cues = [make_cue(make_step("drums/kick.wav", n=22050, at=44100), lead=100, tail=100)]
    cues += [make_cue(make_step("a\tb\nc.wav", n=4410, at=66150, unit=12), number=1, lead=50)]
    assert (
        export("labels", cues)
        == "1.000000000\t1.500000000\tdrums/kick 7\n1.500000000\t1.600000000\ta\\tb\\nc 12\n"
    )


def test_csv_reads_back():
    step = make_step(
        'a,"b"\nc.wav',
        22050,
        4410,
        44100,
        gain_db=-1.5,
        reverse=True,
        transpose=2.0,
        stretch=1.25,
        distance=0.1,
        join=3.0,
    )
    (row,) = csv.DictReader(
        io.StringIO(
            export("csv", [make_cue(step, number=5, lead=9, fade_in=18, fade_out=64)]), newline=""
        )
    )
    assert row["source"] == 'a,"b"\nc.wav'
    assert (row["number"], row["unit"], row["fade_in"], row["fade_out"], row["reverse"]) == (
        "5",
        "7",
        "18",
        "64",
        "True",
    )
    assert [int(row[name]) for name in ("start_sample", "n_samples", "at_sample")] == [
        22050,
        4410,
        44100,
    ]
    assert [float(row[name]) for name in ("start_seconds", "at_seconds", "seconds")] == [
        0.5,
        1.0,
        0.1,
    ]
    assert [
        float(row[name]) for name in ("gain_db", "transpose", "stretch", "distance", "join")
    ] == [-1.5, 2, 1.25, 0.1, 3]


def test_edl_columns():
    cues = [
        make_cue(
            make_step("a.wav", 1000, 2000, 500, gain_db=-6.25), tail=30, fade_in=64, fade_out=60
        )
    ]
    cues += [make_cue(make_step("b 'q'.wav", 4000, 1500, 2500), number=1, lead=30, fade_in=60)]
    cues += [make_cue(make_step("a.wav", 9000, 900, 4000, unit=8), number=2)]
    lines = export("edl", cues, channels=2).splitlines()
    assert lines[0] == "Samplitude EDL File Format Version 1.5"
    assert lines[2:4] == ["Sample Rate: 44100", "Output Channels: 2"]
    table = lines.index("Source Table Entries: 2")
    assert [split(line) for line in lines[table + 1 : table + 3]] == [
        ["1", "/sounds/a.wav"],
        ["2", "/sounds/b 'q'.wav"],
    ]
    rows = [
        split(line) for line in lines[table + 3 :] if line.strip() and line.strip()[0].isdigit()
    ]
    fades = [
        ["64", "0", "*default", "60", "0", "*default"],
        ["0", "0", "*default"] * 2,
        ["60", "0", "*default", "0", "0", "*default"],
    ]
    assert rows == [
        ["1", "1", "500", "2530", "1000", "3030", "-6.2500", "0", "0", *fades[0], "a 7"],
        ["1", "1", "4000", "4900", "9000", "9900", "0.0000", "0", "0", *fades[1], "a 8"],
        ["2", "2", "2470", "4000", "3970", "5500", "0.0000", "0", "0", *fades[2], "b 'q' 7"],
    ]
    header = next(line for line in lines if line.startswith("#Source"))
    assert len(split(header)) == len(rows[0])


@pytest.mark.parametrize(
    ("how", "said"),
    [({"reverse": True}, "True"), ({"transpose": 1.0}, "1.0"), ({"stretch": 0.5}, "0.5")],
)
def test_edl_refuses_what_it_cannot_say(how, said):
    cues = [make_cue(make_step(at=0)), make_cue(make_step(at=2000, **how), number=1)]
    with pytest.raises(
        PlanError,
        match=f"step 1: an EDL cannot express {next(iter(how))}={said}; export to reaper",
    ):
        export("edl", cues)


def test_edl_quote_in_a_path_raises():
    with pytest.raises(PlanError, match="step 0: .* contains a quote"):
        export("edl", [make_cue(make_step('a"b.wav'))])


@given(st.floats(-60, 24))
def test_reaper_gain_is_linear(gain_db):
    (item,) = items(export("reaper", [make_cue(make_step(gain_db=gain_db))]))
    assert 20 * math.log10(item.number("VOLPAN", 2)) == pytest.approx(gain_db, abs=1e-9)
