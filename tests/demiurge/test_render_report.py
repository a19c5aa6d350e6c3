"""What render says about how a seed was continued."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from db.settings import FOR_CONTINUATIONS, DescriptorSettings
from demiurge.cli.render_report import (
    continuation_notes,
    made_of,
    one_sided_note,
    own_facts,
    stretch_range,
    voices_note,
)
from demiurge.continuation import Continuation
from demiurge.timing import Timing
from files.hashing import hash_file

STEPS = np.array([1000])


def continuation(timing, settings=FOR_CONTINUATIONS):
    database = SimpleNamespace(settings=settings, path=Path("my.db"), root=Path("my sounds"))
    space = SimpleNamespace(database=database)
    return Continuation([], timing, space, {}, world_seconds=93.6, world_sources=12)


def test_a_seed_with_a_pulse_is_continued_in_its_tempo():
    timing = Timing(STEPS, first_part=0, whole_first=9000, tempo=117.8, confidence=0.812)
    assert continuation_notes(continuation(timing), (0.92, 1.1)) == [
        "in the tempo of the seed, 118 bpm (pulse 0.81), from 94 s of 12 sources that sound like"
        " its end; stretched by 0.92 to 1.10"
    ]


@pytest.mark.parametrize(
    ("settings", "how"),
    [
        (FOR_CONTINUATIONS, "without a beat (pulse 0.10): units last as they do in their sources"),
        (DescriptorSettings(), "without a beat: units last as they do in their sources"),
    ],
)
def test_other_seeds_are_continued_without_a_beat(settings, how):
    notes = continuation_notes(continuation(Timing(STEPS, confidence=0.1), settings), (1, 1))
    assert notes[0] == f"{how}, from 94 s of 12 sources that sound like its end"


def test_older_databases_are_told_what_they_lack_and_how_to_build_another():
    notes = continuation_notes(continuation(Timing(STEPS), DescriptorSettings()), (1, 1))
    assert notes[1:] == [
        "my.db lacks units beat/4, chroma, loudness, which keep tempo, harmony and level; build"
        " another and train on it: demiurge db build 'my sounds' NEW.db"
    ]


@pytest.mark.parametrize("units", ["beat/2", "beat/4", "beat/6"])
def test_any_parts_of_beats_will_do(units):
    settings = DescriptorSettings(units=units, descriptors=("loudness", "mfcc", "chroma"))
    assert continuation(Timing(STEPS), settings).missing == []


def test_stretch_range():
    plan = SimpleNamespace(steps=[SimpleNamespace(stretch=by) for by in (1.0, 0.8, 1.3)])
    assert stretch_range(plan) == (0.8, 1.3)


@pytest.mark.parametrize(
    ("n_voices", "transposed", "note"),
    [
        (1, (0.0, 0.0), ""),
        (1, (0.0, -2.3), "1 voice; units are transposed by up to 2 semitones"),
        (3, (0.0, 0.0), "3 voices"),
        (3, (1.0, 0.2), "3 voices; units are transposed by up to 1 semitone"),
    ],
)
def test_voices_and_transpositions_are_told(n_voices, transposed, note):
    steps = [SimpleNamespace(transpose=by) for by in transposed]
    assert voices_note(SimpleNamespace(steps=steps, n_voices=n_voices)) == note


def test_one_of_a_kind_is_not_called_several():
    facts = {"seconds": 1.5, "steps": 2, "distinct_units": 1, "sources": 1, "joins": 1}
    assert made_of(facts) == "1.50 s of 2 units (1 distinct) from 1 source, 1 join"


def test_units_of_the_file_given_itself_are_counted(tmp_path):
    loop = tmp_path / "loop.wav"
    loop.write_bytes(b"the same")
    stamps = {
        "a/loop.wav": {"hash": hash_file(loop), "bytes": 8},
        "b.wav": {"hash": "another", "bytes": 8},
        "c.wav": {"hash": "another", "bytes": 9},
    }
    steps = [
        SimpleNamespace(source=name) for name in ("a/loop.wav", "b.wav", "c.wav", "a/loop.wav")
    ]
    result = SimpleNamespace(plan=SimpleNamespace(steps=steps, sources=stamps))
    assert own_facts(result, loop) == {"own": [{"source": "a/loop.wav", "steps": 2}]}
    other = tmp_path / "other.wav"
    other.write_bytes(b"not that")
    assert own_facts(result, other) == own_facts(result, None) == {}


@pytest.mark.parametrize(
    ("played", "sources", "told"),
    [
        ("aaaab", [], True),
        ("aaaa", ["!c"], True),
        ("aaabb", [], False),
        ("aaaa", ["a*"], False),
    ],
)
def test_a_mosaic_of_mostly_one_source_says_what_plays_more_of_the_others(played, sources, told):
    steps = [SimpleNamespace(source=name) for name in played]
    plan = SimpleNamespace(steps=steps, settings={"filters": {"sources": sources}})
    note = (
        f"4 of {len(played)} units are from a; --novelty 1 plays more of the others,"
        " --source '!a' all but this"
    )
    assert one_sided_note(plan) == (note if told else "")
