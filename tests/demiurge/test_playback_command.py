"""demiurge playback as people run it: on plans of real sounds, with everything it can make of
them.
"""

import csv
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from demiurge.cli.plan_table import how_played
from files.hashing import hash_file
from playback.options import CrossfadeOptions, RenderOptions
from playback.outputs import export_path
from playback.plan import Plan, Step
from playback.render import render
from playback.sources import SourceReader
from playback.stems import stem_paths
from playback.targets import Targets

pytestmark = pytest.mark.accounts

RATE = 44100
HOP = 1024
SOUNDS = ("loop_industrial.ogg", "ambi_choir.ogg", "tabla_ghe3.ogg")
EXPORTS = {"reaper": "o.rpp", "labels": "o.txt", "csv": "o.csv", "edl": "o.edl"}


def run(*arguments, expect=0) -> SimpleNamespace:
    result = CliRunner().invoke(main, ["playback", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return SimpleNamespace(out=result.stdout, err=result.stderr)


def refusal(*arguments, expect=2) -> str:
    """What is said, on one line, when it exits so."""
    return " ".join(run(*arguments, expect=expect).err.split())


def heard(path) -> np.ndarray:
    return sf.read(path, dtype="float32", always_2d=True)[0]


@pytest.fixture
def plan(tmp_path) -> Plan:
    """A second of three sources, 24 units that mostly do not belong together."""
    steps = tuple(
        Step(i, SOUNDS[i // 2 % 3], (7 * i % 12) * HOP, 2 * HOP, i * 2 * HOP, gain_db=-9.0)
        for i in range(24)
    )
    stamps = {
        name: {
            "hash": hash_file(path),
            "bytes": path.stat().st_size,
            "modified_ns": path.stat().st_mtime_ns,
        }
        for name in SOUNDS
        for path in [CORPUS_DIR / name]
    }
    return Plan(
        RATE,
        2,
        {"id": "x", "root": str(CORPUS_DIR)},
        steps,
        {"crossfade": {"crossfade_ms": 30.0}},
        100,
        stamps,
    )


@pytest.fixture
def saved(tmp_path, plan) -> Path:
    plan.save(tmp_path / "p.plan.json")
    return tmp_path / "p.plan.json"


@pytest.fixture
def moved(tmp_path, plan) -> Path:
    """The sources elsewhere; without the second one."""
    (tmp_path / "moved").mkdir()
    for name in (SOUNDS[0], SOUNDS[2]):
        shutil.copy2(CORPUS_DIR / name, tmp_path / "moved" / name)
    return tmp_path / "moved"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


# What it writes


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("o.wav", (), "PCM_24"),
        ("o.wav", ("--bits", "float"), "FLOAT"),
        ("o.flac", ("--bits", "16"), "PCM_16"),
        ("o.ogg", (), "VORBIS"),
    ],
)
def test_the_plan_is_written_as_the_name_says(tmp_path, plan, saved, name, options, kind):
    told = run(saved, "-o", tmp_path / name, *options)
    info = sf.info(tmp_path / name)
    assert (info.subtype, info.frames, info.samplerate, info.channels) == (
        kind,
        plan.n_samples,
        RATE,
        2,
    )
    assert told.out.startswith(f"{tmp_path / name}: 1.12 s, 24 units\n")
    assert told.err == ""


def test_it_is_what_the_library_renders(tmp_path, plan, saved):
    run(saved, "-o", tmp_path / "o.wav")
    render(plan, tmp_path / "p.wav", render_options=RenderOptions(CrossfadeOptions(30.0)))
    assert (tmp_path / "o.wav").read_bytes() == (tmp_path / "p.wav").read_bytes()


def test_loudness_is_reached_and_told(tmp_path, saved):
    text = run(saved, "-o", tmp_path / "o.wav", "--lufs", -20).out
    assert "-20.0 LUFS, true peak -" in text
    facts = json.loads(
        run(saved, "-o", tmp_path / "p.wav", "--lufs", -20, "--true-peak", -30, "--json").out
    )
    assert facts["true_peak_db"] == pytest.approx(-30)
    assert facts["lufs"] < -20
    text = run(saved, "-o", tmp_path / "q.wav", "--lufs", -20, "--true-peak", -30).out
    assert (
        "-20 LUFS would need a limiter, since the true peak is at its limit; raise the limit with"
        " demiurge playback --true-peak" in text
    )
    assert "limiter" not in run(saved, "-o", tmp_path / "r.wav", "--lufs", -40).out


def test_lowering_is_told(tmp_path, plan, saved):
    edit(saved, lambda document: [step.update(gain_db=12.0) for step in document["steps"]])
    assert "lowered by" in run(saved, "-o", tmp_path / "o.wav").out


def test_every_export_lies_beside_what_is_written(tmp_path, plan, saved):
    options = [word for kind in EXPORTS for word in ("--export", kind)]
    told = run(saved, "-o", tmp_path / "o.wav", *options)
    assert files(tmp_path) == sorted(["p.plan.json", "o.wav", *EXPORTS.values()])
    assert told.out.splitlines()[1:] == [str(tmp_path / name) for name in EXPORTS.values()]
    assert (tmp_path / "o.rpp").read_text().startswith("<REAPER_PROJECT")
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert len(rows) == len(plan.steps)
    assert len((tmp_path / "o.txt").read_text().splitlines()) == len(plan.steps)


def test_exports_alone_lie_beside_the_plan(tmp_path, saved):
    run(saved, "--export", "labels", "--export", "csv")
    assert files(tmp_path) == ["p.csv", "p.plan.json", "p.txt"]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("a/o.wav", "a/o.rpp"),
        ("a/o.plan.json", "a/o.rpp"),
        ("a/.plan.json", "a/plan.rpp"),
        ("o.json", "o.rpp"),
        ("a.b.ogg", "a.b.rpp"),
    ],
)
def test_export_names(base, expected):
    assert export_path(Path(base), "reaper") == Path(expected)


def test_projects_are_as_loud_as_the_render_and_the_table_is_the_plans(tmp_path, saved):
    exports = [word for kind in EXPORTS for word in ("--export", kind)]
    run(saved, "-o", tmp_path / "a.wav", *exports)
    facts = json.loads(run(saved, "-o", tmp_path / "b.wav", "--lufs", -30, *exports, "--json").out)
    assert abs(facts["gain_db"]) > 1
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()
    volumes = [
        np.array(re.findall(r"VOLPAN 1 0 (\S+) -1\n", (tmp_path / name).read_text()), float)
        for name in ("a.rpp", "b.rpp")
    ]
    np.testing.assert_allclose(20 * np.log10(volumes[1] / volumes[0]), facts["gain_db"], atol=1e-6)
    gains = [
        np.array(
            re.findall(r"^ *\d+ +[12] +.*? (-?\d+\.\d{4}) ", (tmp_path / name).read_text(), re.M),
            float,
        )
        for name in ("a.edl", "b.edl")
    ]
    assert len(volumes[0]) == len(gains[0]) == 24
    np.testing.assert_allclose(gains[1] - gains[0], facts["gain_db"], atol=1e-3)


def test_an_export_that_is_refused_leaves_nothing(tmp_path, saved):
    edit(saved, lambda document: document["steps"][3].update(reverse=True))
    options = (
        "--export",
        "csv",
        "--export",
        "edl",
        "--stems",
        tmp_path / "parts",
        "--picture",
        tmp_path / "o.png",
    )
    text = refusal(saved, "-o", tmp_path / "o.wav", *options, expect=1)
    assert "step 3: an EDL cannot express reverse=True; export to reaper instead" in text
    assert files(tmp_path) == ["p.plan.json"]


def test_stems_and_labels_distinguish_sources_of_one_name(tmp_path, plan):
    for folder in ("drums", "bass"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shutil.copy(CORPUS_DIR / SOUNDS[2], tmp_path / "in" / folder / "hit.ogg")
    steps = tuple(Step(i, f"{('drums', 'bass')[i]}/hit.ogg", 0, HOP, i * HOP) for i in range(2))
    replace(plan, database={"id": "x", "root": str(tmp_path / "in")}, steps=steps, sources={}).save(
        tmp_path / "o.json"
    )
    run(tmp_path / "o.json", "--stems", tmp_path / "parts", "--export", "labels")
    assert files(tmp_path / "parts") == ["1 drums - hit.wav", "2 bass - hit.wav"]
    assert [line.split("\t")[2] for line in (tmp_path / "o.txt").read_text().splitlines()] == [
        "drums/hit 0",
        "bass/hit 1",
    ]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_stems_are_the_whole_in_parts(tmp_path, plan, saved, suffix):
    run(saved, "-o", tmp_path / f"o{suffix}", "--stems", tmp_path / "parts", "--lufs", -25)
    names = [f"{n} {Path(sound).stem}{suffix}" for n, sound in enumerate(SOUNDS, start=1)]
    assert files(tmp_path / "parts") == names
    total = sum(heard(tmp_path / "parts" / name) for name in names)
    np.testing.assert_allclose(total, heard(tmp_path / f"o{suffix}"), atol=1e-6)


def test_stems_alone(tmp_path, saved):
    text = run(saved, "--stems", tmp_path / "parts").out
    assert text.splitlines() == [
        str(tmp_path / "parts" / f"{n} {Path(s).stem}.wav") for n, s in enumerate(SOUNDS, start=1)
    ]


def test_a_picture_is_drawn(tmp_path, saved):
    run(saved, "-o", tmp_path / "o.wav", "--picture", tmp_path / "o.png")
    image = matplotlib.image.imread(tmp_path / "o.png")[..., :3]
    assert image.shape[1] == 1650
    assert 0.05 < (image.min(axis=-1) < 0.5).mean() < 0.9  # neither empty nor full


def test_json_tells_all_in_one_document(tmp_path, plan, saved):
    options = (
        "--export",
        "csv",
        "--stems",
        tmp_path / "parts",
        "--picture",
        tmp_path / "o.png",
        "--json",
    )
    facts = json.loads(run(saved, "-o", tmp_path / "o.wav", *options).out)
    expected = [
        tmp_path / "o.wav",
        tmp_path / "o.png",
        *stem_paths(plan, tmp_path / "parts", ".wav"),
        tmp_path / "o.csv",
    ]
    assert facts.pop("files") == [str(path) for path in expected]
    assert all(path.stat().st_size for path in expected)
    assert facts.pop("peak") == pytest.approx(np.abs(heard(tmp_path / "o.wav")).max(), rel=1e-5)
    assert facts.pop("plan") == plan.identity
    assert facts == {
        "skipped": {},
        "samples": plan.n_samples,
        "seconds": plan.n_samples / RATE,
        "steps": 24,
        "gain_db": 0.0,
        "lufs": None,
        "true_peak_db": None,
    }


# How units are joined


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), CrossfadeOptions(30.0)),
        (("--crossfade", 5), CrossfadeOptions(5.0)),
        (("--fade", "linear"), CrossfadeOptions(30.0, "linear")),
        (("--align", 0, "--match-level", 3), CrossfadeOptions(30.0, align_ms=0.0, level_db=3.0)),
        (("--fade-attacks",), CrossfadeOptions(30.0, attacks=False)),
        (("--plain",), CrossfadeOptions.plain(22.0)),
        (
            ("--plain", "--crossfade", 5, "--keep-attacks"),
            CrossfadeOptions(5.0, "equal-power", 0.0, True, 0.0),
        ),
    ],
)
def test_crossfades_are_the_plan_s_unless_options_say_otherwise(
    tmp_path, plan, saved, options, expected
):
    run(saved, "-o", tmp_path / "o.wav", *options)
    render(plan, tmp_path / "p.wav", render_options=RenderOptions(expected))
    assert (tmp_path / "o.wav").read_bytes() == (tmp_path / "p.wav").read_bytes()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"crossfade_ms": 15.0}, CrossfadeOptions.plain(15.0)),  # as older versions wrote it
        ({}, CrossfadeOptions()),
        ({"crossfade": {}}, CrossfadeOptions()),
        (
            {"crossfade": {"crossfade_ms": 15.0, "fade": "linear"}, "crossfade_ms": 99.0},
            CrossfadeOptions(15.0, "linear"),
        ),
    ],
)
def test_older_and_shorter_settings_are_understood(tmp_path, plan, saved, settings, expected):
    edit(saved, lambda document: document.update(settings=settings))
    run(saved, "-o", tmp_path / "o.wav")
    render(plan, tmp_path / "p.wav", render_options=RenderOptions(expected))
    assert (tmp_path / "o.wav").read_bytes() == (tmp_path / "p.wav").read_bytes()


@pytest.mark.parametrize("options", [(), ("--crossfade", 7), ("--plain",), ("--lufs", -20)])
def test_what_mosaic_writes_plays_again_to_the_byte(tmp_path, options):
    (tmp_path / "sounds").mkdir()
    for name in SOUNDS:
        shutil.copy2(CORPUS_DIR / name, tmp_path / "sounds" / name)
    sf.write(tmp_path / "t.wav", heard(SEED_FILE)[:RATE], RATE)
    for arguments in (
        ("db", "build", tmp_path / "sounds", tmp_path / "db"),
        ("mosaic", tmp_path / "t.wav", tmp_path / "db", "-o", tmp_path / "o.wav", *options),
    ):
        result = CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert set(plan["settings"]["crossfade"]) == {
        "crossfade_ms",
        "fade",
        "align_ms",
        "attacks",
        "level_db",
    }
    if "--crossfade" in options:
        assert plan["settings"]["crossfade"]["crossfade_ms"] == 7
    assert set(plan["sources"]) == {step["source"] for step in plan["steps"]}
    run(
        tmp_path / "o.plan.json",
        "-o",
        tmp_path / "again.wav",
        *(options if "--lufs" in options else ()),
    )
    assert (tmp_path / "o.wav").read_bytes() == (tmp_path / "again.wav").read_bytes()


def test_an_edited_plan_plays_as_edited(tmp_path, plan, saved):
    def silence_the_second_half(document):
        del document["steps"][12:]
        document["tail_samples"] = 5 * HOP
        document["steps"][3]["reverse"] = True

    edit(saved, silence_the_second_half)
    run(saved, "-o", tmp_path / "o.wav", "--crossfade", 0)
    out = heard(tmp_path / "o.wav")
    assert len(out) == 29 * HOP
    assert not out[24 * HOP :].any()
    run(saved, "-o", tmp_path / "whole.wav", "--crossfade", 0, "--plain")
    span = slice(6 * HOP, 8 * HOP)
    recorded = heard(CORPUS_DIR / SOUNDS[1])[9 * HOP : 11 * HOP] * 10 ** (-9 / 20)
    np.testing.assert_allclose(heard(tmp_path / "whole.wav")[span], recorded[::-1], atol=2e-7)


# Listening


@pytest.fixture
def loudspeaker(monkeypatch) -> list[np.ndarray]:
    """A stand-in for sounddevice; what it was given to play."""
    played: list[np.ndarray] = []
    device = {"index": 0, "name": "stand-in", "max_output_channels": 2}

    def stream(**options):
        return SimpleNamespace(
            start=lambda: None,
            stop=lambda: None,
            close=lambda: None,
            write=lambda chunk: played.append(chunk.copy()),
        )

    module = SimpleNamespace(
        PortAudioError=OSError,
        check_output_settings=lambda **options: None,
        OutputStream=stream,
        query_devices=lambda device_number=None, kind=None: [device] if kind is None else device,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return played


def test_what_is_heard_is_what_would_be_written(tmp_path, saved, loudspeaker):
    run(saved, "--play")
    assert files(tmp_path) == ["p.plan.json"]
    run(saved, "-o", tmp_path / "o.wav", "--bits", "float")
    np.testing.assert_array_equal(np.concatenate(loudspeaker), heard(tmp_path / "o.wav"))


def test_what_is_heard_is_as_loud_as_what_is_written(tmp_path, saved, loudspeaker):
    run(saved, "-o", tmp_path / "o.wav", "--bits", "float", "--lufs", -30, "--play")
    np.testing.assert_allclose(np.concatenate(loudspeaker), heard(tmp_path / "o.wav"), atol=1e-7)


def test_sources_are_looked_at_once_whatever_is_made_of_them(
    tmp_path, saved, loudspeaker, monkeypatch
):
    prepare = SourceReader.prepare
    looks = []
    monkeypatch.setattr(SourceReader, "prepare", lambda *given: looks.append(1) or prepare(*given))
    run(
        saved,
        "-o",
        tmp_path / "o.wav",
        "--stems",
        tmp_path / "parts",
        "--export",
        "reaper",
        "--play",
    )
    assert len(looks) == 1
    assert loudspeaker


def test_what_is_too_loud_is_heard_within_full_scale(tmp_path, saved, loudspeaker):
    edit(saved, lambda document: [step.update(gain_db=12.0) for step in document["steps"]])
    run(saved, "--play")
    assert np.abs(np.concatenate(loudspeaker)).max() == 1


def test_interruptions_are_told(saved, loudspeaker, monkeypatch):
    stream = sys.modules["sounddevice"].OutputStream

    def late(**options):
        return SimpleNamespace(**{**vars(stream(**options)), "write": lambda chunk: True})

    monkeypatch.setattr(sys.modules["sounddevice"], "OutputStream", late)
    assert "playback was interrupted" in run(saved, "--play").err


def test_the_device_that_is_named_plays(saved, loudspeaker, monkeypatch):
    module = sys.modules["sounddevice"]
    stream = sys.modules["sounddevice"].OutputStream
    asked = []
    opened = []

    def query_devices(device=None, kind=None):
        asked.append(device)
        return (
            [{"index": 3, "name": "usb", "max_output_channels": 2}]
            if kind is None
            else {"index": 3}
        )

    def open_stream(**options):
        opened.append(options["device"])
        return stream(**options)

    monkeypatch.setattr(module, "query_devices", query_devices)
    monkeypatch.setattr(module, "OutputStream", open_stream)
    run(saved, "--play", "--device", "usb")
    assert "usb" in asked
    assert opened == [3]


def test_without_a_device_nothing_is_heard_or_written(tmp_path, saved, loudspeaker, monkeypatch):
    monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", lambda *_, **__: [])
    assert "no audio output device; connect one, or write a file instead" in refusal(
        saved, "--play"
    )
    refusal(saved, "--play", "-o", tmp_path / "o.wav")
    refusal(saved, "--play", "--device", "usb", "--stems", tmp_path / "parts")
    assert files(tmp_path) == ["p.plan.json"]
    assert loudspeaker == []


def test_without_the_package_its_name_is_told(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert (
        f"playing live needs the package sounddevice; {sys.executable} -m pip install"
        in refusal(saved, "--play")
    )


# Reading it


@pytest.fixture
def found(tmp_path, plan) -> Path:
    """The plan as a path search leaves it, with a step written by hand, a rest, and all that can be
    done to a unit.
    """
    also = {
        "unit": 99,
        "distance": 2.5,
        "join": 1.0,
        "source": SOUNDS[2],
        "start_sample": 22050,
        "removed": "min_reuse",
    }
    steps = [
        replace(s, gain_db=0.0, distance=1.25, join=3.5, target=i, alternatives=(also,))
        for i, s in enumerate(plan.steps)
    ]
    steps[1] = replace(
        steps[1],
        start_sample=steps[0].end_sample,
        alternatives=({"unit": 7, "distance": 2.0}, also),
    )
    steps[3] = replace(steps[3], locked=True, gain_db=-6.0)
    steps[4] = replace(steps[4], reverse=True)
    steps[23] = Step(-1, SOUNDS[0], 0, HOP, steps[23].at_sample + HOP)
    targets = Targets.of(np.zeros((24, 39)))
    replace(plan, steps=tuple(steps), targets=targets, tail_samples=RATE).save(
        tmp_path / "f.plan.json"
    )
    return tmp_path / "f.plan.json"


def rows_of(text: str) -> list[list[str]]:
    """The cells of a printed table, without its head."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in text.splitlines()
        if line.startswith("│")
    ]


def test_the_table_has_a_line_per_step(found):
    told = run(found, "--show")
    rows = rows_of(told.out)
    assert [row[0] for row in rows] == [str(n) for n in range(24)]
    name, second, third = SOUNDS
    nearest = f"2.500 {third} 0.500 s (min_reuse)"
    assert rows[0] == [
        "0",
        "0.000 s",
        "0.046 s",
        name,
        "0.000 s",
        "0",
        "1.250",
        "",
        "",
        "1",
        nearest,
    ]
    assert rows[1] == [
        "1",
        "0.046 s",
        "0.046 s",
        name,
        "0.046 s",
        "1",
        "1.250",
        "",
        "",
        "2",
        "2.000 unit 7",
    ]
    assert rows[2] == [
        "2",
        "0.093 s",
        "0.046 s",
        second,
        "0.046 s",
        "2",
        "1.250",
        "3.500",
        "",
        "1",
        nearest,
    ]
    assert [rows[3][8], rows[4][8]] == ["locked, -6 dB", "reversed"]
    assert rows[23] == ["23", "1.091 s", "0.023 s", name, "0.000 s", "", "", "", "", "", ""]


def test_its_head_tells_of_the_whole(found):
    lines = run(found, "--show", "--crossfade", 5).out.splitlines()
    assert lines[0].startswith(
        f"{found}: 2.11 s, 24 units of 3 sources, 22 joins; a unit without a join"
        " cost goes on from the one before"
    )
    assert lines[1:4] == [
        "  rests for 1.02 s",
        f"  database x, corpus {CORPUS_DIR}",
        "  crossfade crossfade_ms 5.0, fade matched, align_ms 5.0, attacks True, level_db 12.0",
    ]


def test_columns_that_would_be_empty_are_left_out(tmp_path, plan):
    steps = tuple(Step(-1, SOUNDS[0], 0, HOP, i * HOP) for i in range(3))
    replace(plan, steps=steps).save(tmp_path / "p.plan.json")
    text = run(tmp_path / "p.plan.json", "--show").out
    assert [len(row) for row in rows_of(text)] == [5, 5, 5]
    _, _, table = text.partition("\n")
    assert not any(word in table for word in ("unit ", "distance", "how", "also", "nearest"))


def test_all_that_is_done_to_a_unit_is_told():
    step = Step(
        3, SOUNDS[0], 0, HOP, 0, gain_db=1.5, reverse=True, transpose=-5.0, stretch=1.5, locked=True
    )
    assert how_played(step.to_dict()) == "locked, +1.5 dB, reversed, -5 semitones, stretched by 1.5"


def test_programs_get_the_same_facts_in_one_document(found):
    plan = Plan.load(found)
    facts = json.loads(run(found, "--show", "--json").out)
    rows = facts.pop("steps")
    for number, (row, step) in enumerate(zip(rows, plan.steps, strict=True)):
        said = {"number": number, "contiguous": number == 1, "missing": False, **step.to_dict()}
        assert row == {**said, "alternatives": list(step.alternatives)}
    sources = facts.pop("sources")
    assert [(source["path"], source["steps"], source["missing"]) for source in sources] == [
        (SOUNDS[0], 9, False),
        (SOUNDS[1], 8, False),
        (SOUNDS[2], 7, False),
    ]
    assert sum(source["seconds"] for source in sources) == pytest.approx(47 * HOP / RATE, abs=1e-5)
    assert facts == {
        "file": str(found),
        "plan": plan.identity,
        "database": plan.database,
        "sample_rate": RATE,
        "channels": 2,
        "samples": plan.n_samples,
        "seconds": plan.n_samples / RATE,
        "rest_seconds": round((HOP + RATE) / RATE, 6),
        "joins": 22,
        "crossfade": {
            "crossfade_ms": 30.0,
            "fade": "matched",
            "align_ms": 5.0,
            "attacks": True,
            "level_db": 12.0,
        },
        "settings": plan.settings,
        "targets": 24,
    }


def test_reading_needs_no_sound_and_leaves_nothing(tmp_path, found, moved):
    before = files(tmp_path)
    edit(found, lambda document: document["database"].update(root=str(tmp_path / "gone")))
    assert (
        "the folder of the corpus does not exist, so the plan cannot be played; name its new place"
        " with --root" in run(found, "--show").out
    )
    assert {
        source["missing"] for source in json.loads(run(found, "--show", "--json").out)["sources"]
    } == {None}
    told = run(found, "--show", "--root", moved)
    assert (
        f"  missing: {SOUNDS[1]}; put them back, or say with --root where the corpus is" in told.out
    )
    assert {row[3] for row in rows_of(told.out)} == {SOUNDS[0], f"{SOUNDS[1]} (missing)", SOUNDS[2]}
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "message", "status"),
    [
        (
            "-o {tmp}/o.wav",
            ("--show only lists the plan; leave out -o, --play, --export, --stems and --pict"),
            2,
        ),
        ("--export csv", "--show only lists the plan", 2),
        ("--play", "--show only lists the plan", 2),
        (
            "--root {tmp}/no",
            "no: no such folder; say where the corpus is with --root, or leave it out",
            2,
        ),
        ("--crossfade nan", "crossfade_ms=nan must be a number of 0 to 10000", 2),
    ],
)
def test_what_reading_refuses(tmp_path, saved, line, message, status):
    assert message in refusal(saved, "--show", *line.format(tmp=tmp_path).split(), expect=status)
    assert files(tmp_path) == ["p.plan.json"]


# Sources that are not there


def test_missing_sources_are_named_and_nothing_is_written(tmp_path, saved, moved):
    before = files(tmp_path)
    text = refusal(
        saved,
        "-o",
        tmp_path / "o.wav",
        "--stems",
        tmp_path / "s",
        "--export",
        "csv",
        "--root",
        moved,
        expect=1,
    )
    assert f"not all of the plan can be played from {moved}; restore them" in text
    assert text.endswith("or leave silence with --skip-missing: ambi_choir.ogg: missing")
    assert files(tmp_path) == before


def test_skipping_leaves_silence_names_them_and_exits_1(tmp_path, plan, saved, moved):
    told = run(
        saved,
        "-o",
        tmp_path / "o.wav",
        "--root",
        moved,
        "--skip-missing",
        "--crossfade",
        0,
        expect=1,
    )
    assert told.err == "skipped ambi_choir.ogg (8 steps, 0.37 s): missing\n"
    assert told.out.startswith(f"{tmp_path / 'o.wav'}: 1.12 s, 16 units\n")
    out = heard(tmp_path / "o.wav")
    assert len(out) == plan.n_samples
    for step in plan.steps:
        assert out[step.at_sample : step.until_sample].any() == (step.source != "ambi_choir.ogg")


def test_steps_beyond_the_end_are_skipped_alone(tmp_path, plan, saved):
    edit(saved, lambda document: document["steps"][5].update(start_sample=105_000))
    options = (
        "-o",
        tmp_path / "o.wav",
        "--export",
        "csv",
        "--stems",
        tmp_path / "parts",
        "--crossfade",
        0,
    )
    told = run(saved, *options, "--skip-missing", expect=1)
    assert (
        told.err
        == "skipped step 5: plays samples 105000 to 107048 of tabla_ghe3.ogg, which has 105435\n"
    )
    out = heard(tmp_path / "o.wav")
    assert [
        step.unit for step in plan.steps if not out[step.at_sample : step.until_sample].any()
    ] == [5]
    rows = csv.DictReader((tmp_path / "o.csv").read_text().splitlines())
    assert [int(row["number"]) for row in rows] == [n for n in range(24) if n != 5]
    assert len(files(tmp_path / "parts")) == 3


def test_a_name_that_is_nearly_right_is_suggested(tmp_path, saved):
    edit(saved, lambda document: document["steps"][2].update(source="ambi_chior.ogg"))
    text = refusal(saved, "-o", tmp_path / "o.wav", expect=1)
    assert "ambi_chior.ogg: missing; did you mean ambi_choir.ogg?" in text


def test_skipping_is_told_to_programs_too(tmp_path, saved, moved, loudspeaker):
    (moved / "ambi_choir.ogg").write_bytes((CORPUS_DIR / "ambi_choir.ogg").read_bytes()[:9000])
    options = ("--root", moved, "--skip-missing", "--json", "--play")
    facts = json.loads(run(saved, "-o", tmp_path / "o.wav", *options, expect=1).out)
    assert list(facts["skipped"]) == ["ambi_choir.ogg"]
    np.testing.assert_allclose(np.concatenate(loudspeaker), heard(tmp_path / "o.wav"), atol=2e-7)


def test_another_file_of_that_name_is_refused(tmp_path, saved, moved):
    sf.write(moved / "ambi_choir.ogg", heard(CORPUS_DIR / "ambi_choir.ogg")[::-1], RATE)
    text = refusal(saved, "-o", tmp_path / "o.wav", "--root", moved, expect=1)
    assert "ambi_choir.ogg: not the file that the plan was made from" in text
    assert not (tmp_path / "o.wav").exists()


def test_a_moved_corpus_plays_the_same(tmp_path, saved, moved):
    shutil.copy(CORPUS_DIR / "ambi_choir.ogg", moved)
    run(saved, "-o", tmp_path / "a.wav")
    run(saved, "-o", tmp_path / "b.wav", "--root", moved)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_stems_that_are_skipped_replace_nothing_unasked(tmp_path, saved, moved):
    (tmp_path / "parts").mkdir()
    run(saved, "--stems", tmp_path / "parts", "--root", moved, "--skip-missing", expect=1)
    names = files(tmp_path / "parts")
    (tmp_path / "parts" / names[-1]).write_text("mine")
    for name in names[:-1]:
        (tmp_path / "parts" / name).unlink()
    assert f"{names[-1]} exists; give another name, or --force" in refusal(
        saved, "--stems", tmp_path / "parts", "--root", moved, "--skip-missing"
    )
    assert (tmp_path / "parts" / names[-1]).read_text() == "mine"


# What it refuses


@pytest.mark.parametrize(
    ("line", "message", "status"),
    [
        ("", "nothing to do; give -o OUT, --play, --show, --export or --stems", 2),
        ("--json --force", "nothing to do", 2),
        (
            "--export reaper --picture {tmp}/o.png",
            "o.png shows what is rendered; give -o OUT as well",
            2,
        ),
        ("--export reaper --loop", "--loop says how OUT and the stems are written; give -o", 2),
        ("-o {tmp}/o.mp3", "the suffix '.mp3' must be one of .wav, .flac, .ogg", 2),
        ("-o {tmp}/o.ogg --bits 24", "bits='24' does not apply to OGG", 2),
        ("-o {tmp}/o.flac --bits float", "float samples need .wav", 2),
        ("-o {tmp}/no/o.wav", "does not exist; make it first", 2),
        ("-o {tmp}/o.wav --picture {tmp}/no/o.png", "does not exist; make it first", 2),
        (
            "-o {tmp}/o.wav --picture {tmp}/o.jpg",
            "a picture is a PNG; give a name that ends in .png",
            2,
        ),
        ("-o {tmp}/o.wav --stems {tmp}/p.plan.json", "p.plan.json", 2),
        (
            "-o {tmp}/o.wav --export midi",
            "'midi' is not one of 'reaper', 'labels', 'csv', 'edl'",
            2,
        ),
        ("-o {tmp}/o.wav --crossfade -1", "-1.0 is not in the range 0<=x<=10000", 2),
        ("-o {tmp}/o.wav --crossfade 10001", "10001.0 is not in the range 0<=x<=10000", 2),
        ("-o {tmp}/o.wav --crossfade nan", "crossfade_ms=nan must be a number of 0 to 10000", 2),
        ("-o {tmp}/o.wav --lufs 3", "3.0 is not in the range -70<=x<=0", 2),
        ("-o {tmp}/o.wav --true-peak 1", "1.0 is not in the range -60<=x<=0", 2),
        (
            "-o {tmp}/o.wav --fade round",
            "'round' is not one of 'matched', 'equal-power', 'linear'",
            2,
        ),
        (
            "-o {tmp}/o.wav --root {tmp}/no",
            "no: no such folder, but the corpus was there; say where it is now with --root",
            2,
        ),
        ("-o {tmp}/o.wav --root {tmp}/p.plan.json", "p.plan.json: no such folder, but", 2),
        ("-o {tmp}/o.wav --root {tmp}", "not all of the plan can be played from", 1),
        ("-o {tmp}/o.wav --root {tmp} --skip-missing", "no step of the plan can be played from", 1),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(tmp_path, saved, line, message, status):
    assert message in refusal(saved, *line.format(tmp=tmp_path).split(), expect=status)
    assert files(tmp_path) == ["p.plan.json"]


@pytest.mark.parametrize(
    "there", ["o.wav", "o.png", "o.rpp", "o.txt", "o.csv", "o.edl", "parts/2 ambi_choir.wav"]
)
def test_nothing_is_replaced_unasked(tmp_path, saved, there):
    options = [word for kind in EXPORTS for word in ("--export", kind)]
    options += [
        "-o",
        tmp_path / "o.wav",
        "--picture",
        tmp_path / "o.png",
        "--stems",
        tmp_path / "parts",
    ]
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    assert f"{tmp_path / there} exists; give another name, or --force to replace it" in refusal(
        saved, *options
    )
    assert files(tmp_path) == sorted([there, "p.plan.json"])
    assert (tmp_path / there).read_text() == "mine"
    run(saved, *options, "--force")
    assert (tmp_path / there).read_bytes() != b"mine"
    assert len(files(tmp_path)) == 1 + 1 + 1 + 4 + 3


def test_an_output_is_never_the_plan_itself(tmp_path, plan):
    plan.save(tmp_path / "o.csv")
    before = (tmp_path / "o.csv").read_bytes()
    for force in ((), ("--force",)):
        text = refusal(tmp_path / "o.csv", "-o", tmp_path / "o.wav", "--export", "csv", *force)
        assert "o.csv is the plan itself; give another name" in text
    assert files(tmp_path) == ["o.csv"]
    assert (tmp_path / "o.csv").read_bytes() == before


def test_an_output_is_never_a_source_that_is_played(tmp_path, saved, moved):
    shutil.copy(CORPUS_DIR / SOUNDS[1], moved)
    (tmp_path / "link.ogg").symlink_to(moved / SOUNDS[1])
    before = {name: (moved / name).read_bytes() for name in SOUNDS}
    for path in (moved / SOUNDS[1], tmp_path / "link.ogg"):
        text = refusal(saved, "-o", path, "--root", moved, "--force")
        assert (
            f"{path} is the source ambi_choir.ogg, which the plan plays; give another name" in text
        )
    assert {name: (moved / name).read_bytes() for name in SOUNDS} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("mosaic", "t.wav", "db", "-o", "t.wav"),
        ("mosaic", "t-2.wav", "db", "-o", "t.wav", "--variations", "2"),
        ("render", "t.wav", "db", "model", "-o", "link.wav"),
    ],
)
def test_what_is_given_is_never_written_over(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SEED_FILE, arguments[1])
    Path("link.wav").symlink_to("t.wav")
    before = Path(arguments[1]).read_bytes()
    result = CliRunner().invoke(main, [*arguments, "--force"])
    assert result.exit_code == 2
    assert f"{arguments[1]} would be written over; give another name with -o" in result.stderr
    assert Path(arguments[1]).read_bytes() == before


def test_one_file_is_not_written_twice(tmp_path, saved):
    assert "o.wav" in refusal(saved, "-o", tmp_path / "o.wav", "--picture", tmp_path / "o.wav")
    assert files(tmp_path) == ["p.plan.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(version=4),
            '"version" is 4, but this Demiurge reads 1 to 3; update Demiurge',
        ),
        (lambda d: d.update(format="other"), '"format" must be "demiurge-plan"'),
        (
            lambda d: d["steps"][5].update(n_samples=0),
            "step 5: n_samples=0 must be an integer from 1 to",
        ),
        (
            lambda d: d["steps"][5].update(at_sample=9 * HOP),
            "step 5: at_sample=9216 lies before step 4 ends, at 10240",
        ),
        (lambda d: d["steps"][5].update(gain=3), "step 5: gain is not known; known are"),
        (lambda d: d["steps"][5].pop("source"), "step 5: source is missing; correct it"),
        (
            lambda d: d["steps"][5].update(source="../x.wav"),
            "step 5: source='../x.wav' must be a path within the corpus",
        ),
        (
            lambda d: d["steps"][5].update(gain_db="loud"),
            'step 5: gain_db="loud" must be -200 to 60',
        ),
        (
            lambda d: d["steps"][5].update(stretch=0),
            "step 5: stretch=0 must be 0.1 to 10; 2 is twice as slow",
        ),
        (lambda d: d["steps"][5].update(stretch=99), "step 5: stretch=99 must be 0.1 to 10"),
        (lambda d: d["steps"][5].update(transpose=99), "step 5: transpose=99 must be -48 to 48"),
        (lambda d: d["steps"][5].update(reverse=1), "step 5: reverse=1 must be true or false"),
        (
            lambda d: d["steps"][5].update(start_sample=10**7),
            "step 5: plays samples 10000000 to 10002048 of tabla_ghe3.ogg, ",
        ),
        (
            lambda d: d.update(settings={"crossfade": {"crossfade_ms": -3}}),
            '"crossfade": crossfade_ms=-3 must be a number of 0 to 10',
        ),
        (
            lambda d: d.update(settings={"crossfade": {"crossfade": 3}}),
            "'crossfade' is unknown; known are crossfade_ms, fade",
        ),
        (
            lambda d: d.update(settings={"crossfade": {"fade": "round"}}),
            "fade='round' is unknown; known are matched",
        ),
        (
            lambda d: d.update(settings={"crossfade_ms": "x"}),
            "crossfade_ms='x' must be a number of 0 to 10000",
        ),
        (
            lambda d: d.update(sources={SOUNDS[0]: {"hash": "x"}}),
            "sources['loop_industrial.ogg']: bytes is missing",
        ),
    ],
)
def test_an_edited_plan_that_breaks_a_rule_is_refused_by_name(tmp_path, saved, change, message):
    edit(saved, change)
    assert message in refusal(saved, "-o", tmp_path / "o.wav", expect=1)
    assert files(tmp_path) == ["p.plan.json"]
